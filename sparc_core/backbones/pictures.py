"""From pictures to tower inputs: mode, size and scale in one place, the same offline and in the service."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image

from sparc_core.backbones.geometry import Geometry

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]
_STRIP = 32  # longer sides of more than so many shorter ones


@dataclass(frozen=True)
class PictureInput:
    """How a tower takes pictures: fitted by `geometry`, scaled to (value * rescale - mean) / std per channel.

    Attributes:
        geometry: What is resized and cropped to what.
        mean: Per channel, of the rescaled values.
        std: Per channel, of the rescaled values.
        interpolation: How pixels are resampled (Pillow's filters, which look at all pixels when they shrink).
        rescale: What 8-bit values are multiplied by; None divides by 255.
    """

    geometry: Geometry
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: Interpolation = "bicubic"
    rescale: float | None = None

    def __call__(self, pictures: Sequence[Image.Image]) -> Float[torch.Tensor, "b c h w"]:
        """One input batch; transparent pictures are laid on white."""
        arrays = [np.asarray(self._fit(picture), np.float32) for picture in pictures]
        values = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2)
        x = values / 255 if self.rescale is None else values * self.rescale
        mean, std = torch.tensor(self.mean)[:, None, None], torch.tensor(self.std)[:, None, None]
        return ((x - mean) / std).contiguous()

    def _fit(self, picture: Image.Image) -> Image.Image:
        geometry, size = self.geometry, picture.size
        resample = Image.Resampling[self.interpolation.upper()]
        if isinstance(geometry.resize, int) and max(size) > _STRIP * min(size):
            return self._fit(_middle(to_rgb(picture)))
        resized = to_rgb(picture).resize(geometry.resized(*size), resample)
        if resized.size == (geometry.width, geometry.height):
            return resized
        left, top = geometry.offset(*size)
        # Beyond the picture, Pillow's crop is black, as the padding of torchvision and transformers is.
        return resized.crop((left, top, left + geometry.width, top + geometry.height))


def _middle(strip: Image.Image) -> Image.Image:
    """The middle of a strip, which is all that a crop sees: whole, one pixel by thousands would grow to gigabytes."""
    width, height = strip.size
    margin = (max(width, height) - _STRIP * min(width, height)) // 2 + 1
    box = (margin, 0, width - margin, height) if width > height else (0, margin, width, height - margin)
    return strip.crop(box)


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
