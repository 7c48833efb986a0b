"""A tower so simple that every number of its heatmaps is known: it says how bright a picture is, patch by patch.

Its tokens are (brightness, 1) of each patch, after one prefix token of (0, 1); its one block lets them through; its
feature is their sum. With the SPARC below, latent 0 is the brightness and latent 1 the number of tokens.
"""

from collections.abc import Sequence
from typing import Literal, Self

import torch
from PIL import Image

from sparc_core.backbones import Geometry, HeadOutput, Trunk
from sparc_core.backbones.base import shape_only
from sparc_core.backbones.pictures import PictureInput
from sparc_core.model import Sparc, SparcConfig


class BrightnessTower:
    modality: Literal["image"] = "image"
    name, d, n_blocks, n_prefix = "brightness", 2, 1, 1

    def __init__(self, geometry: Geometry, drops_patches: bool = True) -> None:
        self.geometry, self.rows, self.columns = geometry, geometry.rows, geometry.columns
        self.drops_patches = drops_patches
        self._input = PictureInput(geometry, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "bilinear")

    def preprocess(self, inputs: Sequence[Image.Image]) -> torch.Tensor:
        return self._input(inputs)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return self.finish(self.trunk(x, 0), 0)

    def trunk(self, x: torch.Tensor, n_head_blocks: int) -> Trunk:
        bright = torch.nn.functional.avg_pool2d(x.mean(1, keepdim=True), self.geometry.patch).flatten(1)
        tokens = torch.stack([bright, torch.ones_like(bright)], 2)
        prefix = torch.tensor([0.0, 1.0]).expand(len(x), 1, 2)
        return Trunk(torch.cat([prefix, tokens], 1), shape_only(x))

    def finish(self, trunk: Trunk, n_head_blocks: int) -> torch.Tensor:
        return trunk.tokens.sum(1)

    def head(self, trunk: Trunk, n_head_blocks: int) -> HeadOutput:
        tokens = trunk.tokens.detach().requires_grad_()
        readout = tokens.new_ones(len(tokens), 1, tokens.shape[1])
        return HeadOutput(tokens.sum(1), [], readout, tokens, tokens)

    def to(self, device: torch.device) -> Self:
        return self


def brightness_sparc() -> Sparc:
    """Latents 0 and 1 are the feature's two numbers."""
    sparc = Sparc(SparcConfig({"eye": 2}, n_latents=2, k=1)).requires_grad_(False)
    sparc.autoencoder("eye").encoder.copy_(torch.eye(2))
    return sparc


def bright_square(width: int, height: int, box: tuple[int, int, int, int]) -> Image.Image:
    """A black picture with a white box: left, top, right, bottom."""
    picture = Image.new("RGB", (width, height))
    picture.paste((255, 255, 255), box)
    return picture
