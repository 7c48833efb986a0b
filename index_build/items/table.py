"""The items step: which listed items the bundle holds, and why it lacks the others.

An item is in if its picture could be read and every given feature file knows it. Rows are numbered here, once, and
everything later (features, codes, posting lists) follows these numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int64

from sparc_core.bundle.tables import ITEM_SCHEMA, REJECTED_SCHEMA
from sparc_core.errors import InputError


@dataclass(frozen=True)
class ItemTables:
    """The items that are in, those that are not, and where the former were in the listing of usable items."""

    items: pa.Table
    rejected: pa.Table
    kept: Int64[np.ndarray, " n"]


def item_tables(listing: pa.Table, pictures: pa.Table, given: Mapping[str, Int64[np.ndarray, " m"]]) -> ItemTables:
    """Sort what a corpus lists into items and rejected ones.

    Args:
        listing: Everything listed (`index_build.items.listing.LISTING_SCHEMA`).
        pictures: What became of each picture (`index_build.items.media.PICTURE_SCHEMA`).
        given: By stream with given features, the row of its file for every usable listed item; -1 where it has none.

    Raises:
        InputError: No item is left, or none to train on.
    """
    unusable = listing.filter(pc.is_valid(listing["reason"]))
    usable = listing.filter(pc.is_null(listing["reason"]))
    seen = pictures.take(pc.index_in(usable["picture"], pictures["picture"]))
    reasons = _reasons(seen["reason"], given)
    is_in = pc.is_null(reasons)
    items = usable.filter(is_in)
    facts = seen.filter(is_in)
    if not items.num_rows:
        raise InputError(f"no item of the corpus can be used, for example: {_example(usable, reasons)}")
    if pc.sum(pc.equal(items["split"], "train")).as_py() == 0:
        raise InputError("every item is held out and none is left to train on: lower test_share")
    columns = {name: items[name] for name in ("item_id", "caption", "labels", "split")}
    columns |= {name: facts[name] for name in ("media", "width", "height", "sha256")} | {"source": items["picture"]}
    table = pa.table({name: columns[name] for name in ITEM_SCHEMA.names}, ITEM_SCHEMA)
    kept = np.flatnonzero(is_in.to_numpy(zero_copy_only=False) if isinstance(is_in, pa.Array) else is_in.to_numpy())
    out = usable.append_column("why", reasons).filter(pc.invert(is_in))
    rejected = pa.concat_tables([_rejected(unusable, "reason"), _rejected(out, "why")])
    return ItemTables(table, rejected, kept)


def _reasons(of_pictures: pa.ChunkedArray, given: Mapping[str, Int64[np.ndarray, " m"]]) -> pa.ChunkedArray:
    """Why each usable listed item cannot be in; null where it can."""
    reasons = of_pictures
    for stream, rows in given.items():
        missing: Bool[np.ndarray, " m"] = rows < 0
        text = pa.scalar(f"the given features of stream {stream} have no usable row of it")
        reasons = pc.if_else(pc.and_(pc.is_null(reasons), pa.array(missing)), text, reasons)
    return reasons if isinstance(reasons, pa.ChunkedArray) else pa.chunked_array([reasons])


def _rejected(rows: pa.Table, reason: str) -> pa.Table:
    columns = {"item_id": rows["item_id"], "source": rows["picture"], "reason": rows[reason]}
    return pa.table(columns, REJECTED_SCHEMA)


def _example(usable: pa.Table, reasons: pa.ChunkedArray) -> str:
    return f'"{usable["picture"][0].as_py()}": {reasons[0].as_py()}'
