"""Conservative propagation: a score shared out over the tokens that entered a tower, along its value path.

A tower is nearly linear in what its tokens say once it is settled who looks at whom. So attention probabilities, the
scale of norms and the gates of activation functions are taken as they came out, as constants, and what is left is
linear: the gradient times the token is that token's part in the score. Source: Ali et al. 2022 (arXiv 2202.07304) for
attention and norms, Achtibat et al. 2024 (arXiv 2402.05602) for activations.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch.overrides import TorchFunctionMode


class Linearised(TorchFunctionMode):
    """Inside, norms, activations and softmax give what they always give, and their gradients are those of constants.

    It works on torch's functions, so it needs to know no model. What it does not know (an activation made of other
    functions) keeps its ordinary gradient.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Called by torch in place of each of its functions."""
        kwargs = kwargs or {}
        if func is F.layer_norm:
            return _layer_norm(*args, **kwargs)
        if func in _ACTIVATIONS:
            return _Gated.apply(args[0], partial(func, *args[1:], **kwargs))
        if func in _SETTLED:
            with torch.no_grad():
                return func(*args, **kwargs)
        return func(*args, **kwargs)


def propagate(target: Float[torch.Tensor, " b"], tokens: Float[torch.Tensor, "b t d"]) -> Float[torch.Tensor, "b t"]:
    """Each token's part in a score, in the score's own unit; negative where it spoke against it.

    Args:
        target: One score per row, computed by a head that ran inside `Linearised`.
        tokens: What entered that head (`HeadOutput.tokens`).
    """
    (gradient,) = torch.autograd.grad(target.sum(), tokens)
    return (gradient * tokens.detach()).sum(-1).to(target.dtype)


Activation = Callable[[torch.Tensor], torch.Tensor]

_ACTIVATIONS = frozenset({F.gelu, F.silu})
# Sigmoid is the gate of the activations that models write out, such as CLIP's quick GELU.
_SETTLED = frozenset({F.softmax, torch.softmax, torch.Tensor.softmax, F.sigmoid, torch.sigmoid, torch.Tensor.sigmoid})


class _Gated(torch.autograd.Function):
    """An activation's output as its input times a gate; the gradient passes through the gate alone."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, activation: Activation) -> torch.Tensor:  # type: ignore[override]
        activated = activation(x)
        ctx.save_for_backward(x, activated)
        return activated

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:  # type: ignore[override]
        x, activated = ctx.saved_tensors
        # At 0, where 0 / 0 is no number, these gates are half open; `where` would take three times as long.
        return (activated / x).nan_to_num_(nan=0.5).mul_(gradient), None


class _Scaled(torch.autograd.Function):
    """A layer norm, in float32, whose scale is a constant: its gradient only takes out the mean."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, x: torch.Tensor, weight: torch.Tensor | None, bias: torch.Tensor | None, eps: float
    ) -> torch.Tensor:
        with torch.autocast(x.device.type, enabled=False):
            scaled, _, inverse = torch.native_layer_norm(x.float(), x.shape[-1:], weight, bias, eps)
        ctx.save_for_backward(inverse, weight)
        return scaled

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:  # type: ignore[override]
        inverse, weight = ctx.saved_tensors
        weighted = gradient if weight is None else gradient * weight
        return (weighted - weighted.mean(-1, keepdim=True)).mul_(inverse), None, None, None


def _layer_norm(
    input: torch.Tensor,
    normalized_shape: Any,
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    eps: float = 1e-5,
) -> torch.Tensor:
    """`torch.nn.functional.layer_norm` over the last dimension, with its parameter names."""
    if len(normalized_shape) != 1:
        return F.layer_norm(input, normalized_shape, weight, bias, eps)
    return _Scaled.apply(input, weight, bias, eps)
