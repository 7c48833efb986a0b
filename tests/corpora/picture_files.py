"""Small real pictures, and short ways to look at a corpus."""

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from index_build.corpora import Corpus, CorpusItem, Rejected


def picture_bytes(seed: int = 0, size: tuple[int, int] = (8, 6), kind: str = "JPEG") -> bytes:
    """A picture of random pixels, width x height."""
    pixels = np.random.RandomState(seed).randint(0, 255, (size[1], size[0], 3)).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


def write_pictures(folder: Path, names: Iterable[str]) -> None:
    """A picture for each name, all different."""
    for seed, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture_bytes(seed))


def items_of(corpus: Corpus) -> list[CorpusItem]:
    """The items, without what was rejected."""
    return [entry for entry in corpus.items() if isinstance(entry, CorpusItem)]


def rejected_of(corpus: Corpus) -> list[Rejected]:
    """What was rejected."""
    return [entry for entry in corpus.items() if isinstance(entry, Rejected)]


def by_id(corpus: Corpus) -> dict[str, CorpusItem]:
    """Items by id."""
    return {item.item_id: item for item in items_of(corpus)}
