"""Given models: a published run directory, or a model file of ours, brought into the form that bundles hold."""

import json
from pathlib import Path
from typing import Any

from sparc_core.checkpoint import load_sparc
from sparc_core.errors import InputError, ShapeError
from sparc_core.model import Sparc
from sparc_core.published import CONFIG_NAME, load_published

Scalar = str | int | float | bool | None


def load_given_model(path: Path) -> Sparc:
    """Read a trained model; no pickle is run.

    Args:
        path: A folder with `run_config.json` and `msae_checkpoint.pth`, a folder of `sparc-build train`, or its
            `sparc.safetensors`.

    Raises:
        InputError: There is none, or it is damaged.
    """
    if path.is_dir() and not (path / CONFIG_NAME).is_file() and (path / "sparc.safetensors").is_file():
        path = path / "sparc.safetensors"
    return load_published(path) if path.is_dir() or not path.exists() else load_sparc(path)


def given_recipe(path: Path) -> dict[str, Scalar]:
    """What a published run says of its training; empty for other models."""
    config = path / CONFIG_NAME
    if not config.is_file():
        return {}
    args: dict[str, Any] = json.loads(config.read_text(encoding="utf-8")).get("args", {})
    return {name: value for name, value in args.items() if isinstance(value, str | int | float | bool | None)}


def check_widths(model: Sparc, widths: dict[str, int], path: Path) -> None:
    """Compare a model's streams with the features that it will get.

    Raises:
        InputError: The streams are others.
        ShapeError: A stream's features have another width.
    """
    expected = model.config.streams
    if set(expected) != set(widths):
        raise InputError(
            f"the model at {path} has streams {', '.join(expected)}, the build has {', '.join(widths)}: "
            "name the build's streams as the model does"
        )
    for stream, d in expected.items():
        if widths[stream] != d:
            raise ShapeError(
                f"stream {stream} has features of width {widths[stream]}, the model at {path} takes {d}: "
                "they come from another backbone than it was trained with"
            )
