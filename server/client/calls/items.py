"""Items, pictures, uploads, codes."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import BinaryIO

from server.client import operations
from server.client.answers import WEBP
from server.client.call import Call
from server.client.calls.forms import pages_of
from server.schemas import (
    Encoding,
    Item,
    ItemPage,
    ItemSummary,
    Upload,
)


def items(
    *,
    split: str | None = None,
    label: str | None = None,
    caption: str = "",
    limit: int = 24,
    cursor: str | None = None,
    bundle: str | None = None,
) -> Call[ItemPage]:
    """A page of the corpus; `every_item` goes on to the last page.

    Args:
        split: "train" or "test", say.
        label: This label or one below it.
        caption: Words that the caption holds, in any case.
        limit: Of a page.
        cursor: `next_cursor` of the page before.
        bundle: Of which served bundle, by its id; by default of the main one.
    """
    return operations.ITEMS.call(split=split, label=label, caption=caption, limit=limit, cursor=cursor, bundle=bundle)


@pages_of(items)
def every_item(page: ItemPage) -> Sequence[ItemSummary]:
    """The items of the corpus one by one, page by page. Keywords are those of `items`."""
    return page.items


def item(item_id: str, *, bundle: str | None = None) -> Call[Item]:
    """One item with its codes.

    Args:
        item_id: Its id.
        bundle: Of which served bundle, by its id; by default of the main one.
    """
    return operations.ITEM.call({"item_id": item_id}, bundle=bundle)


def image(item_id: str, *, size: int = 224, bundle: str | None = None) -> Call[bytes]:
    """An item's picture as WebP.

    Args:
        item_id: Whose.
        size: Most pixels of its width and height.
        bundle: Of which served bundle, by its id; caches on the way may then keep the answer.
    """
    return operations.IMAGE.call({"item_id": item_id}, size=size, bundle=bundle).accepting(WEBP, operations.IMAGE.read)


def upload(file: str | PathLike[str] | bytes | BinaryIO) -> Call[Upload]:
    """Send a picture; its `upload_id` stands for it in later questions.

    Args:
        file: A path, the picture's bytes, or a file that is open for reading bytes.
    """
    return operations.UPLOADS.sending_file(*_named_bytes(file))


def upload_image(upload_id: str, *, size: int = 224, bundle: str | None = None) -> Call[bytes]:
    """An uploaded picture as WebP, upright.

    Args:
        upload_id: Whose.
        size: Most pixels of its width and height.
        bundle: `bundle_id` of what is served: caches on the way may then keep the answer.
    """
    return operations.UPLOAD_IMAGE.call({"upload_id": upload_id}, size=size, bundle=bundle).accepting(
        WEBP, operations.UPLOAD_IMAGE.read
    )


def encode(
    text: str | None = None,
    *,
    item_id: str | None = None,
    upload_id: str | None = None,
    streams: Sequence[str] | None = None,
    bundle: str | None = None,
) -> Call[Encoding]:
    """Codes of a text, an item or an upload: exactly one of the three.

    Args:
        text: New words.
        item_id: An item of the corpus.
        upload_id: Of a picture that was uploaded.
        streams: By default every stream that can read it.
        bundle: By which served bundle, named by its id; by default by the main one.
    """
    return operations.ENCODE.call(text=text, item_id=item_id, upload_id=upload_id, streams=streams, bundle=bundle)


def _named_bytes(file: str | PathLike[str] | bytes | BinaryIO) -> tuple[str, bytes]:
    """Read whole, so that it can be sent again when the service is busy."""
    if isinstance(file, bytes):
        return "picture", file
    if isinstance(file, str | PathLike):
        return Path(file).name, Path(file).read_bytes()
    return "picture", file.read()
