"""The engine that a build gets: connected to a cluster whose nodes all see the work folder."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import ray
import ray.util.client

from index_build.engine import TrainingJob
from index_build.features.extraction import BackboneLoader, Shard
from index_build.ray_engine.connection import connection, require_workers
from index_build.ray_engine.extraction import Encoders, extract_on_ray, extract_through_client
from index_build.ray_engine.shared_folder import SharedFolder, marked
from index_build.ray_engine.tasks import RayTasks
from index_build.ray_engine.training import train_on_ray
from index_build.workers import ProgressReport, TaskRunner


class ClusterSettings(Protocol):
    """What [engine] of a `sparc.toml` says about a cluster."""

    @property
    def address(self) -> str | None:
        """Of the cluster; None starts one on this machine."""
        ...

    @property
    def gpus_per_encoder(self) -> float:
        """GPUs of one encoder; 0 computes on CPUs, and trains there."""
        ...

    @property
    def encoders(self) -> int | tuple[int, int]:
        """The most of them, or the fewest and the most; 0 is as many as fit."""
        ...

    @property
    def train_workers(self) -> int:
        """Processes that train together."""
        ...


@dataclass(frozen=True)
class RayEngine:
    """The cluster that this process is connected to. See `index_build.engine.Engine`.

    Attributes:
        shared: Where everything that it reads and writes lies; paths are absolute.
        encoders: The pool that extracts features.
        train_workers: Processes that train together.
    """

    shared: SharedFolder
    encoders: Encoders = field(default_factory=Encoders)
    train_workers: int = 1

    @property
    def tasks(self) -> TaskRunner:
        """Ray tasks."""
        return RayTasks(self.shared)

    def extract(self, loader: BackboneLoader, shards: Sequence[Shard], report: ProgressReport) -> None:
        """With Ray Data."""
        extract = extract_through_client if ray.util.client.ray.is_connected() else extract_on_ray
        extract(loader, shards, self.shared, self.encoders, report)

    def train(self, job: TrainingJob, report: ProgressReport) -> None:
        """With Ray Train; on GPUs where the encoders have them."""
        train_on_ray(job, self.shared, self.train_workers, self.encoders.gpus > 0, report)


@contextmanager
def connected(settings: ClusterSettings, work: Path) -> Iterator[RayEngine]:
    """An engine on a cluster, connected for a while.

    Args:
        settings: Which cluster, and how to use it.
        work: The build's work folder, on storage that every node mounts at the same path.

    Raises:
        InputError: The cluster is not reachable, or a node does not see the folder or has another version of this.
    """
    with connection(settings.address), marked(work) as shared:
        require_workers(shared)
        yield RayEngine(shared, _encoders(settings), settings.train_workers)


def _encoders(settings: ClusterSettings) -> Encoders:
    if isinstance(settings.encoders, int):
        return Encoders(settings.gpus_per_encoder, most=settings.encoders or None)
    fewest, most = settings.encoders
    return Encoders(settings.gpus_per_encoder, fewest, most)
