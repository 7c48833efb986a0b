"""How every benchmark reports: a table for people, then one line of JSON."""

import json
from collections.abc import Mapping
from typing import NamedTuple

from rich.console import Console
from rich.table import Table


class Figure(NamedTuple):
    """One measured number, what was asked of it ("" if nothing), and its unit."""

    what: str
    value: float
    asked: str = ""
    unit: str = ""


def report(title: str, figures: Mapping[str, Figure]) -> None:
    """Print figures by their JSON name."""
    table = Table(title=title)
    for column in ("what", "asked", "reached"):
        table.add_column(column)
    for figure in figures.values():
        table.add_row(figure.what, figure.asked, f"{figure.value:.4g} {figure.unit}".strip())
    Console(width=120).print(table)
    print(json.dumps({name: round(figure.value, 5) for name, figure in figures.items()}))
