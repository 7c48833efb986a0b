"""`sparc-build init` and `sparc-build run`: one file, one command."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from index_build.commands.errors import one_line_errors
from sparc_core.errors import InputError
from sparc_core.full_disk import full_disk_said

if TYPE_CHECKING:
    from index_build.config.tables import OpenConfig
    from index_build.corpora.base import Corpus
    from index_build.pipeline import BuildReport
    from index_build.recipe import Recipe

_console = Console()
_RERUN = "run the same command again to go on from here"
ConfigPath = Annotated[Path, typer.Argument(help="The file that says what to build.", metavar="SPARC_TOML")]


def init(
    kind: Annotated[
        str, typer.Argument(help="storybook, folder, table, coco, open_images, webdataset or datasets.", metavar="KIND")
    ],
    place: Annotated[
        str, typer.Argument(help="The corpus: its folder, table, annotations or shards.", metavar="PATH")
    ] = "",
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("sparc.toml"),
    backbones: Annotated[
        Literal["hub", "storybook"],
        typer.Option(help="hub: DINOv2 and CLIP. storybook: the small towers that ship, for drawn pictures."),
    ] = "hub",
) -> None:
    """Write a commented sparc.toml for a corpus, with sizes that suit it."""
    with one_line_errors(_RERUN):
        from index_build.config.template import config_text
        from index_build.files import write_text

        if out.exists():
            raise InputError(f"{out} is there already: choose another --out, or remove it")
        text = config_text(kind, place, out.parent, backbones)
        with full_disk_said(str(out), out.parent, "run the same command again"):
            out.parent.mkdir(parents=True, exist_ok=True)
            write_text(out, text)
        _console.print(f"wrote {out}", highlight=False, soft_wrap=True)
        _console.print(f"next: sparc-build doctor {out}, then sparc-build run {out}", highlight=False, soft_wrap=True)


def run(
    config: ConfigPath,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and do nothing.")] = False,
    engine: Annotated[str | None, typer.Option(help="local or ray, instead of the file's.")] = None,
    address: Annotated[str | None, typer.Option(help="Of the Ray cluster, instead of the file's.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda, instead of the file's.")] = None,
    out: Annotated[Path | None, typer.Option(help="The bundle's folder, instead of the file's.")] = None,
    work: Annotated[Path | None, typer.Option(help="Where steps are cached, instead of the file's.")] = None,
) -> None:
    """Build the bundle that a sparc.toml describes; only what changed is done again."""
    with one_line_errors(_RERUN):
        from index_build.config.tables import read_config

        opened = read_config(config).changed("engine", {"kind": engine, "address": address, "device": device})
        build(opened.changed("bundle", {"out": _from_here(out), "work": _from_here(work)}), dry_run)


def build(opened: "OpenConfig", dry_run: bool = False) -> None:
    """Build what a configuration says, or print the plan."""
    from index_build.commands.display import RichDisplay, times_table
    from index_build.pipeline import build_bundle

    recipe = opened.recipe()
    with _console.status("listing the corpus"):
        corpus = opened.corpus()
    if dry_run:
        _print_plan(opened, corpus, recipe)
        return
    with opened.engine() as engine, RichDisplay(_console) as display:
        report = build_bundle(corpus, recipe, opened.work, opened.out, display, engine=engine)
    _console.print(times_table(report))
    print_result(report, opened.out)


def print_result(report: "BuildReport", out: Path, beside: Path | None = None) -> None:
    """Say what was built, what was left out, and what to do with it.

    Args:
        report: Of the build.
        out: Where the bundle is.
        beside: The bundle that it is to be served beside; None serves it alone.
    """
    manifest, shown = report.manifest, as_seen_from_here(out)
    serve = f"--bundle {shown}" if beside is None else f"--bundle {as_seen_from_here(beside)} --beside {shown}"
    if manifest.corpus.n_rejected:
        _console.print(
            f"left out {manifest.corpus.n_rejected:,} of {manifest.corpus.n_items + manifest.corpus.n_rejected:,}: "
            f"{shown / 'rejected.parquet'} says why ({_first_reason(out)})",
            highlight=False, markup=False, soft_wrap=True,
        )  # fmt: skip
    _console.print(
        f"bundle {manifest.bundle_id} at {shown}, {manifest.corpus.n_items:,} items: sparc-serve {serve}",
        highlight=False, markup=False, soft_wrap=True,
    )  # fmt: skip


def as_seen_from_here(path: Path) -> Path:
    """Relative where it is below the current folder."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _from_here(path: Path | None) -> Path | None:
    """What the command line names lies below the current folder, what a file names below the file's."""
    return path and path.absolute()


def _first_reason(out: Path) -> str:
    import pyarrow.parquet as pq

    first = pq.read_table(out / "rejected.parquet").slice(0, 1).to_pylist()[0]
    return f'"{first["source"] or first["item_id"]}": {first["reason"]}'


def _print_plan(opened: "OpenConfig", corpus: "Corpus", recipe: "Recipe") -> None:
    from index_build.pipeline import plan_build

    training = recipe.training
    facts = Table(show_header=False, title="what is built")
    facts.add_row("corpus", f"{corpus.name} ({corpus.licence})")
    for name, stream in recipe.streams.items():
        source = stream.backbone or "no backbone"
        facts.add_row(f"stream {name}", f"{source}{'' if stream.features is None else f', features {stream.features}'}")
    model = f"{training.n_latents} latents, k {training.k}, {training.num_epochs} epochs"
    facts.add_row("model", model if recipe.model is None else f"trained already: {recipe.model}")
    facts.add_row("vectors", recipe.vectors)
    facts.add_row("engine", opened.config.engine.kind)
    facts.add_row("bundle", str(as_seen_from_here(opened.out)))
    steps = Table("step", "state", title="plan")
    for step in plan_build(corpus, recipe, opened.work):
        steps.add_row(step.name, "already done" if step.done else "to do")
    _console.print(facts)
    _console.print(steps)
