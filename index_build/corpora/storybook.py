"""The embedded corpus: storybook scenes, drawn when they are asked for. `index_build.storybook` is its world."""

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from index_build.corpora.base import CorpusItem, Label, Mask, Split
from index_build.storybook.captions import caption, full_caption
from index_build.storybook.drawing import draw, draw_masks
from index_build.storybook.scene import Scene, random_scene
from index_build.storybook.world import OBJECTS, label_hierarchy
from sparc_core.errors import InputError

_PICTURE = re.compile(r"s(\d{6,7})")


class StorybookSettings(BaseModel):
    """Settings of the storybook."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["storybook"] = Field("storybook", description="The embedded picture-book world; needs no files.")
    n_train: int = Field(6000, ge=1, le=1_000_000, description="Scenes to learn from.")
    n_test: int = Field(1000, ge=1, le=1_000_000, description="Scenes held out, with captions that name everything.")
    seed: int = Field(0, description="Another number makes other scenes.")
    picture_size: int = Field(224, ge=16, le=4096, description="Side of the drawn pictures, in pixels.")


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
    def settings(self) -> Mapping[str, Any]:
        """Sizes and seed."""
        sizes = {"n_train": self.n_train, "n_test": self.n_test, "picture_size": self.picture_size}
        return {"kind": "storybook", "seed": self.seed} | sizes

    @property
    def labels(self) -> tuple[Label, ...]:
        """The storybook's hierarchy."""
        return label_hierarchy()

    @property
    def reader(self) -> "StorybookReader":
        """Draws the scenes."""
        return StorybookReader(self)

    def items(self) -> Iterator[CorpusItem]:
        """All items; captions and labels follow from the scenes."""
        return (self._item(row) for row in range(self.n_train + self.n_test))

    def scene(self, row: int) -> Scene:
        """The scene of a row."""
        return random_scene(self._chance(row, "scene"))

    def scene_of(self, picture: str) -> Scene:
        """The scene of a picture.

        Raises:
            FileNotFoundError: There is no such picture.
        """
        match = _PICTURE.fullmatch(picture)
        if match is None or int(match[1]) >= self.n_train + self.n_test:
            raise FileNotFoundError(f'the storybook has no picture "{picture}"')
        return self.scene(int(match[1]))

    def masks(self, picture: str) -> list[Mask]:
        """One mask per object, in the order of drawing."""
        scene = self.scene_of(picture)
        pixels = draw_masks(scene, self.picture_size)
        return [Mask(OBJECTS[o.object_id].nouns[0], mask) for o, mask in zip(scene.objects, pixels, strict=True)]

    def _item(self, row: int) -> CorpusItem:
        scene, chance, split = self.scene(row), self._chance(row, "caption"), self._split(row)
        if split == "train":
            text = caption(scene, chance, all_objects=0.9, with_place=0.6).text
        else:
            text = full_caption(scene, chance)
        name = f"s{row:06d}"
        return CorpusItem(name, name, text, scene.labels, split)

    def _split(self, row: int) -> Split:
        return "train" if row < self.n_train else "test"

    def _chance(self, row: int, purpose: str) -> random.Random:
        number = row if row < self.n_train else row - self.n_train
        return random.Random(f"storybook corpus {self.seed} {self._split(row)} {number} {purpose}")


@dataclass(frozen=True)
class StorybookReader:
    """Draws the pictures of a storybook."""

    corpus: StorybookCorpus

    def read(self, picture: str) -> Image.Image:
        """The scene, drawn.

        Raises:
            FileNotFoundError: There is no such picture.
        """
        return Image.fromarray(draw(self.corpus.scene_of(picture), self.corpus.picture_size))
