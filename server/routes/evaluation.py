"""REST: what the served bundle is worth, whole and as tables, those also as files."""

from fastapi import APIRouter
from fastapi.responses import Response

from server.routes.common import ERRORS, PLAIN, PREFIX, Lent, Responses
from server.schemas import Evaluation, Table
from sparc_core.evaluation.formats import to_csv, to_latex

_CSV: Responses = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}
_LATEX: Responses = {200: {"content": {"application/x-tex": {"schema": {"type": "string"}}}}}

router = APIRouter(prefix=PREFIX, tags=["evaluation"], responses=ERRORS, dependencies=PLAIN)


@router.get("/evaluation")
def evaluation(explorer: Lent) -> Evaluation:
    """Everything that was measured of the bundle."""
    return explorer.evaluated.evaluation


@router.get("/evaluation/tables")
def evaluation_tables(explorer: Lent) -> list[Table]:
    """The same as tables; those that were not measured are not among them."""
    return explorer.evaluated.tables


@router.get("/evaluation/tables/{name}")
def evaluation_table(explorer: Lent, name: str) -> Table:
    """One table."""
    return explorer.evaluated.table(name)


@router.get("/evaluation/tables/{name}/csv", response_class=Response, responses=_CSV)
def evaluation_csv(explorer: Lent, name: str) -> Response:
    """One table for spreadsheets, numbers as they were measured."""
    return _file(to_csv(explorer.evaluated.table(name)), "text/csv", f"{name}.csv")


@router.get("/evaluation/tables/{name}/latex", response_class=Response, responses=_LATEX)
def evaluation_latex(explorer: Lent, name: str) -> Response:
    """One table for papers, with the rules of the package booktabs."""
    return _file(to_latex(explorer.evaluated.table(name)), "application/x-tex", f"{name}.tex")


def _file(text: str, media_type: str, name: str) -> Response:
    # Only names of tables come here: they need no quoting.
    return Response(text, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})
