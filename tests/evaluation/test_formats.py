"""Tables as CSV, LaTeX and JSON, and what a person sees of one cell."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparc_core.evaluation.formats import shown, to_csv, to_json, to_latex
from sparc_core.evaluation.table import Column, Table

_COLUMNS = (
    Column("name", "Name & kind", "text"),
    Column("n", "Items", "count"),
    Column("share", "Share", "share", "more"),
    Column("error", "Error", "number", "less", published=True),
)
_ROWS = (("50% of cat_1", 126020, 0.123456, -0.5), ("=SUM(A1)", 7, None, 2.0))
_TABLE = Table("some-table", "Some of λ", "A note.", _COLUMNS, _ROWS)


@pytest.mark.parametrize(
    ("cell", "kind", "text"),
    [
        (126020, "count", "126,020"),
        (8191, "latent", "8191"),
        (0.123456, "share", "0.123"),
        (1, "share", "1.000"),
        (-0.0001, "number", "0.000"),
        (-1234.5678, "number", "-1234.568"),
        ("cat", "label", "cat"),
        (None, "count", "–"),
        (None, "text", "–"),
    ],
)
def test_cells_are_shown_by_their_kind(cell: str | int | float | None, kind: str, text: str) -> None:
    assert shown(cell, Column("x", "X", kind)) == text  # type: ignore[arg-type]


def test_csv_is_in_full_and_runs_no_formula() -> None:
    assert to_csv(_TABLE) == (
        "name,n,share,error\r\n50% of cat_1,126020,0.123456,-0.5\r\n'=SUM(A1),7,,2.0\r\n"
    )  # fmt: skip


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_csv_protects_every_start_of_a_formula(start: str) -> None:
    table = Table("t", "T", "", _COLUMNS[:2], ((f"{start}1", -1), (f"a{start}", 2)))
    rows = list(csv.reader(io.StringIO(to_csv(table), newline="")))
    assert rows[1:] == [[f"'{start}1", "-1"], [f"a{start}", "2"]]


@given(st.lists(st.tuples(st.text(), st.floats(allow_nan=False), st.integers()), max_size=5))
def test_csv_reads_back_as_it_was(rows: list[tuple[str, float, int]]) -> None:
    table = Table("t", "T", "", (_COLUMNS[0], _COLUMNS[3], _COLUMNS[1]), tuple(rows))
    header, *found = csv.reader(io.StringIO(to_csv(table), newline=""))
    assert header == ["name", "error", "n"]
    for (text, number, count), row in zip(rows, found, strict=True):
        assert row[0][:1] not in ("=", "+", "-", "@", "\t", "\r")
        assert row[0] == ("'" + text if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text)
        assert (float(row[1]), int(row[2])) == (number, count)


def test_latex_is_a_whole_table() -> None:
    assert to_latex(_TABLE).splitlines() == [
        r"\begin{table}",
        r"\centering",
        r"\caption{Some of $\lambda$. A note.}",
        r"\label{tab:some-table}",
        r"\begin{tabular}{lrrr}",
        r"\toprule",
        r"Name \& kind & Items & Share & Error \\",
        r"\midrule",
        r"50\% of cat\_1 & 126,020 & 0.123 & $-$0.500 \\",
        r"=SUM(A1) & 7 & -- & 2.000 \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]


@given(st.text(st.characters(codec="ascii"), max_size=20))
def test_latex_escapes_every_character_that_means_something(text: str) -> None:
    line = to_latex(Table("t", "T", "", _COLUMNS[:1], ((text,),))).split("\\midrule\n")[1].split(" \\\\\n\\bottom")[0]
    for command, character in (
        (r"\textbackslash{}", ""), (r"\textasciicircum{}", ""), (r"\textasciitilde{}", ""), (r"\textless{}", ""),
        (r"\textgreater{}", ""), (r"\textbar{}", ""), (r"\{", ""), (r"\}", ""), (r"\$", ""), (r"\&", ""), (r"\#", ""),
        (r"\%", ""), (r"\_", ""),
    ):  # fmt: skip
        line = line.replace(command, character)
    assert not set(line) & set("\\{}$&#%_^~<>|\n\r")


def test_json_has_every_field() -> None:
    (read,) = json.loads(to_json([_TABLE]))
    assert (read["name"], read["title"], read["note"]) == ("some-table", "Some of λ", "A note.")
    assert read["rows"] == [list(row) for row in _ROWS]
    assert read["columns"][3] == {
        "name": "error", "title": "Error", "kind": "number", "better": "less", "published": True
    }  # fmt: skip
