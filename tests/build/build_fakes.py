"""Stand-ins for the towers: a random projection of small grey pictures, and of hashed words."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from index_build.corpora.storybook import StorybookCorpus
from index_build.recipe import Recipe, StreamRecipe
from index_build.training.options import TrainingOptions

N_TRAIN, N_TEST = 70, 30
SIDE = 12


class FakeImage:
    """Features of pictures: a fixed random projection of 12 x 12 colour pixels."""

    modality = "image"

    def __init__(self, d: int, seed: int) -> None:
        self.d = d
        self._weights = torch.from_numpy(np.random.RandomState(seed).standard_normal((3 * SIDE**2, d))).float()

    def preprocess(self, inputs: Sequence[Any]) -> torch.Tensor:
        arrays = [np.asarray(picture.convert("RGB").resize((SIDE, SIDE)), np.float32) for picture in inputs]
        return torch.from_numpy(np.stack(arrays)).flatten(1) / 255 - 0.7

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self._weights


class FakeText:
    """Features of texts: a sum of random vectors, one per word."""

    modality = "text"
    d = 16

    def preprocess(self, inputs: Sequence[str]) -> torch.Tensor:
        rows = []
        for text in inputs:
            seeds = [int(hashlib.md5(word.encode()).hexdigest()[:8], 16) for word in text.split()]
            rows.append(sum(np.random.RandomState(seed).standard_normal(self.d) for seed in seeds))
        return torch.from_numpy(np.stack(rows)).float()

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return x


def load_fake(spec: str) -> Any:
    """The fake behind a spec."""
    return {"fake:eye": FakeImage(12, 1), "fake:camera": FakeImage(16, 2), "fake:text": FakeText()}[spec]


def fake_recipe(**changes: Any) -> Recipe:
    """A recipe over the fakes that trains in a second."""
    options = TrainingOptions.storybook(
        **({"n_latents": 24, "k": 4, "auxk": 4, "num_epochs": 4, "batch_size": 16} | changes)
    )
    streams = {
        "eye": StreamRecipe("image", "fake:eye"),
        "camera": StreamRecipe("image", "fake:camera"),
        "text": StreamRecipe("text", "fake:text"),
    }
    return Recipe(options, streams, shared_spaces=(("text", "camera"),))


def fake_corpus(seed: int = 0) -> StorybookCorpus:
    """A hundred scenes, drawn small."""
    return StorybookCorpus(N_TRAIN, N_TEST, seed, picture_size=56)
