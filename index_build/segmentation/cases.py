"""Cases: a picture, words for one thing in it, and the pixels of that thing."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool
from PIL import Image

from index_build.corpora.base import Corpus, CorpusItem, MaskedCorpus
from index_build.storybook.captions import article
from index_build.storybook.drawing import draw, draw_masks
from index_build.storybook.scene import Scene, random_scene
from index_build.storybook.world import COLOUR_NAMES, N_COLOURS, OBJECTS
from sparc_core.picture_files import decode_picture

STORYBOOK_SIDE = 224  # pixels of drawn pages
_PAINTABLE = tuple(i for i, thing in enumerate(OBJECTS) if thing.paintable)
_MOST_PIXELS = 200_000_000


@dataclass(frozen=True)
class Case:
    """One question: where is this?

    Attributes:
        picture: In RGB.
        text: Words for the thing.
        label: Its class.
        mask: Its pixels.
        other: Pixels of the thing that it could be taken for, in cases made to be confusing.
    """

    picture: Image.Image
    text: str
    label: str
    mask: Bool[np.ndarray, "h w"]
    other: Bool[np.ndarray, "h w"] | None = None


def crowded(seed: int, n: int) -> Iterator[Case]:
    """Storybook scenes of three objects, one of them named with its colour."""
    chance = random.Random(seed)
    for _ in range(n):
        scene, named = random_scene(chance, n_objects=3), chance.randrange(3)
        yield _case(scene, named, None)


def same_colour(seed: int, n: int) -> Iterator[Case]:
    """Storybook scenes of two objects in the same colour, one of them named."""
    chance = random.Random(seed)
    for _ in range(n):
        scene = random_scene(chance, object_ids=tuple(chance.sample(_PAINTABLE, 2)))
        colour, named = chance.randrange(N_COLOURS), chance.randrange(2)
        painted = tuple(replace(thing, colour_id=colour) for thing in scene.objects)
        yield _case(Scene(scene.place_id, painted, scene.seed), named, 1 - named)


def of_corpus(corpus: Corpus) -> Iterator[Case]:
    """Cases of every picture of a corpus with masks, as `of_pictures`."""
    pictures = (item.picture for item in corpus.items() if isinstance(item, CorpusItem))
    return of_pictures(corpus, dict.fromkeys(pictures))


def of_pictures(corpus: Corpus, pictures: Iterable[str]) -> Iterator[Case]:
    """Every class of some pictures of a corpus with masks: the class's name, and the pixels of all its things.

    As published: one case a picture and class, things of a class together.
    """
    assert isinstance(corpus, MaskedCorpus), "only corpora with masks can judge heatmaps"
    for name in pictures:
        masks = corpus.masks(name)
        if not masks:
            continue
        content = corpus.reader.read(name)
        picture = content if isinstance(content, Image.Image) else decode_picture(content, None, _MOST_PIXELS)
        for label in dict.fromkeys(mask.label for mask in masks):
            pixels = np.logical_or.reduce([mask.pixels for mask in masks if mask.label == label])
            if pixels.any():
                yield Case(picture, label, label, pixels)


def write_cases(cases: Sequence[Case], path: Path) -> None:
    """Write cases into one file, for other processes; what could be confused with what is left out."""
    arrays: dict[str, np.ndarray] = {"words": np.array([[case.text, case.label] for case in cases])}
    for number, case in enumerate(cases):
        arrays |= {f"picture{number}": np.asarray(case.picture), f"mask{number}": case.mask}
    with path.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def read_cases(path: Path) -> list[Case]:
    """What `write_cases` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        return [
            Case(Image.fromarray(arrays[f"picture{number}"]), str(text), str(label), arrays[f"mask{number}"])
            for number, (text, label) in enumerate(arrays["words"])
        ]


def _case(scene: Scene, named: int, other: int | None) -> Case:
    masks, thing = draw_masks(scene, STORYBOOK_SIDE), scene.objects[named]
    noun = OBJECTS[thing.object_id].nouns[0]
    colour = [COLOUR_NAMES[thing.colour_id]] if thing.colour_id >= 0 else []
    return Case(
        Image.fromarray(draw(scene, STORYBOOK_SIDE)),
        article(" ".join([*colour, noun])),
        noun,
        masks[named],
        None if other is None else masks[other],
    )
