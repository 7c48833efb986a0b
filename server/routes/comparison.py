"""REST: what was measured of two bundles that are served together, side by side."""

from typing import Annotated, NamedTuple

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from starlette.requests import Request

from server.explorer import Explorer
from server.routes.common import ERRORS, PREFIX, Lent, Responses
from server.schemas import ComparisonQuery, Table
from server.services.comparison import comparison, comparison_table
from sparc_core.evaluation.formats import to_csv

_CSV: Responses = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}

router = APIRouter(prefix=f"{PREFIX}/evaluation/comparison", tags=["evaluation"], responses=ERRORS)


class _Pair(NamedTuple):
    first: Explorer
    second: Explorer


def _pair(request: Request, first: Lent, query: Annotated[ComparisonQuery, Query()]) -> _Pair:
    main: Explorer = request.state.explorer  # it alone knows what is served beside it
    return _Pair(first, main.at(query.other))


_Both = Annotated[_Pair, Depends(_pair)]


@router.get("")
def evaluation_comparison(both: _Both) -> list[Table]:
    """Everything that was measured of two bundles: tables with a row for each figure, a column for each bundle."""
    return comparison(*both)


@router.get("/{name}/csv", response_class=Response, responses=_CSV)
def evaluation_comparison_csv(both: _Both, name: str) -> Response:
    """One of these tables for spreadsheets, numbers as they were measured."""
    text = to_csv(comparison_table(*both, name))
    # Only names of tables come here: they need no quoting.
    disposition = f'attachment; filename="comparison-{name}.csv"'
    return Response(text, media_type="text/csv", headers={"Content-Disposition": disposition})
