"""The items step and given features: rows stay aligned, whatever is missing."""

from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pytest

from index_build.features.given import rows_of_items, write_given_features
from index_build.items.listing import LISTING_SCHEMA
from index_build.items.media import PICTURE_SCHEMA
from index_build.items.table import item_tables
from sparc_core.errors import InputError


def listing(*rows: tuple[str, str, str | None]) -> pa.Table:
    """(item id, picture, reason) -> a listing; every item is for training."""
    return pa.Table.from_pylist(
        [
            {"number": i, "item_id": item, "picture": picture, "caption": f"caption of {item}", "labels": ["x"],
             "split": None if reason else "train", "reason": reason}
            for i, (item, picture, reason) in enumerate(rows)
        ],
        LISTING_SCHEMA,
    )  # fmt: skip


def pictures(*rows: tuple[str, str | None]) -> pa.Table:
    """(picture, reason) -> outcomes."""
    return pa.Table.from_pylist(
        [
            {"picture": name, "media": None if reason else f"media/{name}", "width": 3, "height": 2, "sha256": "0",
             "reason": reason}
            for name, reason in rows
        ],
        PICTURE_SCHEMA,
    )  # fmt: skip


def test_items_are_those_whose_pictures_and_features_are_there() -> None:
    listed = listing(("1", "a", None), ("2", "b", None), ("", "", "no id"), ("3", "c", None), ("4", "a", None))
    tables = item_tables(
        listed, pictures(("a", None), ("b", "the file is empty"), ("c", None)), {"dino": np.array([4, 5, -1, 7])}
    )
    assert tables.items["item_id"].to_pylist() == ["1", "4"]
    assert tables.items["media"].to_pylist() == ["media/a", "media/a"]
    assert tables.items["caption"].to_pylist() == ["caption of 1", "caption of 4"]
    assert tables.kept.tolist() == [0, 3]
    assert tables.rejected.to_pylist() == [
        {"item_id": "", "source": "", "reason": "no id"},
        {"item_id": "2", "source": "b", "reason": "the file is empty"},
        {"item_id": "3", "source": "c", "reason": "the given features of stream dino have no usable row of it"},
    ]


def test_nothing_left_is_one_sentence() -> None:
    with pytest.raises(InputError, match='no item of the corpus can be used, for example: "a": the file is empty'):
        item_tables(listing(("1", "a", None)), pictures(("a", "the file is empty")), {})


def features_file(path: Path, n: int, ids: list[int] | None, seed: int = 0) -> np.ndarray:
    values = np.random.RandomState(seed).standard_normal((n, 5)).astype(np.float32)
    with h5py.File(path, "w") as file:
        file["features"] = values
        if ids is not None:
            file["indices"] = np.array(ids, np.int32)
    return values


def items(*ids: str, numbers: list[int] | None = None) -> pa.Table:
    return pa.table({"item_id": list(ids), "number": pa.array(numbers or range(len(ids)), pa.int64())})


@pytest.mark.parametrize(
    ("ids", "item_ids", "expected"),
    [
        ([30, 10, 20], ("10", "20", "30"), [1, 2, 0]),  # by id
        ([30, 10, 20], ("000010", "20", "40"), [1, 2, -1]),  # leading zeros; one is missing
        ([0, 1, 2], ("a", "b", "c"), [0, 1, 2]),  # by place
        ([2, 0, 1], ("4711", "4712", "4713"), [1, 2, 0]),  # numeric ids that are not the file's: by place
        ([10, 20, 30], ("10#0", "10#1", "20#0"), [0, 0, 1]),  # several captions of a picture
        (None, ("a", "b", "c"), [0, 1, 2]),  # without ids: a row for everything listed
    ],
)
def test_rows_are_found_by_id_or_by_place(
    tmp_path: Path, ids: list[int] | None, item_ids: tuple[str, ...], expected: list[int]
) -> None:
    features_file(tmp_path / "x.h5", 3, ids)
    assert rows_of_items("x", tmp_path / "x.h5", items(*item_ids), 3).tolist() == expected


def test_places_count_what_the_corpus_rejected(tmp_path: Path) -> None:
    features_file(tmp_path / "x.h5", 4, [0, 1, 2, 3])
    assert rows_of_items("x", tmp_path / "x.h5", items("a", "c", numbers=[0, 2]), 4).tolist() == [0, 2]


@pytest.mark.parametrize(
    ("ids", "n_listed", "message"),
    [(None, 5, "name no items and have 3 rows, the corpus lists 5"), ([70, 80, 90], 3, "0% of the corpus's items")],
)
def test_features_of_another_corpus_are_refused(
    tmp_path: Path, ids: list[int] | None, n_listed: int, message: str
) -> None:
    features_file(tmp_path / "x.h5", 3, ids)
    with pytest.raises(InputError, match=message):
        rows_of_items("x", tmp_path / "x.h5", items("10", "20", "30"), n_listed)


def test_rows_of_zeros_or_nan_count_as_missing(tmp_path: Path) -> None:
    values = features_file(tmp_path / "x.h5", 4, None)
    values[1], values[2, 3] = 0, np.nan
    np.save(tmp_path / "x.npy", values)
    assert rows_of_items("x", tmp_path / "x.npy", items("a", "b", "c", "d"), 4).tolist() == [0, -1, -1, 3]


def test_given_features_are_written_as_unit_rows_in_the_items_order(tmp_path: Path) -> None:
    values = features_file(tmp_path / "x.h5", 4, None)
    widths = write_given_features({"x": tmp_path / "x.h5"}, {"x": np.array([3, 0, 3])}, tmp_path)
    assert widths == {"x": 5}
    expected = values[[3, 0, 3]] / np.linalg.norm(values[[3, 0, 3]], axis=1, keepdims=True)
    np.testing.assert_allclose(np.load(tmp_path / "x.npy"), expected, atol=1e-6)
