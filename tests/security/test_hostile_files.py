"""Bundles, corpora and checkpoints from strangers: they name files outside, and hold what is no file."""

import os
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from index_build.corpora import open_corpus
from index_build.corpora.table import TableSettings
from sparc_core.bundle import Bundle
from sparc_core.errors import BundleError
from sparc_core.picture_files import open_media


@pytest.fixture
def stranger(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A bundle that may be changed."""
    shutil.copytree(tiny_bundle, tmp_path / "bundle", copy_function=os.link)
    return tmp_path / "bundle"


def private_picture(folder: Path) -> Path:
    Image.new("RGB", (8, 8)).save(folder / "private.png")
    return folder / "private.png"


def test_media_that_are_links_out_of_the_bundle(stranger: Path, tmp_path: Path) -> None:
    media = Bundle.open(stranger).media_path(0)
    media.unlink()
    media.symlink_to(private_picture(tmp_path))
    with pytest.raises(BundleError, match=r'item 0 of bundle .* has media ".*", not a path inside the bundle'):
        Bundle.open(stranger).media_path(0)


def test_a_folder_of_media_that_is_a_link(stranger: Path, tmp_path: Path) -> None:
    media = Bundle.open(stranger).media_path(0)
    media.parent.rename(tmp_path / "elsewhere")
    media.parent.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match="not a path inside the bundle"):
        Bundle.open(stranger).media_path(0)


def test_a_link_to_a_whole_bundle_is_how_bundles_are_replaced(stranger: Path, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(stranger)
    assert open_media(Bundle.open(tmp_path / "current").media_path(0)).mode == "RGB"


def test_media_that_never_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.webp")
    (tmp_path / "device.webp").symlink_to("/dev/zero")
    for name in ("pipe.webp", "device.webp", "nowhere.webp"):
        with pytest.raises(FileNotFoundError):
            open_media(tmp_path / name)


@pytest.mark.parametrize("path", ["../private.png", "img/../../private.png", "/etc/hosts", "file:///etc/hosts"])
def test_tables_read_no_picture_outside_of_their_folder(tmp_path: Path, path: str) -> None:
    private_picture(tmp_path)
    (tmp_path / "data").mkdir()
    cell = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    table = pa.table({"image": pa.array([{"bytes": None, "path": path}], cell)})
    pq.write_table(table, tmp_path / "data" / "t.parquet")
    settings = TableSettings(path=str(tmp_path / "data" / "t.parquet"), caption_columns=[])
    corpus = open_corpus(settings, tmp_path)
    with pytest.raises(FileNotFoundError, match="is not below"):
        corpus.reader.read("t.parquet#0")
