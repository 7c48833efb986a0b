"""Indexing written plainly: dense codes, then a Python loop over every active latent of every item.

What `benchmarks.index_scale` compares with. It is what the published analysis does, from a description of it: lists of
the strongest items per latent, kept short by sorting, and a cache of every item's code.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from sparc_core.model import Sparc

N_TOP, BATCH = 200, 256


class PlainIndex:
    """The strongest items of every latent, by stream.

    Attributes:
        top: By stream and latent, (item, activation), the strongest first.
        cache: By item and stream, the code as wide as the dictionary, in float16.
    """

    def __init__(self, model: Sparc) -> None:
        """Args: whose latents."""
        self._model = model
        streams, n_latents = model.config.streams, model.config.n_latents
        self.top: dict[str, list[list[tuple[int, float]]]] = {s: [[] for _ in range(n_latents)] for s in streams}
        self.cache: dict[int, dict[str, Tensor]] = {}

    @torch.inference_mode()
    def add(self, first_item: int, features: Mapping[str, Tensor]) -> None:
        """Index a batch of items, numbered from `first_item` on."""
        for stream, codes in self._dense_codes(features).items():
            for row, code in enumerate(codes):
                item = first_item + row
                for latent in code.nonzero().squeeze(1).tolist():
                    top = self.top[stream][latent]
                    top.append((item, code[latent].item()))
                    top.sort(key=lambda entry: entry[1], reverse=True)
                    del top[N_TOP:]
                self.cache.setdefault(item, {})[stream] = code.half()

    def save(self, folder: Path) -> None:
        """Write the lists and the cache."""
        folder.mkdir()
        torch.save(self.top, folder / "top.pt")
        torch.save(self.cache, folder / "cache.pt")

    def _dense_codes(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Under global selection, [b l]."""
        logits = self._model.all_logits(features)
        chosen = torch.stack(list(logits.values())).sum(0).topk(self._model.config.k, dim=1).indices
        return {
            stream: torch.zeros_like(values).scatter(1, chosen, F.relu(values.gather(1, chosen)))
            for stream, values in logits.items()
        }
