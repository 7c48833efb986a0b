"""Tables of an evaluation as its page shows them: what a person sees of each cell, and where it leads."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from server.evaluation_page.density import DENSITY
from server.evaluation_page.links import ONWARD, Link, Links
from server.schemas import StreamInfo
from sparc_core.evaluation.formats import shown
from sparc_core.evaluation.table import Cell, Column, Table

MOST_ROWS = 12
"""Longer tables scroll in a box of their own."""
_TO_LOOK_UP = ("probe-classes", "classification-classes", "weakest-names", DENSITY)
_SELECTIONS = {"own": "the model’s", "local": "per stream"}


class ShownCell(NamedTuple):
    """A cell.

    Attributes:
        text: What a person sees.
        link: Where it leads, or None.
        name: Of the latent whose number it is, where no other column has it.
        stream: Its stream's position in the bundle, or None.
    """

    text: str
    link: Link | None = None
    name: str = ""
    stream: int | None = None


class ShownColumn(NamedTuple):
    """A column; amounts are set flush right, `stream` is the position of the stream that it is about, or None."""

    title: str
    is_amount: bool
    better: Literal["more", "less"] | None
    published: bool
    stream: int | None


@dataclass(frozen=True)
class ShownTable:
    """A table.

    Attributes:
        name, title, note: The table's.
        columns: In order.
        rows: Each as long as `columns`.
        onward: Where there is more about all of it, or None.
        has_files: Whether the API gives it as a file.
        is_long: Whether it scrolls in a box of its own.
        is_folded: Whether it is there to look things up rather than to be read.
    """

    name: str
    title: str
    note: str
    columns: tuple[ShownColumn, ...]
    rows: tuple[tuple[ShownCell, ...], ...]
    onward: Link | None
    has_files: bool
    is_long: bool
    is_folded: bool


class Shower:
    """Shows the tables of one bundle's evaluation."""

    def __init__(self, streams: Sequence[StreamInfo], names: Sequence[str], links: Links) -> None:
        """Args: the bundle's streams, the names of its latents, and where cells lead."""
        self._positions = {stream.name: position for position, stream in enumerate(streams)}
        self._titles = {stream.name: stream.title for stream in streams}
        self._names, self._links = names, links

    def table(self, table: Table) -> ShownTable:
        """One of them; where there is no second corpus, without the columns that say which corpus it is."""
        table = _without_corpus(table)
        return ShownTable(
            name=table.name,
            title=table.title,
            note=table.note,
            columns=tuple(self._column(column) for column in table.columns),
            rows=tuple(self._row(table, row) for row in table.rows),
            onward=ONWARD.get(table.name),
            has_files=table.name != DENSITY,
            is_long=len(table.rows) > MOST_ROWS,
            is_folded=len(table.rows) > MOST_ROWS and table.name in _TO_LOOK_UP,
        )

    def _titled(self, text: str) -> str:
        """A text with the streams' titles for their names."""
        return re.sub(r"\w+", lambda word: self._titles.get(word[0], word[0]), text)

    def _column(self, column: Column) -> ShownColumn:
        about = [self._positions[word] for word in column.name.split(".")[1:] if word in self._positions]
        stream = about[0] if len(about) == 1 else None
        is_amount = column.is_number and column.kind != "latent"  # a latent's number is a name
        return ShownColumn(self._titled(column.title), is_amount, column.better, column.published, stream)

    def _row(self, table: Table, cells: tuple[Cell, ...]) -> tuple[ShownCell, ...]:
        row = {column.name: cell for column, cell in zip(table.columns, cells, strict=True)}
        return tuple(self._cell(table, row, column) for column in table.columns)

    def _cell(self, table: Table, row: Mapping[str, Cell], column: Column) -> ShownCell:
        cell = row[column.name]
        if cell is None:
            return ShownCell(shown(cell, column))
        match column.kind:
            case "latent":
                return self._latent(int(cell), "name" in row)
            case "label":
                return ShownCell(str(cell), self._links.label(str(cell)))
            case "stream":
                return ShownCell(self._titles.get(str(cell), str(cell)), stream=self._positions.get(str(cell)))
        if column.name == "selection":
            return ShownCell(_SELECTIONS.get(str(cell), str(cell)))
        if column is table.columns[0] and column.kind == "text":
            return ShownCell(self._titled(str(cell)), self._links.row(table.name, str(cell)))
        if (table.name, column.name) == ("active-items", "jaccard"):
            return ShownCell(shown(cell, column), self._links.mismatches(str(row["first"]), str(row["second"])))
        return ShownCell(shown(cell, column))

    def _latent(self, latent: int, is_named: bool) -> ShownCell:
        name = self._names[latent] if latent < len(self._names) else ""
        return ShownCell(str(latent), Link(f"/latents/{latent}", name), "" if is_named else name)


def _without_corpus(table: Table) -> Table:
    names = [column.name for column in table.columns]
    if table.name != "retrieval" or any(row[names.index("where")] == "outside" for row in table.rows):
        return table
    kept = [place for place, name in enumerate(names) if name not in ("where", "corpus")]
    return replace(
        table,
        columns=tuple(table.columns[place] for place in kept),
        rows=tuple(tuple(row[place] for place in kept) for row in table.rows),
    )
