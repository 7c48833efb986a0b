"""What training tests share: three small streams, recipes cut down to a second, and a way to interrupt a run."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from index_build.features.store import FeatureStore
from index_build.training import start
from index_build.training.options import TrainingOptions
from index_build.training.progress import TrainingProgress
from sparc_core.model import Sparc, normalize

WIDTHS = {"dino": 8, "clip_img": 6, "clip_txt": 6}
N_ROWS = 110
RECIPES = {"published": TrainingOptions.published, "storybook": TrainingOptions.storybook}


class InterruptionError(Exception):
    """Stands for a power cut."""


def example_features() -> dict[str, np.ndarray]:
    """Streams that read the same four hidden causes, plus noise."""
    generator = torch.Generator().manual_seed(5)
    causes = torch.rand(N_ROWS, 4, generator=generator) * (torch.rand(N_ROWS, 4, generator=generator) < 0.5)
    streams = {}
    for stream, d in WIDTHS.items():
        mixed = causes @ torch.randn(4, d, generator=generator) + 0.3
        streams[stream] = normalize(mixed + 0.05 * torch.randn(N_ROWS, d, generator=generator)).numpy()
    return streams


def tensors(features: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {stream: torch.from_numpy(x) for stream, x in features.items()}


def initial_model(store: FeatureStore, options: TrainingOptions) -> Sparc:
    return start.initial_model(store, options, start.feature_moments(store))


def small(recipe: str = "storybook", **changes: Any) -> TrainingOptions:
    """A recipe cut down to four steps per epoch and thirty epochs, with resampling well within."""
    settings: dict[str, Any] = {
        "n_latents": 24, "k": 3, "auxk": 4, "batch_size": 32, "num_epochs": 30, "dead_steps_threshold": 5,
        "dead_neuron_threshold": 5, "warmup_steps": 0, "resample_every": 7, "checkpoint_every": 10, "lr": 3e-3,
    }  # fmt: skip
    return RECIPES[recipe](**(settings | changes))


def assert_same_bits(first: Sparc, second: Sparc) -> None:
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name


def stop_at(step: int) -> Callable[[TrainingProgress], None]:
    def report(progress: TrainingProgress) -> None:
        if progress.step >= step:
            raise InterruptionError

    return report
