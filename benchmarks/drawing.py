"""How fast are scenes drawn at the towers' size? `python -m benchmarks.drawing [--quick]`

One core, sprites rasterised before the clock starts, against the plain way: the whole scene as one SVG, rendered by
resvg and decoded. Both are timed alternately. The floor beside them: copying the scene's background once.
"""

import random
import time
from typing import Annotated

import numpy as np
import typer

from benchmarks.report import Figure, report
from index_build.storybook import drawing
from index_build.storybook.scene import ANGLES, PAGE, Scene, random_scene
from index_build.storybook.world import OBJECTS


def plain(scene: Scene) -> None:
    """Every object rasterised anew."""
    for item in scene.objects:
        svg = drawing._svg(OBJECTS[item.object_id].name, ANGLES[item.angle_id], item.flipped, drawing._WHITE)
        drawing._render(svg, item.size)


def main(quick: Annotated[bool, typer.Option(help="Fewer scenes.")] = False) -> None:
    """Scenes per second at 112 px."""
    rng = random.Random(1)
    scenes = [random_scene(rng) for _ in range(1000 if quick else 4000)]
    for scene in scenes:
        drawing.draw(scene)
    rates: dict[str, list[float]] = {"draw": [], "plain": [], "copy": []}
    background = np.zeros((PAGE, PAGE, 3), np.uint8)
    for start in range(0, len(scenes), 500):
        some = scenes[start : start + 500]
        begun = time.perf_counter()
        for scene in some:
            drawing.draw(scene)
        drawn = time.perf_counter()
        for scene in some[:100]:
            plain(scene)
        rendered = time.perf_counter()
        for _ in some:
            background.astype(np.float32)
        copied = time.perf_counter()
        rates["draw"].append(len(some) / (drawn - begun))
        rates["plain"].append(100 / (rendered - drawn))
        rates["copy"].append(len(some) / (copied - rendered))
    draw_rate, plain_rate, copy_rate = (float(np.median(rates[name])) for name in ("draw", "plain", "copy"))
    report(
        "drawing at 112 px, one core",
        {
            "scenes_per_s": Figure("scenes drawn", draw_rate, ">= 1000 /s", "/s"),
            "plain_per_s": Figure("sprites rasterised anew (background and blending left out)", plain_rate, "", "/s"),
            "ratio": Figure("ratio", draw_rate / plain_rate),
            "floor_per_s": Figure("floor: one float32 copy of the page", copy_rate, "", "/s"),
        },
    )


if __name__ == "__main__":
    typer.run(main)
