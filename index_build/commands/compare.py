"""`sparc-build compare`: what was measured of several bundles side by side, and the published figures if asked for."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from index_build.commands.errors import one_line_errors
from sparc_core.errors import BundleError, InputError, SparcError
from sparc_core.full_disk import full_disk_said

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import rich.table

    from sparc_core.bundle import Bundle
    from sparc_core.evaluation.results import Stability
    from sparc_core.evaluation.table import Table
    from sparc_core.model import Sparc

_console, _notes = Console(), Console(stderr=True)
_FILE_WIDTH = 120  # where the output is no terminal, which would be taken for one of 80


class Format(StrEnum):
    """How tables are written: for a terminal, or as a file."""

    table = "table"
    csv = "csv"
    latex = "latex"
    json = "json"


def compare(
    paths: Annotated[list[Path], typer.Argument(help="Folders of bundles; the first is the one to match with.")],
    published: Annotated[bool, typer.Option("--published", help="The paper's four models beside them.")] = False,
    format_: Annotated[Format, typer.Option("--format", help="How to write the tables.")] = Format.table,
    out: Annotated[Path | None, typer.Option(help="The file to write csv, latex or json into.")] = None,
) -> None:
    """Compare what was measured of bundles, and how alike their latents are."""
    with one_line_errors("run the same command again"):
        from index_build.files import write_text
        from sparc_core.bundle import Bundle

        if len(paths) == 1 and not published:
            raise InputError("one bundle has nothing to be compared with: name another, or give --published")
        if out is not None and format_ is Format.table:
            raise InputError("tables for a terminal go to no file: give --format csv, latex or json with --out")
        tables = compared([Bundle.open(path) for path in paths], published)
        if format_ is Format.table:
            console = _console if _console.is_terminal else Console(width=_FILE_WIDTH)
            for table in tables:
                console.print(rich_table(table))
        elif out is None:
            typer.echo(written(tables, format_), nl=False)
        else:
            with full_disk_said(str(out), out.parent, "run the same command again"):
                out.parent.mkdir(parents=True, exist_ok=True)
                write_text(out, written(tables, format_))
            _console.print(f"wrote {out}", highlight=False, markup=False, soft_wrap=True)


def compared(bundles: "Sequence[Bundle]", published: bool) -> "list[Table]":
    """What is compared, as a table, and then the comparison; each has a column for every bundle.

    Raises:
        BundleError: An evaluation is damaged, or nothing was measured of any bundle.
    """
    from sparc_core.evaluation.comparison import compare as compare_evaluations
    from sparc_core.evaluation.comparison import unique
    from sparc_core.evaluation.published import PUBLISHED

    titles = unique([bundle.path.resolve().name for bundle in bundles], form="{name} ({number})")
    measured = {title: bundle.evaluation for title, bundle in zip(titles, bundles, strict=True)}
    if not compare_evaluations(measured):
        raise BundleError(f'nothing was measured of {bundles[0].path}: run "sparc-build evaluate {bundles[0].path}"')
    for title, rows in _stability(dict(zip(titles, bundles, strict=True))).items():
        measured[title] = measured[title].model_copy(update={"stability": rows})
    known = {f"published, {title}": evaluation for title, evaluation in PUBLISHED.items()} if published else {}
    return [_described(dict(zip(titles, bundles, strict=True)), list(known)), *compare_evaluations(measured | known)]


def _described(bundles: "Mapping[str, Bundle]", published: "Sequence[str]") -> "Table":
    """What stands at the head: which models are compared."""
    from sparc_core.evaluation.comparison import side_by_side
    from sparc_core.evaluation.published import CORPUS, N_ITEMS
    from sparc_core.evaluation.table import Table

    each: list[tuple[str | None, ...]] = [_facts(bundle) for bundle in bundles.values()]
    for title in published:
        _, selection, weight = title.split(", ")
        each.append((None, CORPUS, f"{N_ITEMS:,}", selection, weight.removeprefix("λ ")))
    facts = ("bundle", "corpus", "items", "selection", "λ")
    return Table(
        "bundles",
        "What is compared",
        "λ is the weight of cross-reconstruction in training.",
        side_by_side([*bundles, *published], "text", None, [False] * len(bundles) + [True] * len(published)),
        tuple(zip(facts, *each, strict=True)),
    )


def _facts(bundle: "Bundle") -> tuple[str | None, ...]:
    manifest = bundle.manifest
    corpus, weight = manifest.corpus, manifest.sparc.recipe.get("cross_loss_coef")
    shown = f"{weight:g}" if isinstance(weight, int | float) else None
    return manifest.bundle_id, corpus.name, f"{corpus.n_items:,}", manifest.sparc.selection, shown


def _stability(bundles: "Mapping[str, Bundle]") -> "dict[str, tuple[Stability, ...]]":
    """How far the first bundle's latents are found in each other one, in streams of the same name and width."""
    first, *others = bundles
    found: dict[str, tuple[Stability, ...]] = dict.fromkeys(bundles, ())
    if not others:
        return found
    with _notes.status("matching latents"):
        model = _model(bundles[first])
        for title in others if model else ():
            other = _model(bundles[title])
            if model and other:
                found[title] = tuple(_matched(model, other, first))
    return found


def _model(bundle: "Bundle") -> "Sparc | None":
    from sparc_core.checkpoint import load_sparc

    try:
        return load_sparc(bundle.sparc_path)
    except SparcError as error:
        _notes.print(f"latents are not matched: {error}", highlight=False, markup=False, soft_wrap=True)
        return None


def _matched(model: "Sparc", other: "Sparc", title: str) -> "list[Stability]":
    from index_build.evaluation.stability import stability

    return [
        stability(other.dictionary(stream).numpy(), model.dictionary(stream).numpy(), stream, title)
        for stream, d in model.config.streams.items()
        if other.config.streams.get(stream) == d
    ]


def written(tables: "Sequence[Table]", format_: Format) -> str:
    """Tables of one comparison as a file: CSV is one table, with the tables' names in its first column."""
    from sparc_core.evaluation.formats import to_csv, to_json, to_latex

    if format_ is Format.json:
        return to_json(tables)
    if format_ is Format.latex:
        return "\n".join(to_latex(table) for table in tables)
    return to_csv(_joined(tables))


def _joined(tables: "Sequence[Table]") -> "Table":
    from sparc_core.evaluation.table import Column, Table

    columns = (Column("table", "Table", "text"), *tables[0].columns)
    rows = tuple((table.name, *row) for table in tables for row in table.rows)
    return Table("comparison", "Comparison", "", columns, rows)


def rich_table(table: "Table") -> "rich.table.Table":
    """A table as a terminal shows it: numbers flush right, published ones dim or, all being empty, left out."""
    import rich.table
    from rich.text import Text

    from sparc_core.evaluation.formats import shown

    made = rich.table.Table(title=Text(table.title), caption=Text(table.note), title_justify="left")
    filled = [any(row[place] is not None for row in table.rows) for place in range(len(table.columns))]
    shown_columns = [(p, c) for p, c in enumerate(table.columns) if filled[p] or not c.published]
    for _, column in shown_columns:
        made.add_column(
            Text(column.title),
            justify="right" if column.is_number else "left",
            style="dim" if column.published else "",
            overflow="fold",
        )
    for row in table.rows:
        made.add_row(*(Text(shown(row[place], column)) for place, column in shown_columns))
    return made
