"""WebDataset: samples in tar files."""

import io
import json
import pickle
import tarfile
from pathlib import Path
from typing import Any

import fsspec
import pytest

from index_build.corpora import Label, Rejected, WebDatasetSettings, open_corpus
from index_build.corpora.base import Corpus
from sparc_core.errors import InputError
from tests.corpora.picture_files import items_of, picture_bytes, rejected_of

Members = dict[str, bytes]


def _write(path: Path, members: Members, form: int = tarfile.USTAR_FORMAT) -> Path:
    with tarfile.open(path, "w", format=form) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def _open(path: Path | str | list[str], **settings: Any) -> Corpus:
    value = path if isinstance(path, list) else str(path)
    return open_corpus(WebDatasetSettings.model_validate({"path": value} | settings), Path("/nowhere"))


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Two shards: captions in .txt, .json or nowhere, keys that come again."""
    _write(
        tmp_path / "s-000.tar",
        {
            "0001.jpg": picture_bytes(1),
            "0001.txt": b"One.\nOne again.\n",
            "0001.cls": b"1\n",
            "dir/0002.json": json.dumps({"caption": "Two.", "tags": ["x", "y"]}).encode(),
            "dir/0002.PNG": picture_bytes(2, kind="PNG"),
            "./0003.webp": picture_bytes(3, kind="WEBP"),
            "./0003.cls": b"tabby cat",
        },
    )
    _write(tmp_path / "s-001.tar", {"0001.jpeg": picture_bytes(4), "0001.json": b'{"caption": ["Four.", "IV"]}'})
    return tmp_path


def test_samples_with_captions_of_text_and_json(shards: Path) -> None:
    corpus = _open(shards / "s-{000..001}.tar", class_names=["dog", "cat"])
    assert [(item.item_id, item.caption, item.labels) for item in items_of(corpus)] == [
        ("s-000:0001", "One. One again.", ("cat",)),
        ("s-000:dir:0002", "Two.", ()),
        ("s-000:0003", "", ("tabby cat",)),
        ("s-001:0001", "Four. IV", ()),
    ]
    assert corpus.labels == (Label("cat", "label"), Label("tabby cat", "label"))
    assert rejected_of(corpus) == []
    by_json = _open(shards / "s-000.tar", caption_key="tags", labels_key="tags")
    assert [(item.caption, item.labels) for item in items_of(by_json)][1] == ("x y", ("x", "y"))


def test_a_picture_is_a_byte_range_of_its_shard(shards: Path) -> None:
    corpus = _open(shards / "s-{000..001}.tar")
    items = items_of(corpus)
    # A tar is blocks of 512 bytes: a header, then the file.
    assert items[0].picture == f"s-000.tar:0001.jpg@512+{len(picture_bytes(1))}"
    pickled = pickle.dumps(corpus.reader)
    assert len(pickled) < 1000
    reader = pickle.loads(pickled)
    wanted = [picture_bytes(1), picture_bytes(2, kind="PNG"), picture_bytes(3, kind="WEBP"), picture_bytes(4)]
    assert [reader.read(item.picture) for item in items] == wanted
    with pytest.raises(FileNotFoundError):
        reader.read("s-009.tar:0001.jpg@512+10")
    with pytest.raises(FileNotFoundError, match="names no file in a shard"):
        reader.read("0001.jpg")
    with pytest.raises(OSError, match="ends before byte"):
        reader.read("s-001.tar:0001.jpg@512+999999")


def test_the_first_of_several_pictures_counts(tmp_path: Path) -> None:
    members = {"1.png": picture_bytes(1, kind="PNG"), "1.jpg": picture_bytes(2), "1.depth.png": b"?"}
    corpus = _open(_write(tmp_path / "s.tar", members))
    (item,) = corpus.items()
    assert corpus.reader.read(item.picture) == members["1.png"]


def test_shards_by_list_and_in_memory(shards: Path) -> None:
    fsspec.filesystem("memory").put(f"{shards}/", f"{shards}/", recursive=True)
    local = _open([str(shards / "s-001.tar"), str(shards / "s-000.tar")])
    remote = _open([f"memory://{shards}/s-001.tar", f"memory://{shards}/s-000.tar"])
    assert list(local.items()) == list(remote.items())
    assert items_of(local)[0].item_id == "s-001:0001"
    for item in items_of(local):
        assert remote.reader.read(item.picture) == local.reader.read(item.picture)
    assert len(remote.settings["fingerprint"]) == 64


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_folders_and_hidden_files(tmp_path: Path, form: int) -> None:
    long = "d" * 60 + "/" + "k" * 90
    path = tmp_path / "s.tar"
    with tarfile.open(path, "w", format=form) as tar:
        folder = tarfile.TarInfo("d" * 60)
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name in (f"{long}.jpg", "._0001.jpg", "__MACOSX/x.jpg", f"{long}.txt"):
            content = picture_bytes(1) if name.endswith("jpg") else b"A long name"
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    corpus = _open(path)
    (item,) = corpus.items()
    assert (item.item_id, getattr(item, "caption", None)) == (f"s/{long}".replace("/", ":"), "A long name")
    assert corpus.reader.read(item.picture) == picture_bytes(1)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"2.txt": b"x", "2.seg.png": b"?"}, "the sample has no .jpg, .jpeg, .png or .webp, only .txt, .seg.png"),
        ({"2.heic": b"?"}, "the sample has no .jpg, .jpeg, .png or .webp, only .heic"),
        ({"2.jpg": b""}, "its picture is empty"),
        ({"2.jpg": b"?", "2.json": b"{"}, "its .json cannot be used: it is not valid JSON"),
        ({"2.jpg": b"?", "2.json": b"[]"}, "its .json cannot be used: it is no JSON object"),
        ({"1.txt": b"late"}, None),
        ({"3.jpg": b"?", "1.png": b"?"}, 'its id "s:1" is taken by an earlier item'),
    ],
)
def test_samples_that_cannot_be_items_are_rejected(tmp_path: Path, members: Members, reason: str | None) -> None:
    corpus = _open(_write(tmp_path / "s.tar", {"1.jpg": b"?"} | members | {"9.jpg": b"?"}))
    items = [item.item_id for item in items_of(corpus)]
    assert {"s:1", "s:9"} <= set(items)
    rejected = rejected_of(corpus)
    assert len(rejected) == (reason is not None)
    assert all(reason is not None and reason in entry.reason for entry in rejected)


def _cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


@pytest.mark.parametrize(
    ("size", "n_items", "reason"),
    [
        (1024 + 100, 1, "it has no end mark at byte 1024: it is damaged or cut off"),
        (1536 + 100, 1, "2.jpg was cut off: the shard ends at byte 1636"),
        (3072, 3, "it has no end mark at byte 3072: it is damaged or cut off"),
        (2560 + 1, 2, "3.jpg was cut off: the shard ends at byte 2561"),
    ],
)
def test_a_shard_that_was_cut_off_gives_what_it_has_and_a_reason(
    tmp_path: Path, size: int, n_items: int, reason: str
) -> None:
    """Files of one block, so that each takes 1024 bytes with its header."""
    path = _write(tmp_path / "s.tar", {f"{number}.jpg": bytes([number] * 512) for number in (1, 2, 3)})
    _cut(path, size)
    corpus = _open(path)
    assert [item.item_id for item in items_of(corpus)] == [f"s:{number}" for number in range(1, n_items + 1)]
    (rejected,) = rejected_of(corpus)
    assert rejected.picture == "s.tar"
    assert reason in rejected.reason


def test_a_damaged_header_is_no_silence(tmp_path: Path) -> None:
    path = _write(tmp_path / "s.tar", {f"{number}.jpg": bytes([number] * 512) for number in (1, 2, 3)})
    content = bytearray(path.read_bytes())
    content[1024:1536] = b"x" * 512
    path.write_bytes(content)
    corpus = _open(path)
    assert [item.item_id for item in items_of(corpus)] == ["s:1"]
    assert rejected_of(corpus) == [
        Rejected("", "s.tar", "s.tar: it has no end mark at byte 1024: it is damaged or cut off")
    ]


@pytest.mark.parametrize("content", [b"", b"rubbish" * 200, bytes(10240), b"\x1f\x8b" + bytes(600)])
def test_a_file_that_is_no_tar_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "s.tar").write_bytes(content)
    with pytest.raises(InputError, match="has nothing that can be an item, expected tar files of samples") as caught:
        list(_open(tmp_path / "s.tar").items())
    assert "\n" not in str(caught.value)


def test_a_good_shard_beside_a_bad_one_is_used(shards: Path) -> None:
    (shards / "s-000.tar").write_bytes(b"rubbish" * 200)
    corpus = _open(shards / "s-{000..001}.tar")
    assert [item.item_id for item in items_of(corpus)] == ["s-001:0001"]
    assert "s-000.tar: it cannot be read on" in rejected_of(corpus)[0].reason


def test_missing_and_packed_shards_are_one_sentence(shards: Path) -> None:
    with pytest.raises(InputError, match=r'there is no file ".*s-002.tar": check the path'):
        _open(shards / "s-{000..002}.tar")
    (shards / "s.tar.gz").write_bytes(b"?")
    with pytest.raises(InputError, match=r'shard "s.tar.gz" cannot be used: unpacked .tar files'):
        _open(shards / "s.tar.gz")


def test_settings_follow_the_shards(shards: Path) -> None:
    first = _open(shards / "s-000.tar").settings
    assert first == _open(shards / "s-000.tar").settings
    _write(shards / "s-000.tar", {"1.jpg": b"another"})
    assert _open(shards / "s-000.tar").settings["fingerprint"] != first["fingerprint"]
