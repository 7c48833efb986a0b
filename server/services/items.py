"""Items: their facts, their codes and their pictures."""

import io
import re
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from server.cache import BoundedCache
from server.presence import Presence
from server.schemas import Item, ItemPage, ItemQuery, ItemSummary, Label
from server.services.cursors import Cursors
from server.services.filters import Filters
from server.services.latents import Latents
from sparc_core.bundle import Bundle
from sparc_core.bundle.tables import Item as BundleItem
from sparc_core.errors import BundleError, SparcError
from sparc_core.picture_files import open_media
from sparc_core.retrieval import query_code

_STORYBOOK = "storybook"
_STORYBOOK_TEXTS = ("a red balloon", "a cat in the snow", "a penguin and a fire engine", "night")
_ROWS_LOOKED_AT, _SHORT_TEXT = 100, 48


class Neighbours(NamedTuple):
    """Ids of the items before and after one in the corpus; None at its ends."""

    previous: str | None
    next: str | None


class Items:
    """Answers about the items of one bundle."""

    def __init__(
        self,
        bundle: Bundle,
        latents: Latents,
        filters: Filters,
        cursors: Cursors,
        thumbnail_bytes: int,
        presence: Presence,
    ) -> None:
        """Args: what the answers are made of, bytes of thumbnails to keep, and whether the bundle is there."""
        self._presence = presence
        self._bundle, self._latents, self._filters, self._cursors = bundle, latents, filters, cursors
        self.thumbnails = BoundedCache[tuple[int, int], bytes]("thumbnails", thumbnail_bytes, len)
        self._streams = [stream.name for stream in bundle.manifest.streams]

    def item(self, item_id: str) -> Item:
        """One item with its codes under the model's own selection; NotFoundError where there is none."""
        row = self._bundle.items.row_of(item_id)
        item = self._bundle.items[row]
        codes = {}
        for stream in self._streams:
            stored = self._bundle.codes(stream)
            codes[stream] = self._latents.named(query_code(stored.latents[row], stored.activations[row]))
        return Item(**_facts(item), labels=list(item.labels), codes=codes)

    def neighbours(self, item_id: str) -> Neighbours:
        """The items beside one, in the corpus's order; NotFoundError where there is no such item."""
        items = self._bundle.items
        row = items.row_of(item_id)
        before, after = row > 0, row + 1 < len(items)
        return Neighbours(items[row - 1].item_id if before else None, items[row + 1].item_id if after else None)

    def page(self, query: ItemQuery) -> ItemPage:
        """A page of the corpus.

        Raises:
            NotFoundError: There is no such label or split.
            InputError: The cursor is not one of ours.
        """
        kept = self._bundle.items.with_captions_like(query.caption)
        if query.label is not None:
            kept &= self._filters.with_label(query.label)
        if query.split is not None:
            kept &= self._filters.in_split(query.split)
        rows = np.flatnonzero(kept)
        start = self._cursors.position(query.cursor, len(rows))
        return ItemPage(
            items=[
                ItemSummary(**_facts(item), labels=list(item.labels))
                for item in self._bundle.items.take(rows[start : start + query.limit])
            ],
            total=len(rows),
            next_cursor=self._cursors.after(start + query.limit, len(rows)),
        )

    @cached_property
    def labels(self) -> list[Label]:
        """The labels of the corpus, parents first."""
        return [
            Label(
                name=label.name,
                kind=label.kind,
                parent=label.parent,
                n_items=int(self._filters.with_label(label.name).sum()),
            )
            for label in self._bundle.manifest.labels
        ]

    def example_texts(self) -> list[str]:
        """A few texts that fit the corpus: what the storybook is known for, or short captions of held-out items."""
        if self._bundle.manifest.corpus.name == _STORYBOOK:
            return list(_STORYBOOK_TEXTS)
        rows = self._bundle.items.rows_of_split("test")[:_ROWS_LOOKED_AT]
        captions = (_first_sentence(item.caption) for item in self._bundle.items.take(rows))
        short = dict.fromkeys(caption for caption in captions if 0 < len(caption) <= _SHORT_TEXT)
        return list(short)[: len(_STORYBOOK_TEXTS)]

    def picture(self, item_id: str) -> Image.Image:
        """The item's picture as it is stored.

        Raises:
            NotFoundError: There is no such item.
            BundleGoneError: The bundle is no more where it was: another's picture may have the same name.
            BundleError: Its file is missing or damaged.
        """
        path = self._bundle.media_path(self._bundle.items.row_of(item_id))
        self._presence.check()
        try:
            return open_media(path)
        except (OSError, SparcError):
            raise BundleError(f"the picture of item {item_id} is missing or damaged: rebuild the bundle") from None

    def thumbnail(self, item_id: str, size: int) -> bytes:
        """The item's picture as WebP, at most `size` pixels wide and high, never enlarged."""
        key = (self._bundle.items.row_of(item_id), size)
        known = self.thumbnails.get(key)
        if known is None:
            known = as_webp(self.picture(item_id), size)
            self.thumbnails.put(key, known)
        return known


def as_webp(picture: Image.Image, size: int) -> bytes:
    """A picture as WebP, at most `size` pixels wide and high, never enlarged."""
    picture = picture.copy()
    picture.thumbnail((size, size))
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=88, method=2)
    return out.getvalue()


def _facts(item: BundleItem) -> dict[str, Any]:
    return {name: getattr(item, name) for name in ("item_id", "caption", "width", "height", "split")}


def _first_sentence(caption: str) -> str:
    """Several captions of a picture may be joined to one."""
    return re.split(r"\.(?:\s|$)", caption, maxsplit=1)[0].rstrip()
