"""Texts and pictures from outside, encoded: those that come at once together, and each only once for a while."""

from functools import partial
from typing import cast

from PIL import Image

from server.cache import BoundedCache
from server.schemas import Region
from server.services.text import ReadText, read_texts
from server.services.towers import Look, Towers
from server.uploads import UploadStore
from server.worker import Batched, Worker
from sparc_core.backbones.geometry import Box
from sparc_core.errors import InputError

_TEXTS_AT_A_TIME, _PICTURES_AT_A_TIME = 16, 8
_LOOK_OVERHEAD = 1000  # bytes of a key and the objects around two arrays


class Readings:
    """Encodes what requests bring. Models run on the device worker."""

    def __init__(self, towers: Towers, worker: Worker, uploads: UploadStore, n_bytes: int) -> None:
        """Args: the models, their worker, the pictures that were sent, and bytes to remember per kind of thing."""
        self._towers, self._worker, self._uploads = towers, worker, uploads
        self.texts = BoundedCache[tuple[str, str], ReadText]("texts", n_bytes, lambda text: text.n_bytes)
        self.pictures = BoundedCache[tuple[object, ...], Look]("pictures", n_bytes, _look_bytes)

    async def text(self, stream: str, text: str) -> ReadText:
        """A text in a text stream, with its words shaded.

        Raises:
            NotFoundError: No such stream.
            InputError: The stream does not read text.
            BusyError: The models have too much to do.
        """
        known = self.texts.get((stream, text))
        if known is None:
            self._towers.text(stream)
            known = cast(ReadText, await self._worker.run_batched(self._reader(stream), text))
            self.texts.put((stream, text), known)
        return known

    async def upload(self, stream: str, upload_id: str, region: Region | None = None) -> Look:
        """A sent picture, or a region of it, in an image stream; NotFoundError where it is not kept, else as `text`."""
        picture = self._uploads.get(upload_id)
        return await self.picture(stream, f"upload {upload_id}", picture, region)

    async def picture(self, stream: str, name: str, picture: Image.Image, region: Region | None = None) -> Look:
        """A picture, or a region of it, in an image stream.

        Args:
            stream: That looks.
            name: Of the picture's content.
            picture: In RGB.
            region: What is shown of it; None is all.

        Raises:
            InputError: The region holds the centre of no patch that the stream sees; else as `text`.
        """
        key = (stream, name, region)
        known = self.pictures.get(key)
        if known is None:
            patches = self._patches(stream, picture, region)
            if patches is None:
                known = cast(Look, await self._worker.run_batched(self._looker(stream), picture))
            else:
                known = await self._worker.run(partial(self._towers.look_at_patches, stream, picture, patches))
            self.pictures.put(key, known)
        return known

    def _patches(self, stream: str, picture: Image.Image, region: Region | None) -> list[int] | None:
        backbone = self._towers.image(stream)
        if region is None:
            return None
        width, height = picture.size
        box = Box(region.left * width, region.top * height, region.right * width, region.bottom * height)
        patches = backbone.geometry.patches_in(box, width, height)
        if not patches:
            raise InputError(f'the region holds the centre of no patch that "{stream}" sees: draw a larger one')
        return patches

    def _reader(self, stream: str) -> Batched:
        return Batched("text", (id(self), stream), partial(read_texts, self._towers, stream), _TEXTS_AT_A_TIME)

    def _looker(self, stream: str) -> Batched:
        return Batched("picture", (id(self), stream), partial(self._towers.look_all, stream), _PICTURES_AT_A_TIME)


def _look_bytes(look: Look) -> int:
    return look.features.nbytes + sum(part.nbytes for part in look.code) + _LOOK_OVERHEAD
