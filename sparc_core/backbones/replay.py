"""Run any transformers model from one of its blocks to another, and see its attention on the way.

The model's own `forward` runs, with its masks, position embeddings, norms and projections; only its blocks are gated.
A run without a `Pass` is the plain model. In a `Pass`, blocks outside a range let tokens through untouched, tokens can
be put in before the range, and attention is written out and recorded. Nothing here names a module of a model, which
transformers would rename; `vision` and `sentences` make backbones of it.

Passes live in a context variable, so that threads do not see each other's.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import nn

from sparc_core.backbones.kernels import one_kernel

RECORDED = "sparc_recorded"
"""Our name among transformers' attention implementations: sdpa, but recorded where a pass asks for it."""


@dataclass
class Pass:
    """One run through some of a model's blocks.

    Attributes:
        start: The first block that runs.
        stop: The first block after it that does not.
        tokens: What enters block `start`; None for what the model puts there.
        records: Whether attention is recorded.
        entered: Tokens that came to block 0.
        left: Tokens that left the last block that ran; None where none ran.
        attention: Probabilities of the blocks that ran, in order, if recorded.
        pooling: Probabilities [b h t] of an attention that pools the tokens into one, if recorded.
        normed: The last block's tokens after the first norm that ran in it, if recorded.
    """

    start: int
    stop: int
    tokens: torch.Tensor | None = None
    records: bool = False
    entered: torch.Tensor | None = None
    left: torch.Tensor | None = None
    attention: list[torch.Tensor] = field(default_factory=list)
    pooling: torch.Tensor | None = None
    normed: torch.Tensor | None = None


_current: ContextVar[Pass | None] = ContextVar("sparc_pass", default=None)


@contextmanager
def running(run: Pass) -> Iterator[Pass]:
    """The gates follow this pass inside."""
    token = _current.set(run)
    try:
        yield run
    finally:
        _current.reset(token)


class _Style:
    """How a model's blocks speak: whether they return tuples, and whether their attention goes through the registry."""

    returns_tuple = False

    def __init__(self, registered: bool) -> None:
        self.registered = registered


class _Gate:
    """Stands before a block's `forward`."""

    def __init__(self, index: int, forward: Callable[..., Any], style: _Style) -> None:
        self._index, self._forward, self._style = index, forward, style

    def __call__(self, hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        run = _current.get()
        if run is None:
            return self._forward(hidden_states, *args, **kwargs)
        if self._index == 0:
            run.entered = hidden_states
        if run.tokens is not None and self._index <= run.start:
            hidden_states = run.tokens
        if not run.start <= self._index < run.stop:
            return (hidden_states,) if self._style.returns_tuple else hidden_states
        if run.records and not self._style.registered:
            kwargs["output_attentions"] = True
        out = self._forward(hidden_states, *args, **kwargs)
        self._style.returns_tuple = isinstance(out, tuple)
        run.left = out[0] if self._style.returns_tuple else out
        if run.records and not self._style.registered:
            run.attention.append(out[1])
        return out


class _PoolingGate:
    """Stands before the `forward` of an attention whose one query pools the tokens (SigLIP's head).

    It always writes the attention out: in bfloat16 on a CPU, MultiheadAttention is slow.
    """

    def __init__(self, attention: nn.MultiheadAttention) -> None:
        self._attention, self._forward = attention, attention.forward

    def __call__(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, **kwargs: Any) -> Any:
        attention, run = self._attention, _current.get()
        if kwargs or query.shape[1] != 1:
            return self._forward(query, key, value, **kwargs)
        weights, biases = attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3)
        shape = (len(query), -1, attention.num_heads, attention.head_dim)
        q, k, v = (
            F.linear(x, w, b).view(shape).transpose(1, 2)
            for x, w, b in zip((query, key, value), weights, biases, strict=True)
        )
        probabilities = (q @ k.transpose(-1, -2) * attention.head_dim**-0.5).softmax(-1)[:, :, 0]
        if run is not None and run.records:
            run.pooling = probabilities
        pooled = (probabilities[:, :, None].to(v.dtype) @ v).transpose(1, 2).flatten(2)
        return attention.out_proj(pooled), None


def gate(model: Any) -> int:
    """Put gates before a model's blocks and its pooling attention, for good.

    Returns:
        How many blocks there are; 0 where they are not to be found.
    """
    _register()
    blocks = _blocks(model)
    registered = bool(getattr(model, "_supports_attention_backend", False))
    if registered:
        model.set_attn_implementation(RECORDED)
    style = _Style(registered)
    for index, block in enumerate(blocks):
        block.forward = _Gate(index, block.forward, style)
    for module in blocks[-1].modules() if blocks else ():
        if "norm" in type(module).__name__.lower():
            module.register_forward_hook(_note_norm)
    for module in model.modules():
        if isinstance(module, nn.MultiheadAttention):
            setattr(module, "forward", _PoolingGate(module))  # noqa: B010  (mypy: a method)
    return len(blocks)


def _note_norm(module: nn.Module, inputs: Any, output: torch.Tensor) -> None:
    run = _current.get()
    if run is not None and run.records and run.normed is None:
        run.normed = output


def recorded_attention(
    module: nn.Module,
    query: Float[torch.Tensor, "b h t c"],
    key: Float[torch.Tensor, "b h t c"],
    value: Float[torch.Tensor, "b h t c"],
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    is_causal: bool | None = None,
    position_bias: torch.Tensor | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """An attention function in transformers' registry: sdpa; in a recording pass, the same written out and recorded."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    run = _current.get()
    records = run is not None and run.records
    # Fewer heads of keys than of queries: what sdpa makes of them is its own business.
    if not records and (one_kernel(query) or key.shape[1] != query.shape[1]):
        kwargs |= {"scaling": scaling, "is_causal": is_causal, "position_bias": position_bias}
        return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
    scores = query @ key.transpose(-1, -2) * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    if position_bias is not None:
        scores = scores + position_bias
    causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
    if attention_mask is None and causal:
        attention_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if attention_mask is not None:
        added = attention_mask.dtype != torch.bool
        scores = scores + attention_mask if added else scores.masked_fill(~attention_mask, float("-inf"))
    probabilities = scores.softmax(-1)
    if run is not None and records:
        run.attention.append(probabilities)
    return (probabilities.to(value.dtype) @ value).transpose(1, 2).contiguous(), None


@cache
def _register() -> None:
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(RECORDED, recorded_attention)
    AttentionMaskInterface.register(RECORDED, sdpa_mask)


def _blocks(model: Any) -> list[Any]:
    """The one list of modules that is as long as the config says the model has layers."""
    n_layers = getattr(model.config, "num_hidden_layers", None)
    lists = [m for m in model.modules() if isinstance(m, nn.ModuleList) and len(m) == n_layers]
    return list(lists[0]) if len(lists) == 1 else []
