"""`sparc-build evaluate`: every table of a bundle's evaluation, measured anew and published into the bundle."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from index_build.commands.errors import one_line_errors

if TYPE_CHECKING:
    from index_build.corpora.base import Corpus
    from sparc_core.bundle import Bundle

_console = Console()


def evaluate(
    path: Annotated[Path, typer.Argument(help="The bundle's folder.", metavar="PATH")],
    out: Annotated[
        Path | None, typer.Option(help="Where the bundle with its evaluation goes; by default PATH.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="The sparc.toml that PATH was built with: its corpus may have masks.")
    ] = None,
    second: Annotated[
        Path | None,
        typer.Option(help="A second corpus for retrieval: a bundle, or a folder of STREAM.h5 or STREAM.npy."),
    ] = None,
    against: Annotated[
        list[Path] | None, typer.Option(help="Bundles of other seeds: how stable the latents are.")
    ] = None,
    skip: Annotated[list[str] | None, typer.Option(help="A table that is not measured; may be given again.")] = None,
    items: Annotated[int, typer.Option(min=0, help="Most items that are looked at; 0 for all.")] = 5000,
    cases: Annotated[int, typer.Option(min=1, help="Most things that heatmaps are asked for.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Of everything drawn at random.")] = 0,
    work: Annotated[Path | None, typer.Option(help="Pieces are kept here; by default beside the bundle.")] = None,
) -> None:
    """Measure a bundle: alignment, probes, classification, retrieval, segmentation, names and more."""
    with one_line_errors("run the same command again to go on from here"):
        from index_build.commands.display import RichDisplay
        from index_build.commands.run import as_seen_from_here
        from index_build.evaluation.options import EvaluationOptions
        from index_build.evaluation.published_bundle import BundleEvaluation
        from index_build.workers import LocalTasks, n_cores
        from sparc_core.bundle import Bundle

        # Where a link leads: the bundle there is replaced, and the link stays.
        bundle, target = Bundle.open(path), (out or path).resolve()
        options = EvaluationOptions(seed, items, cases, tuple(skip or ()))
        evaluation = BundleEvaluation(bundle, options, _corpus(bundle, config), second, tuple(against or ()))
        folder = work or target.with_name(f"{target.name}.work")
        with LocalTasks(n_cores()) as tasks, RichDisplay(_console) as display:
            manifest = evaluation.publish(target, folder, tasks, display)
        shown = as_seen_from_here(target)
        _console.print(f"bundle {manifest.bundle_id} at {shown}, evaluated", highlight=False, soft_wrap=True)
        _console.print(
            f"next: sparc-build info {shown}, or sparc-serve --bundle {shown} and its page Evaluation",
            highlight=False, soft_wrap=True,
        )  # fmt: skip


def _corpus(bundle: "Bundle", config: Path | None) -> "Corpus | None":
    """The corpus of the configuration; else the storybook, where the bundle's pictures are that."""
    from index_build.config.tables import read_config
    from index_build.evaluation.published_bundle import storybook_of

    return storybook_of(bundle) if config is None else read_config(config).corpus()
