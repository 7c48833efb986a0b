"""Logits of a training batch, in float32 or, for speed, from a bfloat16 copy of the encoder.

The weights themselves, their gradients and everything after the selection stay float32.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from index_build.training.options import EncoderDtype
from sparc_core.model import Sparc


class Encoder:
    """The encoders of a model, as training steps use them.

    Args:
        model: Whose weights.
        dtype: What the products are computed in, and what the logits are rounded to.
    """

    def __init__(self, model: Sparc, dtype: EncoderDtype) -> None:
        self._model = model
        self._copies: dict[str, Tensor] = {}
        if dtype == "bfloat16":
            for stream in model.config.streams:
                self._copies[stream] = model.autoencoder(stream).encoder.detach().bfloat16()

    def refresh(self, stream: str, start: int, rows: Float[Tensor, "m d"]) -> None:
        """Take over new encoder rows, from row `start` on."""
        if stream in self._copies:
            self._copies[stream][start : start + len(rows)] = rows

    def refresh_all(self) -> None:
        """Take over all encoder rows."""
        for stream in self._copies:
            self.refresh(stream, 0, self._model.autoencoder(stream).encoder.detach())

    @torch.no_grad()
    def logits(self, features: Mapping[str, Float[Tensor, "b d"]]) -> dict[str, Tensor]:
        """Logits [b l] of every stream, without a graph."""
        if not self._copies:
            return self._model.all_logits(features)
        logits = {}
        for stream, copy in self._copies.items():
            weights = self._model.autoencoder(stream)
            centred = (features[stream] - weights.pre_bias).bfloat16()
            logits[stream] = F.linear(centred, copy, weights.latent_bias.bfloat16())
        return logits
