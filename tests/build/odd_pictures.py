"""Picture files of every kind that people's folders hold, good and bad, made by hand."""

import io

import numpy as np
from PIL import Image

SIDE = 40


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def corner(mode: str = "RGB") -> Image.Image:
    """Dark, wider than high, with a bright top left quarter."""
    pixels = np.full((SIDE, 2 * SIDE, 3), 20, np.uint8)
    pixels[: SIDE // 2, :SIDE] = 230
    return Image.fromarray(pixels).convert(mode)


def good_pictures() -> dict[str, bytes]:
    """By name, files that show a bright top left corner once they are decoded rightly."""
    sideways = corner().rotate(90, expand=True)  # stored turned left; orientation 6 says: turn right to view
    exif = Image.Exif()
    exif[0x0112] = 6
    sixteen = Image.fromarray(np.asarray(corner("L")).astype(np.uint16) * 257)
    clear = corner("RGBA")
    clear.putalpha(Image.fromarray(np.where(np.asarray(corner("L")) > 100, 255, 0).astype(np.uint8)))
    frames = [corner("P"), Image.new("P", corner().size, 3)]
    return {
        "plain.jpg": encoded(corner(), "JPEG", quality=95),
        "cmyk.jpg": encoded(corner("CMYK"), "JPEG", quality=95),
        "turned.jpg": encoded(sideways, "JPEG", quality=95, exif=exif.tobytes()),
        "grey.png": encoded(corner("L"), "PNG"),
        "sixteen_bit.png": encoded(sixteen, "PNG"),
        "palette.png": encoded(corner("P"), "PNG"),
        "float.tif": encoded(Image.fromarray(np.asarray(corner("L")).astype(np.float32) * 3.5), "TIFF"),
        "one_bit.png": encoded(corner("1"), "PNG"),
        "animated.gif": encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        "page.webp": encoded(corner(), "WEBP", lossless=True),
        "wrong_name.png": encoded(corner(), "JPEG", quality=95),
    }


def bad_files() -> dict[str, tuple[bytes, str]]:
    """By name, files that are no pictures, and a part of the reason that must be given."""
    jpeg = encoded(corner().resize((400, 300)), "JPEG", quality=95)
    png = encoded(Image.effect_noise((200, 200), 60).convert("RGB"), "PNG")
    return {
        "empty.jpg": (b"", "empty"),
        "cut.jpg": (jpeg[: len(jpeg) // 2], "damaged"),
        "cut.png": (png[: len(png) // 2], "damaged"),
        "text.jpg": (b"Dear Sir,\n", "not a picture"),
        "header.png": (png[:20], "not a picture|damaged"),
    }
