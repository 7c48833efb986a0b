"""Corpora: what a bundle is built over. A corpus knows its items' captions and labels and can show their pictures.

`StorybookCorpus` draws its own; other corpora implement the same `Corpus` protocol.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from jaxtyping import UInt8

from index_build.storybook.captions import caption, full_caption
from index_build.storybook.drawing import draw
from index_build.storybook.scene import Scene, random_scene
from index_build.storybook.world import Label, label_hierarchy
from sparc_core.errors import InputError


@dataclass(frozen=True, slots=True)
class CorpusItem:
    """One item: its id (unique, also its media file's name), caption, labels and split."""

    item_id: str
    caption: str
    labels: tuple[str, ...]
    split: str


class Corpus(Protocol):
    """Items in a fixed order. Worker processes receive a copy, so a corpus pickles; it loads no torch."""

    @property
    def name(self) -> str:
        """What to call it."""

    @property
    def licence(self) -> str:
        """Under which terms its pictures and captions may be used."""

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that decides its content, as JSON values."""

    @property
    def items(self) -> Sequence[CorpusItem]:
        """All items, by row."""

    @property
    def labels(self) -> tuple[Label, ...]:
        """Every label and its place in the hierarchy, parents first."""

    def picture(self, row: int) -> UInt8[np.ndarray, "h w 3"]:
        """The row's picture, RGB."""

    def picture_shape(self, row: int) -> tuple[int, int]:
        """Height and width of that picture in pixels, without drawing it."""


@dataclass(frozen=True)
class StorybookCorpus:
    """Storybook scenes: first `n_train` with natural captions, then `n_test` held out with captions that name all.

    Row i of a split depends on the seed and on i alone, so a larger corpus begins with the smaller one's scenes; and
    scenes are seeded by text, which keeps them apart from those that the towers were trained on.

    Raises:
        InputError: A split is empty or larger than a million.
    """

    n_train: int = 6000
    n_test: int = 1000
    seed: int = 0
    picture_size: int = 224
    name: str = "storybook"
    licence: str = "Apache-2.0"

    def __post_init__(self) -> None:
        for split, n in (("train", self.n_train), ("test", self.n_test)):
            if not 1 <= n <= 1_000_000:
                raise InputError(f"storybook corpus cannot have {n} {split} items: choose from 1 to 1000000")

    @property
    def settings(self) -> dict[str, Any]:
        """Sizes and seed."""
        sizes = {"n_train": self.n_train, "n_test": self.n_test, "picture_size": self.picture_size}
        return {"corpus": self.name, "seed": self.seed} | sizes

    @cached_property
    def items(self) -> tuple[CorpusItem, ...]:
        """All items; captions and labels follow from the scenes."""
        return tuple(self._item(row) for row in range(self.n_train + self.n_test))

    @property
    def labels(self) -> tuple[Label, ...]:
        """The storybook's hierarchy."""
        return label_hierarchy()

    def scene(self, row: int) -> Scene:
        """The scene of a row."""
        return random_scene(self._chance(row, "scene"))

    def picture(self, row: int) -> UInt8[np.ndarray, "h w 3"]:
        """The scene, drawn."""
        return draw(self.scene(row), self.picture_size)

    def picture_shape(self, row: int) -> tuple[int, int]:
        """Square, all of one size."""
        return self.picture_size, self.picture_size

    def _item(self, row: int) -> CorpusItem:
        scene, chance, split = self.scene(row), self._chance(row, "caption"), self._split(row)
        if split == "train":
            text = caption(scene, chance, all_objects=0.9, with_place=0.6).text
        else:
            text = full_caption(scene, chance)
        return CorpusItem(f"s{row:06d}", text, scene.labels, split)

    def _split(self, row: int) -> str:
        return "train" if row < self.n_train else "test"

    def _chance(self, row: int, purpose: str) -> random.Random:
        number = row if row < self.n_train else row - self.n_train
        return random.Random(f"storybook corpus {self.seed} {self._split(row)} {number} {purpose}")
