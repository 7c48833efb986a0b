"""Pictures made ready for heatmaps: the tokens that enter the blocks in question. They serve any caption."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64

from sparc_core.attribution.grids import moved
from sparc_core.backbones.base import ImageBackbone, Trunk
from sparc_core.backbones.features import native_precision


@dataclass(frozen=True)
class Looks:
    """One batch of pictures as a tower looks at them.

    Attributes:
        n_head_blocks: The last blocks, whose attention or gradients are read.
        whole: Tokens of the pictures that enter these blocks.
        shifted: The same of the pictures moved right and down by half a patch; None where one look is enough.
        embedded: Tokens of the pictures that enter the first block; None where not asked for.
    """

    n_head_blocks: int
    whole: Float[torch.Tensor, "b t d"]
    shifted: Float[torch.Tensor, "b t d"] | None
    embedded: Float[torch.Tensor, "b t d"] | None

    @property
    def n_bytes(self) -> int:
        """Memory of the tokens."""
        parts = {id(part): part for part in (self.whole, self.shifted, self.embedded) if part is not None}
        return sum(part.nbytes for part in parts.values())

    def rows(self) -> "list[Looks]":
        """One picture each, with memory of its own."""
        return [self._row(i) for i in range(len(self.whole))]

    def _row(self, i: int) -> "Looks":
        whole = self.whole[i : i + 1].clone()
        shifted = None if self.shifted is None else self.shifted[i : i + 1].clone()
        embedded = self.embedded
        if embedded is not None:
            embedded = whole if embedded is self.whole else embedded[i : i + 1].clone()
        return Looks(self.n_head_blocks, whole, shifted, embedded)


def join(looks: Sequence[Looks]) -> Looks:
    """Several pictures, looked at in the same way, as one batch."""
    whole = torch.cat([one.whole for one in looks])
    shifted = [one.shifted for one in looks if one.shifted is not None]
    embedded = [one.embedded for one in looks if one.embedded is not None]
    same = all(one.embedded is one.whole for one in looks)
    return Looks(
        looks[0].n_head_blocks,
        whole,
        torch.cat(shifted) if shifted else None,
        whole if same else torch.cat(embedded) if embedded else None,
    )


@torch.no_grad()
def look(
    backbone: ImageBackbone, x: Float[torch.Tensor, "b c h w"], n_head_blocks: int, twice: bool, embed: bool
) -> Looks:
    """Run what lies below the blocks in question.

    Args:
        backbone: The tower.
        x: Preprocessed pictures.
        n_head_blocks: 1 to all of the tower's blocks.
        twice: Also at the pictures moved by half a patch.
        embed: Keep the first block's tokens, which glances and faithfulness need.
    """
    half = backbone.geometry.patch // 2
    with native_precision(x.device):
        views = backbone.trunk(torch.cat([x, moved(x, half)]) if twice else x, n_head_blocks).tokens
        whole, embedded = views[: len(x)], None
        if embed:
            embedded = whole if n_head_blocks == backbone.n_blocks else backbone.trunk(x, backbone.n_blocks).tokens
    return Looks(n_head_blocks, whole, views[len(x) :] if twice else None, embedded)


def trunk_of(backbone: ImageBackbone, tokens: Float[torch.Tensor, "b t d"]) -> Trunk:
    """Tokens of pictures as a head takes them."""
    geometry = backbone.geometry
    return Trunk(tokens, tokens.new_zeros(()).expand(1, 3, geometry.height, geometry.width))


def some_patches(
    backbone: ImageBackbone, embedded: Float[torch.Tensor, "b t d"], patches: Int64[torch.Tensor, "b n p"]
) -> Trunk:
    """The same pictures with some of their patches only, n times each.

    Args:
        backbone: The tower; it must be one that `drops_patches`.
        embedded: Tokens that enter the first block.
        patches: Which patches stay, by number, row by row; so many in each.

    Returns:
        Tokens of b * n rows.
    """
    b, n, _ = patches.shape
    prefix = torch.arange(backbone.n_prefix, device=patches.device).expand(b, n, -1)
    kept = torch.cat([prefix, patches + backbone.n_prefix], 2).flatten(1)
    tokens = embedded.gather(1, kept[:, :, None].expand(-1, -1, embedded.shape[2]))
    return trunk_of(backbone, tokens.view(b * n, -1, embedded.shape[2]))
