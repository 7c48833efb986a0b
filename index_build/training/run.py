"""The loop around `index_build.training.trainer`, with its files.

`train_sparc` checkpoints into a folder and, started again with the same features and options, goes on from there and
ends with the same bits as a run that was never stopped (same machine and number of threads). The recipe is
`index_build.training.options.TrainingOptions`.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from index_build.features.store import FeatureStore
from index_build.training.options import TrainingOptions
from index_build.training.processes import Processes
from index_build.training.progress import MetricsFile, Report, TensorBoardFiles, TrainingProgress
from index_build.training.schedule import learning_rate
from index_build.training.state import fingerprint, restore_state, save_state
from index_build.training.trainer import Trainer
from index_build.training.validation import Validation, validate
from sparc_core.checkpoint import save_sparc
from sparc_core.errors import InputError
from sparc_core.losses import SparcLoss
from sparc_core.model import Sparc

STATE_FILE = "training_state.safetensors"
METRICS_FILE = "metrics.jsonl"
BEST_FILE = "best.safetensors"
TENSORBOARD_FOLDER = "tensorboard"
_REPORT_EVERY = 50


@dataclass(frozen=True)
class RunSettings:
    """What does not change a run's result, but for rounding.

    Attributes:
        validation: Held-out rows to measure at the end of every epoch.
        tensorboard: Whether to write TensorBoard's files too.
        device: Where to compute.
        processes: This process among those that train together; the first one writes the files.
    """

    validation: FeatureStore | None = None
    tensorboard: bool = False
    device: torch.device | None = None
    processes: Processes = field(default_factory=Processes)


def train_sparc(
    store: FeatureStore,
    options: TrainingOptions,
    folder: Path,
    reports: Sequence[Report] = (),
    settings: RunSettings | None = None,
) -> Sparc:
    """Train a model, or finish training one.

    Args:
        store: Per stream, features; row i of each stream belongs to the same item.
        options: The recipe.
        folder: Takes the state of the run (`training_state.safetensors`), its metrics (`metrics.jsonl`, one
            `TrainingProgress` a line) and, with validation, the model that did best there (`best.safetensors`). A
            finished run is read back, not trained again.
        reports: Called every 50 steps, at the end of an epoch with validation, and at the end.
        settings: Everything else.

    Returns:
        The trained model after the last step, in evaluation mode.

    Raises:
        InputError: Unusable features or held-out rows, a folder that holds a run with other features or options, or
            training that diverges.
    """
    settings = settings or RunSettings()
    trainer = Trainer(store, options, device=settings.device, processes=settings.processes)
    return _Run(trainer, fingerprint(store, options), folder, reports, settings).finish()


class _Run:
    """A trainer with its folder."""

    def __init__(
        self, trainer: Trainer, fingerprint: str, folder: Path, reports: Sequence[Report], settings: RunSettings
    ) -> None:
        self._trainer, self._fingerprint, self._folder, self._settings = trainer, fingerprint, folder, settings
        self._best_score = float("inf")
        self._writes = settings.processes.is_first
        folder.mkdir(parents=True, exist_ok=True)
        if self._state_path.exists():
            notes = restore_state(trainer, fingerprint, self._state_path)
            self._best_score = float(notes["best_score"])
        if not settings.processes.same(trainer.steps_done):
            raise InputError(f"the processes see different states of the run in {folder}: use a disk that all share")
        self._reports = list(reports) if self._writes else []
        if self._writes:
            self._reports.append(MetricsFile(folder / METRICS_FILE, trainer.steps_done))
            if settings.tensorboard:
                self._reports.append(TensorBoardFiles(folder / TENSORBOARD_FOLDER, trainer.steps_done))
        self._last_time, self._last_rows = time.perf_counter(), trainer.rows_seen

    @property
    def _state_path(self) -> Path:
        return self._folder / STATE_FILE

    def finish(self) -> Sparc:
        """Take all steps that are left."""
        trainer, every = self._trainer, self._trainer.options.checkpoint_every
        while trainer.steps_done < trainer.n_steps:
            loss = trainer.step()
            is_last = trainer.steps_done == trainer.n_steps
            validation = self._validate() if trainer.steps_done % trainer.steps_per_epoch == 0 else None
            if is_last or validation is not None or trainer.steps_done % _REPORT_EVERY == 0:
                self._report(loss, validation)
            if self._writes and (is_last or trainer.steps_done % every == 0):
                save_state(trainer, self._fingerprint, self._state_path, {"best_score": self._best_score})
        self._settings.processes.wait()
        if not all(bool(weight.isfinite().all()) for weight in trainer.model.parameters()):
            lr = trainer.options.lr
            raise InputError(
                f"training ended with weights that are not finite: start afresh with a lower lr than {lr:g}"
            )
        return trainer.model.eval()

    def _validate(self) -> Validation | None:
        """Measure on the held-out rows, and keep the model if none was better."""
        if self._settings.validation is None or not self._writes:
            return None
        validation = validate(self._trainer.model, self._settings.validation)
        score = validation.score(self._trainer.options.cross_loss_coef)
        if math.isnan(score):
            raise InputError(
                "validation errors are not finite: hold out rows of which at least one is finite and not all zero in "
                "every stream, or, if the loss grows, lower lr"
            )
        if score < self._best_score:
            self._best_score = score
            save_sparc(self._trainer.model, self._folder / BEST_FILE, {"step": str(self._trainer.steps_done)})
        return validation

    def _report(self, loss: SparcLoss, validation: Validation | None) -> None:
        if not self._reports:
            return
        trainer, now = self._trainer, time.perf_counter()
        rows_per_second = (trainer.rows_seen - self._last_rows) / max(now - self._last_time, 1e-9)
        self._last_time, self._last_rows = now, trainer.rows_seen
        rows_left = (trainer.n_steps - trainer.steps_done) * trainer.options.batch_size
        cross = [float(term) for term in loss.cross.values()]
        progress = TrainingProgress(
            epoch=trainer.epoch,
            num_epochs=trainer.options.num_epochs,
            step=trainer.steps_done,
            n_steps=trainer.n_steps,
            loss=float(loss.total),
            nmse={stream: float(term) for stream, term in loss.reconstruction.items()},
            mean_cross_nmse=sum(cross) / max(len(cross), 1),
            dead_share=trainer.dead.share(),
            n_skipped=trainer.n_skipped,
            lr=learning_rate(trainer.options, trainer.steps_done - 1, trainer.n_steps),
            rows_per_second=rows_per_second,
            seconds_left=rows_left / max(rows_per_second, 1e-9),
            validation=validation,
        )
        for report in self._reports:
            report(progress)
