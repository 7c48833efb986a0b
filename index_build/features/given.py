"""Given features: files that somebody else computed, aligned with a corpus's items.

Files name their rows by item id or by the item's place in the corpus, or not at all; which it is decides the file.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Bool, Int64

from index_build.features.assembly import feature_path
from index_build.features.store import FeatureStore, read_ids
from sparc_core.arrays import new_mapped_array
from sparc_core.errors import InputError

_SMALLEST_SHARE = 0.5
_ROWS_AT_A_TIME = 8192


def rows_of_items(stream: str, path: Path, items: pa.Table, n_listed: int) -> Int64[np.ndarray, " m"]:
    """For every usable listed item, the row of a feature file that is its; -1 where the file has none
    that is finite and not all zero.

    Args:
        stream: For messages.
        path: The file.
        items: Usable listed items, with `item_id` and `number`.
        n_listed: How many things the corpus lists, usable or not.

    Returns:
        By the file's ids, where they are (the beginnings of) item ids; else, where they are places in the corpus
        (0 to n_listed - 1), by those; a file without ids has a row for everything listed.

    Raises:
        InputError: Neither fits, or the file knows less than half of the items.
    """
    ids, n_rows = read_ids(stream, path)
    numbers = items["number"].to_numpy()
    if ids is None:
        if n_rows != n_listed:
            raise InputError(
                f"features of stream {stream} at {path} name no items and have {n_rows} rows, the corpus lists "
                f'{n_listed}: give the file "indices" with item ids or places in the corpus'
            )
        return _without_unusable(numbers, stream, path)
    by_id = _look_up(ids, _numeric_ids(items["item_id"]))
    by_place = _look_up(ids, numbers) if ids.min() >= 0 and ids.max() < n_listed else np.full(len(numbers), -1)
    rows = by_id if (by_id >= 0).sum() >= (by_place >= 0).sum() else by_place
    found = float((rows >= 0).mean())
    if found < _SMALLEST_SHARE:
        raise InputError(
            f"features of stream {stream} at {path} have {found:.0%} of the corpus's items (ids like {ids[0]}, items "
            f'like "{items["item_id"][0].as_py()}"): are they of another corpus?'
        )
    return _without_unusable(rows, stream, path)


def write_given_features(
    files: Mapping[str, Path], rows: Mapping[str, Int64[np.ndarray, " n"]], folder: Path
) -> dict[str, int]:
    """Write `<stream>.npy`, float32 [n, d] with unit rows, for every file.

    Args:
        files: By stream.
        rows: By stream, the file's row for every item.
        folder: Of the feature step.

    Returns:
        Each stream's width.
    """
    for stream, path in files.items():
        store = FeatureStore.open({stream: path})
        d = store.widths[stream]
        out = new_mapped_array(feature_path(folder, stream), (len(rows[stream]), d))
        for start in range(0, len(out), _ROWS_AT_A_TIME):
            chosen = torch.from_numpy(rows[stream][start : start + _ROWS_AT_A_TIME])
            out[start : start + _ROWS_AT_A_TIME] = store.rows(chosen)[stream].numpy()
    return {stream: int(np.load(feature_path(folder, stream), mmap_mode="r").shape[1]) for stream in files}


def _without_unusable(rows: Int64[np.ndarray, " m"], stream: str, path: Path) -> Int64[np.ndarray, " m"]:
    return np.where((rows >= 0) & _usable_rows(stream, path)[rows], rows, -1)


def _usable_rows(stream: str, path: Path) -> Bool[np.ndarray, " r"]:
    """Which rows of a file are finite and not all zero."""
    store = FeatureStore.open({stream: path})
    usable = np.empty(store.n_rows, bool)
    for start in range(0, store.n_rows, _ROWS_AT_A_TIME):
        unit = store.rows(torch.arange(start, min(start + _ROWS_AT_A_TIME, store.n_rows)))[stream]
        usable[start : start + len(unit)] = (unit.isfinite().all(1) & (unit != 0).any(1)).numpy()
    return usable


def _numeric_ids(item_ids: pa.ChunkedArray) -> Int64[np.ndarray, " m"]:
    """Item ids as numbers, without the number of the caption behind "#"; -1 where they are none."""
    stems = (text.partition("#")[0] for text in item_ids.to_pylist())
    return np.array([int(s) if s.isdecimal() and len(s) <= 18 else -1 for s in stems], np.int64)


def _look_up(ids: Int64[np.ndarray, " r"], wanted: Int64[np.ndarray, " m"]) -> Int64[np.ndarray, " m"]:
    """The row of each wanted id, -1 where there is none; the first row of an id that occurs twice."""
    order = np.argsort(ids, kind="stable")
    places = np.searchsorted(ids, wanted, sorter=order).clip(max=len(ids) - 1)
    rows = order[places]
    return np.where((ids[rows] == wanted) & (wanted >= 0), rows, -1)
