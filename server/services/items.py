"""Items: their facts, their codes and their pictures."""

import io
import re

from PIL import Image

from server.schemas import Item
from server.services.latents import Latents
from sparc_core.bundle import Bundle
from sparc_core.errors import BundleError, SparcError
from sparc_core.picture_files import open_media
from sparc_core.retrieval import query_code

_STORYBOOK = "storybook"
_STORYBOOK_TEXTS = ("a red balloon", "a cat in the snow", "a penguin and a fire engine", "night")
_ROWS_LOOKED_AT, _SHORT_TEXT = 100, 48


class Items:
    """Answers about the items of one bundle."""

    def __init__(self, bundle: Bundle, latents: Latents) -> None:
        """Args: an open bundle, and the latents for their names."""
        self._bundle, self._latents = bundle, latents
        self._streams = [stream.name for stream in bundle.manifest.streams]

    def item(self, item_id: str) -> Item:
        """One item with its codes under the model's own selection; NotFoundError where there is none."""
        row = self._bundle.items.row_of(item_id)
        item = self._bundle.items[row]
        codes = {}
        for stream in self._streams:
            stored = self._bundle.codes(stream)
            codes[stream] = self._latents.named(query_code(stored.latents[row], stored.activations[row]))
        facts = {name: getattr(item, name) for name in ("item_id", "caption", "width", "height", "split")}
        return Item(**facts, labels=list(item.labels), codes=codes)

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
            BundleError: Its file is missing or damaged.
        """
        path = self._bundle.media_path(self._bundle.items.row_of(item_id))
        try:
            return open_media(path)
        except (OSError, SparcError):
            raise BundleError(f"the picture of item {item_id} is missing or damaged: rebuild the bundle") from None

    def thumbnail(self, item_id: str, size: int) -> bytes:
        """The item's picture as WebP, at most `size` pixels wide and high, never enlarged."""
        picture = self.picture(item_id)
        picture.thumbnail((size, size))
        out = io.BytesIO()
        picture.save(out, "WEBP", quality=88, method=2)
        return out.getvalue()


def _first_sentence(caption: str) -> str:
    """Several captions of a picture may be joined to one."""
    return re.split(r"\s*\.(?:\s|$)", caption, maxsplit=1)[0]
