"""Feature rows of several streams, row i of each the same item, read in any order at the speed of memory.

Rows stay as they lie, on disk or in an array, in their own precision; what `rows` returns is float32 with unit rows, as
SPARC expects. Files: `.npy`, and the published HDF5 layout (`features` [n, d], `indices` [n] with the items' ids).
"""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, Int, Int64, Shaped
from torch import Tensor

from sparc_core.errors import InputError, ShapeError

_SUFFIXES = {".npy": "npy", ".h5": "hdf5", ".hdf5": "hdf5"}
_SMALLEST_NORM = 1e-12  # of sparc_core.model.normalize
_BLOCK = 1024
RowNumbers = Int64[np.ndarray, " b"] | Int64[Tensor, " b"]


class _Source(NamedTuple):
    """One stream as it was stored; `ids` where the file names its items."""

    values: Float[np.ndarray, "n d"]
    ids: Int[np.ndarray, " n"] | None = None


class _Column(NamedTuple):
    """One stream of a store: row i is `values[order[i]]`, or `values[i]` without an order."""

    values: Float[Tensor, "n d"]
    order: Int64[Tensor, " m"] | None


class FeatureStore:
    """Aligned feature rows of several streams, mapped from files or held in memory.

    Attributes:
        widths: Each stream's d, in the order given.
        n_rows: Rows of every stream.
        without_ids: Streams whose file names no items while another's does: aligned by row, which nothing can check.
    """

    def __init__(self, columns: Mapping[str, _Column], without_ids: Sequence[str] = ()) -> None:
        """Use `open` or `of`."""
        self._columns, self.without_ids = dict(columns), tuple(without_ids)
        self.widths = {stream: column.values.shape[1] for stream, column in columns.items()}
        first = next(iter(columns.values()))
        self.n_rows = len(first.values if first.order is None else first.order)

    @classmethod
    def open(cls, paths: Mapping[str, Path]) -> "FeatureStore":
        """Map files of features.

        HDF5 files that name their items are aligned by those ids, in the order of the first such file; everything else
        is aligned by row. Chunked or compressed HDF5 datasets cannot be mapped: they are read into memory, in their own
        precision.

        Args:
            paths: By stream; `.npy`, `.h5` or `.hdf5`, of float16, float32 or float64.

        Raises:
            InputError: A file is missing, damaged, empty, or of an unknown kind, or the files name different items.
            ShapeError: Features are no matrix of floats, or the streams have different numbers of rows.
        """
        sources = {stream: _read(stream, Path(path)) for stream, path in paths.items()}
        nameless = [stream for stream, source in sources.items() if source.ids is None]
        return cls(_aligned(sources), nameless if len(nameless) < len(sources) else ())

    @classmethod
    def of(cls, arrays: Mapping[str, Float[np.ndarray, "n d"]]) -> "FeatureStore":
        """Use arrays in memory, without copying those that are contiguous; errors as `open`."""
        sources = {}
        for stream, array in arrays.items():
            values = np.ascontiguousarray(array)
            _check_values(f"features of stream {stream}", values.shape, values.dtype)
            sources[stream] = _Source(values)
        return cls(_aligned(sources))

    def rows(self, index: RowNumbers) -> dict[str, Float32[Tensor, "b d"]]:
        """Rows of every stream, in the order asked for, a row as often as asked for.

        Args:
            index: Row numbers, 0 to n_rows - 1.

        Returns:
            By stream: float32 on the CPU, contiguous, unit L2 norm; a row of zeros stays zero, and one with a
            value that is not finite holds NaN.

        Raises:
            ShapeError: The index is no vector of row numbers.
        """
        chosen = _row_numbers(index, self.n_rows)
        found = _empty_rows(len(chosen), self.widths)
        for stream, column in self._columns.items():
            _write_unit_rows(found[stream], column, chosen)
        return found

    def subset(self, index: RowNumbers) -> "FeatureStore":
        """A view: row i of it is row index[i] of this; no feature is copied. Raises as `rows` for a wrong index."""
        # Cloned: the view must not change when the caller reuses the index.
        chosen = _row_numbers(index, self.n_rows).clone()
        return FeatureStore(
            {
                stream: _Column(values, chosen if order is None else order[chosen])
                for stream, (values, order) in self._columns.items()
            }
        )

    def stored_row(self, stream: str, row: int) -> int:
        """Which row of the stream's file or array a row of this store is."""
        order = self._columns[stream].order
        return row if order is None else int(order[row])

    def __len__(self) -> int:
        return self.n_rows


def _write_unit_rows(out: Float32[Tensor, "b d"], column: _Column, chosen: Int64[Tensor, " b"]) -> None:
    """Gather rows and scale them in place, in blocks that stay in the processor's cache."""
    stored = chosen if column.order is None else column.order[chosen]
    for block, rows in zip(out.split(_BLOCK), stored.split(_BLOCK), strict=True):
        if column.values.dtype == out.dtype:
            torch.index_select(column.values, 0, rows, out=block)
        else:
            block.copy_(column.values.index_select(0, rows))
        norms = torch.linalg.vector_norm(block, dim=1, keepdim=True)
        block.div_(norms.clamp_min_(_SMALLEST_NORM))


def _empty_rows(n_rows: int, widths: Mapping[str, int]) -> dict[str, Float32[Tensor, "b d"]]:
    """Matrices to fill, in one piece of memory.

    From numpy, which asks Linux for huge pages where a piece has 4 MB or more: with ordinary pages, the system's work
    of handing them out takes longer than filling them.
    """
    memory = torch.from_numpy(np.empty(n_rows * sum(widths.values()), np.float32))
    pieces = memory.split([n_rows * d for d in widths.values()])
    return {stream: piece.view(n_rows, d) for piece, (stream, d) in zip(pieces, widths.items(), strict=True)}


def _row_numbers(index: RowNumbers, n_rows: int) -> Int64[Tensor, " b"]:
    """An index as a tensor of valid row numbers."""
    found = index.cpu() if isinstance(index, Tensor) else torch.tensor(np.asarray(index))
    if found.ndim != 1 or found.is_floating_point() or found.is_complex() or found.dtype == torch.bool:
        raise ShapeError(
            f"the row index has shape {list(found.shape)} and type {found.dtype}: give a vector of row numbers"
        )
    found = found.long()
    if len(found):
        lowest, highest = (int(bound) for bound in torch.aminmax(found))
        if lowest < 0 or highest >= n_rows:
            raise ShapeError(
                f"the row index names row {lowest if lowest < 0 else highest}: the store has rows 0 to {n_rows - 1}"
            )
    return found


def _aligned(sources: Mapping[str, _Source]) -> dict[str, _Column]:
    """Columns in one order of rows."""
    if not sources:
        raise InputError("no stream was given: a feature store needs at least one")
    counts = {stream: len(source.values) for stream, source in sources.items()}
    if len(set(counts.values())) > 1:
        raise ShapeError(f"the streams have different numbers of rows, {counts}: row i of each must be the same item")
    orders = _orders({stream: source.ids for stream, source in sources.items()})
    return {stream: _Column(_tensor(source.values), orders[stream]) for stream, source in sources.items()}


def _orders(ids: Mapping[str, Int[np.ndarray, " n"] | None]) -> dict[str, Int64[Tensor, " n"] | None]:
    """Per stream, the stored row of each row of the store; None where it is the same."""
    named = {stream: found for stream, found in ids.items() if found is not None}
    reference = next(iter(named), "")
    orders: dict[str, Tensor | None] = dict.fromkeys(ids)
    for stream, found in named.items():
        if np.array_equal(found, named[reference]):
            continue
        nameless = [other for other in ids if other not in named]
        if nameless:
            raise InputError(
                f"streams {reference} and {stream} hold their items in different orders and stream {nameless[0]} has "
                'no ids to align it by: give it "indices" too'
            )
        orders[stream] = torch.from_numpy(_matching_rows(reference, named[reference], stream, found))
    return orders


def _matching_rows(
    reference: str, wanted: Int[np.ndarray, " n"], stream: str, found: Int[np.ndarray, " n"]
) -> Int64[np.ndarray, " n"]:
    """For each id wanted, the row that has it in `found`."""
    by_wanted, by_found = np.argsort(wanted), np.argsort(found)
    sorted_ids = found[by_found]
    if not np.array_equal(wanted[by_wanted], sorted_ids):
        missing = [*np.setdiff1d(wanted, found), *np.setdiff1d(found, wanted)]
        example = f": only one of them has item {missing[0]}" if missing else ""
        raise InputError(f"streams {reference} and {stream} hold different items{example}; give both the same items")
    repeated = sorted_ids[1:][sorted_ids[1:] == sorted_ids[:-1]]
    if len(repeated):
        raise InputError(
            f"streams {reference} and {stream} hold their items in different orders and item {repeated[0]} more than "
            "once: give each row an id of its own, or both files the same order"
        )
    rows = np.empty(len(wanted), np.int64)
    rows[by_wanted] = by_found
    return rows


def _tensor(values: Float[np.ndarray, "n d"]) -> Float[Tensor, "n d"]:
    """The same memory as a tensor. Maps are read-only, of which torch warns; nothing here writes to them.

    A copy-on-write map would be writable, but the system may refuse one that is larger than its memory.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(values)


def read_ids(stream: str, path: Path) -> tuple[Int64[np.ndarray, " n"] | None, int]:
    """A feature file's item ids (None where it names none) and its number of rows; errors as `FeatureStore.open`."""
    source = _read(stream, path)
    return (None if source.ids is None else source.ids.astype(np.int64)), len(source.values)


def _read(stream: str, path: Path) -> _Source:
    """A stream's file, mapped where that is possible."""
    kind = _SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise InputError(f"features of stream {stream} at {path} are of an unknown kind: use {', '.join(_SUFFIXES)}")
    if not path.is_file():
        raise InputError(f"there are no features of stream {stream} at {path}")
    try:
        return _read_npy(path) if kind == "npy" else _read_hdf5(path)
    except (OSError, EOFError, ValueError, RuntimeError, KeyError) as error:
        raise InputError(f"features of stream {stream} at {path} cannot be read ({error}): make them again") from error


def _read_npy(path: Path) -> _Source:
    values = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(values, np.ndarray):
        raise InputError(f"{path} is a .npz archive under another name: save one array with np.save")
    _check_values(f"features at {path}", values.shape, values.dtype)
    if not values.flags.c_contiguous:
        raise ShapeError(f"features at {path} are stored by column: save np.ascontiguousarray of them")
    return _Source(np.asarray(values))


def _read_hdf5(path: Path) -> _Source:
    import h5py  # only here: other files need no HDF5

    with h5py.File(path, "r") as file:
        features, indices = file.get("features"), file.get("indices")
        if not isinstance(features, h5py.Dataset):
            raise InputError(f'{path} has no dataset "features", only {sorted(file)}: it is not the published layout')
        _check_values(f'"features" in {path}', features.shape, features.dtype.newbyteorder("="))
        ids = None if indices is None else _read_ids(path, indices, len(features))
        return _Source(_map_hdf5(path, features), ids)


def _read_ids(path: Path, indices: Any, n_rows: int) -> Int64[np.ndarray, " n"]:
    """The items' ids of an HDF5 file, one for each row of features."""
    shape, dtype = getattr(indices, "shape", None), getattr(indices, "dtype", None)
    if shape != (n_rows,) or dtype is None or dtype.kind not in "iu":
        raise ShapeError(f'"indices" in {path} has shape {shape} and type {dtype}, expected {n_rows} whole numbers')
    return indices[()].astype(np.int64)


def _map_hdf5(path: Path, features: Any) -> Float[np.ndarray, "n d"]:
    """A dataset that lies in the file as it would in memory, mapped; any other one, read."""
    offset = features.id.get_offset()  # None for datasets in chunks or in other files
    native = features.dtype.newbyteorder("=")
    if offset is not None and features.dtype == native:
        return np.asarray(np.memmap(path, native, "r", offset, features.shape))
    values: Shaped[np.ndarray, "n d"] = np.empty(features.shape, native)
    features.read_direct(values)
    return values


def _check_values(what: str, shape: tuple[int, ...] | None, dtype: np.dtype[Any]) -> None:
    if shape is None or len(shape) != 2:
        raise ShapeError(f"{what} have shape {shape if shape is None else list(shape)}, expected [rows, d]")
    if dtype not in (np.float16, np.float32, np.float64):
        raise ShapeError(f"{what} have type {dtype}: use float16, float32 or float64 in this machine's byte order")
    if 0 in shape:
        raise InputError(f"{what} are empty, of shape {list(shape)}: at least one row and one column are needed")
