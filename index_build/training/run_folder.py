"""A training run's folder as the command line keeps it, and what was asked for.

`run.json` holds the features' paths and the options, so that `--resume` needs nothing but the folder. Steps,
checkpoints and metrics are `index_build.training.run`'s; what came out is in `index_build.training.summary`.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from index_build.features.store import FeatureStore
from index_build.files import write_text
from index_build.training.options import TrainingOptions
from index_build.training.run import METRICS_FILE, STATE_FILE
from sparc_core.errors import DiskFullError, InputError, SparcError
from sparc_core.full_disk import full_disk_said

RUN_FILE = "run.json"
_SPLIT_SEED = 0


@dataclass(frozen=True)
class RunRequest:
    """What a run is asked to do.

    Attributes:
        features: Feature files by stream.
        options: The recipe.
        validation_rows: How many rows to hold out.
    """

    features: dict[str, Path]
    options: TrainingOptions
    validation_rows: int = 0

    def write(self, folder: Path) -> None:
        """Keep it with the run."""
        folder.mkdir(parents=True, exist_ok=True)
        features = {stream: str(path.resolve()) for stream, path in self.features.items()}
        content = asdict(self) | {"features": features, "options": self.options.as_dict()}
        write_text(folder / RUN_FILE, json.dumps(content, indent=1) + "\n")


@contextmanager
def new_run(request: RunRequest, folder: Path) -> Iterator[None]:
    """A folder for a run that starts; free again if the run ends before it has anything to show.

    Raises:
        InputError: There is a run in it already.
    """
    if (folder / RUN_FILE).exists() or (folder / STATE_FILE).exists():
        raise InputError(
            f'{folder} holds a run already: "sparc-build train --out {folder} --resume" goes on with it; '
            "choose another folder for a new one"
        )
    with full_disk_said(f"run {folder}", folder, "run the same command again"):
        request.write(folder)
    try:
        yield
    except DiskFullError:
        raise  # it is gone on with
    except SparcError:
        metrics = folder / METRICS_FILE
        if not (folder / STATE_FILE).exists() and not (metrics.exists() and metrics.stat().st_size):
            (folder / RUN_FILE).unlink(missing_ok=True)
        raise


def read_request(folder: Path) -> RunRequest:
    """What the run in a folder was asked to do.

    Raises:
        InputError: There is none, or it is damaged.
    """
    path = folder / RUN_FILE
    if not path.is_file():
        raise InputError(f"there is no run to resume in {folder}: it has no {RUN_FILE}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        features = {stream: Path(file) for stream, file in content["features"].items()}
        return RunRequest(features, TrainingOptions(**content["options"]), int(content["validation_rows"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is damaged or of another version ({error}): start the run in a new folder") from error


def split(store: FeatureStore, validation_rows: int) -> tuple[FeatureStore, FeatureStore | None]:
    """Rows to train on, and rows to hold out: drawn at random, the same ones for every recipe and seed.

    Raises:
        InputError: Nothing would be left to train on.
    """
    if not validation_rows:
        return store, None
    if not 0 < validation_rows < store.n_rows:
        raise InputError(
            f"validation_rows is {validation_rows} of {store.n_rows} rows: "
            "hold out at least 1 and leave some to train on"
        )
    order = torch.randperm(store.n_rows, generator=torch.Generator().manual_seed(_SPLIT_SEED))
    held_out, kept = order[:validation_rows].sort().values, order[validation_rows:].sort().values
    return store.subset(kept), store.subset(held_out)
