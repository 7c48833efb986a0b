"""The SPARC loss: own reconstruction, cross-reconstruction, and AuxK for dead latents.

Loss = mean over streams of NMSE + cross_loss_coef * mean over ordered pairs of NMSE + auxk_coef * mean over streams of
AuxK. Pure functions of tensors; which latents are dead is known to the trainer (`index_build.training.dead_latents`).

Source: SPARC (arXiv 2507.06265), section 3; AuxK after Gao et al. 2024 (arXiv 2406.04093).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from sparc_core.model import CrossPair

Average = Callable[[Tensor], Tensor]


def _unchanged(value: Tensor) -> Tensor:
    return value


class Decoded(NamedTuple):
    """What a batch's codes decode to; every entry takes gradients.

    Attributes:
        reconstructions: Of each stream from its own code, [b d].
        cross_reconstructions: Of each target from every other stream's code, [b d_target].
        auxiliary: Per stream, what its dead latents make of the features, without pre-bias; None where none is dead.
        pre_biases: Per stream, [d].
    """

    reconstructions: Mapping[str, Tensor]
    cross_reconstructions: Mapping[CrossPair, Tensor]
    auxiliary: Mapping[str, Tensor | None]
    pre_biases: Mapping[str, Tensor]


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
    auxiliary: Float[Tensor, "b d"] | None,
    pre_bias: Float[Tensor, " d"],
) -> Float[Tensor, ""]:
    """Published AuxK: dead latents and the pre-bias reconstruct the residual plus the (detached) pre-bias.

    Args:
        x: What went in.
        reconstruction: Its own reconstruction; takes no gradient from here.
        auxiliary: What the dead latents make, without pre-bias; None while nothing is dead.
        pre_bias: The stream's.
    """
    residual = x - reconstruction.detach() + pre_bias.detach()
    return nmse(pre_bias if auxiliary is None else auxiliary + pre_bias, residual)


def auxk_unexplained(
    x: Float[Tensor, "b d"],
    reconstruction: Float[Tensor, "b d"],
    auxiliary: Float[Tensor, "b d"] | None,
    average: Average = _unchanged,
) -> Float[Tensor, ""]:
    """AuxK relative to the residual's own size, for a pre-bias far from zero, which would drown it in `auxk_nmse`.

    Arguments as there; `average` as in `sparc_loss`. 0 while nothing is dead.
    """
    if auxiliary is None:
        return x.new_zeros(())
    residual = x - reconstruction.detach()
    return unexplained(auxiliary, residual, average(residual.square().mean()))


def sparc_loss(
    features: Mapping[str, Float[Tensor, "b d"]],
    decoded: Decoded,
    *,
    auxk_coef: float,
    cross_loss_coef: float,
    variance: Mapping[str, Float[Tensor, ""]] | None = None,
    average: Average = _unchanged,
) -> SparcLoss:
    """Weigh one pass's errors into one number.

    Args:
        features: What went in, L2-normalised, per stream.
        decoded: What came out.
        auxk_coef, cross_loss_coef: Weights of the two terms.
        variance: Mean square of each stream's features about their mean. None measures every row against its own
            square (published); given, errors are shares of the variance, so streams whose features lie close together
            count as much as those that spread.
        average: Where a batch is shared out among processes, the mean of a number over all of it. The terms returned
            are of the rows given; they average to those of the whole batch.

    Returns:
        Terms and total. As published, the total leaves AuxK out where its mean is not positive (or not a number).
    """
    reconstruction: dict[str, Tensor] = {}
    auxiliary: dict[str, Tensor] = {}
    for stream, own in decoded.reconstructions.items():
        x, dead_part = features[stream], decoded.auxiliary[stream]
        reconstruction[stream] = _error(own, x, stream, variance)
        if variance is None:
            auxiliary[stream] = auxk_nmse(x, own, dead_part, decoded.pre_biases[stream])
        else:
            auxiliary[stream] = auxk_unexplained(x, own, dead_part, average)
    cross = {
        pair: _error(output, features[pair.target], pair.target, variance)
        for pair, output in decoded.cross_reconstructions.items()
    }
    total = _mean(list(reconstruction.values()))
    if cross:
        total = total + cross_loss_coef * _mean(list(cross.values()))
    mean_auxk = _mean(list(auxiliary.values()))
    if average(mean_auxk.detach()) > 0:
        total = total + auxk_coef * mean_auxk
    return SparcLoss(total, reconstruction, cross, auxiliary)


def _error(output: Tensor, target: Tensor, stream: str, variance: Mapping[str, Tensor] | None) -> Tensor:
    return nmse(output, target) if variance is None else unexplained(output, target, variance[stream])


def _mean(terms: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(terms)).mean()
