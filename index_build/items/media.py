"""The media step: every picture is read, decoded and stored as the bundle will show it. Towers see these files.

Whatever can go wrong with a picture goes wrong here, and ends as a reason beside the picture's name; later steps meet
files that decode. A picture's outcome is written when its file is, so an interrupted step goes on where it was.
"""

import hashlib
import io
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import pyarrow as pa
from PIL import Image

from index_build.corpora.base import PictureReader
from index_build.files import own_name, removed_on_failure, write_text
from index_build.workers import ProgressReport, TaskRunner
from sparc_core.errors import InputError, SparcError
from sparc_core.picture_files import decode_picture

PICTURE_SCHEMA = pa.schema(
    {
        "picture": pa.string(),
        "media": pa.string(),
        "width": pa.int32(),
        "height": pa.int32(),
        "sha256": pa.string(),
        "reason": pa.string(),
    }
)
_PICTURES_PER_TASK = 64
_METHOD = 1  # 0 is fastest, 6 smallest; 1 costs no more than 0 here and saves a sixth of the bytes
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SUFFIXES = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif", "BMP": "bmp", "TIFF": "tif"}
Keep = Literal["resized", "originals"]


@dataclass(frozen=True)
class MediaOptions:
    """How pictures are stored.

    Attributes:
        keep: "resized" stores WebP of at most `side` pixels; "originals" copies the files as they are.
        side: Longest side of a resized picture, in pixels; smaller ones are not enlarged.
        quality: WebP quality of resized pictures, 1 to 100.

    Raises:
        InputError: A value is out of range.
    """

    keep: Keep = "resized"
    side: int = 640
    quality: int = 85

    def __post_init__(self) -> None:
        if self.keep not in ("resized", "originals"):
            raise InputError(f'keep is {self.keep!r}: use "resized" or "originals"')
        if not 32 <= self.side <= 16383:
            raise InputError(f"side is {self.side}: choose from 32 to 16383 pixels, the most that WebP holds")
        if not 1 <= self.quality <= 100:
            raise InputError(f"quality is {self.quality}: choose from 1 to 100")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a picture: its file with its upright size, and the hash of what was read; or why there is none."""

    picture: str
    media: str | None = None
    width: int | None = None
    height: int | None = None
    sha256: str | None = None
    reason: str | None = None


def media_stem(picture: str) -> str:
    """Where a picture's file lies in the bundle, without suffix: by its own name where that is plain, else a hash."""
    digest = hashlib.sha256(picture.encode()).hexdigest()
    return f"media/{digest[:2]}/{picture if _PLAIN_NAME.fullmatch(picture) else digest[:20]}"


def write_media(
    pictures: Sequence[str],
    reader: PictureReader,
    options: MediaOptions,
    folder: Path,
    runner: TaskRunner,
    report: ProgressReport,
) -> pa.Table:
    """Store every picture below `folder`/bundle; those that an interrupted run stored are kept.

    Returns:
        What became of each, as PICTURE_SCHEMA, in the order given.
    """
    starts = range(0, len(pictures), _PICTURES_PER_TASK)
    groups = [list(pictures[start : start + _PICTURES_PER_TASK]) for start in starts]
    tasks = [(reader, group, options, folder, number) for number, group in enumerate(groups)]
    runner.run(_store_some, tasks, report, [len(group) for group in groups])
    shutil.rmtree(folder / "parts", ignore_errors=True)
    rows = [row for number in range(len(groups)) for row in json.loads(_outcomes_path(folder, number).read_text())]
    return pa.Table.from_pylist(rows, PICTURE_SCHEMA)


def _outcomes_path(folder: Path, number: int) -> Path:
    return folder / "outcomes" / f"{number:08d}.json"


def _store_some(
    reader: PictureReader, pictures: Sequence[str], options: MediaOptions, folder: Path, number: int
) -> None:
    path = _outcomes_path(folder, number)
    if path.exists():
        return
    outcomes = [asdict(store_picture(reader, picture, options, folder)) for picture in pictures]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(outcomes))


def store_picture(reader: PictureReader, picture: str, options: MediaOptions, folder: Path) -> Outcome:
    """Read, check and store one picture; what is wrong with it is the outcome's reason."""
    try:
        content = reader.read(picture)
    except FileNotFoundError:
        return Outcome(picture, reason="the file is gone")
    except OSError as error:
        return Outcome(picture, reason=f"the file cannot be read: {error.strerror or error}")
    try:
        stored = _prepare(content, picture, options)
    except SparcError as error:
        return Outcome(picture, reason=str(error))
    # Outside the try: a full disk of ours is no fault of the picture's.
    media = _write(folder, stored.media, stored.content)
    return Outcome(picture, media, stored.pixels.width, stored.pixels.height, stored.sha256)


class _Stored(NamedTuple):
    """A picture ready to be written."""

    media: str
    content: bytes
    pixels: Image.Image
    sha256: str


def _prepare(content: bytes | Image.Image, picture: str, options: MediaOptions) -> _Stored:
    stem = media_stem(picture)
    if isinstance(content, Image.Image):
        pixels = content.convert("RGB")
        pixels.thumbnail((options.side, options.side))
        return _Stored(f"{stem}.webp", _webp(pixels, options.quality), pixels, _sha256(content.tobytes()))
    if options.keep == "originals":
        pixels = decode_picture(content)
        return _Stored(f"{stem}.{_suffix(content)}", content, pixels, _sha256(content))
    pixels = decode_picture(content, options.side)
    return _Stored(f"{stem}.webp", _webp(pixels, options.quality), pixels, _sha256(content))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _webp(pixels: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    pixels.save(out, "WEBP", quality=quality, method=_METHOD)
    return out.getvalue()


def _suffix(content: bytes) -> str:
    with Image.open(io.BytesIO(content)) as picture:
        return _SUFFIXES.get(picture.format or "", "img")


def _write(folder: Path, media: str, content: bytes) -> str:
    """Write a media file, whole or not at all; what a killed writer leaves lies outside the bundle."""
    path, parts = folder / "bundle" / media, folder / "parts"
    path.parent.mkdir(parents=True, exist_ok=True)
    parts.mkdir(exist_ok=True)
    temporary = parts / f"{own_name()}-{path.name}"
    with removed_on_failure(temporary):
        temporary.write_bytes(content)
        temporary.replace(path)
    return media
