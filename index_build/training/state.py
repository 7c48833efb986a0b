"""The state of an unfinished training run as one file, so that it goes on as if it had never stopped.

Holds weights, Adam's moments and the dead-latent counters; the header says which run it belongs to. Random state needs
no storing: `index_build.training.trainer` derives it from the seed and the step.
"""

import hashlib
from pathlib import Path
from typing import Any

import torch

from index_build.features.store import FeatureStore
from index_build.training.options import TrainingOptions
from index_build.training.trainer import Trainer
from sparc_core.checkpoint import read_tensors, restore_weights, weights, write_tensors
from sparc_core.errors import InputError

_FINGERPRINT_ROWS = 16_384


def fingerprint(store: FeatureStore, options: TrainingOptions) -> str:
    """A hash of what decides a run's outcome: the features (16,384 of their rows at most) and the options."""
    settings = {name: value for name, value in options.as_dict().items() if name != "checkpoint_every"}
    digest = hashlib.sha256(repr((sorted(settings.items()), store.n_rows)).encode())
    rows = torch.linspace(0, store.n_rows - 1, min(_FINGERPRINT_ROWS, store.n_rows), dtype=torch.float64).long()
    for stream, x in store.rows(rows).items():
        digest.update(f"{stream} {tuple(x.shape)}".encode())
        digest.update(x.numpy().data)
    return digest.hexdigest()


def save_state(trainer: Trainer, run: str, path: Path, notes: dict[str, Any] | None = None) -> None:
    """Write where a run stands; `run` is its fingerprint, `notes` anything that JSON can hold."""
    tensors = dict(weights(trainer.model)) | trainer.optimizer.state()
    for stream, steps in trainer.dead.steps_asleep.items():
        tensors[f"steps_asleep.{stream}"] = steps
    counts = {"steps_done": trainer.steps_done, "adam_steps": trainer.optimizer.steps_done}
    skipped = {"n_skipped": trainer.n_skipped, "skipped_in_a_row": trainer.skipped_in_a_row}
    write_tensors(path, tensors, {"run": run, **counts, **skipped, "notes": notes or {}})


def restore_state(trainer: Trainer, run: str, path: Path) -> dict[str, Any]:
    """Bring a fresh trainer to where the saved run stands.

    Returns:
        The notes.

    Raises:
        InputError: The file belongs to another run, or is damaged.
    """
    tensors, header = read_tensors(path)
    if header.get("run") != run:
        raise InputError(
            f"{path} belongs to a run with other features or options: choose another folder or remove that file"
        )
    expected = set(weights(trainer.model))
    restore_weights(trainer.model, {name: tensors[name] for name in expected & set(tensors)}, path)
    trainer.encoder.refresh_all()
    try:
        trainer.optimizer.restore(tensors, int(header["adam_steps"]))
        trainer.dead.restore({stream: tensors[f"steps_asleep.{stream}"] for stream in trainer.dead.steps_asleep})
        trainer.steps_done = int(header["steps_done"])
        trainer.n_skipped, trainer.skipped_in_a_row = int(header["n_skipped"]), int(header["skipped_in_a_row"])
        return dict(header["notes"])
    except KeyError as error:
        raise InputError(f"{path} has no entry {error}: remove it to train from the start") from error
