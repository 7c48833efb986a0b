"""REST: items and their pictures, uploads, encoding."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, UploadFile
from fastapi.responses import Response

from server.routes.common import BUSY, ERRORS, PLAIN, PREFIX, SLOW, TOO_LARGE, WEBP, Lent, unless_gone
from server.schemas import EncodeRequest, Encoding, ImageQuery, Item, ItemPage, ItemQuery, Upload
from server.services.items import as_webp
from server.uploads import UploadStore

_FOR_EVER = "private, max-age=31536000, immutable"

router = APIRouter(prefix=PREFIX, tags=["items"], responses=ERRORS)

ItemId = Annotated[str, Path(description="The item's id", examples=["s000003"])]


@router.get("/items")
def items(explorer: Lent, query: Annotated[ItemQuery, Query()]) -> ItemPage:
    """A page of the corpus."""
    return explorer.items.page(query)


# Ids may hold slashes, so the longer address comes first.
@router.get("/items/{item_id:path}/image", response_class=Response, responses=WEBP)
def item_image(explorer: Lent, item_id: ItemId, query: Annotated[ImageQuery, Query()]) -> Response:
    """An item's picture as WebP, at most `size` pixels wide and high. With `bundle`, it may be kept for ever."""
    headers = {"Cache-Control": _FOR_EVER} if query.bundle else {}
    return Response(explorer.items.thumbnail(item_id, query.size), media_type="image/webp", headers=headers)


@router.get("/items/{item_id:path}", dependencies=PLAIN)
def item(explorer: Lent, item_id: ItemId) -> Item:
    """One item with its codes."""
    return explorer.items.item(item_id)


@router.post("/uploads", responses={**TOO_LARGE, **SLOW, **BUSY})
async def upload(request: Request, file: UploadFile) -> Upload:
    """Send a picture (JPEG, PNG, WebP, GIF, BMP); its `upload_id` stands for it in later requests."""
    uploads: UploadStore = request.app.state.uploads
    return await uploads.receive(file)


@router.get("/uploads/{upload_id}/image", response_class=Response, responses=WEBP)
def upload_image(request: Request, upload_id: str, query: Annotated[ImageQuery, Query()]) -> Response:
    """A sent picture as WebP, while it is kept."""
    picture = request.app.state.uploads.get(upload_id)
    return Response(as_webp(picture, query.size), media_type="image/webp", headers={"Cache-Control": _FOR_EVER})


@router.post("/encode", dependencies=PLAIN, responses=BUSY)
async def encode(request: Request, explorer: Lent, body: EncodeRequest) -> Encoding:
    """The codes of a text, an item or an upload in every stream that can read it."""
    return await unless_gone(request, explorer.encoder.encode(body))
