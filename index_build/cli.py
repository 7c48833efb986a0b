"""`sparc-build`: trains SPARC, builds, checks and describes bundles.

Errors of the user's or the disk's making are one line on stderr and exit code 2. Heavy libraries are imported by the
command that needs them, so `--help` and `info` answer at once and worker processes start quickly.
"""

import signal
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.console import Console
from rich.table import Table

from index_build.commands.compare import compare
from index_build.commands.demo import demo
from index_build.commands.doctor import doctor
from index_build.commands.errors import one_line_errors
from index_build.commands.evaluate import evaluate
from index_build.commands.import_run import import_
from index_build.commands.run import init
from index_build.commands.run import run as run_config
from index_build.commands.train import train
from sparc_core import __version__
from sparc_core.bundle import Bundle, Manifest

app = typer.Typer(
    name="sparc-build",
    no_args_is_help=True,
    add_completion=False,
)


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"sparc-build {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say the version, and do nothing.")
    ] = False,
) -> None:
    """From pictures, captions and models to a bundle that sparc-serve shows."""


app.command()(init)
app.command()(doctor)
app.command("run")(run_config)
app.command("import")(import_)
app.command()(train)
app.command()(evaluate)
app.command()(compare)
app.command()(demo)
_console = Console()
_RERUN = "run the same command again to go on from here"
_BundlePath = Annotated[Path, typer.Argument(help="The bundle's folder.", metavar="PATH")]


@app.command()
def verify(path: _BundlePath) -> None:
    """Check every file of a bundle against its hash, and that its arrays, tables and indexes open and fit together."""
    with one_line_errors(_RERUN):
        from index_build.verification import verify_bundle

        bundle = verify_bundle(path)
        _console.print(f"bundle {bundle.manifest.bundle_id} at {path} is whole", highlight=False, soft_wrap=True)


@app.command()
def info(path: _BundlePath) -> None:
    """Say what a bundle holds and what was measured."""
    with one_line_errors(_RERUN):
        manifest = Bundle.open(path).manifest
        _console.print(_info_table(manifest))


@app.command()
def export(
    path: _BundlePath,
    out: Annotated[Path, typer.Option(help="The folder to write into.")],
    format_: Annotated[str, typer.Option("--format", help="hdf5 (the published layout) or parquet.")] = "hdf5",
) -> None:
    """Write a bundle's features and codes, one file per stream."""
    with one_line_errors(_RERUN):
        from index_build.export import export_bundle

        for file in export_bundle(Bundle.open(path), out, cast(Any, format_)):
            _console.print(str(file), highlight=False, soft_wrap=True)


def _info_table(manifest: Manifest) -> Table:
    sparc, corpus = manifest.sparc, manifest.corpus
    table = Table(show_header=False, title=f"bundle {manifest.bundle_id}")
    table.add_column(no_wrap=True)  # metrics of two streams differ in the ends of their names
    table.add_column(overflow="fold")
    table.add_row("schema", str(manifest.schema_version))
    table.add_row("created", manifest.created_at)
    table.add_row("corpus", f"{corpus.name}, {corpus.n_items} items, {corpus.licence}")
    for stream in manifest.streams:
        table.add_row(f"stream {stream.name}", f"{stream.modality}, d {stream.d}, {stream.backbone}")
    table.add_row("vectors", ", ".join(dict.fromkeys(stream.vectors for stream in manifest.streams)))
    table.add_row("sparc", f"{sparc.n_latents} latents, k {sparc.k}, {sparc.selection} selection, seed {manifest.seed}")
    table.add_row("size", f"{sum(file.bytes for file in manifest.files.values()) / 1e6:.1f} MB without media")
    for name, value in manifest.metrics.items():
        table.add_row(name, f"{value:.4f}")
    return table


def run() -> None:
    """Entry point of the `sparc-build` command. What `docker stop` and others send ends it as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    app()


if __name__ == "__main__":
    run()
