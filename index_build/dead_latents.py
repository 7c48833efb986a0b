"""Dead latents: counting the steps that each latent has slept.

The counters belong to training (`index_build.trainer`): encoding changes nothing. A latent can be dead in one stream
and alive in another. What is done about latents that sleep for good is in `index_build.resampling`.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from sparc_core.sparse import SparseCode


class DeadLatents:
    """Steps since each latent last was active, per stream.

    Attributes:
        steps_asleep: Per stream, int64 [l]. An active step sets 1, every other step adds 1; 0 before the first step.
    """

    def __init__(self, streams: Sequence[str], n_latents: int, steps_threshold: int, activation_threshold: float):
        """Args: dead after more than `steps_threshold` steps with no activation above `activation_threshold`."""
        self._steps_threshold = steps_threshold
        self._activation_threshold = activation_threshold
        self.steps_asleep = {stream: torch.zeros(n_latents, dtype=torch.int64) for stream in streams}

    def advance(self, codes: Mapping[str, SparseCode]) -> None:
        """Count one training step."""
        for stream, code in codes.items():
            steps = self.steps_asleep[stream]
            awake = code.latents[code.activations > self._activation_threshold]
            steps[awake] = 0
            steps += 1

    def masks(self) -> dict[str, Bool[Tensor, " l"]]:
        """Which latents are dead now, per stream."""
        return {stream: steps > self._steps_threshold for stream, steps in self.steps_asleep.items()}

    def share(self) -> float:
        """Share of the latents that are dead in every stream."""
        return float(torch.stack(list(self.masks().values())).all(0).float().mean())

    def wake(self, stream: str, latents: Int64[Tensor, " m"]) -> None:
        """Start counting afresh for latents that got new weights."""
        self.steps_asleep[stream][latents] = 0
