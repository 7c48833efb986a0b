"""Adam over a SPARC model, a block of latents at a time.

Everything a step does to a block of weights (gradient, norms, projection, moments, weights, their bfloat16 copy)
happens while the block lies in the cache; in passes over whole weights the same work takes several times as long, and
the gradient alone as much memory as the weights.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.optim.adam import adam

from index_build.training.batch_gradient import StreamGradient
from index_build.training.encoder import Encoder
from index_build.training.options import DictionaryNorm
from index_build.training.row_gradients import RowGradient
from sparc_core.model import Sparc

_BETAS = (0.9, 0.999)
_EPSILON = 1e-8
_LEAST_NORM = 1e-12
_CPU_BLOCK_BYTES = 3 << 20
"""Weights, gradient and two moments of a block stay in a server's last-level cache."""
_GPU_BLOCK_BYTES = 256 << 20
"""Few launches."""
_ROW_WEIGHTS = ("encoder", "dictionary")


@dataclass
class _Moments:
    """Adam's memory of one parameter."""

    mean: Tensor
    square: Tensor
    blocks: list["_Block"] = field(default_factory=list)


class _Block(NamedTuple):
    """Views of some rows of a parameter and its moments; `step` is Adam's own count of its steps."""

    start: int
    weights: Tensor
    mean: Tensor
    square: Tensor
    step: Tensor


class BlockAdam:
    """Adam (betas 0.9 and 0.999) for the weights of a model, changed in place.

    Attributes:
        steps_done: Steps taken.

    Args:
        model: Whose weights.
        encoder: Told about every block of encoder rows that changed.
    """

    def __init__(self, model: Sparc, encoder: Encoder) -> None:
        self.steps_done = 0
        self._encoder = encoder
        self._moments: dict[tuple[str, str], _Moments] = {}
        for stream in model.config.streams:
            for name, parameter in model.autoencoder(stream).named_parameters():
                self._moments[stream, name] = _moments(parameter.detach())

    @torch.no_grad()
    def step(
        self,
        gradients: Mapping[str, StreamGradient],
        lr: float,
        dictionary_norm: DictionaryNorm | Literal["never"],
        clip_norm: float | None = None,
        encoder_decay: float = 0.0,
    ) -> None:
        """Take one step.

        Args:
            gradients: Of every stream.
            lr: The learning rate.
            dictionary_norm: "before_step" scales dictionary rows to unit norm first and takes the part of their
                gradient away that would only change it; "after_step" scales them last.
            clip_norm: Gradients are scaled down together to this L2 norm where theirs is larger.
            encoder_decay: Encoder rows first shrink by this times `lr` (decoupled weight decay).
        """
        scale = 1.0 if clip_norm is None else min(1.0, clip_norm / max(self._norm(gradients), _LEAST_NORM))
        for (stream, name), moments in self._moments.items():
            gradient = getattr(gradients[stream], name)
            for block, rows in _with_gradient(moments, gradient):
                if scale < 1:
                    rows.mul_(scale)
                if name == "dictionary" and dictionary_norm == "before_step":
                    _normalize_rows(block.weights)
                    rows.addcmul_(torch.linalg.vecdot(rows, block.weights)[:, None], block.weights, value=-1)
                if name == "encoder" and encoder_decay:
                    block.weights.mul_(1 - lr * encoder_decay)
                self._update(block, rows, lr)
                if name == "dictionary" and dictionary_norm == "after_step":
                    _normalize_rows(block.weights)
                if name == "encoder":
                    self._encoder.refresh(stream, block.start, block.weights)
        self.steps_done += 1

    def forget(self, stream: str, latents: Int64[Tensor, " m"]) -> None:
        """Drop what is remembered of latents that got new weights."""
        for name in (*_ROW_WEIGHTS, "latent_bias"):
            moments = self._moments[stream, name]
            moments.mean[latents] = 0
            moments.square[latents] = 0

    def state(self) -> dict[str, Tensor]:
        """The moments by name; the tensors themselves, not copies."""
        return {
            f"{moment}.{stream}.{name}": tensor
            for (stream, name), moments in self._moments.items()
            for moment, tensor in (("exp_avg", moments.mean), ("exp_avg_sq", moments.square))
        }

    def restore(self, state: Mapping[str, Tensor], steps_done: int) -> None:
        """Take over moments that `state` returned; KeyError if one is missing."""
        for name, tensor in self.state().items():
            tensor.copy_(state[name])
        self.steps_done = steps_done

    def _norm(self, gradients: Mapping[str, StreamGradient]) -> float:
        """L2 norm of all gradients together; writes every block of them out, so it takes a pass of its own."""
        squares = [
            rows.square().sum()
            for (stream, name), moments in self._moments.items()
            for _, rows in _with_gradient(moments, getattr(gradients[stream], name))
        ]
        return float(torch.stack(squares).sum().sqrt())

    def _update(self, block: _Block, rows: Tensor, lr: float) -> None:
        block.step.fill_(self.steps_done)
        adam(
            [block.weights], [rows], [block.mean], [block.square], [], [block.step],
            fused=True, amsgrad=False, beta1=_BETAS[0], beta2=_BETAS[1], lr=lr, weight_decay=0.0, eps=_EPSILON,
            maximize=False,
        )  # fmt: skip


def _moments(weights: Tensor) -> _Moments:
    moments = _Moments(torch.zeros_like(weights), torch.zeros_like(weights))
    n_rows = len(weights) if weights.ndim == 1 else block_rows(weights.shape[1], weights.device.type)
    for start in range(0, len(weights), n_rows):
        rows = slice(start, start + n_rows)
        step = torch.zeros((), device=weights.device)
        moments.blocks.append(_Block(start, weights[rows], moments.mean[rows], moments.square[rows], step))
    return moments


def block_rows(d: int, device_type: str) -> int:
    """How many float32 rows of width d are handled at a time."""
    return max(1, (_CPU_BLOCK_BYTES if device_type == "cpu" else _GPU_BLOCK_BYTES) // (4 * d))


def _with_gradient(moments: _Moments, gradient: RowGradient | Tensor) -> Iterator[tuple[_Block, Tensor]]:
    """Each block of a parameter with its gradient, which may be overwritten."""
    if isinstance(gradient, Tensor):
        yield moments.blocks[0], gradient
        return
    buffer = torch.empty_like(moments.blocks[0].weights)
    for block in moments.blocks:
        yield block, gradient.write(block.start, buffer[: len(block.weights)])


def _normalize_rows(weights: Float[Tensor, "m d"]) -> None:
    weights.div_(torch.linalg.vector_norm(weights, dim=1, keepdim=True).clamp_min_(_LEAST_NORM))
