"""One SPARC training run as an object: its weights, optimiser, counters, and what one step does to them.

Files, progress and resuming are in `index_build.training.run`. All randomness is a function of the seed and the
position in the run, so a run that stops and continues takes the same path as one that does not.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from index_build.features.store import FeatureStore
from index_build.training.batch_gradient import BatchGradient, Kept, batch_gradient, keep
from index_build.training.batches import Batches
from index_build.training.block_adam import BlockAdam
from index_build.training.dead_latents import DeadLatents
from index_build.training.encoder import Encoder
from index_build.training.options import TrainingOptions
from index_build.training.processes import Processes, Share
from index_build.training.resampling import SWEEP_ROWS, resample_with_noise, resample_with_rows
from index_build.training.schedule import learning_rate
from index_build.training.start import feature_moments, generator_for, initial_model, variances
from sparc_core.checkpoint import weights
from sparc_core.errors import InputError
from sparc_core.losses import Decoded, SparcLoss, sparc_loss
from sparc_core.model import Sparc
from sparc_core.selection import Selection, choose, choose_dead
from sparc_core.sparse import SparseCode

MOST_SKIPPED = 20
"""So many batches in a row without a finite loss end a run; in a short run, half of its batches do."""


class Trainer:
    """Trains a SPARC model on stored features.

    Attributes:
        model: The model, changed in place.
        dead: Dead-latent counters.
        optimizer: Adam and its moments.
        steps_done: Batches taken so far, skipped ones included.
        n_skipped, skipped_in_a_row: Batches whose loss or gradient was not finite; they changed nothing.
        steps_per_epoch, n_steps: Length of an epoch and of the run.

    Args:
        store: Per stream, features; row i of each stream belongs to the same item.
        options: The recipe.
        model: Where to start; by default a fresh model as the options say. It is moved to the device.
        device: Where to compute.
        processes: This process among those that train together.

    Raises:
        InputError: The features do not suit the recipe.
    """

    def __init__(
        self,
        store: FeatureStore,
        options: TrainingOptions,
        model: Sparc | None = None,
        device: torch.device | None = None,
        processes: Processes | None = None,
    ) -> None:
        self.options, self._batches = options, Batches(store, options)
        self._device = device or torch.device("cpu")
        self._processes = processes or Processes()
        in_need = options.loss_scale == "variance" or (model is None and options.pre_bias_init == "mean")
        moments = feature_moments(store) if in_need else {}
        self._variance = None
        if options.loss_scale == "variance":
            self._variance = {stream: value.to(self._device) for stream, value in variances(moments).items()}
        self.model = (model or initial_model(store, options, moments)).to(self._device)
        thresholds = (options.dead_steps_threshold, options.auxk_threshold)
        self.dead = DeadLatents(list(store.widths), options.n_latents, *thresholds, self._device)
        self.encoder = Encoder(self.model, options.encoder_dtype)
        self.optimizer = BlockAdam(self.model, self.encoder)
        self.steps_done = self.n_skipped = self.skipped_in_a_row = 0
        self._check_last_batch()
        self.steps_per_epoch = self._batches.per_epoch
        self.n_steps = self.steps_per_epoch * options.num_epochs

    def _check_last_batch(self) -> None:
        n_last = self._batches.n_rows % self.options.batch_size
        if 0 < n_last < self._processes.n:
            raise InputError(
                f"the last batch of an epoch has {n_last} of {self._batches.n_rows} rows, too few for "
                f"{self._processes.n} processes: choose another batch_size, or fewer processes"
            )

    @property
    def epoch(self) -> int:
        """That of the last step, counted from 1."""
        return max(self.steps_done - 1, 0) // self.steps_per_epoch + 1

    @property
    def rows_seen(self) -> int:
        """Rows trained on so far, over all epochs."""
        epochs, position = divmod(self.steps_done, self.steps_per_epoch)
        return epochs * self._batches.n_rows + position * self.options.batch_size

    def step(self) -> SparcLoss:
        """Take one optimiser step on the next batch.

        Returns:
            The batch's loss, before the step.

        Raises:
            InputError: Too many batches in a row had no finite loss.
        """
        share = self._processes.share(len(self._batches.row_numbers(self.steps_done)))
        batch = self._on_device(self._batches.features(self.steps_done, share))
        counters = self.dead.copy()
        loss, gradients = self.gradient(batch, share)
        loss = _averaged(loss, share)
        if loss.total.isfinite() and all(gradient.is_finite() for gradient in gradients.values()):
            options = self.options
            lr = learning_rate(options, self.steps_done, self.n_steps)
            self.optimizer.step(
                gradients, lr, options.dictionary_norm, options.clip_grad_norm, options.encoder_weight_decay
            )
            self.skipped_in_a_row = 0
        else:
            self.dead.restore(counters)
            self._skip()
        self.steps_done += 1
        if self._resample() or self.steps_done % self.steps_per_epoch == 0:
            self._follow_first()
        return loss

    def gradient(self, batch: Mapping[str, Float[Tensor, "b d"]], share: Share) -> BatchGradient:
        """Loss and gradient of a batch as the next step sees it; advances the dead-latent counters."""
        options = self.options
        logits = self.encoder.logits(batch)
        latents = choose(logits, options.k, self.selection())
        kept = {stream: keep(values, latents[stream]) for stream, values in logits.items()}
        dead = self._count(kept, share)
        auxiliary = {
            stream: keep(values, choose_dead(values, dead[stream], options.auxk)) for stream, values in logits.items()
        }
        del logits  # by far the largest thing here

        def loss_of(decoded: Decoded) -> SparcLoss:
            return sparc_loss(
                batch,
                decoded,
                auxk_coef=options.auxk_coef,
                cross_loss_coef=options.cross_loss_coef,
                variance=self._variance,
                average=share.average,
            )

        return batch_gradient(self.model, batch, kept, auxiliary, loss_of, share)

    def _on_device(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {stream: x.to(self._device) for stream, x in features.items()}

    def _count(self, kept: Mapping[str, Kept], share: Share) -> dict[str, Bool[Tensor, " l"]]:
        """Advance the counters and say who is dead; as published, local selection asks before it counts."""
        before = self.dead.masks()
        codes = {stream: SparseCode(slots.latents, F.relu(slots.logits.detach())) for stream, slots in kept.items()}
        self.dead.advance({stream: share.any(mask) for stream, mask in self.dead.awake(codes).items()})
        return self.dead.masks() if self.options.selection == "global" else before

    def selection(self) -> Selection:
        """That of the next step: the model's own, or local on an evenly spread `local_share` of the steps."""
        share = self.options.local_share
        is_local = int((self.steps_done + 1) * share) > int(self.steps_done * share)
        return "local" if is_local else self.options.selection

    def _skip(self) -> None:
        """Count a batch that cannot be used, and give up after many of them."""
        self.n_skipped += 1
        self.skipped_in_a_row += 1
        most = max(1, min(MOST_SKIPPED, self.n_steps // 2))
        if self.skipped_in_a_row < most:
            return
        found = self._batches.unusable_row(self.steps_done)
        reason = f"the features are finite, so training diverged; start afresh with a lower lr than {self.options.lr:g}"
        if found is not None:
            stream, row = found
            reason = f"features of stream {stream} are not finite, or all zero, in row {row}; extract them again"
        raise InputError(
            f"the loss was not finite in {most} batches in a row, up to step {self.steps_done + 1}: {reason}"
        )

    def _resample(self) -> bool:
        """Whether it was time to, and done."""
        options = self.options
        if options.resample == "none" or self.steps_done % options.resample_every:
            return False
        if self.steps_done > options.resample_until * self.n_steps:
            return False
        generator = generator_for(options.seed, "resample", self.steps_done)
        if options.resample == "noise":
            changed = resample_with_noise(self.model, self.dead.masks(options.dead_neuron_threshold), generator)
        else:
            sample = self._batches.sample(SWEEP_ROWS, generator)
            changed = resample_with_rows(self.model, self._on_device(sample), generator)
        for stream, latents in changed.items():
            self.optimizer.forget(stream, latents)
            self.dead.wake(stream, latents)
        self.encoder.refresh_all()
        return True

    def _follow_first(self) -> None:
        """Let no rounding that differs between processes add up."""
        if self._processes.n == 1:
            return
        counters = self.dead.steps_asleep.values()
        for tensor in (*weights(self.model).values(), *self.optimizer.state().values(), *counters):
            self._processes.follow_first(tensor)
        self.encoder.refresh_all()


def _averaged(loss: SparcLoss, share: Share) -> SparcLoss:
    """The whole batch's loss, detached."""
    terms = [loss.total, *loss.reconstruction.values(), *loss.cross.values(), *loss.auxk.values()]
    values = iter(share.average(torch.stack([term.detach() for term in terms])))
    return SparcLoss(
        next(values),
        {stream: next(values) for stream in loss.reconstruction},
        {pair: next(values) for pair in loss.cross},
        {stream: next(values) for stream in loss.auxk},
    )
