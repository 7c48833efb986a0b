"""Uploaded pictures: checked before they are decoded, kept in memory within a bound, named by their content."""

import hashlib
import io
from collections import OrderedDict
from threading import Lock

from PIL import Image, ImageOps, UnidentifiedImageError

from server.schemas import Upload
from sparc_core.backbones.pictures import to_rgb
from sparc_core.errors import InputError, NotFoundError, SparcError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
# Towers see a few hundred pixels; keeping more would only fill the cache.
_KEPT_SIDE = 1024
# Our own limit is checked before decoding and names the picture's size; Pillow's would only name a suspicion.
Image.MAX_IMAGE_PIXELS = None


class TooLargeError(SparcError):
    """An upload of more bytes or pixels than are allowed."""

    code = "upload_too_large"


class NotAPictureError(InputError):
    """An upload that is not a picture in a format we read."""

    code = "not_a_picture"


class UploadStore:
    """The newest uploads, up to a number of bytes of pixels; older ones are forgotten."""

    def __init__(self, max_pixels: int, cache_bytes: int) -> None:
        """Args: limits on one picture's pixels, and on all kept pixels in bytes."""
        self._max_pixels, self._cache_bytes = max_pixels, cache_bytes
        self._pictures: OrderedDict[str, Image.Image] = OrderedDict()
        self._bytes, self._lock = 0, Lock()

    def add(self, content: bytes) -> Upload:
        """Decode and keep a picture.

        Raises:
            NotAPictureError: Not a picture that we can read.
            TooLargeError: Too many pixels.
        """
        picture = self._decode(content)
        upload_id = hashlib.sha256(content).hexdigest()[:24]
        with self._lock:
            if upload_id not in self._pictures:
                self._pictures[upload_id] = picture
                self._bytes += _n_bytes(picture)
            self._pictures.move_to_end(upload_id)
            while self._bytes > self._cache_bytes and len(self._pictures) > 1:
                self._bytes -= _n_bytes(self._pictures.popitem(last=False)[1])
        return Upload(upload_id=upload_id, width=picture.width, height=picture.height)

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

    def _decode(self, content: bytes) -> Image.Image:
        if not content:
            raise NotAPictureError("the uploaded file is empty: choose a JPEG, PNG, WebP, GIF or BMP picture")
        try:
            picture = Image.open(io.BytesIO(content), formats=FORMATS)
            width, height = picture.size
            if width * height > self._max_pixels:
                limit = self._max_pixels / 1e6
                raise TooLargeError(
                    f"the picture has {width:,} x {height:,} pixels, at most {limit:g} million are accepted: shrink it"
                )
            picture.draft("RGB", (_KEPT_SIDE, _KEPT_SIDE))
            picture.load()
        except UnidentifiedImageError:
            raise NotAPictureError(
                "the uploaded file is not a picture that can be read: use JPEG, PNG, WebP, GIF or BMP"
            ) from None
        except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError):
            raise NotAPictureError("the uploaded picture is damaged and cannot be decoded: save it again") from None
        upright = ImageOps.exif_transpose(picture) or picture
        rgb = to_rgb(upright)
        rgb.thumbnail((_KEPT_SIDE, _KEPT_SIDE))
        return rgb


def _n_bytes(picture: Image.Image) -> int:
    return 3 * picture.width * picture.height
