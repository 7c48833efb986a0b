"""What tests run on workers: slow towers that note where they worked, tasks that fail, a training that dies once."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch
from PIL import Image

from index_build.engine import TrainingJob
from index_build.features.extraction import ROWS_PER_SHARD, Shard, plan_shards
from index_build.training.run import RunSettings
from index_build.workers import ProgressReport
from sparc_core.errors import InputError
from tests.build.build_fakes import FakeImage, FakeText, load_fake

SPECS = {"eye": "fake:eye", "camera": "fake:camera"}


@dataclass(frozen=True)
class Settings:
    """What a `sparc.toml` would say."""

    address: str | None
    gpus_per_encoder: float = 0
    encoders: int | tuple[int, int] = 0
    train_workers: int = 1


class Reports(list[tuple[int, int]]):
    """Keeps what is reported."""

    def __call__(self, done: int, total: int) -> None:
        self.append((done, total))


class SlowText(FakeText):
    """Takes its time and leaves a file named after the node."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def features(self, x: torch.Tensor) -> torch.Tensor:
        time.sleep(0.4)
        (self._folder / ray.util.get_node_ip_address()).touch()
        return super().features(x)


def load_slow(spec: str) -> Any:
    """Specs "slow:FOLDER" are slow texts, others the fakes."""
    kind, _, folder = spec.partition(":")
    return SlowText(Path(folder)) if kind == "slow" else load_fake(spec)


def load_broken(spec: str) -> Any:
    raise InputError(f'there is no backbone "{spec}"')


class Nonsense(FakeImage):
    def features(self, x: torch.Tensor) -> torch.Tensor:
        return super().features(x)[:, :3]


def load_nonsense(spec: str) -> Any:
    return Nonsense(12, 1)


def picture_shards(folder: Path, n_shards: int) -> list[Shard]:
    """Shards of random pictures for two towers, the last shard shorter than the others."""
    rng = np.random.RandomState(0)
    media = folder / "pictures"
    media.mkdir(exist_ok=True)
    paths = [str(media / f"{i}.png") for i in range(n_shards * ROWS_PER_SHARD - 100)]
    for path in paths:
        Image.fromarray(rng.randint(0, 256, (16, 20, 3), np.uint8)).save(path)
    return plan_shards("image", paths, SPECS, folder)


def text_shards(folder: Path, n_shards: int, spec: str) -> list[Shard]:
    """Shards of texts for one tower."""
    texts = [f"caption number {i % 50}" for i in range(n_shards * ROWS_PER_SHARD)]
    return plan_shards("text", texts, {"text": spec}, folder)


def shard_files(folder: Path) -> dict[str, bytes]:
    """What extraction wrote, by name; descriptions included."""
    files = {str(path.relative_to(folder)): path for path in (folder / "shards").rglob("*.*")}
    return {name: path.read_bytes() for name, path in files.items()}


def write_threads(path: Path, slow_node: str = "") -> None:
    """Says where it begins, takes its time on one node and writes how many threads torch has."""
    place = ray.util.get_node_ip_address()
    path.with_suffix(".begun").write_text(place)
    time.sleep(6 if place == slow_node else 0.1)
    path.write_text(f"{torch.get_num_threads()}")


def fail_at(number: int, wanted: int, folder: Path) -> None:
    if number == wanted:
        raise InputError(f"number {number} cannot be used")
    (folder / str(number)).touch()


def die(folder: Path) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def raise_os_error(folder: Path) -> None:
    raise FileNotFoundError(2, "No such file or directory", "/somewhere")


@dataclass(frozen=True)
class DyingJob(TrainingJob):
    """Its first process is killed once, in the middle."""

    def run(self, report: ProgressReport, settings: RunSettings) -> None:
        def tell(done: int, total: int) -> None:
            report(done, total)
            died = self.folder / "died"
            if done >= total // 2 and not died.exists():
                died.touch()
                os.kill(os.getpid(), signal.SIGKILL)

        super().run(tell, settings)
