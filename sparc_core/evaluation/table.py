"""A table of an evaluation: rows and columns with what each column means, for pages, terminals and files alike."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "stream", "label", "latent", "count", "share", "number"]
"""What a column holds.

"stream" and "label" are names, "latent" a latent's number, "count" a whole number, "share" lies between 0 and 1,
"number" is any other; all but "count" and "latent" are shown with three digits behind the point.
"""
Cell = str | int | float | None


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: For programs: lower case, unique in the table.
        title: For people.
        kind: What it holds.
        better: Which way is better, for a number that can be good or bad.
        published: Whether its numbers are published ones, to compare with.
    """

    name: str
    title: str
    kind: Kind
    better: Literal["more", "less"] | None = None
    published: bool = False

    @property
    def is_number(self) -> bool:
        """Whether it is set flush right."""
        return self.kind in ("count", "share", "number", "latent")


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        name: For programs: lower case, unique among the tables of an evaluation, and usable in an address.
        title: For people, without a full stop.
        note: A sentence or two: what was measured, on what, how to read it.
        columns: In order.
        rows: Each as long as `columns`; None where there is nothing to say.
    """

    name: str
    title: str
    note: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
