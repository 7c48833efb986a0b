"""Codes of a batch under both selections, from one computation of its logits.

The logits are those of `Sparc.all_logits` to the bit, written into memory that is used again for every batch; the
latents are chosen as `sparc_core.selection` chooses them, with ties defined (`index_build.indexing.top_latents`).
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Int64

from index_build.indexing.top_latents import top_latents
from sparc_core.bundle.codes import Codes, pack_codes
from sparc_core.model import Sparc

MOST_ITEMS = 1024
_MOST_LOGITS = 1 << 24
_BLOCK = 64  # rows whose logits stay in the processor's cache while latents are chosen
Logits = Mapping[str, Float32[np.ndarray, "b l"]]


class BothCodes(NamedTuple):
    """Codes of the same items by stream, under the model's own selection and under per-stream selection."""

    own: dict[str, Codes]
    local: dict[str, Codes]


class _Chosen(NamedTuple):
    latents: Int64[np.ndarray, "b k"]
    activations: Float32[np.ndarray, "b k"]


class BatchEncoder:
    """Encodes batches with one model.

    Attributes:
        batch_size: The most items of a batch: 1,024, fewer where the dictionary is so wide that logits would fill the
            memory.
    """

    def __init__(self, model: Sparc) -> None:
        """Args: the model, on the CPU."""
        self._model, self._config = model, model.config
        self.batch_size = min(MOST_ITEMS, max(1, _MOST_LOGITS // self._config.n_latents))
        shape = (self.batch_size, self._config.n_latents)
        # From numpy, which asks for huge pages: zeroing fresh small ones takes a tenth of the products' time.
        self._memory = {stream: torch.from_numpy(np.empty(shape, np.float32)) for stream in self._config.streams}

    def encode(self, features: Mapping[str, Float32[np.ndarray, "b d"]]) -> BothCodes:
        """Codes of aligned features of any of the model's streams, `batch_size` rows at most.

        Raises:
            InputError: A feature is NaN.
            ShapeError: An activation is infinite or above float16's 65504.
        """
        logits = self._logits(features)
        n_items = len(next(iter(logits.values())))
        blocks = [
            self._choose({stream: rows[start : start + _BLOCK] for stream, rows in logits.items()})
            for start in range(0, n_items, _BLOCK)
        ]
        local = {stream: self._packed([block[1][stream] for block in blocks]) for stream in logits}
        if self._config.selection == "local":
            return BothCodes(local, local)
        return BothCodes({stream: self._packed([block[0][stream] for block in blocks]) for stream in logits}, local)

    def _logits(self, features: Mapping[str, Float32[np.ndarray, "b d"]]) -> Logits:
        """In the model's order of streams."""
        found = {}
        with torch.inference_mode():
            for stream in self._config.streams:
                if stream in features:
                    weights, x = self._model.autoencoder(stream), torch.from_numpy(features[stream])
                    out = self._memory[stream][: len(x)]
                    torch.addmm(weights.latent_bias, x - weights.pre_bias, weights.encoder.T, out=out)
                    found[stream] = out.numpy()
        return found

    def _choose(self, logits: Logits) -> tuple[dict[str, _Chosen], dict[str, _Chosen]]:
        """The model's own choice (none where that is per stream), and each stream's."""
        k, own = self._config.k, {}
        if self._config.selection == "global":
            shared = top_latents(_total(list(logits.values())), k)
            own = {stream: _gated(rows, shared) for stream, rows in logits.items()}
        return own, {stream: _gated(rows, top_latents(rows, k)) for stream, rows in logits.items()}

    def _packed(self, blocks: list[_Chosen]) -> Codes:
        latents, activations = (np.concatenate(part) for part in zip(*blocks, strict=True))
        return pack_codes(latents, activations, self._config.n_latents)


def _total(logits: list[Float32[np.ndarray, "b l"]]) -> Float32[np.ndarray, "b l"]:
    """Sum over streams, in the order of `sparc_core.selection`."""
    if len(logits) == 1:
        return logits[0]
    total = logits[0] + logits[1]
    for rows in logits[2:]:
        total += rows
    return total


def _gated(logits: Float32[np.ndarray, "b l"], latents: Int64[np.ndarray, "b k"]) -> _Chosen:
    return _Chosen(latents, np.maximum(np.take_along_axis(logits, latents, 1), 0))
