"""Uploaded pictures: checked before they are decoded, kept in memory within a bound, named by their content."""

import hashlib
from collections import OrderedDict
from threading import Lock

from anyio import CapacityLimiter
from fastapi import UploadFile
from fastapi.concurrency import run_in_threadpool
from PIL import Image

from server.refusals import BusyError
from server.schemas import Upload
from sparc_core.errors import NotFoundError
from sparc_core.picture_files import decode_picture

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
# Towers see a few hundred pixels; keeping more would only fill the cache.
_KEPT_SIDE = 1024
# Decoding takes up to 13 bytes a pixel for a moment, 500 MB at the usual limit, however small the file is.
_DECODED_AT_A_TIME, _MOST_WAITING = 1, 32


class UploadStore:
    """The newest uploads, up to a number of bytes of pixels; older ones are forgotten."""

    def __init__(self, max_pixels: int, cache_bytes: int) -> None:
        """Args: limits on one picture's pixels, and on all kept pixels in bytes."""
        self._max_pixels, self._cache_bytes = max_pixels, cache_bytes
        self._pictures: OrderedDict[str, Image.Image] = OrderedDict()
        self._bytes, self._lock = 0, Lock()
        self._decoding = CapacityLimiter(_DECODED_AT_A_TIME)

    async def receive(self, file: UploadFile) -> Upload:
        """Decode and keep a sent picture when its turn has come.

        Raises:
            BusyError: Too many wait already.
            UnreadablePictureError, TooManyPixelsError: As `add`.
        """
        if self._decoding.statistics().tasks_waiting >= _MOST_WAITING:
            raise BusyError("too many sent pictures wait to be read: try again in a few seconds")
        async with self._decoding:
            return await run_in_threadpool(self.add, await file.read())

    def add(self, content: bytes) -> Upload:
        """Decode and keep a picture.

        Raises:
            UnreadablePictureError: Not a picture that we can read.
            TooManyPixelsError: Too many pixels.
        """
        picture = decode_picture(content, _KEPT_SIDE, self._max_pixels, FORMATS)
        upload_id = hashlib.sha256(content).hexdigest()[:24]
        with self._lock:
            if upload_id not in self._pictures:
                self._pictures[upload_id] = picture
                self._bytes += _n_bytes(picture)
            self._pictures.move_to_end(upload_id)
            while self._bytes > self._cache_bytes and len(self._pictures) > 1:
                self._bytes -= _n_bytes(self._pictures.popitem(last=False)[1])
        return Upload(upload_id=upload_id, width=picture.width, height=picture.height)

    @property
    def n_bytes(self) -> int:
        """Of all kept pixels."""
        with self._lock:
            return self._bytes

    def get(self, upload_id: str) -> Image.Image:
        """The picture, in RGB.

        Raises:
            NotFoundError: Never uploaded, or pushed out by newer ones.
        """
        with self._lock:
            if upload_id not in self._pictures:
                raise NotFoundError("upload", f'upload "{upload_id[:40]}" is not kept any more: upload it again')
            self._pictures.move_to_end(upload_id)
            return self._pictures[upload_id]


def _n_bytes(picture: Image.Image) -> int:
    return 3 * picture.width * picture.height
