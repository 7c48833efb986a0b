"""The browser's pages, rendered with the same objects that the API answers with.

Each page is useful as plain HTML; the modules in `frontend/static/js` take over from there. Every template names its
variables at its top. `page_queries` reads their addresses, `page_rendering` renders them.
"""

from enum import StrEnum
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from server.evaluation_page import evaluation_view
from server.page_queries import Named, asked, caption_of, more_url, said, terms_of
from server.page_rendering import api_call, lent, page_of
from server.schemas import (
    MAX_CAPTION_CHARACTERS,
    Interval,
    LatentItemsQuery,
    LatentQuery,
    LatentSort,
    MismatchKind,
    MismatchQuery,
)
from sparc_core.errors import InputError

GALLERY_LIMIT = 24
N_IMAGE_ITEMS = 18
N_TEXT_ITEMS = 14


class By(StrEnum):
    """What latents are found by on the page `/find`."""

    meaning = "meaning"
    picture = "picture"
    examples = "examples"


router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/")
def gallery(request: Request) -> HTMLResponse:
    """The latents by name, filtered and sorted; the query is schemas.LatentQuery."""
    wanted = asked(request, LatentQuery, limit=GALLERY_LIMIT)
    page = lent(request).gallery.page(wanted)
    return page_of(
        request,
        "gallery.html",
        "latents",
        page=page,
        wanted=wanted,
        sorts=list(LatentSort),
        n_matching=sum(page.counts.values()),
        more_url=more_url("/", wanted, page.next_cursor),
        calls=[api_call("latents", "Latents", "/latents", **said(wanted))],
    )


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
        more_url=more_url("/mismatches", wanted, page.next_cursor if page else None),
        calls=[api_call("latents", "Mismatches", "/latents/mismatches", **said(wanted))],
    )


@router.get("/latents/{latent_id}")
def latent(
    request: Request,
    latent_id: int,
    interval: Interval = Interval.top,
    seed: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
) -> HTMLResponse:
    """One latent: items of one interval in every stream, side by side."""
    explorer = lent(request)
    found = explorer.latents.latent(latent_id)
    limits, streams = {"image": N_IMAGE_ITEMS, "text": N_TEXT_ITEMS}, explorer.info().streams
    titles = [stream.title for stream in streams]
    queries = [LatentItemsQuery(stream=s.name, interval=interval, seed=seed, limit=limits[s.modality]) for s in streams]
    items = {query.stream: explorer.latent_items.items(latent_id, query) for query in queries}
    last_edge = max((histogram.edges[-1] for histogram in found.histograms), default=0.0)
    return page_of(
        request,
        "latent.html",
        "latents",
        latent=found,
        items=items,
        limits=limits,
        intervals=list(Interval),
        interval=interval,
        seed=seed,
        last_edge=last_edge or 1.0,
        calls=[
            api_call("latent", "The latent", f"/latents/{latent_id}"),
            *(
                api_call(f"items-{query.stream}", f"Items in {title}", f"/latents/{latent_id}/items", **said(query))
                for query, title in zip(queries, titles, strict=True)
            ),
        ],
    )


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
    examples = lent(request).items.example_texts()
    return page_of(request, "retrieve.html", "retrieve", terms=terms_of(request), examples=examples)


@router.get("/evaluation")
def evaluation(request: Request) -> HTMLResponse:
    """What was measured of the bundle: sections of tables, and what their plots draw."""
    calls = [api_call("evaluation", "Everything that was measured", "/evaluation")]
    return page_of(request, "evaluation.html", "evaluation", view=evaluation_view(lent(request)), calls=calls)


@router.get("/items/{item_id:path}")
def item(request: Request, item_id: str) -> HTMLResponse:
    """One item and its code in every stream."""
    found = lent(request).items.item(item_id)
    strongest = {
        stream: max((entry.activation for entry in code), default=0.0) or 1.0 for stream, code in found.codes.items()
    }
    calls = [api_call("item", "The item and its codes", f"/items/{quote(item_id)}")]
    return page_of(request, "item.html", "", item=found, strongest=strongest, calls=calls)
