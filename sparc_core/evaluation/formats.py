"""Tables as text: CSV for programs and spreadsheets, LaTeX for papers, JSON, and what a person sees of one cell."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from sparc_core.evaluation.table import Cell, Column, Table

MISSING = "–"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "$": r"\$",
        "&": r"\&",
        "#": r"\#",
        "%": r"\%",
        "_": r"\_",
        "^": r"\textasciicircum{}",
        "~": r"\textasciitilde{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "λ": r"$\lambda$",
        "\n": " ",
        "\r": " ",
    }
)


def shown(cell: Cell, column: Column) -> str:
    """What a person sees: three digits behind the point, thousands apart in counts, a dash for nothing."""
    if cell is None:
        return MISSING
    if isinstance(cell, str) or column.kind == "latent":
        return str(cell)
    return f"{cell:,}" if column.kind == "count" else f"{cell:z.3f}"


def to_csv(table: Table) -> str:
    """RFC 4180 with the columns' names as header and numbers in full; nothing is an empty field.

    A text that a spreadsheet would run as a formula gets an apostrophe in front, so that it stays text.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    for row in ([column.name for column in table.columns], *table.rows):
        writer.writerow([_harmless(cell) for cell in row])
    return text.getvalue()


def to_latex(table: Table) -> str:
    """A `table` for LaTeX with the package booktabs; the note is in the caption."""
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_escaped(f'{table.title}. {table.note}')}}}",
        rf"\label{{tab:{table.name}}}",
        rf"\begin{{tabular}}{{{''.join('r' if column.is_number else 'l' for column in table.columns)}}}",
        r"\toprule",
        _latex_row([_escaped(column.title) for column in table.columns]),
        r"\midrule",
        *(_latex_row(map(_in_latex, row, table.columns)) for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def to_json(tables: Sequence[Table]) -> str:
    """A list of tables with every field that they have, numbers in full."""
    return json.dumps([asdict(table) for table in tables], ensure_ascii=False, indent=1) + "\n"


def _harmless(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _in_latex(cell: Cell, column: Column) -> str:
    if cell is None:
        return "--"
    text = shown(cell, column)
    return _escaped(text) if isinstance(cell, str) else text.replace("-", "$-$")


def _escaped(text: str) -> str:
    return text.translate(_LATEX)


def _latex_row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"
