"""Grad-CAM on the tokens of a tower's last block: over patches, or over the words of a text (GradText).

Source: Selvaraju et al. 2017 (arXiv 1610.02391), at the last block's first norm as published SPARC uses it.
"""

import torch
from jaxtyping import Float


def gradcam(
    target: Float[torch.Tensor, " b"], normed: Float[torch.Tensor, "b t d"], first: int = 0
) -> Float[torch.Tensor, "b t2"]:
    """Each token's part in a score, channels weighted by their mean gradient over the tokens.

    Args:
        target: One score per row; each depends on its own row only.
        normed: The last block's tokens after its first norm (`HeadOutput.normed`).
        first: The first token that counts: `n_prefix` of an image tower, 0 of a text tower.

    Returns:
        At least 0, for tokens from `first` on. In texts, special tokens have values too.
    """
    (gradient,) = torch.autograd.grad(target.sum(), normed)
    weights = gradient[:, first:].mean(1, keepdim=True)
    return (weights * normed.detach()[:, first:]).sum(-1).clamp(min=0).to(target.dtype)
