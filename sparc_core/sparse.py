"""Sparse codes: k latents and their activations per row, and the decoding of them.

Everything after selection works on these fixed-width arrays, never on rows as wide as the dictionary.
How a code comes about is in `sparc_core.selection`; the model around it is in `sparc_core.model`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from sparc_core.errors import ShapeError


class SparseCode(NamedTuple):
    """A batch of sparse codes, strongest latent first.

    Attributes:
        latents: Which latents each row uses; distinct within a row.
        activations: How strongly, >= 0, descending. A slot with activation 0 is unused, whatever its latent.
    """

    latents: Int64[Tensor, "b k"]
    activations: Float[Tensor, "b k"]


def decode(
    code: SparseCode, dictionary: Float[Tensor, "l d"], pre_bias: Float[Tensor, " d"] | None
) -> Float[Tensor, "b d"]:
    """Reconstruct one stream's features from a code of any stream.

    Args:
        code: k non-negative activations per row and the latents they belong to.
        dictionary: The target stream's dictionary; row l is latent l's direction.
        pre_bias: Added to the reconstruction; None adds nothing.

    Returns:
        Features in the scale the model was trained on (unit norm in, so about unit norm out).

    Raises:
        ShapeError: The code names a latent that the dictionary does not have.

    Source: SPARC (arXiv 2507.06265), section 3; sparse decoding after Gao et al. 2024 (arXiv 2406.04093).
    """
    n_latents = dictionary.shape[0]
    if code.latents.numel():
        lowest, highest = (int(bound) for bound in torch.aminmax(code.latents))
        if lowest < 0 or highest >= n_latents:
            wrong = lowest if lowest < 0 else highest
            raise ShapeError(
                f"the code names latent {wrong}, the dictionary has latents 0 to {n_latents - 1}: "
                "decode it with the model that made it"
            )
    weighted = weighted_sum(code, dictionary)
    return weighted if pre_bias is None else weighted + pre_bias


def weighted_sum(code: SparseCode, dictionary: Float[Tensor, "l d"]) -> Float[Tensor, "b d"]:
    """`decode` without pre-bias and without the look at every latent id, for codes that were just selected."""
    return F.embedding_bag(code.latents, dictionary, per_sample_weights=code.activations, mode="sum")


def to_dense(code: SparseCode, n_latents: int) -> Float[Tensor, "b l"]:
    """Write a code out as rows of width `n_latents`; for small comparisons, not for a corpus."""
    dense = code.activations.new_zeros(code.latents.shape[0], n_latents)
    return dense.scatter_add(1, code.latents, code.activations)


def concatenate(codes: Sequence[SparseCode]) -> SparseCode:
    """Stack codes of equal k row-wise, in the order given."""
    return SparseCode(
        torch.cat([code.latents for code in codes]),
        torch.cat([code.activations for code in codes]),
    )
