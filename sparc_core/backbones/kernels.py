"""Which kernel is fastest where."""

import torch
import torch.nn.functional as F
from jaxtyping import Float


def attention_output(
    q: Float[torch.Tensor, "b h q c"],
    k: Float[torch.Tensor, "b h t c"],
    v: Float[torch.Tensor, "b h t c"],
    mask: Float[torch.Tensor, "q t"] | None = None,
) -> Float[torch.Tensor, "b h q c"]:
    """What attention gives, where nobody asks for its probabilities; `mask` is added to the scores."""
    if one_kernel(q):
        return F.scaled_dot_product_attention(q, k, v, None if mask is None else mask.to(q.dtype))
    scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
    return (scores if mask is None else scores + mask).softmax(-1).to(v.dtype) @ v


def one_kernel(q: torch.Tensor) -> bool:
    """Whether one kernel for attention is faster than its three steps.

    Several times on a GPU, twice in float32 on a CPU; in bfloat16 on a CPU it takes 1.5 times as long.
    """
    return q.is_cuda or q.dtype != torch.bfloat16
