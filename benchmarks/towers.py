"""How good are the storybook towers? `python -m benchmarks.towers [--quick]`

On scenes of seeds that no training saw, drawn at 224 px and squashed to the towers' size, as the corpus is.
"""

import random
from typing import Annotated

import torch
import torch.nn.functional as F
import typer
from PIL import Image

from benchmarks.report import Figure, report
from index_build.storybook.captions import article, full_caption
from index_build.storybook.drawing import draw
from index_build.storybook.scene import Scene, random_scene
from index_build.storybook.world import OBJECTS, PLACES
from index_build.towers.train_dino import nearest_labels
from sparc_core.backbones import ImageBackbone, TextBackbone, load_backbone

SEED = 20_250_706
DRAWN = 224
N_NEIGHBOURS = 10


def features(backbone: ImageBackbone, scenes: list[Scene]) -> torch.Tensor:
    """Unit-norm features of scenes, [n, d]."""
    batches = []
    for start in range(0, len(scenes), 50):
        pictures = [Image.fromarray(draw(scene, DRAWN)) for scene in scenes[start : start + 50]]
        batches.append(backbone.features(backbone.preprocess(pictures)))
    return F.normalize(torch.cat(batches), dim=1)


def text_features(backbone: TextBackbone, texts: list[str]) -> torch.Tensor:
    """Unit-norm features of texts, [n, d]."""
    return F.normalize(backbone.features(backbone.preprocess(texts)), dim=1)


def knn_accuracy(bank: torch.Tensor, labels: torch.Tensor, n_queries: int) -> float:
    """Accuracy of the first `n_queries` rows, classified by their nearest among the rest."""
    known = labels >= 0
    queries, rest = known.clone(), known.clone()
    queries[n_queries:], rest[:n_queries] = False, False
    guess = nearest_labels(bank[queries], bank[rest], labels[rest], N_NEIGHBOURS)
    return float((guess == labels[queries]).float().mean())


def main(quick: Annotated[bool, typer.Option(help="A quarter of the scenes.")] = False) -> None:
    """Zero-shot, retrieval and kNN accuracy of the shipped towers."""
    clip, text, dino = (load_backbone(f"storybook:{name}") for name in ("clip_img", "clip_txt", "dino"))
    assert isinstance(clip, ImageBackbone)
    assert isinstance(dino, ImageBackbone)
    assert isinstance(text, TextBackbone)
    rng = random.Random(SEED)
    n_single, n_mixed, n_bank = (150, 250, 600) if quick else (600, 1000, 2400)
    single = [random_scene(rng, n_objects=1) for _ in range(n_single)]
    mixed = [random_scene(rng) for _ in range(n_mixed)]
    captions = [full_caption(scene, rng) for scene in mixed]
    bank = [*single, *(random_scene(rng, n_objects=1) for _ in range(n_bank - n_single))]

    objects = torch.tensor([scene.objects[0].object_id for scene in bank])
    colours = torch.tensor([scene.objects[0].colour_id for scene in bank])
    places = torch.tensor([scene.place_id for scene in bank])
    looked = features(clip, single)
    named = text_features(text, [article(o.nouns[0]) for o in OBJECTS])
    located = text_features(text, [place.phrases[0] for place in PLACES])
    scores = text_features(text, captions) @ features(clip, mixed).T
    own = scores.diagonal()[:, None]
    ranks = (scores > own).sum(1)
    seen = features(dino, bank)
    seen = seen - seen.mean(0)
    report(
        "storybook towers",
        {
            "zero_shot_object": Figure(
                f"CLIP zero-shot object accuracy, {n_single} single-object scenes",
                float(((looked @ named.T).argmax(1) == objects[:n_single]).float().mean()),
                ">= 0.95",
            ),
            "zero_shot_place": Figure(
                "CLIP zero-shot place accuracy, the same scenes",
                float(((looked @ located.T).argmax(1) == places[:n_single]).float().mean()),
            ),
            "text_to_image_r1": Figure(f"CLIP text->image R@1 among {n_mixed}", float((ranks < 1).float().mean())),
            "text_to_image_r10": Figure(
                f"CLIP text->image R@10 among {n_mixed}", float((ranks < 10).float().mean()), ">= 0.92"
            ),
            "knn_object": Figure(
                f"DINO kNN (k = {N_NEIGHBOURS}) object accuracy, {n_single} scenes against {n_bank - n_single}",
                knn_accuracy(seen, objects, n_single),
                ">= 0.95",
            ),
            "knn_colour": Figure("DINO kNN colour accuracy, painted objects", knn_accuracy(seen, colours, n_single)),
            "knn_place": Figure("DINO kNN place accuracy", knn_accuracy(seen, places, n_single)),
        },
    )


if __name__ == "__main__":
    typer.run(main)
