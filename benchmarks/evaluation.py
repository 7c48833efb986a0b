"""How long does an evaluation take? `python -m benchmarks.evaluation [--quick] [--bundle PATH]`

First all tables of 5,000 items: the synthetic corpus at the published sizes (8,192 latents, k 64; all but heatmaps,
since random features belong to no tower), and a storybook of 5,000 held-out items with everything. Then the retrieval
table of 126,020 items with synthetic codes at the published sizes, every query of every direction of codes, and its
memory. Last, exact ranks over posting lists against the plain way (dense rows, a matrix product, a sort), in turns. The
numbers themselves are those of a storybook bundle, which `--bundle` names.
"""

import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.report import Figure, report
from benchmarks.serve import build as build_synthetic
from index_build.corpora.storybook import StorybookCorpus
from index_build.engine import LocalEngine
from index_build.evaluation.measure import Measuring, measure
from index_build.evaluation.options import EvaluationOptions
from index_build.evaluation.pieces import gathered, plan, run_piece
from index_build.evaluation.ranking import CodeRanking
from index_build.evaluation.subject import Parts, Subject
from index_build.pipeline import build_bundle
from index_build.recipe import Recipe
from index_build.threads import one_thread
from index_build.training.options import TrainingOptions
from index_build.workers import LocalTasks, n_cores
from sparc_core.backbones import load_backbone
from sparc_core.bundle import Bundle
from sparc_core.bundle.codes import Codes
from sparc_core.evaluation import Evaluation
from sparc_core.metrics import cosine_scores, dense_rows

N_ITEMS, N_OPEN_IMAGES = 5000, 126_020
N_CLASSES = 100  # each of 150 items of 5,000
SPACES = (("clip_txt", "clip_img"),)
WIDTHS = {"dino": 1024, "clip_img": 768, "clip_txt": 768}


def evaluated(bundle: Bundle, folder: Path, corpus: StorybookCorpus | None, n_cases: int, tasks: LocalTasks) -> float:
    """Seconds that all tables of a bundle take on all cores."""
    options = EvaluationOptions(most_cases=n_cases)
    measuring = Measuring(Parts.of_bundle(bundle, SPACES), options, load_backbone, corpus)
    begun = time.perf_counter()
    found = measure(measuring, folder, tasks, _unheard).evaluation
    seconds = time.perf_counter() - begun
    assert found.settings.n_measured == found.settings.n_held_out, "all held-out items are looked at"
    assert found.probes or found.settings.n_measured < N_ITEMS, "nothing that was to be measured is missing"
    return seconds


def storybook(folder: Path, n_items: int) -> tuple[Bundle, StorybookCorpus]:
    """A storybook with so many held-out items; its quality does not matter here."""
    corpus = StorybookCorpus(n_items // 10, n_items)
    options = TrainingOptions.storybook(n_latents=128, k=8, num_epochs=5)
    recipe = Recipe(options, evaluation=EvaluationOptions(skip=("segmentation", "classification", "probes")))
    with LocalEngine.opened(n_cores()) as engine:
        build_bundle(corpus, recipe, folder / "work", folder / "storybook", engine=engine)
    return Bundle.open(folder / "storybook"), corpus


def retrieval_table(bundle: Bundle, folder: Path, tasks: LocalTasks) -> tuple[Evaluation, float]:
    """The whole retrieval table over all items, and its seconds on all cores."""
    parts, options = Parts.of_bundle(bundle, SPACES), EvaluationOptions(most_items=0)
    pieces = [piece for piece in plan(Subject(parts, 0), options).pieces if piece.table == "retrieval"]
    folder.mkdir()
    begun = time.perf_counter()
    tasks.run(run_piece, [(parts, options, piece, folder) for piece in pieces], _unheard)
    seconds = time.perf_counter() - begun
    return gathered(pieces, folder).evaluation, seconds


def against_dense(bundle: Bundle, n: int) -> dict[str, Figure]:
    """Ranks of n items' codes among each other, over lists and the plain way, in turns, one thread."""
    rows = np.arange(n)
    queries, items = (
        Codes(*(array[:n] for array in bundle.codes(stream, "local"))) for stream in ("clip_txt", "clip_img")
    )
    n_latents = bundle.manifest.sparc.n_latents

    def over_lists() -> np.ndarray:
        return CodeRanking(items, n_latents).ranks(queries, rows).worst

    def plain() -> np.ndarray:
        scores = cosine_scores(*(dense_rows(*codes, n_latents) for codes in (queries, items)))
        return (np.argsort(-scores, axis=1) == rows[:, None]).argmax(1) + 1

    seconds: dict[str, list[float]] = {"lists": [], "plain": []}
    with one_thread():
        for _ in range(3):
            for name, way in (("lists", over_lists), ("plain", plain)):
                seconds[name].append(_timed(way))
    ratio = min(seconds["plain"]) / min(seconds["lists"])
    return {"ratio": Figure(f"ranks of {n:,} codes over lists against dense rows and a sort", ratio, "", "x")}


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _unheard(done: int, total: int) -> None:
    """Progress that nobody looks at."""


def quality(bundle: Bundle) -> dict[str, Figure]:
    """The figures that were asked for, of a bundle that was evaluated."""
    found = bundle.evaluation
    deepest = max((row for row in found.profiles if row.selection == "own"), key=lambda row: row.depth)
    figures = {
        f"jaccard_{pair.first}_{pair.second}": Figure(
            f"Jaccard of class profiles, deepest level, {pair.first} and {pair.second}", pair.jaccard, ">= 0.80"
        )
        for pair in deepest.pairs
    }
    ways = {row.way: row.at_10 for row in found.retrieval if row.inside and (row.query, row.target) == SPACES[0]}
    ratio = ways["latent"] / ways["backbone"]
    figures["r10_ratio"] = Figure("text to image R@10, latents over the CLIP tower", ratio, ">= 0.9")
    return figures


def main(
    bundle: Annotated[Path, typer.Option(help="A storybook bundle that was evaluated.")] = Path("bundles/storybook"),
    quick: Annotated[bool, typer.Option(help="A fortieth of the items.")] = False,
) -> None:
    """Time evaluations, and show what the demo's says."""
    part, n_cases = (40, 5) if quick else (1, 200)
    figures = quality(Bundle.open(bundle))
    with tempfile.TemporaryDirectory() as name, LocalTasks(n_cores()) as tasks:
        folder = Path(name)
        synthetic = Bundle.open(build_synthetic(folder / "synthetic", N_ITEMS // part, WIDTHS, N_CLASSES))
        seconds = evaluated(synthetic, folder / "pieces", None, n_cases, tasks)
        what = f"{N_ITEMS // part:,} items, published sizes, all but heatmaps"
        figures["published_sizes_s"] = Figure(what, seconds, "<= 180 s", "s")
        figures |= against_dense(synthetic, N_ITEMS // part)
        pages, corpus = storybook(folder / "pages", N_ITEMS // part)
        seconds = evaluated(pages, folder / "storybook-pieces", corpus, n_cases, tasks)
        what = f"{N_ITEMS // part:,} storybook items, everything"
        figures["evaluation_s"] = Figure(what, seconds, "<= 180 s", "s")
        large = Bundle.open(build_synthetic(folder / "large", N_OPEN_IMAGES // part, WIDTHS))
        table, seconds = retrieval_table(large, folder / "retrieval", tasks)
        n = N_OPEN_IMAGES // part
        what = f"retrieval table of {n:,} items, {len(table.retrieval)} directions"
        figures["retrieval_s"] = Figure(what, seconds, "<= 300 s", "s")
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
        figures["peak_gb"] = Figure("no process of all above was larger than", peak, "", "GB")
        figures["matrix_gb"] = Figure("a matrix of all scores would be", 4 * n**2 / 1e9, "", "GB")
    report("evaluation", figures)


if __name__ == "__main__":
    typer.run(main)
