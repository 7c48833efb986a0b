"""Grids of patch values: blended with neighbours, made finer, moved."""

import torch
import torch.nn.functional as F
from jaxtyping import Float


def blur(values: Float[torch.Tensor, "b rows columns"]) -> Float[torch.Tensor, "b rows columns"]:
    """Blend each patch with its neighbours (binomial 1-2-1 both ways, edges repeated).

    Attribution is spiky: single patches beside an object collect what the tower wants to remember.
    """
    kernel = torch.tensor([1.0, 2.0, 1.0], device=values.device, dtype=values.dtype) / 4
    padded = F.pad(values[:, None], (1, 1, 1, 1), mode="replicate")
    across = F.conv2d(padded, kernel.view(1, 1, 1, 3))
    return F.conv2d(across, kernel.view(1, 1, 3, 1))[:, 0]


def finer(values: Float[torch.Tensor, "b rows columns"]) -> Float[torch.Tensor, "b rows2 columns2"]:
    """Twice as many rows and columns over the same area, bilinear."""
    return F.interpolate(values[:, None], scale_factor=2, mode="bilinear", align_corners=False)[:, 0]


def moved(pictures: Float[torch.Tensor, "b *c h w"], by: int) -> Float[torch.Tensor, "b *c h w"]:
    """Pictures or maps moved right and down by so many cells (left and up where negative), edges repeated."""
    for side in (-2, -1):
        n = pictures.shape[side]
        from_where = (torch.arange(n, device=pictures.device) - by).clamp(0, n - 1)
        pictures = pictures.index_select(side, from_where)
    return pictures
