"""The browser's pages, rendered with the same objects that the API answers with.

Each page is useful as plain HTML; the modules in `frontend/static/js` take over from there. Every template names its
variables at its top. Errors become pages through `error_page`, which the application's exception handlers call.
"""

import math
import re
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar, get_origin
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from pydantic import ValidationError

from server.schemas import (
    MAX_CAPTION_CHARACTERS,
    ErrorDetail,
    Interval,
    LatentItemsQuery,
    LatentQuery,
    LatentSort,
    MismatchKind,
    MismatchQuery,
    Wire,
)
from sparc_core.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from server.explorer import Explorer  # which imports much that an error page does not need

FRONTEND_PATH = Path(__file__).resolve().parents[2] / "frontend"
GALLERY_LIMIT = 24
N_IMAGE_ITEMS = 18
N_TEXT_ITEMS = 14
_SMALLEST_SHARE = 1e-4  # left end of the logarithmic density bars
_TERM = re.compile(r"\s*([+-]?(?:\d*\.?\d+)?)\s*(text|item|upload|latent)(?:@([^:]+))?:(.*)", re.DOTALL)

W = TypeVar("W", bound=Wire)


class By(StrEnum):
    """What latents are found by on the page `/find`."""

    meaning = "meaning"
    picture = "picture"
    examples = "examples"


class Named(NamedTuple):
    """An item or a term for a template: `name` is a caption, a latent's name, or empty where none is known."""

    kind: str  # "text", "item", "upload" or "latent"
    value: str
    name: str = ""
    weight: float = 1.0


def percent(share: float) -> str:
    """A share for people: "0.31%", "3.1%", "41%". `format.js` does the same in the browser."""
    value = 100 * share
    if value == 0 or value >= 10:
        return f"{decimal(value, 0)}%"
    return f"{decimal(value, 1 if value >= 1 else 2)}%"


def decimal(value: float | None, digits: int = 2) -> str:
    """A number with fixed digits; a dash where there is none.

    Ties round up, as JavaScript's `toFixed` does: a number must not change when the browser renders it again.
    """
    if value is None:
        return "–"
    return str(Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))


def log_share(share: float) -> float:
    """Position (0 to 1) of a share on a logarithmic bar from 0.01% to 100%."""
    if share <= _SMALLEST_SHARE:
        return 0.0
    return 1 - math.log10(share) / math.log10(_SMALLEST_SHARE)


templates = Jinja2Templates(directory=FRONTEND_PATH / "templates")
templates.env.filters.update(percent=percent, decimal=decimal, log_share=log_share)
templates.env.globals.update(max_caption_characters=MAX_CAPTION_CHARACTERS)

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


def error_page(request: Request, status: int, error: ErrorDetail) -> HTMLResponse:
    """An error as a page, for requests that do not ask for the API."""
    context = _context(request, "", error=error, status=status, reason=HTTPStatus(status).phrase)
    return templates.TemplateResponse(request, "error.html", context, status_code=status)


@router.get("/")
def gallery(request: Request) -> HTMLResponse:
    """The latents by name, filtered and sorted; the query is schemas.LatentQuery."""
    wanted = _asked(request, LatentQuery, limit=GALLERY_LIMIT)
    page = _explorer(request).gallery.page(wanted)
    context = _context(
        request,
        "latents",
        page=page,
        wanted=wanted,
        sorts=list(LatentSort),
        n_matching=sum(page.counts.values()),
        more_url=_more_url("/", wanted, page.next_cursor),
    )
    return templates.TemplateResponse(request, "gallery.html", context)


@router.get("/find")
def find(
    request: Request,
    by: By = By.meaning,
    text: Annotated[str, Query(max_length=MAX_CAPTION_CHARACTERS)] = "",
    upload: str = "",
    stream: str = "",
) -> HTMLResponse:
    """Latents by meaning, picture or examples; the browser asks for them once the page is there."""
    items = [Named("item", item_id, _caption(request, item_id)) for item_id in request.query_params.getlist("item")]
    explorer = _explorer(request)
    context = _context(
        request,
        "latents",
        by=by.value,
        text=text,
        items=items,
        upload=upload,
        stream=stream,
        examples=explorer.items.example_texts(),
    )
    return templates.TemplateResponse(request, "find.html", context)


@router.get("/mismatches")
def mismatches(request: Request) -> HTMLResponse:
    """Latents on which two streams disagree; the query is schemas.MismatchQuery, by default of the two outermost."""
    streams = [stream.name for stream in _explorer(request).info().streams]
    usual = {"strong": streams[0], "weak": streams[-1], "kind": MismatchKind.different.value}
    wanted = _asked(request, MismatchQuery, usual, limit=GALLERY_LIMIT)
    page, problem = None, ""
    try:
        page = _explorer(request).gallery.mismatches(wanted)
    except InputError as error:  # one stream twice: the form says so, and is there to choose another
        problem = str(error)
    more_url = _more_url("/mismatches", wanted, page.next_cursor if page else None)
    context = _context(
        request, "latents", wanted=wanted, kinds=list(MismatchKind), page=page, problem=problem, more_url=more_url
    )
    return templates.TemplateResponse(request, "mismatches.html", context)


@router.get("/latents/{latent_id}")
def latent(
    request: Request,
    latent_id: int,
    interval: Interval = Interval.top,
    seed: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
) -> HTMLResponse:
    """One latent: items of one interval in every stream, side by side."""
    explorer = _explorer(request)
    found = explorer.latents.latent(latent_id)
    limits = {"image": N_IMAGE_ITEMS, "text": N_TEXT_ITEMS}
    items = {
        stream.name: explorer.latent_items.items(
            latent_id,
            LatentItemsQuery(stream=stream.name, interval=interval, seed=seed, limit=limits[stream.modality]),
        )
        for stream in explorer.info().streams
    }
    last_edge = max((histogram.edges[-1] for histogram in found.histograms), default=0.0)
    context = _context(
        request,
        "latents",
        latent=found,
        items=items,
        limits=limits,
        intervals=list(Interval),
        interval=interval,
        seed=seed,
        last_edge=last_edge or 1.0,
    )
    return templates.TemplateResponse(request, "latent.html", context)


@router.get("/caption")
def caption(
    request: Request, q: Annotated[str, Query(max_length=MAX_CAPTION_CHARACTERS)] = "", item: str = ""
) -> HTMLResponse:
    """Heatmaps of a caption; the browser asks for them once the page is there."""
    subject = _explorer(request).items.item(item) if item else None
    context = _context(request, "caption", q=q, item=subject, examples=_explorer(request).items.example_texts())
    return templates.TemplateResponse(request, "caption.html", context)


@router.get("/retrieve")
def retrieve(request: Request) -> HTMLResponse:
    """Retrieval by a sum of terms; the browser reads the rest of the address, and asks for the hits."""
    examples = _explorer(request).items.example_texts()
    context = _context(request, "retrieve", terms=_terms(request), examples=examples)
    return templates.TemplateResponse(request, "retrieve.html", context)


@router.get("/items/{item_id:path}")
def item(request: Request, item_id: str) -> HTMLResponse:
    """One item and its code in every stream."""
    found = _explorer(request).items.item(item_id)
    strongest = {
        stream: max((entry.activation for entry in code), default=0.0) or 1.0 for stream, code in found.codes.items()
    }
    context = _context(request, "", item=found, strongest=strongest)
    return templates.TemplateResponse(request, "item.html", context)


def _explorer(request: Request) -> "Explorer":
    explorer: "Explorer" = request.state.explorer
    return explorer


def _asked(request: Request, model: type[W], usual: dict[str, str] | None = None, **fixed: object) -> W:
    """The page's parameters as a query of the API.

    Args:
        request: Its parameters may be empty, as forms send them; those that the query does not know are no part.
        model: The query.
        usual: Values of parameters that are not given.
        fixed: Fields that the page decides.

    Raises:
        RequestValidationError: A value cannot be used.
    """
    given: dict[str, Any] = dict(usual or {})
    for name, field in model.model_fields.items():
        values = [value for value in request.query_params.getlist(name) if value]
        if values:
            given[name] = values if get_origin(field.annotation) is tuple else values[-1]
    try:
        return model.model_validate({**given, **fixed})
    except ValidationError as error:
        raise RequestValidationError([{**one, "loc": ("query", *one["loc"])} for one in error.errors()]) from None


def _more_url(path: str, wanted: Wire, cursor: str | None) -> str:
    """This view's next page, for browsers without scripts."""
    said = wanted.model_dump(mode="json", exclude_defaults=True, exclude={"limit", "cursor"})
    return f"{path}?{urlencode({**said, 'cursor': cursor or ''}, doseq=True)}"


def _terms(request: Request) -> list[Named]:
    """A query's terms as `static/js/parts/term.js` writes them, or one of the old parameters `q`, `item`, `upload`."""
    given = request.query_params
    old = {"text": given.get("q"), "item": given.get("item"), "upload": given.get("upload")}
    terms = [Named(kind, value) for kind, value in old.items() if value and value.strip()]
    for written in given.getlist("term"):
        match = _TERM.fullmatch(written)
        if match is None or not match[4].strip():
            continue
        weight = float(f"{match[1]}1" if match[1] in ("", "+", "-") else match[1])
        terms.append(Named(match[2], match[4].strip(), weight=weight))
    return [term._replace(name=_name(request, term)) for term in terms]


def _name(request: Request, term: Named) -> str:
    if term.kind == "item":
        return _caption(request, term.value)
    names = _explorer(request).latents.names
    is_latent = term.kind == "latent" and re.fullmatch("[0-9]{1,9}", term.value)
    return names[int(term.value)] if is_latent and int(term.value) < len(names) else ""


def _caption(request: Request, item_id: str) -> str:
    """An item's caption; empty where there is no such item, which the answer to the query will say."""
    try:
        return _explorer(request).items.item(item_id).caption
    except NotFoundError:
        return ""


def _context(request: Request, section: str, **own: object) -> dict[str, object]:
    """What every template needs (see base.html), and the page's own variables."""
    return {"info": _explorer(request).info(), "section": section, **own}
