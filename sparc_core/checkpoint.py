"""Checkpoints: a SPARC model as one safetensors file.

Tensors are named `<stream>.<weight>`; the configuration and the caller's metadata are JSON in the file's header, under
the single key "sparc" (several keys would be written in any order, and equal models must be equal bytes). Files are
written whole or not at all. Training's own state uses the same file format (`index_build.training.state`).
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from sparc_core.errors import InputError, ShapeError
from sparc_core.model import Sparc, SparcConfig

_KEY = "sparc"
_FORMAT = "sparc-model/1"


def save_sparc(model: Sparc, path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write a model to one file; equal models and metadata give equal bytes.

    Args:
        model: Its weights are stored as they are.
        path: Replaced if it exists; its folder must exist.
        metadata: Anything about the model worth keeping with it (recipe, corpus).
    """
    header = {"format": _FORMAT, "config": asdict(model.config), "metadata": dict(sorted((metadata or {}).items()))}
    write_tensors(path, weights(model), header)


def load_sparc(path: Path) -> Sparc:
    """Read a model that `save_sparc` wrote, on the CPU, ready for inference.

    Raises:
        InputError: The file is missing or no checkpoint, lacks a tensor, has one too many, or holds values that are
            not finite.
        ShapeError: A tensor does not fit the configuration.
    """
    tensors, header = read_tensors(path)
    model = Sparc(_config(path, header))
    restore_weights(model, tensors, path)
    return model.eval()


def load_metadata(path: Path) -> dict[str, str]:
    """The metadata that `save_sparc` was given; raises as `load_sparc`, but reads the header only."""
    header = _read_header(path)
    _config(path, header)
    return {str(name): str(value) for name, value in header.get("metadata", {}).items()}


def weights(model: Sparc) -> dict[str, Tensor]:
    """The model's weights by their name in a checkpoint."""
    return {
        f"{stream}.{name}": parameter.detach()
        for stream in model.config.streams
        for name, parameter in model.autoencoder(stream).named_parameters()
    }


def restore_weights(model: Sparc, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Copy a checkpoint's tensors into a model of the same configuration; errors as `load_sparc`."""
    expected = weights(model)
    for name, parameter in expected.items():
        if name not in tensors:
            raise InputError(f"checkpoint {path} has no tensor {name}: it is damaged or not a SPARC model")
        stored = tensors[name]
        if stored.shape != parameter.shape:
            raise ShapeError(
                f"tensor {name} of checkpoint {path} has shape {list(stored.shape)}, "
                f"its configuration says {list(parameter.shape)}"
            )
        if not torch.isfinite(stored).all():
            raise InputError(f"tensor {name} of checkpoint {path} holds values that are not finite: train it again")
    extra = sorted(set(tensors) - set(expected))
    if extra:
        raise InputError(f"checkpoint {path} has the unknown tensor {extra[0]}: it was written by another version")
    with torch.no_grad():
        for name, parameter in expected.items():
            parameter.copy_(tensors[name])


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write tensors and a JSON header, fsynced and renamed into place."""
    content = save({name: tensor.contiguous() for name, tensor in tensors.items()}, {_KEY: json.dumps(header)})
    temporary = path.with_name(f".{path.name}.tmp")  # the same every time, so that a killed writer leaves one at most
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and header of a file that `write_tensors` wrote.

    Raises:
        InputError: The file is missing, damaged, or has no such header.
    """
    header = _read_header(path)
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, header  # noqa: SIM118 (not a mapping)


def _read_header(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(f"there is no checkpoint at {path}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise InputError(f"checkpoint {path} cannot be read as safetensors ({error}): copy or make it again") from error
    try:
        header = json.loads(metadata[_KEY])
    except (KeyError, ValueError) as error:
        raise InputError(f'{path} is a safetensors file without a "{_KEY}" header: it is not ours') from error
    if not isinstance(header, dict):
        raise InputError(f'the "{_KEY}" header of {path} is not a JSON object: it is not ours')
    return header


def _config(path: Path, header: Mapping[str, Any]) -> SparcConfig:
    if header.get("format") != _FORMAT:
        raise InputError(f'checkpoint {path} has format {header.get("format")!r}, this version reads "{_FORMAT}"')
    try:
        return SparcConfig(**header["config"])
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"the configuration in checkpoint {path} is incomplete or of another version") from error
