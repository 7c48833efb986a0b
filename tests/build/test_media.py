"""The media step: every kind of file becomes a picture that can be looked at, or a reason."""

import errno
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from index_build.items.media import MediaOptions, media_stem, write_media
from index_build.workers import LocalTasks
from sparc_core.errors import InputError
from sparc_core.picture_files import TooManyPixelsError, UnreadablePictureError, decode_picture, open_media
from tests.build.odd_pictures import SIDE, bad_files, corner, encoded, good_pictures


class Files:
    """A reader over bytes by name; a name that is not there is gone."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    def read(self, picture: str) -> bytes:
        if picture not in self.files:
            raise FileNotFoundError(picture)
        return self.files[picture]


def silent(done: int, total: int) -> None:
    pass


def bright_quarter(picture: Image.Image) -> tuple[float, float]:
    """Mean brightness of the top left quarter, and of the rest."""
    values = np.asarray(picture.convert("L"), np.float32)
    rows, columns = values.shape[0] // 2, values.shape[1] // 2
    rest = values.copy()
    rest[:rows, :columns] = np.nan
    return float(values[:rows, :columns].mean()), float(np.nanmean(rest))


@pytest.mark.parametrize("name", sorted(good_pictures()))
@pytest.mark.parametrize("keep", ["resized", "originals"])
def test_every_kind_of_picture_is_stored_upright_and_in_its_colours(tmp_path: Path, name: str, keep: str) -> None:
    content = good_pictures()[name]
    options = MediaOptions(keep=keep)
    table = write_media([name], Files({name: content}), options, tmp_path, LocalTasks(0), silent)
    row = table.to_pylist()[0]
    assert row["reason"] is None
    assert (row["width"], row["height"]) == (2 * SIDE, SIDE)
    assert row["sha256"] == hashlib.sha256(content).hexdigest()
    stored = open_media(tmp_path / "bundle" / row["media"])
    assert stored.size == (2 * SIDE, SIDE)
    inside, outside = bright_quarter(stored)
    assert inside > 180
    assert outside < 60
    if keep == "originals":
        assert (tmp_path / "bundle" / row["media"]).read_bytes() == content


def test_transparency_is_laid_on_white() -> None:
    picture = corner("RGBA")
    picture.putalpha(0)
    assert np.asarray(decode_picture(encoded(picture, "PNG"))).min() == 255


@pytest.mark.parametrize("name", sorted(bad_files()))
@pytest.mark.parametrize("keep", ["resized", "originals"])
def test_a_bad_file_is_a_reason_and_leaves_no_media(tmp_path: Path, name: str, keep: str) -> None:
    content, reason = bad_files()[name]
    table = write_media([name], Files({name: content}), MediaOptions(keep=keep), tmp_path, LocalTasks(0), silent)
    row = table.to_pylist()[0]
    assert row["media"] is None
    assert any(part in row["reason"] for part in reason.split("|"))
    assert not list(tmp_path.rglob("*.webp")) + list(tmp_path.rglob("*.jpg")) + list(tmp_path.rglob("*.png"))


def test_a_vanished_file_does_not_disturb_its_neighbours(tmp_path: Path) -> None:
    plain = good_pictures()["plain.jpg"]
    files = Files({"a.jpg": plain, "c.jpg": plain})
    rows = write_media(["a.jpg", "b.jpg", "c.jpg"], files, MediaOptions(), tmp_path, LocalTasks(0), silent).to_pylist()
    assert [row["picture"] for row in rows] == ["a.jpg", "b.jpg", "c.jpg"]
    assert [row["reason"] for row in rows] == [None, "the file is gone", None]


def test_a_full_disk_is_not_the_pictures_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    files = Files({"a.jpg": good_pictures()["plain.jpg"]})
    with pytest.raises(OSError, match="No space left"):
        write_media(["a.jpg"], files, MediaOptions(), tmp_path, LocalTasks(0), silent)


def test_large_pictures_shrink_and_small_ones_stay(tmp_path: Path) -> None:
    files = Files({"large": encoded(corner().resize((1000, 500)), "JPEG"), "small": good_pictures()["plain.jpg"]})
    table = write_media(["large", "small"], files, MediaOptions(side=200), tmp_path, LocalTasks(0), silent)
    assert [(row["width"], row["height"]) for row in table.to_pylist()] == [(200, 100), (2 * SIDE, SIDE)]


def test_an_interrupted_step_reads_nothing_twice(tmp_path: Path) -> None:
    plain = good_pictures()["plain.jpg"]
    names = [f"{i}.jpg" for i in range(100)]
    first = write_media(names, Files(dict.fromkeys(names, plain)), MediaOptions(), tmp_path, LocalTasks(0), silent)
    outcomes = sorted((tmp_path / "outcomes").iterdir())
    assert len(outcomes) == 2
    outcomes[1].unlink()
    only_later = Files(dict.fromkeys(names[64:], plain))  # the first 64 are gone, and are not asked for
    again = write_media(names, only_later, MediaOptions(), tmp_path, LocalTasks(0), silent)
    assert again.equals(first)
    assert json.loads(outcomes[1].read_text())[0]["picture"] == "64.jpg"


def test_names_of_media_files_are_safe_and_distinct() -> None:
    names = ["s000001", "a/b.jpg", "a_b.jpg", "../../etc/passwd", "Ä ö.jpg", "x" * 300, "CON"]
    stems = [media_stem(name) for name in names]
    assert len(set(stems)) == len(names)
    for stem in stems:
        assert len(stem) < 100
        assert ".." not in stem
        assert stem.startswith("media/")
    assert media_stem("s000001").endswith("/s000001")


def test_pixels_are_counted_before_they_are_decoded() -> None:
    content = encoded(Image.new("RGB", (300, 200)), "PNG")
    with pytest.raises(TooManyPixelsError, match=r"300 x 200 pixels, at most 0\.01 million"):
        decode_picture(content, max_pixels=10_000)
    with pytest.raises(UnreadablePictureError, match="formats JPEG"):
        decode_picture(content, formats=("JPEG",))


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"keep": "links"}, "keep is 'links'"), ({"side": 10}, "side is 10"), ({"quality": 0}, "quality is 0")],
)
def test_wrong_options_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        MediaOptions(**changes)
