"""The listing: what a corpus says it has, as a table, before anybody has looked at a picture.

`index_build.items.table` makes the bundle's items of it, once pictures and given features are known.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from index_build.corpora.base import Corpus, CorpusItem
from sparc_core.errors import InputError

LISTING_SCHEMA = pa.schema(
    {
        "number": pa.int64(),
        "item_id": pa.string(),
        "picture": pa.string(),
        "caption": pa.string(),
        "labels": pa.list_(pa.string()),
        "split": pa.string(),
        "reason": pa.string(),
    }
)
"""`number` counts everything the corpus names, rejected or not; `reason` says why something cannot be an item."""
_ROWS_AT_A_TIME = 50_000


def write_listing(corpus: Corpus, path: Path) -> None:
    """Write everything a corpus names, in its order.

    Raises:
        InputError: It has nothing that could be an item.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    n_items = 0
    with pq.ParquetWriter(path, LISTING_SCHEMA, compression="zstd") as writer:
        for batch in _batches(corpus):
            n_items += sum(row["reason"] is None for row in batch)
            writer.write_table(pa.Table.from_pylist(batch, LISTING_SCHEMA))
    if not n_items:
        raise InputError(f"corpus {corpus.name} has no item that can be used: look at its settings and files")


def read_listing(path: Path) -> pa.Table:
    """The listing, columnar."""
    return pq.read_table(path, schema=LISTING_SCHEMA)


def usable(listing: pa.Table) -> pa.Table:
    """The rows that are items as far as the corpus knows."""
    return listing.filter(pc.is_null(listing["reason"]))


def pictures_of(items: pa.Table) -> list[str]:
    """The pictures that items name, each once, in the order of their first item."""
    return list(pc.unique(items["picture"]).to_pylist())


def _batches(corpus: Corpus) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for number, entry in enumerate(corpus.items()):
        row: dict[str, Any] = {"number": number, "item_id": entry.item_id, "picture": entry.picture}
        if isinstance(entry, CorpusItem):
            row |= {"caption": entry.caption, "labels": list(entry.labels), "split": entry.split, "reason": None}
        else:
            row |= {"caption": "", "labels": [], "split": None, "reason": entry.reason}
        batch.append(row)
        if len(batch) == _ROWS_AT_A_TIME:
            yield batch
            batch = []
    if batch:
        yield batch
