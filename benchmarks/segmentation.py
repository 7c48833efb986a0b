"""Do heatmaps find what is named? `python -m benchmarks.segmentation [--bundle PATH] [--corpus TOML] [--quick]`

The published methods and ours, judged by exact masks: pointing game, mean IoU at Otsu's threshold, AP at IoU 0.2, and
the right one of two objects in the same colour. By default on storybook scenes of seeds that nothing was trained on or
chosen by; with `--corpus`, on the corpus of a `sparc.toml` that has masks (COCO), for a bundle built from it.
Then quality against cost by the number of blocks, and a sanity check with shuffled weights.
"""

import time
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.report import Figure, report
from index_build.config.tables import read_config
from index_build.segmentation.cases import Case, crowded, of_corpus, same_colour
from index_build.segmentation.judging import Judged, judge
from index_build.segmentation.methods import SHORT, Models, Named, models_of, ours, published, similarity
from index_build.segmentation.sanity import agreement
from sparc_core.attribution import Method
from sparc_core.bundle import Bundle

CROWDED_SEED, SAME_COLOUR_SEED = 990_217, 990_218  # looked at once, after every choice was made
WATCHED_SEED = 7_100  # for the cost of blocks, from which the default is chosen
_DEPTHS = (1, 2, 3, 4, 6)


def show(title: str, rows: Mapping[str, Judged]) -> None:
    """A table of methods."""
    table = Table(title=title)
    for column in ("method", "pointing", "mIoU", "AP at 0.2", "right of two", "ms a case"):
        table.add_column(column)
    for name, row in rows.items():
        shares = [f"{100 * row.pointing:.1f} %", f"{row.iou:.3f}", f"{row.ap:.3f}", f"{100 * row.right:.1f} %"]
        table.add_row(name, *shares, f"{1000 * row.seconds:.0f}")
    Console(width=120).print(table)


def compare(models: Models, cases: list[Case], title: str) -> dict[str, Judged]:
    """All methods over the last block and over all blocks; ours over all."""
    rows: dict[str, Judged] = {}
    for depth, label in ((1, "last"), (None, "all")):
        judged = judge(models, published(models), cases, depth, time.process_time)
        rows |= {f"{name} ({label})": row for name, row in judged.items()}
    methods: list[Named] = ours(models, Method.propagation, Method.glances)
    if models.similar:
        methods += similarity(models, Method.propagation, Method.glances)
    rows |= judge(models, methods, cases, None, time.process_time)
    show(title, rows)
    return rows


def by_depth(models: Models, cases: list[Case]) -> None:
    """Quality against cost."""
    rows = {}
    most = min(tower.n_blocks for tower in models.images.values())
    for depth in (*(depth for depth in _DEPTHS if depth < most), most):
        judged = judge(models, ours(models, Method.relevance, Method.glances), cases, depth, time.process_time)
        rows |= {f"{name}, last {depth}": row for name, row in judged.items()}
    show("quality against cost, by the number of last blocks", dict(sorted(rows.items())))


def sanity(models: Models, cases: list[Case]) -> dict[str, Figure]:
    """Rank correlation with heatmaps of shuffled towers."""
    figures = {}
    for named in ours(models, Method.glances, Method.relevance):
        mean = float(np.mean(agreement(models, named, cases)))
        figures[f"shuffled_{named.name}"] = Figure(f"rank correlation with shuffled weights, {named.name}", mean)
    return figures


def headline(rows: Mapping[str, Judged], streams: list[str]) -> dict[str, Figure]:
    """The figures that were asked for."""
    figures = {}
    plain = rows.get("clip_sim (all)")
    for stream in streams:
        row = rows[f"{SHORT.get(stream, stream)}_{Method.glances.value}"]
        figures[f"pointing_{stream}"] = Figure(f"pointing game, {stream}", row.pointing, ">= 0.97")
        figures[f"iou_{stream}"] = Figure(f"mIoU, {stream}", row.iou)
        if plain is not None:
            ratio = row.iou / plain.iou
            figures[f"iou_ratio_{stream}"] = Figure(
                f"mIoU over that of clip_sim, all blocks, {stream}", ratio, ">= 1.25"
            )
        if not np.isnan(row.right):
            figures[f"right_{stream}"] = Figure(f"right one of two of the same colour, {stream}", row.right, ">= 0.95")
    if plain is not None:
        figures["iou_clip_sim"] = Figure("mIoU, clip_sim, all blocks", plain.iou)
    return figures


def main(
    bundle: Annotated[Path, typer.Option(help="A bundle; of the storybook unless --corpus is given.")] = Path(
        "bundles/storybook"
    ),
    corpus: Annotated[Path | None, typer.Option(help="A sparc.toml whose corpus has masks.")] = None,
    quick: Annotated[bool, typer.Option(help="Fewer cases.")] = False,
) -> None:
    """Judge heatmaps by masks."""
    models = models_of(Bundle.open(bundle))
    n = 16 if quick else 400
    if corpus is not None:
        cases = list(islice(of_corpus(read_config(corpus).corpus), 30 if quick else None))
        rows = compare(models, cases, f"{len(cases)} cases of {corpus.name}")
        report("heatmaps", headline(rows, list(models.images)))
        return
    cases = [*crowded(CROWDED_SEED, n), *same_colour(SAME_COLOUR_SEED, n)]
    rows = compare(models, cases, f"{n} crowded scenes, {n} scenes of two objects in one colour")
    covered = float(np.mean([case.mask.mean() for case in cases if case.other is None]))
    watched = [*crowded(WATCHED_SEED, n // 4), *same_colour(WATCHED_SEED, n // 4)]
    by_depth(models, watched)
    chance = {"pointing_chance": Figure("pointing game by chance", covered)}
    report("heatmaps", headline(rows, list(models.images)) | chance | sanity(models, watched[: 8 if quick else 100]))


if __name__ == "__main__":
    typer.run(main)
