"""From a picture file's bytes, whoever made them, to upright RGB pixels; the builder and the service share it.

Everything that can be wrong with a file is one error with a reason for its owner. Pixels are counted before they are
decoded, so a small file cannot unfold into gigabytes.
"""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from sparc_core.backbones.pictures import to_rgb
from sparc_core.errors import InputError, SparcError

# Our own limit is checked before decoding and names the picture's size; Pillow's would only name a suspicion.
Image.MAX_IMAGE_PIXELS = None
MAX_PIXELS = 250_000_000
"""More than any camera takes; decoded, it is 750 MB."""

_DAMAGED = (OSError, ValueError, SyntaxError, EOFError, IndexError, OverflowError, Image.DecompressionBombError)
"""What Pillow's decoders raise on broken files."""


class UnreadablePictureError(InputError):
    """Bytes that cannot be decoded as a picture."""

    code = "not_a_picture"


class TooManyPixelsError(SparcError):
    """A picture of more pixels than are allowed."""

    code = "upload_too_large"


def decode_picture(
    content: bytes, side: int | None = None, max_pixels: int = MAX_PIXELS, formats: tuple[str, ...] | None = None
) -> Image.Image:
    """Decode a picture file: upright (EXIF), RGB, transparency laid on white, the first frame of an animation.

    Args:
        content: The file's bytes.
        side: Shrink it, if it is larger, to so many pixels at its longer side; large JPEGs then decode much faster.
        max_pixels: Refuse more.
        formats: Pillow's names of the formats to accept; all it knows by default.

    Raises:
        UnreadablePictureError: Empty, of no known format, damaged or cut off.
        TooManyPixelsError: Too large.
    """
    if not content:
        raise UnreadablePictureError("the file is empty")
    try:
        picture = Image.open(io.BytesIO(content), formats=formats)
        _refuse_giants(picture, max_pixels)
        if side is not None:
            picture.draft("RGB", (side, side))
        picture.load()
    except UnidentifiedImageError:
        known = "that can be read" if formats is None else f"of the formats {', '.join(formats)}"
        raise UnreadablePictureError(f"the file is not a picture {known}") from None
    except (
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        IndexError,
        OverflowError,
        Image.DecompressionBombError,
    ) as error:
        raise UnreadablePictureError(f"the picture is damaged ({_first_line(error)})") from None
    rgb = to_rgb(_upright(_on_one_scale(picture)))
    if side is not None:
        rgb.thumbnail((side, side))
    return rgb


def open_media(path: Path) -> Image.Image:
    """A media file of a bundle, decoded the same way for towers and pages.

    Raises:
        OSError: It is not there, or no file: a pipe or a device could be read for ever.
        UnreadablePictureError: It is damaged.
    """
    if not path.is_file():
        raise FileNotFoundError(path)
    return decode_picture(path.read_bytes())


def _refuse_giants(picture: Image.Image, max_pixels: int) -> None:
    width, height = picture.size
    if width * height > max_pixels:
        limit = max_pixels / 1e6
        raise TooManyPixelsError(
            f"the picture has {width:,} x {height:,} pixels, at most {limit:g} million are accepted: shrink it"
        )


def _upright(picture: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(picture) or picture
    except Exception:  # broken EXIF fails in many ways, and the pixels are fine without it
        return picture


def _on_one_scale(picture: Image.Image) -> Image.Image:
    """Floating-point pixels have no fixed white: stretch them to what occurs."""
    if picture.mode != "F":
        return picture
    values = np.nan_to_num(np.asarray(picture, np.float32), posinf=0, neginf=0)
    low, high = float(values.min()), float(values.max())
    return Image.fromarray(((values - low) * (255 / max(high - low, 1e-12))).astype(np.uint8))


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200].rstrip(".") if str(error) else type(error).__name__
