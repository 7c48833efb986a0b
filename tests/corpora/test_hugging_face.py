"""Data sets saved by the `datasets` library."""

import io
import pickle
import sys
from pathlib import Path
from typing import Any

import fsspec
import pytest
from PIL import Image

from index_build.corpora import CorpusItem, DatasetsSettings, Label, hugging_face, open_corpus
from index_build.corpora.base import Corpus
from sparc_core.errors import InputError
from tests.corpora.picture_files import items_of, picture_bytes, rejected_of, write_pictures

datasets: Any = pytest.importorskip("datasets", reason="needs the optional library datasets")


@pytest.fixture(autouse=True)
def _quiet() -> None:
    datasets.disable_progress_bars()


def _open(path: Path | str, **settings: Any) -> Corpus:
    return open_corpus(DatasetsSettings.model_validate({"path": str(path)} | settings), Path("/nowhere"))


def _rows(n_rows: int, first: int = 0, image: Any = None) -> Any:
    features = datasets.Features(
        {
            "image": image or datasets.Image(),
            "caption": datasets.Value("string"),
            "more": datasets.List(datasets.Value("string")),
            "class": datasets.ClassLabel(names=["cat", "dog"]),
            "key": datasets.Value("int64"),
        }
    )
    rows = [
        {
            "image": {"bytes": picture_bytes(first + number), "path": None},
            "caption": f"number {first + number}",
            "more": ["a", "b"] if number % 2 else [],
            "class": number % 3 - 1,
            "key": 100 + first + number,
        }
        for number in range(n_rows)
    ]
    return datasets.Dataset.from_list(rows, features=features)


def test_a_data_set_without_splits(tmp_path: Path) -> None:
    _rows(3).save_to_disk(tmp_path / "d")
    corpus = _open(tmp_path / "d", caption_columns=["caption", "more"], labels_column="class", test_share=0)
    assert list(corpus.items()) == [
        CorpusItem("all-000000", "all/000000", "number 0", (), "train"),
        CorpusItem("all-000001", "all/000001", "number 1 a b", ("cat",), "train"),
        CorpusItem("all-000002", "all/000002", "number 2", ("dog",), "train"),
    ]
    assert corpus.labels == (Label("cat", "label"), Label("dog", "label"))
    pickled = pickle.dumps(corpus.reader)
    assert len(pickled) < 1000
    reader = pickle.loads(pickled)
    assert [reader.read(f"all/00000{n}") for n in (2, 0, 1)] == [picture_bytes(n) for n in (2, 0, 1)]
    for picture in ("all/000003", "train/000000", "all", "all/x"):
        with pytest.raises(FileNotFoundError):
            reader.read(picture)


def test_its_own_splits_win(tmp_path: Path) -> None:
    splits = {"validation": _rows(2, 10), "train": _rows(3), "extra": _rows(2, 20)}
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "d")
    corpus = _open(tmp_path / "d", item_id_column="key", test_share=0.5)
    items = items_of(corpus)
    assert [(item.item_id, item.picture) for item in items] == [
        ("120", "extra/000000"),
        ("121", "extra/000001"),
        ("100", "train/000000"),
        ("101", "train/000001"),
        ("102", "train/000002"),
        ("110", "validation/000000"),
        ("111", "validation/000001"),
    ]
    assert sorted(item.split for item in items[:2]) == ["test", "train"]  # "extra" says nothing: half is drawn
    assert [item.split for item in items[2:]] == ["train"] * 3 + ["test"] * 2
    assert corpus.reader.read("validation/000001") == picture_bytes(11)


def test_pictures_that_the_library_encoded_itself(tmp_path: Path) -> None:
    pixels = Image.new("RGB", (4, 3), (200, 10, 10))
    datasets.Dataset.from_list([{"image": pixels, "caption": "red"}]).save_to_disk(tmp_path / "d")
    corpus = _open(tmp_path / "d")
    with Image.open(io.BytesIO(corpus.reader.read("all/000000"))) as image:
        assert (image.size, image.getpixel((0, 0))) == ((4, 3), (200, 10, 10))


def test_pictures_as_bytes_or_paths(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["a.jpg"])
    content = (tmp_path / "a.jpg").read_bytes()
    plain = datasets.Dataset.from_dict({"image": [content, None, b""], "path": [str(tmp_path / "a.jpg"), None, ""]})
    plain.save_to_disk(tmp_path / "d")
    for column in ("image", "path"):
        corpus = _open(tmp_path / "d", image_column=column, caption_columns=[])
        assert [item.picture for item in items_of(corpus)] == ["all/000000"]
        assert [r.reason for r in rejected_of(corpus)] == ["row 1 of all has no picture", "row 2 of all has no picture"]
        assert corpus.reader.read("all/000000") == content
        with pytest.raises(FileNotFoundError):
            corpus.reader.read("all/000001")


def test_lists_of_classes_and_texts(tmp_path: Path) -> None:
    features = datasets.Features(
        {
            "image": datasets.Value("binary"),
            "classes": datasets.List(datasets.ClassLabel(names=["cat", "dog"])),
            "words": datasets.List(datasets.Value("string")),
        }
    )
    rows = [{"image": b"?", "classes": [1, 0], "words": ["x"]}, {"image": b"?", "classes": [], "words": None}]
    datasets.Dataset.from_list(rows, features=features).save_to_disk(tmp_path / "d")
    for column, expected in (("classes", [("dog", "cat"), ()]), ("words", [("x",), ()])):
        items = items_of(_open(tmp_path / "d", labels_column=column, caption_columns=[]))
        assert [item.labels for item in items] == expected


def test_a_data_set_that_was_selected_and_shuffled(tmp_path: Path) -> None:
    _rows(6).select([4, 1]).save_to_disk(tmp_path / "d")
    corpus = _open(tmp_path / "d")
    assert [item.caption for item in items_of(corpus)] == ["number 4", "number 1"]
    assert corpus.reader.read("all/000000") == picture_bytes(4)


def test_what_is_missing_is_one_sentence(tmp_path: Path) -> None:
    _rows(1).save_to_disk(tmp_path / "d")
    with pytest.raises(InputError, match=r'has no column "text" in split all, it has "image", "caption"'):
        _open(tmp_path / "d", caption_columns="text")
    with pytest.raises(InputError, match="there is no folder"):
        _open(tmp_path / "none")
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match="the folder that save_to_disk wrote is expected") as caught:
        _open(tmp_path / "other")
    assert "\n" not in str(caught.value)


def test_a_damaged_data_set_is_one_sentence(tmp_path: Path) -> None:
    _rows(2).save_to_disk(tmp_path / "d")
    (arrow,) = (tmp_path / "d").glob("*.arrow")
    arrow.write_bytes(arrow.read_bytes()[:100])
    with pytest.raises(InputError, match="cannot be opened"):
        _open(tmp_path / "d")


def test_without_the_library_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "d").mkdir()
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(InputError, match=r'pip install "sparc-explorer\[datasets\]"'):
        _open(tmp_path / "d")


def test_settings_follow_the_files_and_new_ones_are_read(tmp_path: Path) -> None:
    _rows(2).save_to_disk(tmp_path / "d")
    first = _open(tmp_path / "d")
    assert first.reader.read("all/000000") == picture_bytes(0)
    assert first.settings == _open(tmp_path / "d").settings
    _rows(3, 5).save_to_disk(tmp_path / "d")
    second = _open(tmp_path / "d")
    assert second.settings["fingerprint"] != first.settings["fingerprint"]
    assert second.reader.read("all/000002") == picture_bytes(7)
    hugging_face._splits.cache_clear()


def test_a_data_set_in_memory(tmp_path: Path) -> None:
    _rows(2).save_to_disk(tmp_path / "d")
    fsspec.filesystem("memory").put(f"{tmp_path}/d/", f"{tmp_path}/d/", recursive=True)
    corpus = _open(f"memory://{tmp_path}/d")
    assert [item.caption for item in items_of(corpus)] == ["number 0", "number 1"]
    assert corpus.reader.read("all/000001") == picture_bytes(1)
