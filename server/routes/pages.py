"""The browser's pages, rendered with the same objects that the API answers with.

Each page is useful as plain HTML; the modules in `frontend/static/js` take over from there. Every template names its
variables at its top. `page_queries` reads their addresses, `page_rendering` renders them.
"""

from enum import StrEnum
from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from server.evaluation_page import evaluation_view
from server.item_view import Sharing, item_view
from server.latent_page import LatentAddress, latent_view
from server.page_queries import Named, asked, caption_of, more_url, said, terms_of
from server.page_rendering import api_call, lent, page_of
from server.schemas import (
    MAX_CAPTION_CHARACTERS,
    Interval,
    LatentFilter,
    LatentQuery,
    LatentSort,
    MismatchKind,
    MismatchQuery,
)
from server.tour import start_of
from sparc_core.errors import InputError

GALLERY_LIMIT = 24
# Of static/js/parts/retrieve/search.js.
_CHOICES = ("target", "measure", "label", "split", "active", "above", "leave_out")


class By(StrEnum):
    """What latents are found by on the page `/find`."""

    meaning = "meaning"
    picture = "picture"
    examples = "examples"


class View(StrEnum):
    """How the page `/` shows latents."""

    cards = "cards"
    map = "map"


router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/")
def gallery(request: Request, view: View = View.cards) -> HTMLResponse:
    """The latents by name, filtered and sorted; the query is schemas.LatentQuery. Scripts alone draw the map."""
    explorer, wanted = lent(request), asked(request, LatentQuery, limit=GALLERY_LIMIT, bundle=None)
    chosen = asked(request, LatentFilter, bundle=None)
    page = explorer.gallery.page(wanted)
    return page_of(
        request,
        "gallery.html",
        "latents",
        page=page,
        wanted=wanted,
        view=view.value,
        sorts=list(LatentSort),
        counts=explorer.latent_counts.counts(chosen),
        random_url=_address("/latents/random", chosen),
        start=None if wanted.cursor else wanted.start or 0,
        more_url=more_url("/", wanted, page.next_cursor),
        calls=[
            api_call("latents", "Latents", "/latents", **said(wanted)),
            api_call("counts", "Numbers beside the filters", "/latents/counts", **said(chosen)),
        ],
    )


@router.get("/latents/random")
def random_latent(request: Request) -> RedirectResponse:
    """A latent drawn from those that match a schemas.LatentFilter; where none does, the page that says so."""
    chosen = asked(request, LatentFilter, bundle=None)
    drawn = lent(request).gallery.drawn(chosen)
    address = _address("/", chosen) if drawn is None else f"/latents/{drawn}"
    return RedirectResponse(address, status_code=303, headers={"cache-control": "no-store"})


@router.get("/find")
def find(
    request: Request,
    by: By = By.meaning,
    text: Annotated[str, Query(max_length=MAX_CAPTION_CHARACTERS)] = "",
    upload: str = "",
    stream: str = "",
) -> HTMLResponse:
    """Latents by meaning, picture or examples; the browser asks for them once the page is there."""
    items = [Named("item", item_id, caption_of(request, item_id)) for item_id in request.query_params.getlist("item")]
    explorer = lent(request)
    return page_of(
        request,
        "find.html",
        "latents",
        by=by.value,
        text=text,
        items=items,
        upload=upload,
        stream=stream,
        examples=explorer.items.example_texts(),
    )


@router.get("/mismatches")
def mismatches(request: Request) -> HTMLResponse:
    """Latents on which two streams disagree; the query is schemas.MismatchQuery, by default of the two outermost."""
    streams = [stream.name for stream in lent(request).info().streams]
    usual = {"strong": streams[0], "weak": streams[-1], "kind": MismatchKind.different.value}
    wanted = asked(request, MismatchQuery, usual, limit=GALLERY_LIMIT)
    page, problem = None, ""
    try:
        page = lent(request).gallery.mismatches(wanted)
    except InputError as error:  # one stream twice: the form says so, and is there to choose another
        problem = str(error)
    return page_of(
        request,
        "mismatches.html",
        "latents",
        wanted=wanted,
        kinds=list(MismatchKind),
        page=page,
        problem=problem,
        start=None if wanted.cursor else wanted.start or 0,
        more_url=more_url("/mismatches", wanted, page.next_cursor if page else None),
        calls=[api_call("latents", "Mismatches", "/latents/mismatches", **said(wanted))],
    )


@router.get("/latents/{latent_id}")
def latent(
    request: Request,
    latent_id: int,
    interval: Interval = Interval.top,
    seed: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    heat: bool = False,
    tried: Annotated[str, Query(alias="try", max_length=MAX_CAPTION_CHARACTERS)] = "",
    upload: str = "",
    beside: str = "",
) -> HTMLResponse:
    """One latent: items of one interval in every stream, side by side; and the same number in another bundle."""
    address = LatentAddress(latent_id, interval, seed, heat, tried, upload, beside)
    view = latent_view(lent(request), address)
    return page_of(request, "latent.html", "latents", view=view, calls=view.calls)


@router.get("/caption")
def caption(
    request: Request, q: Annotated[str, Query(max_length=MAX_CAPTION_CHARACTERS)] = "", item: str = ""
) -> HTMLResponse:
    """Heatmaps of a caption; the browser asks for them once the page is there."""
    subject = lent(request).items.item(item) if item else None
    return page_of(request, "caption.html", "caption", q=q, item=subject, examples=lent(request).items.example_texts())


@router.get("/retrieve")
def retrieve(request: Request) -> HTMLResponse:
    """Retrieval by a sum of terms; the browser reads the rest of the address, and asks for the hits."""
    return page_of(
        request,
        "retrieve.html",
        "retrieve",
        terms=terms_of(request),
        examples=lent(request).items.example_texts(),
        chosen=any(request.query_params.get(name) for name in _CHOICES),
        why=request.query_params.get("why", ""),
    )


@router.get("/evaluation")
def evaluation(request: Request) -> HTMLResponse:
    """What was measured of the bundle: sections of tables, and what their plots draw."""
    calls = [api_call("evaluation", "Everything that was measured", "/evaluation")]
    return page_of(request, "evaluation.html", "evaluation", view=evaluation_view(lent(request)), calls=calls)


@router.get("/collection")
def collection(request: Request) -> HTMLResponse:
    """What the visitor starred; the browser keeps it, and fills the page."""
    return page_of(request, "collection.html", "collection")


@router.get("/tour")
def tour(request: Request) -> RedirectResponse:
    """The first step of the guided tour, on a latent of this bundle."""
    return RedirectResponse(start_of(lent(request)), status_code=303, headers={"cache-control": "no-store"})


@router.get("/items/{item_id:path}")
def item(request: Request, item_id: str, show: Sharing = Sharing.all) -> HTMLResponse:
    """One item and its code in every stream."""
    explorer = lent(request)
    found = explorer.items.item(item_id)
    return page_of(
        request,
        "item.html",
        "",
        item=found,
        view=item_view(found, explorer.info()),
        show=show,
        neighbours=explorer.items.neighbours(item_id),
        calls=[api_call("item", "The item and its codes", f"/items/{quote(item_id)}")],
    )


def _address(path: str, chosen: LatentFilter) -> str:
    """A page's address with a filter."""
    query = urlencode(said(chosen), doseq=True)
    return f"{path}?{query}" if query else path
