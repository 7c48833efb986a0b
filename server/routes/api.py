"""REST under /api/v1; heatmaps are beside it. Handlers translate between HTTP and the explorer, and do nothing else."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, UploadFile
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from server.explorer import Explorer
from server.schemas import (
    Alive,
    ErrorBody,
    Info,
    Item,
    Latent,
    LatentItems,
    LatentPage,
    LatentSort,
    Retrieval,
    RetrieveRequest,
    Upload,
)

_ERRORS: dict[int | str, dict[str, object]] = {
    404: {"model": ErrorBody, "description": "No such latent, item, stream or upload"},
    422: {"model": ErrorBody, "description": "A value cannot be used; the message says which and why"},
}
_BUSY: dict[int | str, dict[str, object]] = {503: {"model": ErrorBody, "description": "Too busy; see Retry-After"}}
_TOO_LARGE: dict[int | str, dict[str, object]] = {413: {"model": ErrorBody, "description": "Too many bytes or pixels"}}
# An item's picture never changes under its id and bundle, but the same id may mean another picture in another bundle.
_PICTURE_CACHE = "private, max-age=3600"

router = APIRouter(prefix="/api/v1", tags=["v1"], responses=_ERRORS)

LatentId = Annotated[int, "The latent's number, from 0"]


def _explorer(request: Request) -> Explorer:
    explorer: Explorer = request.app.state.explorer
    return explorer


@router.get("/info")
def info(request: Request) -> Info:
    """What is being served: bundle, corpus, streams, model, metrics."""
    return _explorer(request).info()


@router.get("/latents")
def latents(
    request: Request,
    query: Annotated[str, Query(max_length=200, description="Words of the name or label, or a number")] = "",
    sort: LatentSort = LatentSort.alignment,
    alive: Alive | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 24,
    cursor: Annotated[str | None, Query(max_length=40, description="`next_cursor` of the page before")] = None,
) -> LatentPage:
    """A page of the gallery."""
    return _explorer(request).list_latents(query, sort, alive, limit, cursor)


@router.get("/latents/{latent_id}")
def latent(request: Request, latent_id: LatentId) -> Latent:
    """One latent in full."""
    return _explorer(request).latent(latent_id)


@router.get("/latents/{latent_id}/items")
def latent_items(
    request: Request,
    latent_id: LatentId,
    stream: Annotated[str, Query(max_length=40)],
    limit: Annotated[int, Query(ge=1, le=200)] = 24,
) -> LatentItems:
    """The strongest items of one latent in one stream, under the model's own selection."""
    return _explorer(request).latent_items(latent_id, stream, limit)


@router.get("/items/{item_id}")
def item(request: Request, item_id: str) -> Item:
    """One item with its codes."""
    return _explorer(request).item(item_id)


@router.get(
    "/items/{item_id}/image", response_class=Response, responses={200: {"content": {"image/webp": {}}, **_ERRORS[404]}}
)
def item_image(request: Request, item_id: str, size: Annotated[int, Query(ge=16, le=1024)] = 224) -> Response:
    """An item's picture as WebP, at most `size` pixels wide and high."""
    content = _explorer(request).thumbnail(item_id, size)
    return Response(content, media_type="image/webp", headers={"Cache-Control": _PICTURE_CACHE})


@router.post("/uploads", responses=_TOO_LARGE)
async def upload(request: Request, file: UploadFile) -> Upload:
    """Send a picture (JPEG, PNG, WebP, GIF, BMP); its `upload_id` stands for it in later requests."""
    content = await file.read()
    return await run_in_threadpool(_explorer(request).add_upload, content)


@router.post("/retrieve", responses=_BUSY)
async def retrieve(request: Request, body: RetrieveRequest) -> Retrieval:
    """Find items by text, item or upload; every hit says which latents it shares with the query."""
    return await _explorer(request).retrieve(body)
