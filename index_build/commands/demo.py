"""`sparc-build demo`: the storybook bundle, and its twin: the same corpus under SPARC without what makes it SPARC."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from index_build.commands.errors import one_line_errors
from index_build.commands.run import as_seen_from_here, print_result

if TYPE_CHECKING:
    from index_build.recipe import Recipe

_console = Console()
_RERUN = "run the same command again to go on from here"


def demo(
    out: Annotated[Path, typer.Option(help="Where the bundle goes.")] = Path("bundles/storybook"),
    work: Annotated[Path, typer.Option(help="Steps are cached here; run again to go on.")] = Path("work/storybook"),
    train_items: Annotated[int, typer.Option(help="Scenes to train SPARC on.")] = 6000,
    test_items: Annotated[int, typer.Option(help="Scenes held out.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Fixes scenes, captions and training.")] = 0,
    twin: Annotated[
        bool, typer.Option(help="Also build OUT-local: each stream selects for itself, for comparison.")
    ] = True,
) -> None:
    """Build the storybook bundle: draw, extract features, train SPARC, index, publish; and its twin."""
    with one_line_errors(_RERUN):
        from index_build.corpora.storybook import StorybookCorpus

        corpus = StorybookCorpus(train_items, test_items, seed)
        from index_build.commands.display import RichDisplay, times_table
        from index_build.engine import LocalEngine
        from index_build.pipeline import build_bundle
        from index_build.workers import n_cores
        from sparc_core.bundle.place import held

        recipes = {out: demo_recipe(seed)} | ({twin_place(out): twin_recipe(seed)} if twin else {})
        with ExitStack() as stack:
            places = [stack.enter_context(held(path)) for path in recipes]  # all before the first takes minutes
            engine = stack.enter_context(LocalEngine.opened(n_cores()))
            for place, (path, recipe) in zip(places, recipes.items(), strict=True):
                _say(f"{as_seen_from_here(path)}: {recipe.training.selection} selection")
                with RichDisplay(_console) as display:
                    report = build_bundle(corpus, recipe, work, place, display, engine=engine)
                _console.print(times_table(report))
                print_result(report, path, beside=None if path == out else out)


def demo_recipe(seed: int) -> "Recipe":
    """The storybook's recipe; everything is measured."""
    from index_build.evaluation.options import EvaluationOptions
    from index_build.recipe import Recipe
    from index_build.training.options import TrainingOptions

    return Recipe(TrainingOptions.storybook(seed=seed), evaluation=EvaluationOptions())


def twin_recipe(seed: int) -> "Recipe":
    """The same, but nothing holds the streams together: each selects for itself, and none learns from another.

    Everything is measured but heatmaps, which take longest.
    """
    from index_build.recipe import Recipe
    from index_build.training.options import TrainingOptions

    return Recipe(TrainingOptions.storybook(seed=seed, selection="local", cross_loss_coef=0.0))


def twin_place(out: Path) -> Path:
    """Where the twin of the bundle at `out` goes."""
    return out.with_name(f"{out.name}-local")


def _say(line: str) -> None:
    _console.print(line, highlight=False, markup=False, soft_wrap=True)
