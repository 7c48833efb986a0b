"""One SPARC training run as an object: its weights, optimiser, counters, and what one step does to them.

Files, progress and resuming are in `index_build.training`. All randomness is a function of the seed and the position
in the run, so a run that stops and continues takes the same path as one that does not.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from index_build.dead_latents import DeadLatents
from index_build.resampling import resample_with_noise, resample_with_rows
from index_build.training_options import TrainingOptions
from sparc_core.errors import InputError, ShapeError
from sparc_core.losses import SparcLoss, sparc_loss
from sparc_core.model import Sparc, SparcConfig, SparcOutput
from sparc_core.selection import Selection

_UNIT_NORM_TOLERANCE = 1e-3
_LEAST_VARIANCE = 1e-10


class Trainer:
    """Trains a SPARC model on features held in memory.

    Attributes:
        model: The model, changed in place.
        dead: Dead-latent counters.
        steps_done: Steps taken so far.
        steps_per_epoch, n_steps: Length of an epoch and of the run.

    Args:
        features: Per stream, float32 rows of unit norm; row i of each stream belongs to the same item.
        options: The recipe.
        model: Where to start; by default a fresh model as the options say.

    Raises:
        ShapeError, InputError: The features do not fit together or hold unusable values.
    """

    def __init__(
        self, features: Mapping[str, Float[Tensor, "n d"]], options: TrainingOptions, model: Sparc | None = None
    ) -> None:
        _check(features)
        self.options = options
        self._features = dict(features)
        self._n_rows = len(next(iter(features.values())))
        self.model = model if model is not None else initial_model(features, options)
        self.dead = DeadLatents(list(features), options.n_latents, options.dead_steps_threshold, options.auxk_threshold)
        self._variance = _variances(features) if options.loss_scale == "variance" else None
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=options.lr)
        self.steps_done = 0
        self.steps_per_epoch = -(-self._n_rows // options.batch_size)
        self.n_steps = self.steps_per_epoch * options.num_epochs
        self._order: tuple[int, Tensor] | None = None

    @property
    def epoch(self) -> int:
        """Epochs begun, counted from 1."""
        return min(self.steps_done // self.steps_per_epoch + 1, self.options.num_epochs)

    @property
    def rows_seen(self) -> int:
        """Rows trained on so far, over all epochs."""
        epochs, position = divmod(self.steps_done, self.steps_per_epoch)
        return epochs * self._n_rows + position * self.options.batch_size

    def step(self) -> SparcLoss:
        """Take one optimiser step on the next batch."""
        rows = self._next_rows()
        batch = {stream: x[rows] for stream, x in self._features.items()}
        self.optimizer.zero_grad()
        loss = self.loss(batch)
        loss.total.backward()  # type: ignore[no-untyped-call]
        self._set_learning_rate()
        if self.options.dictionary_norm == "before_step":
            self._normalize_dictionaries()
            self._project_gradients()
        self.optimizer.step()
        if self.options.dictionary_norm == "after_step":
            self._normalize_dictionaries()
        self.steps_done += 1
        self._resample()
        return loss

    def loss(self, batch: Mapping[str, Float[Tensor, "b d"]]) -> SparcLoss:
        """Loss of a batch as the next step sees it; advances the dead-latent counters."""
        output = self.model(batch, selection=self._selection())
        dead = self._count(output)
        return sparc_loss(
            self.model,
            batch,
            output,
            dead,
            auxk=self.options.auxk,
            auxk_coef=self.options.auxk_coef,
            cross_loss_coef=self.options.cross_loss_coef,
            variance=self._variance,
        )

    def _count(self, output: SparcOutput) -> dict[str, Tensor]:
        """Advance the counters and say who is dead; as published, local selection asks before it counts."""
        before = self.dead.masks()
        self.dead.advance(output.codes)
        return self.dead.masks() if self.options.selection == "global" else before

    def _selection(self) -> Selection:
        """The model's own selection, or local on an evenly spread `local_share` of the steps."""
        share = self.options.local_share
        is_local = int((self.steps_done + 1) * share) > int(self.steps_done * share)
        return "local" if is_local else self.options.selection

    def _next_rows(self) -> Int64[Tensor, " b"]:
        epoch, position = divmod(self.steps_done, self.steps_per_epoch)
        if self._order is None or self._order[0] != epoch:
            self._order = (epoch, self._epoch_order(epoch))
        start = position * self.options.batch_size
        return self._order[1][start : start + self.options.batch_size]

    def _epoch_order(self, epoch: int) -> Int64[Tensor, " n"]:
        if not self.options.shuffle:
            return torch.arange(self._n_rows)
        return torch.randperm(self._n_rows, generator=_generator(self.options.seed, "order", epoch))

    def _set_learning_rate(self) -> None:
        options, steps_left = self.options, self.n_steps - self.steps_done
        warmup = min(1.0, (self.steps_done + 1) / options.warmup_steps) if options.warmup_steps else 1.0
        decay_steps = options.decay_share * self.n_steps
        decay = min(1.0, steps_left / decay_steps) if decay_steps else 1.0
        for group in self.optimizer.param_groups:
            group["lr"] = options.lr * warmup * decay

    @torch.no_grad()
    def _normalize_dictionaries(self) -> None:
        for stream in self._features:
            dictionary = self.model.autoencoder(stream).dictionary
            dictionary.copy_(F.normalize(dictionary, dim=1))

    @torch.no_grad()
    def _project_gradients(self) -> None:
        """Remove the part of each direction's gradient that would only change its length."""
        for stream in self._features:
            dictionary = self.model.autoencoder(stream).dictionary
            assert dictionary.grad is not None, "every dictionary takes part in every step"
            dictionary.grad -= (dictionary.grad * dictionary).sum(1, keepdim=True) * dictionary

    def _resample(self) -> None:
        options = self.options
        if options.resample == "none" or self.steps_done % options.resample_every:
            return
        if self.steps_done > options.resample_until * self.n_steps:
            return
        generator = _generator(options.seed, "resample", self.steps_done)
        if options.resample == "noise":
            changed = resample_with_noise(self.model, self.dead.masks(), generator)
        else:
            changed = resample_with_rows(self.model, self._features, generator)
        for stream, latents in changed.items():
            self._forget(stream, latents)

    def _forget(self, stream: str, latents: Int64[Tensor, " m"]) -> None:
        """Drop what the optimiser and the counters remember of latents that got new weights."""
        weights = self.model.autoencoder(stream)
        for parameter in (weights.encoder, weights.dictionary, weights.latent_bias):
            for moment in ("exp_avg", "exp_avg_sq"):
                self.optimizer.state[parameter][moment][latents] = 0
        self.dead.wake(stream, latents)


@torch.no_grad()
def initial_model(features: Mapping[str, Float[Tensor, "n d"]], options: TrainingOptions) -> Sparc:
    """A fresh model for these features, as the options say."""
    generator = _generator(options.seed, "weights", 0)
    widths = {stream: x.shape[1] for stream, x in features.items()}
    model = Sparc(SparcConfig(widths, options.n_latents, options.k, options.selection), generator)
    n_rows = len(next(iter(features.values())))
    rows = torch.randperm(n_rows, generator=generator).repeat(-(-options.n_latents // n_rows))[: options.n_latents]
    for stream, x in features.items():
        weights = model.autoencoder(stream)
        if options.pre_bias_init == "mean":
            weights.pre_bias.copy_(x.mean(0))
        if options.dictionary_init == "rows":
            directions = F.normalize(x[rows] - weights.pre_bias, dim=1)
            weights.dictionary.copy_(directions)
            weights.encoder.copy_(directions)
    return model


def _generator(seed: int, purpose: str, position: int) -> torch.Generator:
    """A generator that depends on nothing but the seed, what it is for, and where in the run it is used."""
    purposes = ("weights", "order", "resample")
    return torch.Generator().manual_seed((seed * len(purposes) + purposes.index(purpose)) * 1_000_003 + position)


def _variances(features: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Mean square of each stream's features about their mean."""
    variances = {stream: (x - x.mean(0)).square().mean() for stream, x in features.items()}
    for stream, variance in variances.items():
        if variance < _LEAST_VARIANCE:
            raise InputError(
                f"features of stream {stream} are the same in every row: "
                'nothing is to be learnt relative to their variance; use loss_scale "target" or other features'
            )
    return variances


def _check(features: Mapping[str, Tensor]) -> None:
    if not features:
        raise InputError("training got no features: give at least one stream")
    for stream, x in features.items():
        if x.ndim != 2 or not len(x):
            raise ShapeError(f"features of stream {stream} have shape {list(x.shape)}, expected [rows, width]")
        norms = x.norm(dim=1)
        if not torch.isfinite(norms).all():
            row = int((~torch.isfinite(norms)).nonzero()[0, 0])
            raise InputError(f"features of stream {stream} are not finite in row {row}: extract them again")
        worst = int((norms - 1).abs().argmax())
        if abs(float(norms[worst]) - 1) > _UNIT_NORM_TOLERANCE:
            raise InputError(
                f"features of stream {stream} have norm {float(norms[worst]):.4g} in row {worst}, expected 1: "
                "scale them with sparc_core.model.normalize"
            )
    counts = {stream: len(x) for stream, x in features.items()}
    if len(set(counts.values())) > 1:
        raise ShapeError(f"streams have {counts} rows: aligned streams have the same number")
