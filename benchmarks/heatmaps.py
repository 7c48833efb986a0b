"""Do caption heatmaps find the named object, and how soon? `python -m benchmarks.heatmaps [--bundle PATH] [--quick]`

Three-object scenes of a seed that nothing was trained on; one object is named. A hit is a strongest pixel on the
object's exact mask (pointing game). Plain CLIP similarity over the same blocks stands beside it; chance is the share
of the page that the object covers.
"""

import random
import time
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
import typer
from PIL import Image

from benchmarks.report import Figure, report
from index_build.storybook.captions import article
from index_build.storybook.drawing import draw, draw_masks
from index_build.storybook.scene import Scene, random_scene
from index_build.storybook.world import COLOUR_NAMES, OBJECTS
from server.services.towers import Towers
from sparc_core.attribution import caption_heatmaps, relevance
from sparc_core.bundle import Bundle
from sparc_core.model import normalize

SEED = 990_113  # looked at once, after every choice was made
DRAWN = 224
BATCH = 20
IMAGE_STREAMS = ("clip_img", "dino")


class Case(NamedTuple):
    """A scene, which of its objects is named, and the words."""

    scene: Scene
    named: int
    caption: str


def cases(n: int) -> list[Case]:
    """`n` scenes of three objects, one of them named with its colour."""
    rng = random.Random(SEED)
    made = []
    for _ in range(n):
        scene, named = random_scene(rng, n_objects=3), rng.randrange(3)
        item = scene.objects[named]
        colour = [COLOUR_NAMES[item.colour_id]] if item.colour_id >= 0 else []
        made.append(Case(scene, named, article(" ".join([*colour, OBJECTS[item.object_id].nouns[0]]))))
    return made


def enlarge(values: torch.Tensor) -> np.ndarray:
    """Heatmaps at the page's size, bilinear, [b, DRAWN, DRAWN]."""
    large = F.interpolate(values[:, None].float(), size=(DRAWN, DRAWN), mode="bilinear", align_corners=False)
    return large[:, 0].detach().numpy()


def plain_clip(towers: Towers, x: torch.Tensor, texts: list[str]) -> torch.Tensor:
    """Relevance of plain CLIP similarity over all blocks, [b, rows, columns]."""
    clip, text = towers.image("clip_img"), towers.text("clip_txt")
    trunk = clip.trunk(x, clip.n_blocks)
    out = clip.head(trunk, clip.n_blocks)
    similarity = (normalize(out.features) * normalize(text.features(text.preprocess(texts)))).sum(1)
    patches = relevance(similarity, out.attention, out.readout)[:, clip.n_prefix :]
    return patches.view(len(x), clip.rows, clip.columns)


def points_at(heatmap: np.ndarray, mask: np.ndarray) -> bool:
    """Whether the strongest pixel lies on the mask."""
    return bool(mask.flat[int(heatmap.argmax())])


def overlap(heatmap: np.ndarray, mask: np.ndarray) -> float:
    """Intersection over union of the mask and the heatmap above Otsu's threshold."""
    if heatmap.max() <= heatmap.min():
        return 0.0
    counts, edges = np.histogram(heatmap, 64)
    centres = (edges[1:] + edges[:-1]) / 2
    below, weight = np.cumsum(counts), np.cumsum(counts * centres)
    n, total = below[-1], weight[-1]
    spread = (total * below[:-1] / n - weight[:-1]) ** 2 / np.maximum(below[:-1] * (n - below[:-1]), 1)
    found = heatmap > centres[int(spread.argmax())]
    return float((found & mask).sum() / max((found | mask).sum(), 1))


def accuracy(towers: Towers, n: int) -> dict[str, Figure]:
    """Pointing game and IoU over `n` cases."""
    pointing: dict[str, list[bool]] = {name: [] for name in (*IMAGE_STREAMS, "plain_clip")}
    ious: dict[str, list[float]] = {name: [] for name in pointing}
    covered = []
    made = cases(n)
    for start in range(0, n, BATCH):
        batch = made[start : start + BATCH]
        pictures = [Image.fromarray(draw(case.scene, DRAWN)) for case in batch]
        masks = [draw_masks(case.scene, DRAWN)[case.named] for case in batch]
        covered += [mask.mean() for mask in masks]
        texts = [case.caption for case in batch]
        text = towers.text("clip_txt")
        with torch.no_grad():
            features = normalize(text.features(text.preprocess(texts)))
            code = towers.sparc.encode({"clip_txt": features}, selection="local")["clip_txt"]
        maps = {"plain_clip": plain_clip(towers, towers.batch("clip_img", pictures), texts)}
        for stream in IMAGE_STREAMS:
            x = towers.batch(stream, pictures)
            maps[stream] = caption_heatmaps(towers.sparc, stream, towers.image(stream), code, x).values
        for name, values in maps.items():
            for heatmap, mask in zip(enlarge(values), masks, strict=True):
                pointing[name].append(points_at(heatmap, mask))
                ious[name].append(overlap(heatmap, mask))
    figures = {}
    for name, hits in pointing.items():
        asked = "" if name == "plain_clip" else ">= 0.93"
        figures[f"pointing_{name}"] = Figure(f"pointing game, {name}, {n} scenes", float(np.mean(hits)), asked)
        figures[f"iou_{name}"] = Figure(f"IoU at Otsu's threshold, {name}", float(np.mean(ious[name])))
    figures["pointing_chance"] = Figure("pointing game by chance", float(np.mean(covered)))
    return figures


def speed(bundle_path: Path, repeats: int) -> dict[str, Figure]:
    """Seconds from a new caption to its first picture and to all twelve, both towers, through the service's code."""
    import asyncio

    from server.explorer import Explorer
    from server.schemas import HeatmapRequest
    from server.settings import Settings

    explorer = Explorer(Settings(bundle=bundle_path))
    firsts, totals = [], []

    async def ask(caption: str) -> None:
        begun = time.perf_counter()
        plan = await explorer.plan_heatmaps(HeatmapRequest(caption=caption, n_items=12))
        for i, pictures in enumerate(explorer.heatmaps.chunks(plan)):
            await explorer.heatmap_chunk(plan, pictures)
            if i == 0:
                firsts.append(time.perf_counter() - begun)
        totals.append(time.perf_counter() - begun)

    async def all_captions() -> None:
        await explorer.warm_up()
        for i in range(repeats):
            await ask(f"{article(OBJECTS[i % len(OBJECTS)].nouns[0])} next to a red balloon")

    asyncio.run(all_captions())
    explorer.close()
    return {
        "first_s": Figure(
            "caption -> first picture's heatmaps, both towers (median)", float(np.median(firsts)), "<= 0.5 s", "s"
        ),
        "twelve_s": Figure(
            "caption -> heatmaps of 12 pictures, both towers (median)", float(np.median(totals)), "<= 1.5 s", "s"
        ),
    }


def main(
    bundle: Annotated[Path, typer.Option(help="A storybook bundle.")] = Path("bundles/storybook"),
    quick: Annotated[bool, typer.Option(help="Fewer scenes.")] = False,
) -> None:
    """Accuracy and speed of caption heatmaps."""
    towers = Towers(Bundle.open(bundle), torch.device("cpu"))
    report("caption heatmaps", {**accuracy(towers, 60 if quick else 600), **speed(bundle, 5 if quick else 15)})


if __name__ == "__main__":
    typer.run(main)
