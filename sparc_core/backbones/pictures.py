"""From pictures to tower inputs: mode, size and scale in one place, the same offline and in the service."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image


@dataclass(frozen=True)
class PictureInput:
    """How a tower takes pictures: squashed to `size` x `size`, scaled to (value - mean) / std per channel."""

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __call__(self, pictures: Sequence[Image.Image]) -> Float[torch.Tensor, "b c h w"]:
        """One input batch; transparent pictures are laid on white."""
        arrays = [np.asarray(self._fit(picture), np.float32) for picture in pictures]
        x = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2) / 255
        mean, std = torch.tensor(self.mean)[:, None, None], torch.tensor(self.std)[:, None, None]
        return ((x - mean) / std).contiguous()

    def _fit(self, picture: Image.Image) -> Image.Image:
        return to_rgb(picture).resize((self.size, self.size), Image.Resampling.BICUBIC)


def to_rgb(picture: Image.Image) -> Image.Image:
    """The picture in RGB, transparency laid on white."""
    if picture.mode == "RGB":
        return picture
    if picture.mode == "I" or picture.mode.startswith("I;16"):
        # Pillow would clip 16 bits to 255, which makes nearly everything white.
        return Image.fromarray((np.asarray(picture).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)).convert("RGB")
    if "transparency" in picture.info or picture.mode in ("RGBA", "LA", "PA"):
        page = Image.new("RGBA", picture.size, "white")
        page.alpha_composite(picture.convert("RGBA"))
        return page.convert("RGB")
    return picture.convert("RGB")
