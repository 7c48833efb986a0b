"""The browser's pages, rendered with the same objects that the API answers with.

Each page is useful as plain HTML; the modules in `frontend/static/js` take over from there. Every template names its
variables at its top. Errors become pages through `error_page`, which the application's exception handlers call.
"""

import math
from decimal import ROUND_HALF_UP, Decimal
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Literal, Protocol
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates

from server.schemas import (
    MAX_CAPTION_CHARACTERS,
    Alive,
    ErrorDetail,
    Info,
    Item,
    Latent,
    LatentItems,
    LatentPage,
    LatentSort,
)

FRONTEND_PATH = Path(__file__).resolve().parents[2] / "frontend"
GALLERY_LIMIT = 24
N_IMAGE_ITEMS = 18
N_TEXT_ITEMS = 14
_SMALLEST_SHARE = 1e-4  # left end of the logarithmic density bars

AliveFilter = Alive | Literal[""]  # a form sends the empty string for "all"


class Explorer(Protocol):
    """What the pages ask of the service; unknown latents and items raise `NotFoundError`."""

    def info(self) -> Info:
        """What is being served."""

    def list_latents(
        self, query: str, sort: LatentSort, alive: Alive | None, limit: int, cursor: str | None
    ) -> LatentPage:
        """A page of the gallery."""

    def latent(self, id: int) -> Latent:
        """One latent in full."""

    def latent_items(self, id: int, stream: str, limit: int) -> LatentItems:
        """The strongest items of a latent in one stream."""

    def item(self, item_id: str) -> Item:
        """One item with its codes."""

    def example_texts(self) -> list[str]:
        """Texts to try."""


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
def gallery(
    request: Request,
    query: Annotated[str, Query(max_length=200)] = "",
    sort: LatentSort = LatentSort.alignment,
    alive: AliveFilter = "",
    cursor: Annotated[str | None, Query(max_length=40)] = None,
) -> HTMLResponse:
    """The latents, searched, filtered and sorted."""
    explorer = _explorer(request)
    page = explorer.list_latents(query, sort, alive or None, GALLERY_LIMIT, cursor)
    more = {"query": query, "sort": sort.value, "alive": alive, "cursor": page.next_cursor}
    context = _context(
        request,
        "latents",
        page=page,
        query=query,
        sort=sort,
        alive=alive,
        sorts=list(LatentSort),
        n_matching=sum(page.counts.values()),
        more_url="/?" + urlencode({name: value for name, value in more.items() if value}),
    )
    return templates.TemplateResponse(request, "gallery.html", context)


@router.get("/latents/{latent_id}")
def latent(request: Request, latent_id: int) -> HTMLResponse:
    """One latent: its strongest items in every stream, side by side."""
    explorer = _explorer(request)
    found = explorer.latent(latent_id)
    items = {
        stream.name: explorer.latent_items(
            latent_id, stream.name, N_IMAGE_ITEMS if stream.modality == "image" else N_TEXT_ITEMS
        )
        for stream in explorer.info().streams
    }
    last_edge = max((histogram.edges[-1] for histogram in found.histograms), default=0.0)
    context = _context(request, "latents", latent=found, items=items, last_edge=last_edge or 1.0)
    return templates.TemplateResponse(request, "latent.html", context)


@router.get("/caption")
def caption(
    request: Request, q: Annotated[str, Query(max_length=MAX_CAPTION_CHARACTERS)] = "", item: str = ""
) -> HTMLResponse:
    """Heatmaps of a caption; the browser asks for them once the page is there."""
    subject = _explorer(request).item(item) if item else None
    context = _context(request, "caption", q=q, item=subject, examples=_explorer(request).example_texts())
    return templates.TemplateResponse(request, "caption.html", context)


@router.get("/retrieve")
def retrieve(
    request: Request,
    q: Annotated[str, Query(max_length=MAX_CAPTION_CHARACTERS)] = "",
    item: str = "",
    source: str = "",
    target: str = "",
) -> HTMLResponse:
    """Retrieval by text, item or picture; the browser asks for the hits once the page is there."""
    subject = _explorer(request).item(item) if item else None
    context = _context(
        request,
        "retrieve",
        q=q,
        item=subject,
        source=source,
        target=target,
        examples=_explorer(request).example_texts(),
    )
    return templates.TemplateResponse(request, "retrieve.html", context)


@router.get("/items/{item_id}")
def item(request: Request, item_id: str) -> HTMLResponse:
    """One item and its code in every stream."""
    found = _explorer(request).item(item_id)
    strongest = {
        stream: max((entry.activation for entry in code), default=0.0) or 1.0 for stream, code in found.codes.items()
    }
    context = _context(request, "", item=found, strongest=strongest)
    return templates.TemplateResponse(request, "item.html", context)


def _explorer(request: Request) -> Explorer:
    explorer: Explorer = request.app.state.explorer
    return explorer


def _context(request: Request, section: str, **own: object) -> dict[str, object]:
    """What every template needs (see base.html), and the page's own variables."""
    return {"info": _explorer(request).info(), "section": section, **own}
