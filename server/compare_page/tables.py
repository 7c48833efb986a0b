"""The tables of a comparison as the page shows them."""

from collections.abc import Mapping
from typing import NamedTuple

from server.compare_page.marks import titled
from sparc_core.evaluation.formats import shown
from sparc_core.evaluation.table import Table


class ComparedTable(NamedTuple):
    """A table; `titles` are those of the bundles, each row a figure and a value of either."""

    name: str
    title: str
    note: str
    better: str
    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def compared_table(table: Table, streams: Mapping[str, str]) -> ComparedTable:
    """One of `services.comparison`; `streams` are their titles by name."""
    bundles = table.columns[1:]
    return ComparedTable(
        table.name,
        table.title,
        table.note,
        bundles[0].better or "",
        tuple(column.title for column in bundles),
        tuple(
            (titled(str(row[0]), streams), *(shown(cell, c) for cell, c in zip(row[1:], bundles, strict=True)))
            for row in table.rows
        ),
    )
