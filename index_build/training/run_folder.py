"""A training run's folder as the command line keeps it: what was asked for, what came out.

`run.json` holds the features' paths, the recipe and the options, so that `--resume` needs nothing but the folder.
Steps, checkpoints and metrics are `index_build.training.run`'s.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from index_build.feature_store import FeatureStore
from index_build.files import write_text
from index_build.training.options import TrainingOptions
from index_build.training.run import STATE_FILE
from index_build.training.validation import Validation, validate
from sparc_core.errors import InputError, SparcError
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
        write_text(folder / RUN_FILE, json.dumps(content, indent=1) + "\n")


@contextmanager
def new_run(request: RunRequest, folder: Path) -> Iterator[None]:
    """A folder for a run that starts; it stays as it was if the run cannot start.

    Raises:
        InputError: There is a run in it already.
    """
    if (folder / RUN_FILE).exists() or (folder / STATE_FILE).exists():
        raise InputError(
            f'{folder} holds a run already: "sparc-build train --out {folder} --resume" goes on with it; '
            "choose another folder for a new one"
        )
    request.write(folder)
    try:
        yield
    except SparcError:
        if not (folder / STATE_FILE).exists():
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


@dataclass(frozen=True)
class ModelSummary:
    """What a trained model does; `str` of it is a line.

    Attributes:
        n_latents: Its latents.
        dead_share: Share of them that no training row activates in any stream.
        alive_in_some_share: Share that training rows activate in some streams, not in all.
        validation: Errors on held-out rows, if there are any.
    """

    n_latents: int
    dead_share: float
    alive_in_some_share: float
    validation: Validation | None

    def __str__(self) -> str:
        text = f"dead {self.dead_share:.1%} of {self.n_latents}"
        text += f", alive in some streams only {self.alive_in_some_share:.1%}"
        if self.validation is None:
            return text
        errors = " ".join(f"{stream} {error:.4f}" for stream, error in self.validation.nmse.items())
        return f"{text}; validation NMSE {errors}, cross {self.validation.mean_cross_nmse:.4f}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        shares = {"dead_share": self.dead_share, "alive_in_some_share": self.alive_in_some_share}
        return shares | {"validation": self.validation.as_dict() if self.validation else None}


def measure(model: Sparc, store: FeatureStore, held_out: FeatureStore | None) -> ModelSummary:
    """Look at all training rows, and at those held out."""
    alive, n_latents = model_liveness(model, store), model.config.n_latents
    errors = None if held_out is None else validate(model, held_out)
    return ModelSummary(n_latents, alive.dead_in_all / n_latents, alive.alive_in_some / n_latents, errors)


def write_summary(folder: Path, summaries: Mapping[str, ModelSummary]) -> None:
    """Keep what came out, by file of the model."""
    content = {name: summary.as_dict() for name, summary in summaries.items()}
    write_text(folder / SUMMARY_FILE, json.dumps(content, indent=1) + "\n")
