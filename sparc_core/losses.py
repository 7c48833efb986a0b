"""The SPARC loss: own reconstruction, cross-reconstruction, and AuxK for dead latents.

Loss = mean over streams of NMSE + cross_loss_coef * mean over ordered pairs of NMSE + auxk_coef * mean over streams of
AuxK. Pure functions of tensors; which latents are dead is the trainer's knowledge (`index_build.dead_latents`).

Source: SPARC (arXiv 2507.06265), section 3; AuxK after Gao et al. 2024 (arXiv 2406.04093).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sparc_core.model import CrossPair, Sparc, SparcOutput
from sparc_core.selection import select_dead
from sparc_core.sparse import decode


class SparcLoss(NamedTuple):
    """The loss of one batch and its terms, all scalars, none weighted except `total`.

    Attributes:
        total: What to minimise.
        reconstruction: Per stream.
        cross: Per ordered pair of streams.
        auxk: Per stream.
    """

    total: Tensor
    reconstruction: dict[str, Tensor]
    cross: dict[CrossPair, Tensor]
    auxk: dict[str, Tensor]


def nmse(reconstruction: Float[Tensor, "b d"], target: Float[Tensor, "b d"]) -> Float[Tensor, ""]:
    """Mean over rows of squared error over squared target: 0 is perfect, 1 is no better than zero."""
    return ((reconstruction - target).square().mean(1) / target.square().mean(1)).mean()


def unexplained(
    reconstruction: Float[Tensor, "b d"], target: Float[Tensor, "b d"], variance: Float[Tensor, ""]
) -> Float[Tensor, ""]:
    """Mean squared error over a fixed variance: 0 is perfect, 1 is no better than the mean the variance is about."""
    return (reconstruction - target).square().mean() / variance


def auxk_nmse(
    x: Float[Tensor, "b d"],
    reconstruction: Float[Tensor, "b d"],
    logits: Float[Tensor, "b l"],
    dead: Bool[Tensor, " l"],
    auxk: int,
    dictionary: Float[Tensor, "l d"],
    pre_bias: Float[Tensor, " d"],
) -> Float[Tensor, ""]:
    """Published AuxK: dead latents and the pre-bias reconstruct the residual plus the (detached) pre-bias."""
    residual = x - reconstruction.detach() + pre_bias.detach()
    return nmse(decode(select_dead(logits, dead, auxk), dictionary, pre_bias), residual)


def auxk_unexplained(
    x: Float[Tensor, "b d"],
    reconstruction: Float[Tensor, "b d"],
    logits: Float[Tensor, "b l"],
    dead: Bool[Tensor, " l"],
    auxk: int,
    dictionary: Float[Tensor, "l d"],
) -> Float[Tensor, ""]:
    """AuxK relative to the residual's own size, for a pre-bias far from zero, which would drown it in `auxk_nmse`.

    0 while nothing is dead.
    """
    if not dead.any():
        return x.new_zeros(())
    residual = x - reconstruction.detach()
    return unexplained(decode(select_dead(logits, dead, auxk), dictionary, None), residual, residual.square().mean())


def sparc_loss(
    model: Sparc,
    features: Mapping[str, Float[Tensor, "b d"]],
    output: SparcOutput,
    dead: Mapping[str, Bool[Tensor, " l"]],
    *,
    auxk: int,
    auxk_coef: float,
    cross_loss_coef: float,
    variance: Mapping[str, Float[Tensor, ""]] | None = None,
) -> SparcLoss:
    """Weigh one pass's errors into one number.

    Args:
        model: Gives AuxK its dictionaries.
        features: What went in, L2-normalised, per stream.
        output: What `model(features)` returned.
        dead: Which latents count as dead in each stream.
        auxk: How many dead latents may explain a residual.
        auxk_coef, cross_loss_coef: Weights of the two terms.
        variance: Mean square of each stream's features about their mean. None measures every row against its own
            square (published); given, errors are shares of the variance, so streams whose features lie close together
            count as much as those that spread.

    Returns:
        Terms and total. As published, the total leaves AuxK out where its mean is not positive (or not a number).
    """
    reconstruction: dict[str, Tensor] = {}
    auxiliary: dict[str, Tensor] = {}
    for stream in output.codes:
        x, own, logits, unused = features[stream], output.reconstructions[stream], output.logits[stream], dead[stream]
        weights = model.autoencoder(stream)
        reconstruction[stream] = _error(own, x, stream, variance)
        if variance is None:
            auxiliary[stream] = auxk_nmse(x, own, logits, unused, auxk, weights.dictionary, weights.pre_bias)
        else:
            auxiliary[stream] = auxk_unexplained(x, own, logits, unused, auxk, weights.dictionary)
    cross = {
        pair: _error(decoded, features[pair.target], pair.target, variance)
        for pair, decoded in output.cross_reconstructions.items()
    }
    total = _mean(list(reconstruction.values()))
    if cross:
        total = total + cross_loss_coef * _mean(list(cross.values()))
    mean_auxk = _mean(list(auxiliary.values()))
    if mean_auxk > 0:
        total = total + auxk_coef * mean_auxk
    return SparcLoss(total, reconstruction, cross, auxiliary)


def _error(decoded: Tensor, target: Tensor, stream: str, variance: Mapping[str, Tensor] | None) -> Tensor:
    return nmse(decoded, target) if variance is None else unexplained(decoded, target, variance[stream])


def _mean(terms: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(terms)).mean()
