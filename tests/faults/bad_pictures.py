"""Picture files to upload: real ones with bytes changed, cut or spliced, bombs, oddities, and formats we do not take.

A mutated file that still decodes is still a picture, so `mutated` files may be accepted; `refused` ones never may, and
`oddities` are pictures that must be.
"""

import io
import random
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

_SIDE = 48
ACCEPTED = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
# Pillow opens these; the service says that it takes five formats.
_FOREIGN = (
    "TIFF",
    "ICO",
    "PPM",
    "TGA",
    "PCX",
    "SGI",
    "ICNS",
    "JPEG2000",
    "DDS",
    "SPIDER",
    "EPS",
    "PDF",
    "AVIF",
    "QOI",
)
_SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="file:///etc/passwd"/></svg>'
_EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(/etc/passwd) (r) file\nshowpage\n%%EOF\n"
_OTHERS = (
    *(
        _SVG,
        b'<?xml version="1.0"?>' + _SVG,
        _EPS,
        b"%PDF-1.7\n%%EOF",
        b"PK\x03\x04" + bytes(60),
        b"\x1f\x8b\x08" + bytes(60),
    ),
    *(
        b"GIF89a",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"RIFF\x00\x00\x00\x00WEBP",
        b"BM",
        b"RIFF" + bytes(40),
        b"\xff\xd8\xff\xd9",
    ),
    *(
        b"",
        b"\x00",
        b"P6 9 9 255\n" + bytes(243),
        b"#!/bin/sh\n",
        b"<html>",
        bytes(70_000),
        b"\x00\x00\x00\x20ftypheic" + bytes(40),
    ),
)


def mutated(rng: random.Random) -> Iterator[bytes]:
    """Real files with bytes flipped, most of them near the beginning, where headers are; cut; two spliced into one."""
    files = _real_files()
    for kind in ACCEPTED:
        for n_flipped in (1, 1, 1, 2, 2, 4, 8, 16, 64) * 4:
            broken = bytearray(files[kind])
            reach = rng.choice((40, 120, len(broken)))
            for _ in range(n_flipped):
                broken[rng.randrange(2, min(reach, len(broken)))] = rng.randrange(256)
            yield bytes(broken)
        for _ in range(8):
            yield files[kind][: rng.randrange(1, len(files[kind]))]
        for other in ACCEPTED:
            if other != kind:
                at = rng.randrange(4, 60)
                yield files[kind][:at] + files[other][at:]
        yield files[kind] + bytes(rng.randrange(256) for _ in range(200))  # a tail that no decoder reads


def refused() -> Iterator[bytes]:
    """Files of other formats, and files that promise more pixels than there are bytes, or none."""
    picture = Image.fromarray(_pixels())
    for kind in _FOREIGN:
        try:
            yield _saved(picture, kind)
        except (KeyError, OSError):  # this Pillow was built without it
            continue
    yield from _OTHERS
    for width, height in ((0, 0), (0, 9), (9, 0), (2**31 - 1, 2**31 - 1), (2**31, 1), (2**32 - 1, 1), (50_000, 50_000)):
        yield _png(width, height, 8, 2, b"")
        yield _png(width, height, 1, 0, bytes(100_000))
        yield _bmp(width % 2**32, height % 2**32)
        yield b"GIF89a" + struct.pack("<HHBBB", width % 2**16, height % 2**16, 0, 0, 0) + b";"
    for depth, colour in ((3, 2), (16, 3), (0, 0), (8, 7), (32, 2), (1, 6)):
        yield _png(9, 9, depth, colour, bytes(400))
    yield _png(9, 9, 8, 2, b"", (b"iCCP", b"a\x00\x00" + zlib.compress(bytes(50_000_000))))
    yield _vast_jpeg(65_500, 65_500)
    yield _saved(picture, "GIF").replace(struct.pack("<HH", _SIDE, _SIDE), struct.pack("<HH", 65_535, 65_535))


def oddities() -> Iterator[bytes]:
    """Pictures that are unusual and right: modes, palettes, 16 bits, animation, broken or huge EXIF, extreme shapes."""
    picture = Image.fromarray(_pixels())
    yield _png(9, 9, 8, 3, bytes(90))  # colours of a palette that is not there
    yield _saved(
        picture, "MPO", save_all=True, append_images=[picture]
    )  # of cameras with two lenses: a JPEG and a tail
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        yield _saved(picture.convert("L" if mode == "I;16" else mode).convert(mode), "PNG")
    palette = picture.convert("P")
    for transparency in (0, b"\x00\x80\xff"):
        yield _saved(palette, "PNG", transparency=transparency)
    yield _saved(palette, "GIF", transparency=3)
    for kind in ("GIF", "WEBP", "PNG"):
        others = [picture.rotate(90), picture.rotate(180)]
        yield _saved(picture, kind, save_all=True, append_images=others, duration=20)
    for mode in ("L", "CMYK", "RGB"):
        yield _saved(picture.convert(mode), "JPEG", quality=96)
        yield _saved(picture.convert(mode), "JPEG", progressive=True, quality=1)
    for exif in (
        b"Exif\x00\x00",
        b"Exif\x00\x00MM\x00*" + b"\xff" * 60,
        b"Exif\x00\x00II*\x00\x08\x00\x00\x00\xff\xff" + bytes(3000),
    ):
        yield _saved(picture, "JPEG", exif=exif)
        yield _saved(picture, "WEBP", exif=exif)
        yield _saved(picture, "PNG", exif=exif)
    for orientation in range(1, 10):
        turned = Image.Exif()
        turned[0x0112] = orientation
        yield _saved(picture, "JPEG", exif=turned.tobytes())
    for kind in ACCEPTED:
        for size in ((1, 1), (1, 3000), (3000, 1)):
            yield _saved(picture.resize(size), kind)
    yield _saved(picture, "WEBP", lossless=True)
    yield _saved(picture.convert("1"), "BMP")
    yield _png(6_000, 6_000, 1, 0, bytes(6_000 * 751))  # 36 million pixels in 5 kB: just within the limit


def _real_files() -> dict[str, bytes]:
    picture = Image.fromarray(_pixels())
    return {kind: _saved(picture, kind) for kind in ACCEPTED}


def _pixels() -> np.ndarray:
    """A gradient with some noise, so that every decoder has something to do."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:_SIDE, :_SIDE]
    plain = np.stack([rows * 5, columns * 5, (rows + columns) * 2], axis=-1)
    return (plain + rng.integers(0, 15, plain.shape)).astype(np.uint8)


def _saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def _png(width: int, height: int, depth: int, colour: int, rows: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG with right checksums, whatever its header says."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    middle = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(name, data) for name, data in middle)


def _bmp(width: int, height: int) -> bytes:
    return (
        b"BM"
        + struct.pack("<IHHI", 70, 0, 0, 54)
        + struct.pack("<IIIHHIIIIII", 40, width, height, 1, 24, 0, 16, 1, 1, 0, 0)
        + bytes(16)
    )


def _vast_jpeg(width: int, height: int) -> bytes:
    """A small JPEG whose frame header promises more."""
    small = bytearray(_saved(Image.fromarray(_pixels()), "JPEG"))
    at = small.index(b"\xff\xc0") + 5
    small[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(small)
