"""How much to believe a heatmap: what happens to the score when its strongest patches go, or when only they stay.

Deletion takes patches away in the map's order, insertion shows only the first ones. A map that has found what the
score depends on lets the score fall fast and rise fast. Source: Petsiuk et al. 2018 (arXiv 1806.07421). Patches are
dropped from the tokens where the tower takes that, else they become those of an empty page: painting them in the
tower's mean colour would give the same tokens.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64

from sparc_core.attribution.looks import some_patches, trunk_of
from sparc_core.attribution.methods import Scorer
from sparc_core.backbones.base import ImageBackbone
from sparc_core.backbones.features import native_precision

SHARES = (0.0, 0.1, 0.3, 0.6, 1.0)
"""Of the patches, from the strongest on."""


_MOST = 3.0


class Ends(NamedTuple):
    """Where all curves of a picture begin and end: the scores of the whole picture, and of none of its patches."""

    whole: Float[torch.Tensor, " b"]
    empty: Float[torch.Tensor, " b"]


class Curves(NamedTuple):
    """Scores along `SHARES`, as shares of the whole picture's score: 1 is as good as whole, 3 is the most that counts.

    What else a picture shows counts against a match, so that its best tenth alone often scores more than the whole.

    Attributes:
        deletion: Without so many of the strongest patches.
        insertion: With so many of the strongest patches alone.
    """

    deletion: Float[torch.Tensor, "b s"]
    insertion: Float[torch.Tensor, "b s"]

    def areas(self) -> tuple[Float[torch.Tensor, " b"], Float[torch.Tensor, " b"]]:
        """Areas under both curves; the lower the first and the higher the second, the better the map."""
        shares = torch.tensor(SHARES, device=self.deletion.device)
        return torch.trapezoid(self.deletion, shares, dim=1), torch.trapezoid(self.insertion, shares, dim=1)


@torch.no_grad()
def ends(backbone: ImageBackbone, embedded: Float[torch.Tensor, "b t d"], score: Scorer) -> Ends:
    """The ends that the curves of some pictures share; arguments as of `curves`."""
    every = torch.arange(backbone.rows * backbone.columns, device=embedded.device).expand(len(embedded), -1)
    return Ends(*(_scores(backbone, embedded, kept, score) for kept in (every, every[:, :0])))


@torch.no_grad()
def curves(
    backbone: ImageBackbone,
    embedded: Float[torch.Tensor, "b t d"],
    values: Float[torch.Tensor, "b rows columns"],
    score: Scorer,
    ends: Ends,
) -> Curves:
    """Deletion and insertion curves of heatmaps.

    Args:
        backbone: The tower.
        embedded: The pictures' tokens that enter its first block.
        values: The maps, on the patch grid or a finer one.
        score: The score that the maps explain.
        ends: Of the same pictures and score.
    """
    patches = F.adaptive_avg_pool2d(values[:, None].float(), (backbone.rows, backbone.columns))[:, 0].flatten(1)
    order = patches.argsort(dim=1, descending=True, stable=True)
    counts = [round(share * order.shape[1]) for share in SHARES[1:-1]]
    deletion = [ends.whole, *(_scores(backbone, embedded, order[:, n:], score) for n in counts), ends.empty]
    insertion = [ends.empty, *(_scores(backbone, embedded, order[:, :n], score) for n in counts), ends.whole]
    whole = ends.whole.clamp_min(1e-12)[:, None]
    return Curves(*((torch.stack(scores, 1) / whole).clamp(0, _MOST) for scores in (deletion, insertion)))


def _scores(
    backbone: ImageBackbone,
    embedded: Float[torch.Tensor, "b t d"],
    kept: Int64[torch.Tensor, "b p"],
    score: Scorer,
) -> Float[torch.Tensor, " b"]:
    return score(features_of_patches(backbone, embedded, kept), 1)


@torch.no_grad()
def features_of_patches(
    backbone: ImageBackbone, embedded: Float[torch.Tensor, "b t d"], kept: Int64[torch.Tensor, "b p"]
) -> Float[torch.Tensor, "b d"]:
    """Features of pictures of which only some patches are shown, the same number of each.

    Args:
        backbone: The tower.
        embedded: The pictures' tokens that enter its first block.
        kept: The patches that stay, by number, row by row.
    """
    # A tower without prefix tokens has nothing left when all patches are gone.
    if backbone.drops_patches and kept.shape[1] + backbone.n_prefix > 0:
        trunk = some_patches(backbone, embedded, kept[:, None])
    else:
        stays = torch.zeros(embedded.shape[:2], dtype=torch.bool, device=embedded.device)
        stays[:, : backbone.n_prefix] = True
        stays.scatter_(1, kept + backbone.n_prefix, True)
        trunk = trunk_of(backbone, torch.where(stays[:, :, None], embedded, _empty_page(backbone, embedded)))
    with native_precision(embedded.device):
        return backbone.finish(trunk, backbone.n_blocks)


def _empty_page(backbone: ImageBackbone, embedded: torch.Tensor) -> Float[torch.Tensor, "1 t d"]:
    """Tokens of a picture that is the tower's mean colour all over: zeros, after preprocessing."""
    geometry = backbone.geometry
    blank = embedded.new_zeros(1, 3, geometry.height, geometry.width)
    return backbone.trunk(blank, backbone.n_blocks).tokens
