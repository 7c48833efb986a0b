"""Are the verdicts on heatmaps right? `python -m benchmarks.trust [--bundle PATH] [--quick]`

Held-out storybook items, each asked for one of its objects and for one that is not there: how often the service calls
the heatmap clear, unspecific, weak or no better than chance.
"""

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.report import Figure, report
from index_build.storybook.captions import article
from index_build.storybook.world import OBJECTS
from server.app import open_all
from server.explorer import Explorer
from server.schemas import HeatmapRequest, Verdict
from server.settings import Settings

SEED = 20_26
_NOUNS = [thing.nouns[0] for thing in OBJECTS]


async def verdicts(explorer: Explorer, caption: str, item_id: str) -> dict[str, Verdict]:
    """By stream."""
    plan = await explorer.plan_heatmaps(HeatmapRequest(caption=caption, item_ids=[item_id], trust=True))
    (chunk,) = await explorer.heatmap_chunk(plan, plan.item_ids)
    trusted, _ = await explorer.heatmap_trust(plan, chunk)
    return {one.stream: one.verdict for one in trusted[0].streams}


async def count(explorer: Explorer, n: int) -> dict[tuple[str, bool], Counter[Verdict]]:
    """Verdicts by stream and whether the object was there."""
    chance, counts = random.Random(SEED), {}
    rows = chance.sample(explorer.bundle.items.rows_of_split("test").tolist(), n)
    for item in explorer.bundle.items.take(rows):
        there = [noun for noun in _NOUNS if noun in item.labels]
        absent = [noun for noun in _NOUNS if noun not in item.labels]
        for is_there, nouns in ((True, there), (False, absent)):
            found = await verdicts(explorer, article(chance.choice(nouns)), item.item_id)
            for stream, verdict in found.items():
                counts.setdefault((stream, is_there), Counter())[verdict] += 1
    return counts


def main(
    bundle: Annotated[Path, typer.Option(help="A storybook bundle.")] = Path("bundles/storybook"),
    quick: Annotated[bool, typer.Option(help="Fewer items.")] = False,
) -> None:
    """Count verdicts."""
    n = 20 if quick else 120
    resources, explorer = open_all(Settings(bundle=bundle))
    counts = asyncio.run(count(explorer, n))
    resources.close()
    table, figures = Table(title=f"verdicts on {n} items"), {}
    for column in ("stream", "object", *(verdict.value for verdict in Verdict)):
        table.add_column(column)
    for (stream, is_there), verdict_counts in counts.items():
        where = "there" if is_there else "absent"
        table.add_row(stream, where, *(f"{100 * verdict_counts[verdict] / n:.1f} %" for verdict in Verdict))
        name = f"chance_{stream}_{where}"
        figures[name] = Figure(f"no better than chance, {stream}, object {where}", verdict_counts[Verdict.chance] / n)
    Console(width=120).print(table)
    report("trust", figures)


if __name__ == "__main__":
    typer.run(main)
