"""Published run directories: `run_config.json` and `msae_checkpoint.pth`, read into our model.

The `.pth` is a pickle; torch reads tensors from it and nothing else, so a file from a stranger runs no code. Streams
and sizes are what the weights say; the settings add how latents are chosen. For our own files see
`sparc_core.checkpoint`.
"""

import json
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from sparc_core.checkpoint import restore_weights
from sparc_core.errors import InputError, ShapeError
from sparc_core.model import Sparc, SparcConfig
from sparc_core.selection import Selection

CONFIG_NAME = "run_config.json"
WEIGHTS_NAME = "msae_checkpoint.pth"
_ENCODER = re.compile(r"encoders\.(.+)\.weight")
_COUNTER = "stats_last_nonzero_"
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def load_published(folder: Path | str) -> Sparc:
    """Read the run directory of a published training run, on the CPU, ready for inference.

    Args:
        folder: Holds `run_config.json`, whose "args" give n_latents, k and topk_type ("global" or "local"), and
            `msae_checkpoint.pth`, a plain state dict of any number of streams.

    Returns:
        The model in float32, its streams in the order of the checkpoint's encoders.

    Raises:
        InputError: A file is missing or cannot be read, a setting is missing or unknown, a tensor is missing, unknown
            or holds values that are not finite, or a stream has a name that `SparcConfig` refuses.
        ShapeError: Tensors do not fit together, or not the settings.
    """
    folder = Path(folder)
    args = _read_args(folder / CONFIG_NAME)
    path = folder / WEIGHTS_NAME
    tensors = _read_state(path)
    widths, n_latents = _sizes(path, tensors)
    _check_n_latents(folder, n_latents, _integer(folder, args, "n_latents"))
    model = Sparc(_config(folder, widths, n_latents, args))
    _check_tensors(path, tensors, widths, n_latents)
    ours = {
        our_name: tensors[name].T if our_name.endswith(".dictionary") else tensors[name]
        for stream in widths
        for our_name, name in _names(stream).items()
    }
    restore_weights(model, ours, path)
    return model.eval()


def _read_args(path: Path) -> Mapping[str, Any]:
    """The training flags that a run's settings keep under "args"."""
    if not path.is_file():
        raise InputError(f"there is no {path}: a published run directory holds {CONFIG_NAME} and {WEIGHTS_NAME}")
    try:
        args = json.loads(path.read_bytes())["args"]
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON ({error}): copy it again") from error
    except (KeyError, TypeError, IndexError) as error:
        raise InputError(f'{path} has no "args": published training writes its flags there') from error
    if not isinstance(args, dict):
        raise InputError(f'"args" in {path} is {args!r}, not an object: published training writes its flags there')
    return args


def _read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a state dict, without the counters of dead latents, which only training needs."""
    if not path.is_file():
        raise InputError(f"there is no {path}: a published run directory holds {CONFIG_NAME} and {WEIGHTS_NAME}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of odd pickles; what matters of them is an error below
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged pickles fail in more ways than can be listed
        raise InputError(
            f"{path} cannot be read as tensors alone: it is damaged, or holds Python objects, which are never run; "
            "copy it again, or save the model's state_dict()"
        ) from error
    if not isinstance(state, Mapping):
        raise InputError(f"{path} holds a {type(state).__name__}, not a state dict: save the model's state_dict()")
    tensors = {name: value for name, value in state.items() if not str(name).startswith(_COUNTER)}
    for name, value in tensors.items():
        if (
            not isinstance(name, str)
            or not isinstance(value, Tensor)
            or value.layout != torch.strided
            or value.dtype not in _FLOATS
        ):
            raise InputError(f"{name!r} in {path} is no tensor of floats: save the model's state_dict() alone")
    return tensors


def _sizes(path: Path, tensors: Mapping[str, Tensor]) -> tuple[dict[str, int], int]:
    """Width by stream, and n_latents, read off the encoders."""
    widths, n_latents = {}, 0
    for name, tensor in tensors.items():
        if found := _ENCODER.fullmatch(name):
            if tensor.ndim != 2:
                raise ShapeError(f"tensor {name} of {path} has shape {list(tensor.shape)}, expected [n_latents, d]")
            n_latents = n_latents or tensor.shape[0]
            widths[found[1]] = tensor.shape[1]
    if not widths:
        raise InputError(f"{path} has no tensor encoders.<stream>.weight: it is not a published SPARC checkpoint")
    return widths, n_latents


def _check_n_latents(folder: Path, stored: int, configured: int) -> None:
    if stored != configured:
        raise ShapeError(
            f"{folder / WEIGHTS_NAME} has {stored} latents, {CONFIG_NAME} beside it says {configured}: "
            "the two are of different runs"
        )


def _config(folder: Path, widths: dict[str, int], n_latents: int, args: Mapping[str, Any]) -> SparcConfig:
    path = folder / CONFIG_NAME
    topk_type = args.get("topk_type")
    if topk_type not in ("global", "local"):
        raise InputError(f'topk_type in {path} is {topk_type!r}: only "global" and "local" are known')
    try:
        return SparcConfig(widths, n_latents, _integer(folder, args, "k"), cast(Selection, topk_type))
    except InputError as error:
        raise InputError(f"the run in {folder} cannot be used: {error}") from error


def _integer(folder: Path, args: Mapping[str, Any], name: str) -> int:
    value = args.get(name)
    if type(value) is not int:  # True is an int to isinstance
        raise InputError(f"{name} in {folder / CONFIG_NAME} is {value!r}, expected a whole number")
    return value


def _names(stream: str) -> dict[str, str]:
    """The published name of each of a stream's weights, by ours."""
    return {
        f"{stream}.encoder": f"encoders.{stream}.weight",
        f"{stream}.dictionary": f"decoders.{stream}.weight",
        f"{stream}.pre_bias": f"pre_biases.{stream}",
        f"{stream}.latent_bias": f"latent_biases.{stream}",
    }


def _check_tensors(path: Path, tensors: Mapping[str, Tensor], widths: Mapping[str, int], n_latents: int) -> None:
    """Compare a checkpoint with the sizes that its encoders and settings say; errors name the published tensor."""
    expected = {
        name: shape
        for stream, d in widths.items()
        for name, shape in zip(_names(stream).values(), ([n_latents, d], [d, n_latents], [d], [n_latents]), strict=True)
    }
    for name, shape in expected.items():
        if name not in tensors:
            raise InputError(f"{path} has no tensor {name}: it is damaged or not a published SPARC checkpoint")
        if list(tensors[name].shape) != shape:
            raise ShapeError(
                f"tensor {name} of {path} has shape {list(tensors[name].shape)}, its encoder asks for {shape}"
            )
        if not torch.isfinite(tensors[name].float()).all():
            raise InputError(f"tensor {name} of {path} holds values that are not finite: train it again")
    for name in tensors:
        if name not in expected:
            raise InputError(f"{path} has the unknown tensor {name}: only the published SPARC layout is read")
