"""A training run's folder as the command line keeps it: what was asked for, what came out.

`run.json` holds the features' paths, the recipe and the options, so that `--resume` needs nothing but the folder.
Steps, checkpoints and metrics are `index_build.training.run`'s.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from index_build.feature_store import FeatureStore
from index_build.training.options import TrainingOptions
from sparc_core.errors import InputError
from sparc_core.metrics import Liveness, active_counts, liveness
from sparc_core.model import Sparc

RUN_FILE = "run.json"
MODEL_FILE = "sparc.safetensors"
SUMMARY_FILE = "summary.json"
_ROWS_AT_A_TIME = 1024
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
        (folder / RUN_FILE).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


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
        return RunRequest(features, TrainingOptions(**content["options"]), content["validation_rows"])
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


@torch.no_grad()
def model_liveness(model: Sparc, store: FeatureStore) -> Liveness:
    """Which latents some row activates, with the model's own selection."""
    device, n_latents = next(model.parameters()).device, model.config.n_latents
    counts = {stream: np.zeros(n_latents, np.int64) for stream in store.widths}
    for start in range(0, store.n_rows, _ROWS_AT_A_TIME):
        rows = store.rows(torch.arange(start, min(start + _ROWS_AT_A_TIME, store.n_rows)))
        for stream, code in model.encode({stream: x.to(device) for stream, x in rows.items()}).items():
            counts[stream] += active_counts(code.latents.cpu().numpy(), code.activations.cpu().numpy(), n_latents)
    return liveness(counts)


def write_summary(folder: Path, summary: Mapping[str, Any]) -> None:
    """Keep what came out."""
    (folder / SUMMARY_FILE).write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
