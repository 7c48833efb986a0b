"""The drawings of `docs/sparc-in-pictures.md`, from the demo and its twin: `python -m docs.pictures --bundle PATH`.

Everything in them is real: one item of the demo, its features, logits and codes, and what the service answers about it.
`docs.svg` draws.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from PIL import Image

from benchmarks.serving import serving
from docs.svg import Drawing, colours
from server.client import SparcClient
from sparc_core.bundle import Bundle
from sparc_core.checkpoint import load_sparc
from sparc_core.selection import choose

IMAGES_PATH = Path(__file__).parent / "images"
CAPTION = "a penguin and a fire engine"
TITLES = {"dino": "DINO", "clip_img": "CLIP image", "clip_txt": "CLIP text"}


@dataclass(frozen=True)
class Story:
    """One item of the demo, which all drawings are about, and the service that answers about it."""

    bundle: Bundle
    twin: Bundle
    client: SparcClient
    row: int

    @property
    def item(self) -> str:
        """Its id."""
        return self.bundle.items[self.row].item_id

    def picture(self, row: int | None = None) -> Image.Image:
        """Its picture, or that of another row."""
        return Image.open(self.bundle.media_path(self.row if row is None else row))

    def name(self, latent: int) -> str:
        """A latent's name."""
        return self.bundle.latents.name[latent]

    @cached_property
    def features(self) -> dict[str, np.ndarray]:
        """Its features by stream."""
        return {stream: self.bundle.vectors(stream).reconstruct(self.row) for stream in TITLES}

    @cached_property
    def logits(self) -> dict[str, torch.Tensor]:
        """Its logits by stream, [1 l]."""
        model = load_sparc(self.bundle.sparc_path)
        with torch.no_grad():
            return {s: model.logits(s, torch.from_numpy(x)[None]) for s, x in self.features.items()}

    @property
    def k(self) -> int:
        """Active latents per code."""
        return self.bundle.manifest.sparc.k


def streams(story: Story) -> Drawing:
    """One item as three features."""
    sheet = Drawing(236, "One item: a picture and its caption. Three models turn it into three features.")
    sheet.text(20, 30, "one item", "muted", 14)
    sheet.picture(20, 42, 150, story.picture(), 300)
    sheet.text(20, 216, story.bundle.items[story.row].caption, size=15, more="serif")
    sheet.text(282, 30, "three streams, a feature each", "muted", 14)
    for i, (stream, title) in enumerate(TITLES.items()):
        y = 75 + 52 * i
        colour, values = f"stream-{i}", story.features[stream][:72]
        sheet.line(178, 117, 272, y - 5, arrow=True)
        sheet.text(282, y, title, colour, more="bold")
        sheet.bars(396, y - 5, 224, 17, values, [colour] * len(values))
        sheet.text(620, y + 26, f"{len(story.features[stream])} numbers", "muted", 12, "end")
    return sheet


def code(story: Story) -> Drawing:
    """One feature becomes logits, and these a code."""
    sheet = Drawing(338, "A feature, the logits of all latents, and the code: the few latents that are kept.")
    feature, logits = story.features["dino"], story.logits["dino"][0].numpy()
    shared = choose(story.logits, story.k, "global")["dino"][0].tolist()
    sheet.text(20, 28, f"feature of DINO: {len(feature)} numbers", "muted", 14)
    sheet.bars(20, 62, 600, 24, feature, ["stream-0"] * len(feature))
    sheet.line(26, 96, 26, 118, arrow=True)
    sheet.text(44, 114, f"logits: one for each of {len(logits)} latents; {story.k} are kept", "muted", 14)
    fills = ["stream-0" if latent in shared else "line" for latent in range(len(logits))]
    sheet.bars(20, 176, 600, 48, np.maximum(logits, 0), fills)
    sheet.line(26, 190, 26, 212, arrow=True)
    sheet.text(44, 208, "code: the kept latents and their activations, everything else 0", "muted", 14)
    kept = sorted((latent for latent in shared if logits[latent] > 0), key=lambda latent: -logits[latent])
    for i, latent in enumerate(kept[:8]):
        x, y = 20 + 306 * (i // 4), 242 + 24 * (i % 4)
        sheet.text(x, y, f"#{latent}", "muted", 13)
        sheet.text(x + 44, y, story.name(latent))
        sheet.box(x + 170, y - 9, 80 * float(logits[latent] / logits.max()), 9, "stream-0")
        sheet.text(x + 294, y, f"{logits[latent]:.2f}", "muted", 13, "end")
    return sheet


def selection(story: Story) -> Drawing:
    """The same logits under both selections: each stream for itself, or all by their sum."""
    sheet = Drawing(
        446, "Local selection: each stream keeps its own largest logits. Global: all keep those of the sum."
    )
    local = {stream: set(chosen[0].tolist()) for stream, chosen in choose(story.logits, story.k, "local").items()}
    total = torch.stack([values[0] for values in story.logits.values()]).sum(0).numpy()
    shared = set(choose(story.logits, story.k, "global")["dino"][0].tolist())
    union = sorted(set.union(*local.values(), shared), key=lambda latent: -total[latent])
    split = [latent for latent in union if sum(latent in own for own in local.values()) < len(local)]
    steady = [latent for latent in union if latent not in split]
    shown = sorted([*steady[:6], *split[:11]][:16], key=lambda latent: -total[latent])
    sheet.text(20, 30, f"local: each stream keeps its own {story.k} largest logits", more="bold")
    _rows(sheet, 46, story, shown, local)
    sheet.text(20, 226, "global: logits are added up, and all streams keep the same latents", more="bold")
    _rows(sheet, 286, story, shown, dict.fromkeys(local, shared))
    sheet.text(20, 272, "sum", "muted", 14)
    fills = ["accent" if latent in shared else "line" for latent in shown]
    sheet.bars(120, 276, 500, 32, np.maximum(total[shown], 0), fills)
    for i, latent in enumerate(shown):
        sheet.text(120 + (i + 0.4) * 500 / len(shown), 434, f"{latent}", "muted", 11, "middle")
    sheet.text(20, 434, "latent", "muted", 12)
    return sheet


def _rows(sheet: Drawing, top: float, story: Story, shown: list[int], kept: dict[str, set[int]]) -> None:
    """A row of bars for each stream; kept latents in the stream's colour."""
    for i, (stream, title) in enumerate(TITLES.items()):
        base = top + 44 * (i + 1)
        values = np.maximum(story.logits[stream][0].numpy()[shown], 0)
        sheet.text(20, base - 6, title, f"stream-{i}", 14)
        fills = [f"stream-{i}" if latent in kept[stream] else "line" for latent in shown]
        sheet.bars(120, base, 500, 34, values, fills)
        sheet.line(120, base, 616, base, "line")


def losses(story: Story) -> Drawing:
    """How well each stream's code gives each stream's features, with and without what SPARC adds."""
    sheet = Drawing(258, "How much of each stream's features each stream's code explains, in both bundles.")
    kinds = (
        (story.bundle, "global selection and cross loss", 20),
        (story.twin, "local selection, no cross loss", 336),
    )
    for bundle, title, x in kinds:
        sheet.text(x, 30, title, more="bold")
        sheet.text(x + 80, 56, "features of", "muted", 13)
        found = {
            (r.source, r.target): r.explained_variance
            for r in bundle.evaluation.reconstruction
            if r.selection == "local"
        }
        for i, (source, name) in enumerate(TITLES.items()):
            sheet.text(x, 106 + 52 * i, name, f"stream-{i}", 13)
            sheet.text(x + 80 + 66 * i, 76, name.removeprefix("CLIP "), f"stream-{i}", 13)
            for j, target in enumerate(TITLES):
                share = found[source, target]
                sheet.box(x + 80 + 66 * j, 84 + 52 * i, 62, 48, "stream-1", max(0.0, share) * 0.45, "line")
                sheet.text(x + 111 + 66 * j, 113 + 52 * i, f"{share:.2f}", size=15, anchor="middle")
    sheet.text(20, 56, "code of", "muted", 13)
    return sheet


def postings(story: Story) -> Drawing:
    """Posting lists of the latents that the caption activates most."""
    sheet = Drawing(330, "Posting lists: for each latent, the items that activate it, the strongest first.")
    query = story.client.retrieve(CAPTION, target="dino", limit=1).query_code[:3]
    sheet.text(20, 30, f"“{CAPTION}”: its strongest latents, and their lists in DINO", "muted", 14)
    for i, part in enumerate(query):
        y, entries = 46 + 84 * i, story.bundle.local_postings("dino").of(part.latent)
        sheet.text(20, y + 24, f"#{part.latent}", "muted", 13)
        sheet.text(20, y + 44, part.name, more="bold")
        for j in range(6):
            x = 140 + 68 * j
            sheet.picture(x, y, 56, story.picture(int(entries.items[j])), 112)
            sheet.text(x + 28, y + 71, f"{entries.activations[j]:.2f}", "muted", 12, "middle")
        sheet.text(620, y + 34, f"… {len(entries.items):,}", "muted", 14, "end")
    n_latents = story.bundle.manifest.sparc.n_latents
    sheet.text(20, 314, f"The whole query has {story.k} latents: {story.k} of {n_latents} lists are read.", size=14)
    return sheet


def heatmap(story: Story) -> Drawing:
    """A heatmap and the parts of it that single latents make."""
    sheet = Drawing(238, "The heatmap of a caption is the sum of the heatmaps of its latents.")
    whole = story.client.heatmap_array(CAPTION, item_ids=[story.item], streams=["dino"])
    code_of_caption = story.client.retrieve(CAPTION, target="dino", limit=1).query_code
    first, second = code_of_caption[:2]
    rest = [part.latent for part in code_of_caption[2:]]
    parts = [
        ([first.latent], f"#{first.latent} {first.name}"),
        ([second.latent], f"#{second.latent} {second.name}"),
        (rest, f"{len(rest)} others"),
    ]
    maps = [
        story.client.heatmap_array(CAPTION, latents=ids, item_ids=[story.item], streams=["dino"]) for ids, _ in parts
    ]
    top = max(whole.values)
    for i, (made, title) in enumerate(zip([whole, *maps], [f"“{CAPTION}”", *(t for _, t in parts)], strict=True)):
        x, side = 20 + 154 * i, 138
        values = np.asarray(made.values).reshape(made.rows, made.columns) / top
        sheet.picture(x, 58, side, painted(story.picture(), values), 276)
        sheet.text(x, 48, title if i else "the whole", size=13)
        sheet.text(x + side / 2, 216, f"{made.score:.2f}", size=15, anchor="middle", more="bold")
        sheet.text(x + side + 8, 216, ["=", "+", "+", ""][i], "muted", 15, "middle")
    sheet.text(20, 28, f"“{CAPTION}” in DINO", more="serif")
    return sheet


def painted(image: Image.Image, values: np.ndarray) -> Image.Image:
    """A picture under its heatmap, in the explorer's colour map; values from 0 to 1."""
    known = colours()
    stops = np.array([[int(known[f"heat-{i}"][0][j : j + 2], 16) for j in (1, 3, 5)] for i in range(9)], float)
    size = image.size
    grid = Image.fromarray(np.clip(values, 0, 1).astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
    level = np.clip(np.asarray(grid), 0, 1)
    colour = np.stack([np.interp(level * 8, np.arange(9), stops[:, channel]) for channel in range(3)], -1)
    share = 0.2 + 0.65 * level[..., None]
    under = np.asarray(image.convert("RGB"), float)
    return Image.fromarray((under * (1 - share) + colour * share).astype(np.uint8))


def score(story: Story) -> Drawing:
    """A hit's score as the sum of what its latents share with the query."""
    sheet = Drawing(252, "The score of a hit is a sum over the latents that it shares with the query.")
    found = story.client.retrieve(CAPTION, target="dino", limit=50)
    hit = next(one for one in found.hits if one.item_id == story.item)
    sheet.text(20, 32, f"“{CAPTION}”", more="serif")
    sheet.picture(20, 48, 120, story.picture(), 240)
    sheet.text(20, 192, "cosine of both codes", "muted", 13)
    sheet.text(20, 222, f"{hit.score:.2f}", size=24, more="bold")
    x = 170.0
    for i, part in enumerate(hit.shared):
        width = 450 * part.share
        sheet.box(x, 48, max(width - 1, 0.5), 18, f"share-{i}" if i < 6 else "share-rest")
        x += width
    for i, part in enumerate(hit.shared[:6]):
        y = 98 + 25 * i
        sheet.box(170, y - 11, 12, 12, f"share-{i}")
        sheet.text(192, y, part.name)
        sheet.text(400, y, f"#{part.latent}", "muted", 13)
        sheet.text(500, y, f"{part.share:.0%}", "muted", 14, "end")
        sheet.text(620, y, f"{part.share * hit.score:.3f}", size=14, anchor="end")
    return sheet


DRAWINGS = (streams, code, selection, losses, postings, heatmap, score)


def main(bundle: Annotated[Path, typer.Option(help="The demo bundle.")] = Path("bundles/storybook")) -> None:
    """Make the drawings; the twin lies beside the bundle."""
    IMAGES_PATH.mkdir(exist_ok=True)
    twin = Path(f"{bundle}-local")
    with serving(bundle, beside=str(twin)) as server, SparcClient(server.address) as client:
        opened = Bundle.open(bundle)
        best = client.retrieve(CAPTION, target="dino", limit=1).hits[0]
        story = Story(opened, Bundle.open(twin), client, opened.items.row_of(best.item_id))
        for draw in DRAWINGS:
            draw(story).save(IMAGES_PATH / f"{draw.__name__}.svg")


if __name__ == "__main__":
    typer.run(main)
