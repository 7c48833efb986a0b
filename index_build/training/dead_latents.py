"""Dead latents: counting the steps that each latent has slept.

The counters belong to training (`index_build.training.trainer`): encoding changes nothing. A latent can be dead in one
stream and alive in another. What is done about latents that sleep for good is in `index_build.training.resampling`.
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

    def __init__(
        self,
        streams: Sequence[str],
        n_latents: int,
        steps_threshold: int,
        activation_threshold: float,
        device: torch.device | None = None,
    ) -> None:
        """Args: dead after `steps_threshold` steps without an activation above `activation_threshold`."""
        self._steps_threshold = steps_threshold
        self._activation_threshold = activation_threshold
        self.steps_asleep = {stream: torch.zeros(n_latents, dtype=torch.int64, device=device) for stream in streams}

    def awake(self, codes: Mapping[str, SparseCode]) -> dict[str, Bool[Tensor, " l"]]:
        """Which latents a batch's codes activate, per stream."""
        masks = {}
        for stream, code in codes.items():
            masks[stream] = torch.zeros_like(self.steps_asleep[stream], dtype=torch.bool)
            masks[stream][code.latents[code.activations > self._activation_threshold]] = True
        return masks

    def advance(self, awake: Mapping[str, Bool[Tensor, " l"]]) -> None:
        """Count one training step, in which these latents were awake."""
        for stream, mask in awake.items():
            self.steps_asleep[stream].masked_fill_(mask, 0).add_(1)

    def masks(self, steps_threshold: int | None = None) -> dict[str, Bool[Tensor, " l"]]:
        """Which latents are dead now, per stream; by another threshold if one is given."""
        threshold = self._steps_threshold if steps_threshold is None else steps_threshold
        return {stream: steps > threshold for stream, steps in self.steps_asleep.items()}

    def share(self) -> float:
        """Share of the latents that are dead in every stream."""
        return float(torch.stack(list(self.masks().values())).all(0).float().mean())

    def wake(self, stream: str, latents: Int64[Tensor, " m"]) -> None:
        """Start counting afresh for latents that got new weights."""
        self.steps_asleep[stream][latents] = 0

    def copy(self) -> dict[str, Int64[Tensor, " l"]]:
        """The counters as they are now, for `restore`."""
        return {stream: steps.clone() for stream, steps in self.steps_asleep.items()}

    def restore(self, steps_asleep: Mapping[str, Int64[Tensor, " l"]]) -> None:
        """Take counters over; KeyError if a stream's are missing."""
        for stream, steps in self.steps_asleep.items():
            steps.copy_(steps_asleep[stream])
