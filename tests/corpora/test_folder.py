"""Folders of pictures, and with them what all corpora made of files share."""

import os
import pickle
import random
from pathlib import Path

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index_build.corpora import CorpusItem, FolderSettings, Label, Rejected, open_corpus
from index_build.corpora.folder import FolderCorpus
from sparc_core.errors import InputError
from tests.corpora.picture_files import by_id, items_of, picture_bytes, rejected_of, write_pictures

NOWHERE = Path("/nowhere")


def _open(folder: Path, **settings: object) -> FolderCorpus:
    corpus = open_corpus(FolderSettings.model_validate({"path": str(folder), **settings}), NOWHERE)
    assert isinstance(corpus, FolderCorpus)
    return corpus


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five pictures in two levels, two with captions, and what else lies about."""
    write_pictures(tmp_path, ["b.jpg", "a-1.PNG", "cat/x.webp", "cat/y.jpeg", "dog/old/z.jpg"])
    (tmp_path / "b.txt").write_text("A first caption.\n\n  A second\tone.  \n", encoding="utf-8")
    (tmp_path / "cat" / "x.txt").write_bytes(b"\xef\xbb\xbfWith a mark\r\n")
    (tmp_path / "cat" / "none.txt").write_text("caption of no picture")
    write_pictures(tmp_path, ["cat/.hidden.jpg", "__MACOSX/b.jpg", ".trash/c.jpg"])
    for name in ("Thumbs.db", "cat/.DS_Store", "notes.md", "cat/list.json"):
        (tmp_path / name).write_bytes(b"?")
    return tmp_path


def test_pictures_in_the_order_of_their_paths_with_captions_beside_them(folder: Path) -> None:
    items = items_of(_open(folder, test_share=0))
    assert items == [
        CorpusItem("a-1", "a-1.PNG", "", (), "train"),
        CorpusItem("b", "b.jpg", "A first caption. A second one.", (), "train"),
        CorpusItem("cat:x", "cat/x.webp", "With a mark", (), "train"),
        CorpusItem("cat:y", "cat/y.jpeg", "", (), "train"),
        CorpusItem("dog:old:z", "dog/old/z.jpg", "", (), "train"),
    ]
    assert rejected_of(_open(folder)) == []


def test_captions_each_and_first(folder: Path) -> None:
    each = [(item.item_id, item.picture, item.caption) for item in items_of(_open(folder, captions="each"))]
    assert each[:3] == [
        ("a-1#0", "a-1.PNG", ""),
        ("b#0", "b.jpg", "A first caption."),
        ("b#1", "b.jpg", "A second one."),
    ]
    assert by_id(_open(folder, captions="first"))["b"].caption == "A first caption."


def test_folders_as_labels(folder: Path) -> None:
    corpus = _open(folder, labels_from_folders=True)
    assert [item.labels for item in items_of(corpus)] == [(), (), ("cat",), ("cat",), ("dog",)]
    assert corpus.labels == (Label("cat", "label"), Label("dog", "label"))
    assert _open(folder).labels == ()


def test_the_reader_reads_bytes_by_name_and_pickles_small(folder: Path) -> None:
    corpus = _open(folder)
    items = items_of(corpus)
    pickled = pickle.dumps(corpus.reader)
    assert len(pickled) < 1000
    reader = pickle.loads(pickled)
    assert [reader.read(item.picture) for item in items] == [(folder / item.picture).read_bytes() for item in items]
    (folder / "b.jpg").unlink()
    with pytest.raises(FileNotFoundError):
        reader.read("b.jpg")


@pytest.mark.parametrize("suffix", ["heic", "SVG", "raw", "cr2", "psd"])
def test_pictures_that_cannot_be_read_are_rejected_with_the_reason(folder: Path, suffix: str) -> None:
    (folder / f"phone.{suffix}").write_bytes(b"?")
    (rejected,) = rejected_of(_open(folder))
    assert (rejected.item_id, rejected.picture) == ("phone", f"phone.{suffix}")
    assert f".{suffix.lower()} pictures cannot be read: convert it to one of jpg, png" in rejected.reason


def test_one_id_for_two_pictures_keeps_the_first(folder: Path) -> None:
    write_pictures(folder, ["b.png", "b.webp"])
    corpus = _open(folder, test_share=0.5)
    assert [r.picture for r in rejected_of(corpus)] == ["b.png", "b.webp"]
    assert rejected_of(corpus)[0].reason == 'its id "b" is taken by an earlier item: make ids unique'
    assert [item.split for item in items_of(corpus)].count("test") == 3  # half of five, not of seven


def test_odd_names_become_printable_ids(tmp_path: Path) -> None:
    names = ["new\nline.jpg", "hash#1.jpg", "ü/ж 猫.jpg", "e" * 200 + ".jpg"]
    write_pictures(tmp_path, names)
    corpus = _open(tmp_path)
    items = {item.picture: item.item_id for item in items_of(corpus)}
    assert items["new\nline.jpg"] == "new_line"
    assert items["hash#1.jpg"] == "hash#1"
    assert items["ü/ж 猫.jpg"] == "ü:ж 猫"
    assert items["e" * 200 + ".jpg"].startswith("e" * 160 + "~")
    assert all(corpus.reader.read(picture) for picture in items)


def test_a_name_that_is_no_unicode_is_rejected(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["a.jpg"])
    with open(os.path.join(os.fsencode(tmp_path), b"caf\xe9.jpg"), "wb") as file:
        file.write(picture_bytes())
    (rejected,) = rejected_of(_open(tmp_path))
    rejected.picture.encode()
    assert rejected.reason == "its picture's name is no valid Unicode: rename the file"


def test_captions_that_are_no_unicode_lose_only_those_bytes(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["a.jpg"])
    (tmp_path / "a.txt").write_bytes(b"a caf\xe9 at night")
    assert items_of(_open(tmp_path))[0].caption == "a caf\ufffd at night"


def test_captions_that_vanish_are_a_reason(folder: Path) -> None:
    corpus = _open(folder)
    (folder / "b.txt").unlink()
    assert [(r.item_id, r.reason) for r in rejected_of(corpus)] == [
        ("b", "its captions cannot be read: No such file or directory")
    ]


def test_a_broken_link_is_an_item_whose_picture_is_not_there(folder: Path) -> None:
    (folder / "link.jpg").symlink_to(folder / "gone.jpg")
    corpus = _open(folder)
    assert "link" in by_id(corpus)
    with pytest.raises(FileNotFoundError):
        corpus.reader.read("link.jpg")


def test_nothing_usable_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has nothing that can be an item, expected pictures \(jpg"):
        list(_open(tmp_path).items())
    (tmp_path / "a.heic").write_bytes(b"?")
    with pytest.raises(InputError, match=r"1 rejected, the first because: \.heic pictures cannot be read"):
        list(_open(tmp_path).items())
    with pytest.raises(InputError, match=r'there is no folder ".*/none": check the path'):
        _open(tmp_path / "none")


def test_settings_say_what_decides_the_content(folder: Path) -> None:
    first = _open(folder).settings
    assert first == _open(folder).settings
    assert first["kind"] == "folder"
    assert first["test_share"] == 0.1
    seen = {str(first["fingerprint"])}
    os.utime(folder / "b.jpg", ns=(5, 5))
    seen.add(_open(folder).settings["fingerprint"])
    (folder / "b.txt").write_text("Another caption")
    seen.add(_open(folder).settings["fingerprint"])
    write_pictures(folder, ["dog/new.jpg"])
    seen.add(_open(folder).settings["fingerprint"])
    assert len(seen) == 4
    (folder / "notes.md").write_text("decides nothing")
    assert _open(folder).settings["fingerprint"] in seen


def test_name_and_licence(folder: Path) -> None:
    corpus = _open(folder)
    assert (corpus.name, corpus.licence) == (folder.name, "licence unknown")
    named = _open(folder, name="my cats", licence="CC BY 4.0")
    assert (named.name, named.licence) == ("my cats", "CC BY 4.0")


def test_the_first_pictures_only(folder: Path) -> None:
    (folder / "a.heic").write_bytes(b"?")
    corpus = _open(folder, limit=3, test_share=0.4, captions="each", labels_from_folders=True)
    assert [item.picture for item in items_of(corpus)] == ["a-1.PNG", "b.jpg", "b.jpg", "cat/x.webp"]
    assert len({item.picture for item in items_of(corpus) if item.split == "test"}) == 2
    assert corpus.labels == (Label("cat", "label"),)
    assert len(items_of(_open(folder, limit=99))) == 5


def test_a_folder_in_memory_or_by_url(folder: Path) -> None:
    system = fsspec.filesystem("memory")
    system.put(f"{folder}/", f"{folder}/", recursive=True)
    local, remote = _open(folder), open_corpus(FolderSettings(path=f"memory://{folder}"), NOWHERE)
    assert list(remote.items()) == list(local.items())
    assert remote.reader.read("cat/x.webp") == (folder / "cat/x.webp").read_bytes()
    assert remote.settings["fingerprint"] != local.settings["fingerprint"]
    with pytest.raises(FileNotFoundError):
        remote.reader.read("cat/none.jpg")
    with pytest.raises(InputError, match="there is no folder"):
        open_corpus(FolderSettings(path="memory:///not/there"), NOWHERE)


def test_relative_paths_are_relative_to_the_build_file(folder: Path) -> None:
    corpus = open_corpus(FolderSettings(path="cat"), folder)
    assert [item.item_id for item in corpus.items()] == ["x", "y"]


CAPTIONS = st.lists(st.text(max_size=30), max_size=4)


@given(st.dictionaries(st.text("abcXY-. é", min_size=1, max_size=12), CAPTIONS, min_size=1, max_size=8), st.randoms())
def test_each_and_joined_agree_whatever_the_order_on_disk(
    tmp_path_factory: pytest.TempPathFactory, pictures: dict[str, list[str]], chance: random.Random
) -> None:
    folders = [tmp_path_factory.mktemp("pictures") for _ in range(2)]
    for folder in folders:
        entries = [("law", ["A caption."]), *pictures.items()]
        chance.shuffle(entries)
        for name, captions in entries:
            (folder / f"{name}.jpg").write_bytes(b"?")
            (folder / f"{name}.txt").write_text("\n".join(captions), encoding="utf-8", newline="")
    visible = ["law", *(name for name in pictures if not name.startswith("."))]
    joined, each, other = (
        list(_open(folder, captions=way, test_share=0.3).items())
        for folder, way in ((folders[0], "joined"), (folders[0], "each"), (folders[1], "joined"))
    )
    assert joined == other
    assert {item.picture for item in joined} == {f"{name}.jpg" for name in visible}
    for items in (joined, each):
        accepted = [item for item in items if isinstance(item, CorpusItem)]
        assert len({item.item_id for item in accepted}) == len(accepted)
    texts: dict[str, list[str]] = {}
    for item in each:
        if isinstance(item, CorpusItem):
            texts.setdefault(item.picture, []).append(item.caption)
    assert texts == {item.picture: texts[item.picture] for item in joined if isinstance(item, CorpusItem)}
    for item in joined:
        if isinstance(item, CorpusItem):
            assert item.caption == " ".join(texts[item.picture])
            assert {e.split for e in each if isinstance(e, CorpusItem) and e.picture == item.picture} == {item.split}


def test_splits_are_exact_stable_and_by_seed(tmp_path: Path) -> None:
    write_pictures(tmp_path, [f"{number:03d}.jpg" for number in range(30)])

    def held_out(**settings: object) -> set[str]:
        return {item.picture for item in items_of(_open(tmp_path, **settings)) if item.split == "test"}

    tenth = held_out()
    assert len(tenth) == 3
    assert held_out() == tenth < held_out(test_share=0.5)
    assert len(held_out(test_share=0.11)) == 4
    assert held_out(test_share=0) == set()
    assert len(held_out(test_share=1)) == 30
    assert held_out(split_seed=1) != tenth
    write_pictures(tmp_path, ["new.jpg"])
    assert len(held_out() & tenth) >= 2


def test_items_are_the_same_every_time(folder: Path) -> None:
    (folder / "a.heic").write_bytes(b"?")
    corpus = _open(folder, captions="each")
    first = list(corpus.items())
    assert first == list(corpus.items()) == list(_open(folder, captions="each").items())
    assert any(isinstance(entry, Rejected) for entry in first)
