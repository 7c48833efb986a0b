"""Where a training run starts: the first weights, and what the recipe wants to know about the features beforehand."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from index_build.features.store import FeatureStore
from index_build.training.options import TrainingOptions
from sparc_core.errors import InputError
from sparc_core.model import Sparc, SparcConfig

_ROWS_AT_A_TIME = 8192
_LEAST_VARIANCE = 1e-10


class FeatureMoments(NamedTuple):
    """One stream's mean feature [d], and the mean square of its features about that."""

    mean: Float[Tensor, " d"]
    variance: Float[Tensor, ""]


def feature_moments(store: FeatureStore) -> dict[str, FeatureMoments]:
    """Look at every row once; rows that are not finite do not count.

    Raises:
        InputError: A stream has no finite row.
    """
    counts = dict.fromkeys(store.widths, 0)
    sums = {stream: torch.zeros(d, dtype=torch.float64) for stream, d in store.widths.items()}
    squares = {stream: torch.zeros((), dtype=torch.float64) for stream in store.widths}
    for start in range(0, store.n_rows, _ROWS_AT_A_TIME):
        rows = torch.arange(start, min(start + _ROWS_AT_A_TIME, store.n_rows))
        for stream, x in store.rows(rows).items():
            finite = x[x.isfinite().all(1)].double()
            counts[stream] += len(finite)
            sums[stream] += finite.sum(0)
            squares[stream] += finite.square().sum()
    return {stream: _moments(stream, counts[stream], sums[stream], squares[stream]) for stream in store.widths}


def variances(moments: dict[str, FeatureMoments]) -> dict[str, Float[Tensor, ""]]:
    """What errors are measured against where they are shares of the variance.

    Raises:
        InputError: A stream's features are all the same.
    """
    for stream, moment in moments.items():
        if moment.variance < _LEAST_VARIANCE:
            raise InputError(
                f"features of stream {stream} are the same in every row: "
                'nothing is to be learnt relative to their variance; use loss_scale "target" or other features'
            )
    return {stream: moment.variance for stream, moment in moments.items()}


@torch.no_grad()
def initial_model(store: FeatureStore, options: TrainingOptions, moments: dict[str, FeatureMoments]) -> Sparc:
    """A fresh model for these features, as the options say, on the CPU."""
    generator = generator_for(options.seed, "weights", 0)
    model = Sparc(SparcConfig(store.widths, options.n_latents, options.k, options.selection), generator)
    if options.pre_bias_init == "mean":
        for stream, moment in moments.items():
            model.autoencoder(stream).pre_bias.copy_(moment.mean)
    if options.dictionary_init == "rows":
        order = torch.randperm(store.n_rows, generator=generator)
        rows = order.repeat(-(-options.n_latents // store.n_rows))[: options.n_latents]
        for stream, x in store.rows(rows).items():
            weights = model.autoencoder(stream)
            directions = F.normalize(x - weights.pre_bias, dim=1)
            # A row that is not finite, or just the mean, points nowhere: its latents keep their random start.
            usable = (directions.isfinite() & (directions != 0).any(1, keepdim=True)).all(1)
            weights.dictionary[usable] = directions[usable]
            weights.encoder[usable] = directions[usable]
    return model


def generator_for(seed: int, purpose: str, position: int) -> torch.Generator:
    """A generator that depends on nothing but the seed, what it is for, and where in the run it is used."""
    purposes = ("weights", "order", "resample", "mixing")
    return torch.Generator().manual_seed((seed * len(purposes) + purposes.index(purpose)) * 1_000_003 + position)


def _moments(stream: str, count: int, total: Tensor, squares: Tensor) -> FeatureMoments:
    if not count:
        raise InputError(f"features of stream {stream} are not finite in any row: extract them again")
    mean = total / count
    # In float64, the difference keeps nine digits even where the mean is nearly all of the square.
    variance = (squares / count - mean.square().sum()).clamp_min(0) / len(mean)
    return FeatureMoments(mean.float(), variance.float())
