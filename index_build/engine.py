"""Where a build's heavy steps run: an engine does tasks, extraction and training; steps do not know which engine it is.

`LocalEngine` is this machine; `index_build.ray_engine` is a cluster. The same input gives the same bundle id on both.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from index_build.features.extraction import BackboneLoader, Shard, write_shard
from index_build.features.store import FeatureStore
from index_build.threads import one_thread
from index_build.training.options import TrainingOptions
from index_build.training.progress import TrainingProgress
from index_build.training.run import RunSettings, train_sparc
from index_build.workers import LocalTasks, ProgressReport, TaskRunner
from sparc_core.checkpoint import save_sparc

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class TrainingJob:
    """A model to train.

    Attributes:
        features: Feature files by stream.
        rows: File with the numbers of the rows to train on (int64 `.npy`).
        options: The recipe.
        folder: Takes the run's state.
        model: Where the trained model goes.
    """

    features: dict[str, Path]
    rows: Path
    options: TrainingOptions
    folder: Path
    model: Path

    def run(self, report: ProgressReport, settings: RunSettings) -> None:
        """Train in this process, with the others of `settings` if there are any; the first one saves the model."""
        store = FeatureStore.open(self.features).subset(np.load(self.rows))

        def tell(progress: TrainingProgress) -> None:
            report(progress.step, progress.n_steps)

        model = train_sparc(store, self.options, self.folder, [tell], settings)
        if settings.processes.is_first:
            self.model.parent.mkdir(parents=True, exist_ok=True)
            save_sparc(model.cpu(), self.model)


class Engine(Protocol):
    """Runs the heavy steps."""

    @property
    def tasks(self) -> TaskRunner:
        """Runs independent tasks."""
        ...

    def extract(self, loader: BackboneLoader, shards: Sequence[Shard], report: ProgressReport) -> None:
        """Compute feature shards; see `index_build.features.assembly.Extractor`."""
        ...

    def train(self, job: TrainingJob, report: ProgressReport) -> None:
        """Train SPARC."""
        ...


@dataclass(frozen=True)
class LocalEngine:
    """This machine.

    Attributes:
        n_workers: Processes; 0 does everything in this one.
        device: Where towers and training run.
        kept: Processes that all steps share but extraction, whose processes hold towers.
    """

    n_workers: int = 0
    device: torch.device = _CPU
    kept: LocalTasks | None = None

    @classmethod
    @contextmanager
    def opened(cls, n_workers: int, device: torch.device = _CPU) -> Iterator["LocalEngine"]:
        """An engine whose processes live as long as the block."""
        with LocalTasks(n_workers) as kept:
            yield cls(n_workers, device, kept)

    @property
    def tasks(self) -> TaskRunner:
        """Worker processes."""
        return self.kept or LocalTasks(self.n_workers)

    def extract(self, loader: BackboneLoader, shards: Sequence[Shard], report: ProgressReport) -> None:
        """On a CPU every process looks at shards of its own; a GPU is fed by processes that decode."""
        if self.device.type == "cpu":
            tasks = [(loader, shard) for shard in shards]
            LocalTasks(self.n_workers).run(write_shard, tasks, report, [len(shard.inputs) for shard in shards])
            return
        from index_build.features.on_device import extract_on_device

        extract_on_device(loader, shards, self.device, self.n_workers, report)

    def train(self, job: TrainingJob, report: ProgressReport) -> None:
        """In this process; on a CPU with one thread, so that the model does not depend on the number of cores."""
        with one_thread():
            job.run(report, RunSettings(device=self.device))
