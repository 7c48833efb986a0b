"""Training SPARC on features held in memory: the loop around `index_build.trainer`, with its files.

`train_sparc` checkpoints into a folder and, started again with the same features and options, goes on from there and
ends with the same bits as a run that was never stopped (same machine and number of threads). The recipe is
`index_build.training_options.TrainingOptions`.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32

from index_build.trainer import Trainer
from index_build.training_options import TrainingOptions
from index_build.training_state import fingerprint, restore_state, save_state
from sparc_core.losses import SparcLoss
from sparc_core.model import Sparc

_REPORT_EVERY = 50
_STATE_FILE = "training_state.safetensors"
_METRICS_FILE = "metrics.jsonl"


@dataclass(frozen=True)
class TrainingProgress:
    """Where a run stands, after some step.

    Attributes:
        epoch, num_epochs: Epoch that the next step belongs to, from 1.
        step, n_steps: Steps taken, and the length of the run.
        loss: Total loss of the last batch.
        nmse: Its own reconstruction error per stream, in the recipe's scale (0 perfect, 1 as bad as no latents).
        dead_share: Share of latents that are dead in every stream, by the trainer's counters.
        rows_per_second: Rows trained on per second since the last report.
    """

    epoch: int
    num_epochs: int
    step: int
    n_steps: int
    loss: float
    nmse: dict[str, float]
    dead_share: float
    rows_per_second: float


def train_sparc(
    features: Mapping[str, Float32[np.ndarray, "n d"]],
    options: TrainingOptions,
    folder: Path,
    progress: Callable[[TrainingProgress], None] | None = None,
) -> Sparc:
    """Train a model, or finish training one.

    Args:
        features: Per stream, unit-norm rows; row i of each stream belongs to the same item.
        options: The recipe.
        folder: Takes the state of the run (`training_state.safetensors`) and its metrics (`metrics.jsonl`, one
            `TrainingProgress` per line). A finished run is read back, not trained again.
        progress: Called every 50 steps and at the end.

    Returns:
        The trained model, in evaluation mode.

    Raises:
        InputError, ShapeError: Unusable features, or a folder that holds a run with other features or options.
    """
    tensors = {stream: torch.from_numpy(np.ascontiguousarray(x, np.float32)) for stream, x in features.items()}
    trainer = Trainer(tensors, options)
    run = fingerprint(tensors, options)
    folder.mkdir(parents=True, exist_ok=True)
    state_path, metrics_path = folder / _STATE_FILE, folder / _METRICS_FILE
    if state_path.exists():
        restore_state(trainer, run, state_path)
    _forget_metrics_after(metrics_path, trainer.steps_done)
    reporter = _Reporter(trainer, metrics_path, progress)
    while trainer.steps_done < trainer.n_steps:
        loss = trainer.step()
        is_last = trainer.steps_done == trainer.n_steps
        if is_last or trainer.steps_done % _REPORT_EVERY == 0:
            reporter.report(loss)
        if is_last or trainer.steps_done % options.checkpoint_every == 0:
            save_state(trainer, run, state_path)
    return trainer.model.eval()


class _Reporter:
    """Writes progress to the metrics file and passes it on."""

    def __init__(
        self, trainer: Trainer, metrics_path: Path, progress: Callable[[TrainingProgress], None] | None
    ) -> None:
        self._trainer = trainer
        self._metrics_path = metrics_path
        self._progress = progress
        self._last_time = time.perf_counter()
        self._last_rows = trainer.rows_seen

    def report(self, loss: SparcLoss) -> None:
        trainer, now = self._trainer, time.perf_counter()
        rows_per_second = (trainer.rows_seen - self._last_rows) / max(now - self._last_time, 1e-9)
        self._last_time, self._last_rows = now, trainer.rows_seen
        report = TrainingProgress(
            epoch=trainer.epoch,
            num_epochs=trainer.options.num_epochs,
            step=trainer.steps_done,
            n_steps=trainer.n_steps,
            loss=float(loss.total.detach()),
            nmse={stream: float(term.detach()) for stream, term in loss.reconstruction.items()},
            dead_share=trainer.dead.share(),
            rows_per_second=rows_per_second,
        )
        with self._metrics_path.open("a") as file:
            file.write(json.dumps(asdict(report)) + "\n")
        if self._progress is not None:
            self._progress(report)


def _forget_metrics_after(path: Path, steps_done: int) -> None:
    """Drop the lines of steps that an interrupted run took after its last checkpoint; they will be taken again."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text().splitlines():
        try:
            if json.loads(line)["step"] <= steps_done:
                kept.append(line + "\n")
        except ValueError:  # a line cut short by the interruption
            break
    path.write_text("".join(kept))
