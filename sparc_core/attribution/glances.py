"""Glances: having looked at a picture, look again at the places that stand out, each alone, and weigh them anew.

A tower that sees a whole picture spreads what it finds: of two red things, both light up for "a red kite". Seen alone,
the kite fits the caption better than the other. A glance costs a fraction of a look, since the tower gets only the
patches around one place.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int64

from sparc_core.attribution.looks import some_patches
from sparc_core.backbones.base import ImageBackbone
from sparc_core.backbones.features import native_precision

N_GLANCES = 4
# In shares of the patch grid's side: how wide a glance is, how far apart two are, and how far its verdict reaches.
_WIDTH, _APART, _REACH = 0.5, 0.2, 0.21
# A place whose score is this share lower than the best one's counts 1/e of it.
_TEMPERATURE = 0.12


def weigh_places(
    backbone: ImageBackbone,
    values: Float[torch.Tensor, "b rows columns"],
    looks: Sequence[Float[torch.Tensor, "b t d"]],
    score: Callable[[Float[torch.Tensor, "bn d"], int], Float[torch.Tensor, " bn"]],
) -> Float[torch.Tensor, "b rows2 columns2"]:
    """How much each place of a map deserves what it has, 0 to 1, on a grid twice as fine.

    Args:
        backbone: The tower; it must be one that `drops_patches`.
        values: The map, one value a patch.
        looks: Tokens that enter the first block, of the pictures and of the same moved by less than a patch; places
            are scored in each, which evens out what the cuts between patches do.
        score: From features (not normalised) of b * n rows, n in a row of each picture, to scores.
    """
    places = _places(values, round(_APART * min(values.shape[1:])))
    patches = _around(places, round(_WIDTH * min(values.shape[1:])), *values.shape[1:])
    with torch.no_grad(), native_precision(values.device):
        seen = [backbone.finish(some_patches(backbone, tokens, patches), backbone.n_blocks) for tokens in looks]
    with torch.no_grad():
        scores = torch.stack([score(features, N_GLANCES) for features in seen]).mean(0).view(len(values), N_GLANCES)
    best = scores.max(1, keepdim=True).values
    weights = torch.exp((scores / best.clamp_min(1e-12) - 1) / _TEMPERATURE)
    # Where no place fits at all, none is better than another.
    weights = torch.where(best > 0, weights, 1.0)
    return (_shares(places, *values.shape[1:]) * weights[:, :, None, None]).sum(1)


def _places(values: Float[torch.Tensor, "b rows columns"], apart: int) -> Int64[torch.Tensor, "b n 2"]:
    """Row and column of the strongest patches, `apart` patches from each other."""
    rows, columns = (torch.arange(n, device=values.device) for n in values.shape[1:])
    found = []
    for _ in range(N_GLANCES):
        strongest = values.flatten(1).argmax(1)
        row, column = strongest // len(columns), strongest % len(columns)
        found.append(torch.stack([row, column], 1))
        distance = (rows[:, None] - row[:, None, None]) ** 2 + (columns - column[:, None, None]) ** 2
        values = values.masked_fill(distance <= apart**2, -1.0)
    return torch.stack(found, 1)


def _around(places: Int64[torch.Tensor, "b n 2"], side: int, rows: int, columns: int) -> Int64[torch.Tensor, "b n p"]:
    """The patches of a square around each place, moved inside the grid."""
    top = (places[..., 0] - side // 2).clamp(0, rows - side)
    left = (places[..., 1] - side // 2).clamp(0, columns - side)
    steps = torch.arange(side, device=places.device)
    within = (steps[:, None] * columns + steps).flatten()
    return (top * columns + left)[..., None] + within


def _shares(places: Int64[torch.Tensor, "b n 2"], rows: int, columns: int) -> Float[torch.Tensor, "b n rows2 columns2"]:
    """To which place each cell of the finer grid belongs, softly; shares of a cell add up to 1."""
    device, reach = places.device, _REACH * min(rows, columns)
    y, x = ((torch.arange(2 * n, device=device) + 0.5) / 2 - 0.5 for n in (rows, columns))
    distance = (y[:, None] - places[..., 0, None, None]) ** 2 + (x - places[..., 1, None, None]) ** 2
    return torch.softmax(-distance / (2 * reach**2), 1)
