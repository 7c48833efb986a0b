"""The two tables of a bundle: its items and its latents, columnar, by row number.

`docs/bundle.md` says what each column means; the schemas below are what writers write and readers expect.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from jaxtyping import Bool, Float32, Int32, Int64

from sparc_core.errors import BundleError, NotFoundError

N_NEAREST = 8
ITEM_SCHEMA = pa.schema(
    {
        "item_id": pa.string(),
        "media": pa.string(),
        "caption": pa.string(),
        "labels": pa.list_(pa.string()),
        "width": pa.int32(),
        "height": pa.int32(),
        "split": pa.string(),
        "source": pa.string(),
        "sha256": pa.string(),
    }
)
REJECTED_SCHEMA = pa.schema({"item_id": pa.string(), "source": pa.string(), "reason": pa.string()})
MEDIA_SCHEMA = pa.schema({"path": pa.string(), "bytes": pa.int64(), "sha256": pa.string()})
_LABEL_SHARES = pa.list_(pa.struct({"label": pa.string(), "share": pa.float32()}))
_STREAM_COLUMNS = {
    "density": pa.float32(),
    "local_density": pa.float32(),
    "mean": pa.float32(),
    "max": pa.float32(),
    "purity": pa.float32(),
}


@dataclass(frozen=True, slots=True)
class Item:
    """One aligned row of the corpus."""

    row: int
    item_id: str
    media: str
    caption: str
    labels: tuple[str, ...]
    width: int
    height: int
    split: str
    source: str
    sha256: str


class ItemBrief(NamedTuple):
    """What lists show of an item."""

    item_id: str
    caption: str
    labels: list[str]


class LabelShare(NamedTuple):
    """A label and the share of the strongest items that carry it."""

    label: str
    share: float


class ItemTable:
    """All items; a look-up by row takes microseconds and by id a scan of one column."""

    def __init__(self, table: pa.Table) -> None:
        """Args: `table` has the columns of ITEM_SCHEMA."""
        self._columns = {name: table[name].combine_chunks() for name in ITEM_SCHEMA.names}

    def __len__(self) -> int:
        """How many items there are."""
        return len(self._columns["item_id"])

    def __getitem__(self, row: int) -> Item:
        """The item in a row; NotFoundError where there is none."""
        if not 0 <= row < len(self):
            raise NotFoundError("item", f"there is no item in row {row}: this bundle has {len(self)} items")
        values = {name: column[row].as_py() for name, column in self._columns.items()}
        return Item(row=int(row), **{**values, "labels": tuple(values["labels"])})

    def row_of(self, item_id: str) -> int:
        """The row of an item.

        Raises:
            NotFoundError: No item has that id.
        """
        row = pc.index(self._columns["item_id"], item_id).as_py()
        if row < 0:
            raise NotFoundError("item", f'there is no item "{item_id[:80]}"')
        return int(row)

    def take(self, rows: Iterable[int]) -> list[Item]:
        """The items in these rows, in this order; a column at a time, which is fast for many.

        Raises:
            NotFoundError: There is no such row.
        """
        wanted = np.fromiter((int(row) for row in rows), np.int64)
        for row in wanted[(wanted < 0) | (wanted >= len(self))][:1]:
            raise NotFoundError("item", f"there is no item in row {row}: this bundle has {len(self)} items")
        columns = {name: column.take(pa.array(wanted)).to_pylist() for name, column in self._columns.items()}
        columns["labels"] = [tuple(labels) for labels in columns["labels"]]
        return [Item(row, *values) for row, *values in zip(wanted.tolist(), *columns.values(), strict=True)]

    def brief(self, rows: Sequence[int] | Int64[np.ndarray, "m"]) -> list[ItemBrief]:
        """What lists show of some rows, in their order; a column at a time, as `take`."""
        wanted = pa.array(rows, pa.int64())
        columns = (self._columns[name].take(wanted).to_pylist() for name in ItemBrief._fields)
        return [ItemBrief(*values) for values in zip(*columns, strict=True)]

    def ids_of(self, rows: Sequence[int] | Int64[np.ndarray, "m"]) -> list[str]:
        """The ids of some rows, in their order."""
        return list(self._columns["item_id"].take(pa.array(rows)).to_pylist())

    def captions_of(self, rows: Sequence[int] | Int64[np.ndarray, "m"]) -> list[str]:
        """The captions of some rows, in their order."""
        return list(self._columns["caption"].take(pa.array(rows)).to_pylist())

    def with_captions_like(self, words: str) -> Bool[np.ndarray, "n"]:
        """Which items' captions hold each of the words, in any case."""
        found = np.ones(len(self), bool)
        for word in words.split():
            holds = pc.match_substring(self._columns["caption"], word, ignore_case=True)
            found &= pc.fill_null(holds, False).to_numpy(zero_copy_only=False)
        return found

    def with_labels(self, names: Iterable[str]) -> Bool[np.ndarray, "n"]:
        """Which items carry at least one of these labels."""
        rows, codes, dictionary = self._labels
        numbers = [dictionary[name] for name in names if name in dictionary]
        found = np.zeros(len(self), bool)
        found[rows[np.isin(codes, numbers)]] = True
        return found

    @cached_property
    def _labels(self) -> tuple[Int64[np.ndarray, "m"], Int32[np.ndarray, "m"], dict[str, int]]:
        """Every pair of an item and a label: rows, numbers of labels; and the labels' numbers."""
        column = self._columns["labels"]
        names = pc.list_flatten(column).dictionary_encode()
        rows = pc.list_parent_indices(column).to_numpy(zero_copy_only=False)
        dictionary = {name: number for number, name in enumerate(names.dictionary.to_pylist())}
        return rows, names.indices.to_numpy(zero_copy_only=False), dictionary

    def rows_of_split(self, split: str) -> Int64[np.ndarray, "m"]:
        """The rows whose split is "train" or "test", ascending."""
        return np.flatnonzero(pc.equal(self._columns["split"], split).to_numpy(zero_copy_only=False))

    def media(self, row: int) -> str:
        """The item's media path inside the bundle."""
        return str(self._columns["media"][row].as_py())

    def ids(self) -> list[str]:
        """Every item's id, by row."""
        return list(self._columns["item_id"].to_pylist())

    def captions(self) -> list[str]:
        """Every caption, by row."""
        return list(self._columns["caption"].to_pylist())

    def labels(self) -> list[list[str]]:
        """Every item's labels, by row."""
        return list(self._columns["labels"].to_pylist())


@dataclass(frozen=True)
class LatentTable:
    """Statistics of all latents as columns, by latent; NaN stands for "not defined" in float columns.

    Columns that exist per stream are mappings from the stream's name; `pair_alignment` has a pair of names, in the
    order of the streams. `alignment` is its mean, `density_local` is under per-stream selection, `density` is not.
    """

    name: Sequence[str]
    name_source: Sequence[str]
    alive: Sequence[str]
    n_alive_streams: Int32[np.ndarray, "l"]
    alignment: Float32[np.ndarray, "l"]
    pair_alignment: Mapping[tuple[str, str], Float32[np.ndarray, "l"]]
    purity: Float32[np.ndarray, "l"]
    label: Sequence[str | None]
    top_labels: Sequence[Sequence[LabelShare]]
    map_x: Float32[np.ndarray, "l"]
    map_y: Float32[np.ndarray, "l"]
    nearest: Int32[np.ndarray, "l near"]
    density: Mapping[str, Float32[np.ndarray, "l"]]
    density_local: Mapping[str, Float32[np.ndarray, "l"]]
    mean: Mapping[str, Float32[np.ndarray, "l"]]
    max: Mapping[str, Float32[np.ndarray, "l"]]
    stream_purity: Mapping[str, Float32[np.ndarray, "l"]]
    stream_label: Mapping[str, Sequence[str | None]]

    def __len__(self) -> int:
        """How many latents there are."""
        return len(self.name)


def stream_pairs(streams: Iterable[str]) -> list[tuple[str, str]]:
    """Every unordered pair of streams once, in their order."""
    return list(combinations(streams, 2))


def latent_schema(streams: Sequence[str]) -> pa.Schema:
    """The columns of latents.parquet for these streams, in order."""
    fields = {
        "latent": pa.int32(),
        "name": pa.string(),
        "name_source": pa.string(),
        "alive": pa.string(),
        "n_alive_streams": pa.int32(),
        "alignment": pa.float32(),
        "purity": pa.float32(),
        "label": pa.string(),
    }
    for stream in streams:
        fields |= {f"{column}_{stream}": kind for column, kind in _STREAM_COLUMNS.items()}
        fields[f"label_{stream}"] = pa.string()
    fields |= {_pair_column(pair): pa.float32() for pair in stream_pairs(streams)}
    fields |= {"top_labels": _LABEL_SHARES, "map_x": pa.float32(), "map_y": pa.float32()}
    fields["nearest"] = pa.list_(pa.int32())
    return pa.schema(fields)


def write_latents(latents: LatentTable, path: Path) -> None:
    """Write latents.parquet; NaN becomes null."""
    columns: dict[str, Any] = {
        "latent": np.arange(len(latents), dtype=np.int32),
        "top_labels": [[share._asdict() for share in shares] for shares in latents.top_labels],
        "nearest": latents.nearest.tolist(),
    }
    columns |= {name: getattr(latents, name) for name in ("name", "name_source", "alive", "n_alive_streams", "label")}
    columns |= {name: getattr(latents, name) for name in ("alignment", "purity", "map_x", "map_y")}
    for stream in latents.density:
        for column, by_stream in _per_stream(latents).items():
            columns[f"{column}_{stream}"] = by_stream[stream]
    columns |= {_pair_column(pair): found for pair, found in latents.pair_alignment.items()}
    schema = latent_schema(list(latents.density))
    arrays = [pa.array(columns[field.name], field.type, from_pandas=True) for field in schema]
    write_table(pa.Table.from_arrays(arrays, schema=schema), path)


def read_latents(path: Path, streams: Sequence[str], n_latents: int) -> LatentTable:
    """Read latents.parquet.

    Raises:
        BundleError: The file is damaged, lacks a column or has another number of rows.
    """
    table = read_table(path, latent_schema(streams), n_latents)
    columns: dict[str, Any] = {name: table[name].to_pylist() for name in ("name", "name_source", "alive", "label")}
    for name in ("n_alive_streams", "alignment", "purity", "map_x", "map_y"):
        columns[name] = numbers(table[name])
    for name in ("density", "mean", "max"):
        columns[name] = {stream: numbers(table[f"{name}_{stream}"]) for stream in streams}
    return LatentTable(
        **columns,
        pair_alignment={pair: numbers(table[_pair_column(pair)]) for pair in stream_pairs(streams)},
        density_local={stream: numbers(table[f"local_density_{stream}"]) for stream in streams},
        top_labels=[[LabelShare(**share) for share in row] for row in table["top_labels"].to_pylist()],
        nearest=np.array(table["nearest"].to_pylist(), np.int32).reshape(n_latents, -1),
        stream_purity={stream: numbers(table[f"purity_{stream}"]) for stream in streams},
        stream_label={stream: table[f"label_{stream}"].to_pylist() for stream in streams},
    )


def write_items(items: pa.Table, path: Path) -> None:
    """Write items.parquet; `items` has the columns of ITEM_SCHEMA."""
    write_table(items.select(ITEM_SCHEMA.names).cast(ITEM_SCHEMA), path)


def read_items(path: Path, n_items: int | None = None) -> ItemTable:
    """Read items.parquet; BundleError as for `read_latents` (any number of rows will do without `n_items`)."""
    return ItemTable(read_table(path, ITEM_SCHEMA, n_items))


def write_table(table: pa.Table, path: Path) -> None:
    """Write a Parquet file; the same table always gives the same bytes with the same version of Arrow."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd", version="2.6")


def read_table(path: Path, schema: pa.Schema, n_rows: int | None = None) -> pa.Table:
    """Read the columns of `schema` from a Parquet file.

    Raises:
        BundleError: The file is damaged, lacks a column, has one of another type, or another number of rows.
    """
    try:
        table = pq.ParquetFile(path).read(columns=schema.names)
    except (pa.ArrowException, OSError) as error:
        raise BundleError(
            f"{path} is damaged, not a Parquet table ({_first_line(error)}): rebuild the bundle"
        ) from None
    for field in schema:
        if field.name not in table.column_names:
            raise BundleError(f'{path} lacks the column "{field.name}": rebuild the bundle')
        if not table.schema.field(field.name).type.equals(field.type):
            found = table.schema.field(field.name).type
            raise BundleError(f'{path}: column "{field.name}" is {found}, expected {field.type}: rebuild the bundle')
    if n_rows is not None and table.num_rows != n_rows:
        raise BundleError(f"{path} has {table.num_rows} rows, the manifest says {n_rows}: rebuild the bundle")
    return table


def _per_stream(latents: LatentTable) -> dict[str, Mapping[str, Any]]:
    return {
        "density": latents.density,
        "local_density": latents.density_local,
        "mean": latents.mean,
        "max": latents.max,
        "purity": latents.stream_purity,
        "label": latents.stream_label,
    }


def _pair_column(pair: tuple[str, str]) -> str:
    """No stream's name has a tilde, so no two pairs share a column."""
    return f"alignment_{pair[0]}~{pair[1]}"


def numbers(column: pa.ChunkedArray) -> Any:
    """A column as NumPy, null as NaN."""
    return column.combine_chunks().to_numpy(zero_copy_only=False)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
