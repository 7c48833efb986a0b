"""Attention relevance: how much each token mattered to a score, through the attention of a tower's blocks.

Source: Chefer et al. 2021 (arXiv 2103.15679), as published SPARC uses it.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float


def relevance(
    target: Float[torch.Tensor, " b"],
    attention: Sequence[Float[torch.Tensor, "b h t t"]],
    readout: Float[torch.Tensor, "b h t"],
) -> Float[torch.Tensor, "b t"]:
    """How much each token mattered to `target`, seen from where the feature is read out.

    R starts as the identity and grows block by block, R <- R + mean over heads of max(gradient * attention, 0) @ R;
    the answer is its readout row. That row alone is carried along, from the last block to the first, and one backward
    pass gives the gradients of all blocks.

    Where the feature is one token's output (CLS, end-of-text), the row starts as 1 at that token. Where outputs are
    averaged, or pooled by an attention, there is no such token: pooling is one more attention, of a query that is not
    among the tokens, and the row starts as what that attention adds to R, the mean over heads of
    max(gradient * readout, 0). A constant start would lie over the whole map like fog.

    Args:
        target: One score per row, computed from the blocks' output; each depends on its own row only.
        attention: The blocks' attention probabilities, first block first, with gradients.
        readout: How much each token's output counts in the feature (`HeadOutput.readout`).

    Returns:
        Relevance per token, at least 0; a readout token itself starts at 1.
    """
    pooled = readout.requires_grad
    gradients = torch.autograd.grad(target.sum(), [*attention, *([readout] if pooled else [])])
    flow = gradients[-1] * readout.detach() if pooled else readout
    row = flow.to(target.dtype).clamp(min=0).mean(1)
    for gradient, probabilities in zip(reversed(gradients[: len(attention)]), reversed(attention), strict=True):
        flow = (gradient * probabilities.detach()).to(row).clamp(min=0).mean(1)
        row = row + torch.bmm(row[:, None], flow)[:, 0]
    return row
