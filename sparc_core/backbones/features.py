"""Features as SPARC takes them: unit norm, float32, computed the same way by the builder and the service."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import torch
from jaxtyping import Float

from sparc_core.model import normalize


class FeatureBackbone(Protocol):
    """The part of a backbone (see `base`) that makes features; enough to build a bundle without heatmaps."""

    @property
    def modality(self) -> str:
        """Either "image" or "text"."""
        ...

    @property
    def d(self) -> int:
        """Width of the features."""
        ...

    def preprocess(self, inputs: Sequence[Any]) -> torch.Tensor:
        """Pictures or texts as the tower takes them."""
        ...

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Features, [b d], in any scale."""
        ...


def unit_features(backbone: FeatureBackbone, x: torch.Tensor) -> Float[torch.Tensor, "b d"]:
    """L2-normalised features of preprocessed inputs, on the inputs' device.

    The tower runs in bfloat16 where the hardware multiplies it natively: twice as fast, and the features differ by
    less than what re-encoding the picture does.
    """
    with torch.no_grad(), native_precision(x.device):
        features = backbone.features(x)
    return normalize(features.float())


def native_precision(device: torch.device) -> AbstractContextManager[None]:
    """Autocast to bfloat16 on devices with native bfloat16 products; nothing elsewhere, where it would be slower."""
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        capabilities = torch.cpu.get_capabilities()
        native = bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return torch.autocast(device.type, torch.bfloat16) if native else nullcontext()
