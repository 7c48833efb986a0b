"""The state of an unfinished training run as one file, so that it goes on as if it had never stopped.

Holds weights, Adam's moments and the dead-latent counters; the header says which run it belongs to. Random state needs
no storing: `index_build.trainer` derives it from the seed and the step.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from index_build.trainer import Trainer
from index_build.training_options import TrainingOptions
from sparc_core.checkpoint import read_tensors, restore_weights, weights, write_tensors
from sparc_core.errors import InputError

_MOMENTS = ("exp_avg", "exp_avg_sq")


def fingerprint(features: Mapping[str, Tensor], options: TrainingOptions) -> str:
    """A hash of everything that decides a run's outcome: the features and the options that matter to it."""
    settings = {name: value for name, value in options.as_dict().items() if name != "checkpoint_every"}
    digest = hashlib.sha256(repr(sorted(settings.items())).encode())
    for stream, x in features.items():
        digest.update(f"{stream} {tuple(x.shape)}".encode())
        digest.update(x.contiguous().numpy().data)
    return digest.hexdigest()


def save_state(trainer: Trainer, run: str, path: Path) -> None:
    """Write where a run stands; `run` is its fingerprint."""
    tensors = dict(weights(trainer.model))
    for name, parameter in _parameters(trainer).items():
        for moment in _MOMENTS:
            tensors[f"{moment}.{name}"] = trainer.optimizer.state[parameter][moment]
    for stream, steps in trainer.dead.steps_asleep.items():
        tensors[f"steps_asleep.{stream}"] = steps
    write_tensors(path, tensors, {"run": run, "steps_done": trainer.steps_done})


def restore_state(trainer: Trainer, run: str, path: Path) -> None:
    """Bring a fresh trainer to where the saved run stands.

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
    try:
        for name, parameter in _parameters(trainer).items():
            moments = {moment: tensors[f"{moment}.{name}"] for moment in _MOMENTS}
            trainer.optimizer.state[parameter] = {"step": torch.tensor(float(header["steps_done"])), **moments}
        for stream, steps in trainer.dead.steps_asleep.items():
            steps.copy_(tensors[f"steps_asleep.{stream}"])
    except KeyError as error:
        raise InputError(f"{path} has no entry {error}: remove it to train from the start") from error
    trainer.steps_done = int(header["steps_done"])


def _parameters(trainer: Trainer) -> dict[str, Tensor]:
    """The live parameters by their name in a checkpoint."""
    model = trainer.model
    return {
        f"{stream}.{name}": parameter
        for stream in model.config.streams
        for name, parameter in model.autoencoder(stream).named_parameters()
    }
