"""Loss and gradient of one batch, touching nothing as wide as the dictionary after the selection.

Autograd runs over the few numbers between the kept logits and the loss. What lies outside of that is written down
here: the gradient of a dictionary row is a sum over the batch rows that use its latent, and so is that of an encoder
row; both stay in that form (`index_build.training.row_gradients`).
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from index_build.training.processes import Share
from index_build.training.row_gradients import LatentOrder, RowGradient, RowTerm, order_by_latent, row_term
from sparc_core.losses import Decoded, SparcLoss
from sparc_core.model import CrossPair, Sparc
from sparc_core.sparse import SparseCode, weighted_sum

_PARTS = 8


class Kept(NamedTuple):
    """The logits that a selection kept and whose they are, in the order of selection; gradients end at the logits."""

    latents: Int64[Tensor, "b k"]
    logits: Float[Tensor, "b k"]


def keep(logits: Float[Tensor, "b l"], latents: Int64[Tensor, "b k"]) -> Kept:
    """Take the chosen logits out, in float32."""
    return Kept(latents, logits.gather(1, latents).float().requires_grad_())


class StreamGradient(NamedTuple):
    """The gradient of one stream's weights, named as they are."""

    encoder: RowGradient
    dictionary: RowGradient
    pre_bias: Float[Tensor, " d"]
    latent_bias: Float[Tensor, " l"]

    def is_finite(self) -> bool:
        """Whether a step along it leaves finite weights."""
        biases = bool(self.pre_bias.isfinite().all() and self.latent_bias.isfinite().all())
        return biases and self.encoder.is_finite() and self.dictionary.is_finite()


class BatchGradient(NamedTuple):
    """What one batch asks for.

    Attributes:
        loss: Of the rows given; it averages to that of the whole batch where processes share one.
        streams: The gradient of the whole batch's loss by every stream's weights.
    """

    loss: SparcLoss
    streams: dict[str, StreamGradient]


def batch_gradient(
    model: Sparc,
    features: Mapping[str, Float[Tensor, "b d"]],
    kept: Mapping[str, Kept],
    auxiliary: Mapping[str, Kept],
    loss_of: Callable[[Decoded], SparcLoss],
    share: Share,
) -> BatchGradient:
    """Decode, compare, and lead the error back to the weights.

    Args:
        model: The weights; left alone.
        features: What went in.
        kept: What the selection kept, per stream.
        auxiliary: What AuxK may use, per stream; no slots where nothing is dead.
        loss_of: The loss of what the codes decode to.
        share: The part of the whole batch that these rows are.
    """
    graph = _Graph(model, kept, auxiliary)
    loss = loss_of(graph.decoded())
    (loss.total * share.weight).backward()  # type: ignore[no-untyped-call]
    return BatchGradient(loss, {stream: graph.gradient(stream, features[stream], share) for stream in kept})


class _Graph:
    """From kept logits to reconstructions, and back."""

    def __init__(self, model: Sparc, kept: Mapping[str, Kept], auxiliary: Mapping[str, Kept]) -> None:
        self._model, self._kept = model, kept
        self._auxiliary = {stream: slots for stream, slots in auxiliary.items() if slots.latents.shape[1]}
        self._codes = SparseCode(
            torch.cat([slots.latents for slots in kept.values()]),
            torch.cat([F.relu(slots.logits) for slots in kept.values()]),
        )
        self._sums = {stream: self._sum(stream, self._codes) for stream in kept}
        self._dead_sums = {
            stream: self._sum(stream, SparseCode(slots.latents, F.relu(slots.logits)))
            for stream, slots in self._auxiliary.items()
        }
        self._pre_biases = {
            stream: model.autoencoder(stream).pre_bias.detach().clone().requires_grad_() for stream in kept
        }
        self._orders: dict[int, LatentOrder] = {}

    def decoded(self) -> Decoded:
        """What the codes decode to."""
        reconstructions: dict[str, Tensor] = {}
        cross: dict[CrossPair, Tensor] = {}
        for target, sums in self._sums.items():
            per_source = (sums + self._pre_biases[target]).tensor_split(len(self._kept))
            for source, output in zip(self._kept, per_source, strict=True):
                if source == target:
                    reconstructions[target] = output
                else:
                    cross[CrossPair(source, target)] = output
        dead = {stream: self._dead_sums.get(stream) for stream in self._kept}
        return Decoded(reconstructions, cross, dead, self._pre_biases)

    def gradient(self, stream: str, x: Float[Tensor, "b d"], share: Share) -> StreamGradient:
        """One stream's gradient, after the backward pass."""
        weights = self._model.autoencoder(stream)
        on_sums, on_pre_bias = _gradient(self._sums[stream]), _gradient(self._pre_biases[stream])
        dictionary = [self._term(self._codes.latents, self._codes.activations.detach(), on_sums, share)]
        read = [self._kept[stream]]
        if stream in self._auxiliary:
            slots, on_dead = self._auxiliary[stream], _gradient(self._dead_sums[stream])
            dictionary.append(self._term(slots.latents, F.relu(slots.logits.detach()), on_dead, share))
            read.append(slots)
        centred = x - weights.pre_bias.detach()
        encoder = [self._term(slots.latents, _gradient(slots.logits), centred, share) for slots in read]
        latent_bias = torch.zeros_like(weights.latent_bias)
        for slots in read:
            latent_bias.index_add_(0, slots.latents.flatten(), _gradient(slots.logits).flatten())
        latent_bias = share.sum(latent_bias)
        pre_bias = share.sum(on_pre_bias) - _weighted_rows(latent_bias, weights.encoder.detach())
        return StreamGradient(RowGradient(encoder), RowGradient(dictionary), pre_bias, latent_bias)

    def _sum(self, stream: str, code: SparseCode) -> Tensor:
        sums = weighted_sum(code, self._model.autoencoder(stream).dictionary.detach())
        sums.retain_grad()
        return sums

    def _term(self, latents: Tensor, slot_weights: Tensor, table: Tensor, share: Share) -> RowTerm:
        """A term of a row gradient, of all processes' rows."""
        return row_term(self._order(latents, share), share.gather(slot_weights), share.gather(table))

    def _order(self, latents: Tensor, share: Share) -> LatentOrder:
        """Sorted once where streams share latents or dictionaries share codes.

        By identity: all the tensors live as long as this object does.
        """
        if id(latents) not in self._orders:
            self._orders[id(latents)] = order_by_latent(share.gather(latents), self._model.config.n_latents)
        return self._orders[id(latents)]


def _weighted_rows(weights: Float[Tensor, " l"], rows: Float[Tensor, "l d"]) -> Float[Tensor, " d"]:
    """`weights @ rows` in parts: a vector times a matrix keeps one core busy, a batch of them all."""
    n_even = len(rows) - len(rows) % _PARTS
    parts = torch.bmm(weights[:n_even].view(_PARTS, 1, -1), rows[:n_even].view(_PARTS, -1, rows.shape[1]))
    return parts.sum((0, 1)) + weights[n_even:] @ rows[n_even:]


def _gradient(tensor: Tensor) -> Tensor:
    """What the backward pass left; zeros where the loss left the tensor out."""
    return torch.zeros_like(tensor) if tensor.grad is None else tensor.grad
