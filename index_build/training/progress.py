"""What a training run reports while it runs, and the files it reports to."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from index_build.files import write_text
from index_build.training.validation import Validation
from sparc_core.errors import InputError


@dataclass(frozen=True)
class TrainingProgress:
    """Where a run stands, after some step.

    Attributes:
        epoch, num_epochs: Epoch of the last step, from 1.
        step, n_steps: Steps taken, and the length of the run.
        loss: Total loss of the last batch.
        nmse: Its own reconstruction error per stream, in the recipe's scale (0 is perfect).
        mean_cross_nmse: The same, from other streams' codes, mean over pairs.
        dead_share: Share of latents that no stream has activated for `dead_steps_threshold` steps.
        n_skipped: Batches so far whose loss or gradient was not finite.
        lr: Learning rate of the last step.
        rows_per_second: Rows trained on per second since the last report, by all processes together.
        seconds_left: Until the end, at that pace.
        validation: Errors on held-out rows, at the end of an epoch.
    """

    epoch: int
    num_epochs: int
    step: int
    n_steps: int
    loss: float
    nmse: dict[str, float]
    mean_cross_nmse: float
    dead_share: float
    n_skipped: int
    lr: float
    rows_per_second: float
    seconds_left: float
    validation: Validation | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        validation = None if self.validation is None else self.validation.as_dict()
        return {field.name: getattr(self, field.name) for field in fields(self)} | {"validation": validation}


Report = Callable[[TrainingProgress], None]


class MetricsFile:
    """A JSONL file with one report a line."""

    def __init__(self, path: Path, steps_done: int) -> None:
        """Args: where, and the step that the run goes on from; lines of later steps go, as they are taken again."""
        self._path = path
        if path.exists():
            write_text(path, "".join(_lines_up_to(path.read_text(), steps_done)))

    def __call__(self, progress: TrainingProgress) -> None:
        """Add a line."""
        with self._path.open("a") as file:
            file.write(json.dumps(_strict(progress.as_dict())) + "\n")


class TensorBoardFiles:
    """Event files that TensorBoard shows."""

    def __init__(self, folder: Path, steps_done: int) -> None:
        """Args: where, and the step that the run goes on from; what was logged of later steps is hidden.

        Raises:
            InputError: The package `tensorboard` is missing.
        """
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise InputError(
                'TensorBoard is not installed: pip install "sparc-explorer[tensorboard]", or leave --tensorboard out'
            ) from None

        self._writer = SummaryWriter(str(folder), purge_step=steps_done + 1)

    def __call__(self, progress: TrainingProgress) -> None:
        """Add the report's numbers."""
        scalars = {"loss": progress.loss, "dead_share": progress.dead_share, "lr": progress.lr}
        scalars |= {"rows_per_second": progress.rows_per_second, "mean_cross_nmse": progress.mean_cross_nmse}
        scalars |= {f"nmse/{stream}": error for stream, error in progress.nmse.items()}
        if progress.validation is not None:
            scalars |= {f"validation/nmse/{stream}": error for stream, error in progress.validation.nmse.items()}
            scalars["validation/mean_cross_nmse"] = progress.validation.mean_cross_nmse
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, progress.step)
        self._writer.flush()


def _strict(value: Any) -> Any:
    """The same with None for numbers that are not finite, which JSON cannot say."""
    if isinstance(value, dict):
        return {name: _strict(entry) for name, entry in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _lines_up_to(text: str, steps_done: int) -> list[str]:
    kept = []
    for line in text.splitlines():
        try:
            if json.loads(line)["step"] <= steps_done:
                kept.append(line + "\n")
        except (ValueError, KeyError, TypeError):  # a line cut short by an interruption, or not ours
            break
    return kept
