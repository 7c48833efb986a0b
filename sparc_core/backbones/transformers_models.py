"""Load transformers checkpoints by spec: hub ids and local folders, vision models and text encoders.

The config says which class a checkpoint needs; what that class makes of its inputs is read in `vision`, `sentences`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch

from sparc_core.backbones.base import ImageBackbone, TextBackbone
from sparc_core.backbones.checkpoint_files import pooling_of, read_context_length, read_picture_input
from sparc_core.backbones.sentences import TransformersText
from sparc_core.backbones.spec import BackboneSpec, Modality
from sparc_core.backbones.vision import TransformersImage
from sparc_core.backbones.weights import fetching, local_folder, reading
from sparc_core.errors import InputError


class _Kind(NamedTuple):
    """How checkpoints of one model type become a backbone; without a class, transformers' AutoModel knows it."""

    modality: Modality
    readout: Literal["cls", "projected", "pooled", "mean", "eos", "last"]
    loader: str = "AutoModel"


# By `model_type` of the config. Other vision models are tried as CLS-token ones, and checked against themselves.
_KINDS = {
    **dict.fromkeys(("dinov2", "dinov2_with_registers", "dinov3_vit", "vit", "vit_msn", "deit"), _Kind("image", "cls")),
    "ijepa": _Kind("image", "mean"),
    "clip_vision_model": _Kind("image", "projected", "CLIPVisionModelWithProjection"),
    "siglip_vision_model": _Kind("image", "pooled", "SiglipVisionModel"),
    "clip_text_model": _Kind("text", "eos", "CLIPTextModelWithProjection"),
    "siglip_text_model": _Kind("text", "last", "SiglipTextModel"),
    **dict.fromkeys(
        ("bert", "mpnet", "roberta", "xlm-roberta", "camembert", "distilbert", "electra"), _Kind("text", "mean")
    ),
}
_TWO_TOWERS = ("clip", "siglip")
_FOLDER = "a folder as transformers saves them: config.json, model.safetensors"


def load_transformers(spec: BackboneSpec) -> ImageBackbone | TextBackbone:
    """Load a backbone from a checkpoint of transformers.

    Args:
        spec: A hub id or a folder, and which tower where the checkpoint has two.

    Raises:
        InputError: There is no such checkpoint here, or it is of a kind that cannot be split.
    """
    with _quiet():
        source = _source(spec)
        config = _config(spec, source)
        kind = _kind(spec, config)
        if spec.modality is not None and spec.modality != kind.modality:
            raise InputError(f'backbone "{spec}" takes {kind.modality}, not {spec.modality}: write it without "#"')
        name = str(spec)
        if kind.modality == "text":
            return _load_text(name, source, config, kind)
        return _load_image(name, source, config, kind)


def _load_image(name: str, source: str, config: Any, kind: _Kind) -> TransformersImage:
    geometry, picture_input = read_picture_input(name, source, config)
    model = _model(name, source, config, kind)
    assert kind.readout in ("cls", "projected", "pooled", "mean"), "a readout of pictures"
    with reading(name, "a vision transformer over patch tokens"):
        backbone = TransformersImage(name, model, geometry, picture_input, kind.readout)
        if config.model_type not in _KINDS:
            _check(backbone)
    return backbone


def _load_text(name: str, source: str, config: Any, kind: _Kind) -> TransformersText:
    from transformers import AutoTokenizer

    with reading(name, "its tokenizer's files beside config.json"):
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    if not tokenizer.is_fast:
        raise InputError(f'backbone "{name}" has a slow tokenizer, which cannot place words: add tokenizer.json')
    if tokenizer.pad_token_id is None:
        raise InputError(f'backbone "{name}" has a tokenizer without a padding token: expected an encoder of sentences')
    pooling = pooling_of(name, source) if kind.readout == "mean" else kind.readout
    assert pooling in ("eos", "last", "mean", "cls"), "a readout of texts"
    model = _model(name, source, config, kind)
    return TransformersText(name, model, tokenizer, read_context_length(source, config, tokenizer), pooling)


def _source(spec: BackboneSpec) -> str:
    """The folder or the hub id that a spec names."""
    folder = local_folder(spec.name)
    if folder is not None:
        return str(folder)
    if spec.name[0] in "./~" or spec.name.count("/") > 1 or "\\" in spec.name:
        raise InputError(f'backbone "{spec}": there is no folder {spec.name}; expected {_FOLDER}')
    return spec.name


def _config(spec: BackboneSpec, source: str) -> Any:
    """The config of the tower that is asked for."""
    from transformers import AutoConfig

    with _from(str(spec), source):
        config = AutoConfig.from_pretrained(source, trust_remote_code=False)
    if config.model_type not in _TWO_TOWERS:
        return config
    if spec.modality is None:
        raise InputError(f'backbone "{spec}" has two towers: write "{spec}#image" or "{spec}#text"')
    tower = config.vision_config if spec.modality == "image" else config.text_config
    if config.model_type == "clip":
        tower.projection_dim = config.projection_dim
    return tower


def _kind(spec: BackboneSpec, config: Any) -> _Kind:
    from transformers import AutoModel

    known = _KINDS.get(config.model_type)
    if known is not None:
        if known.readout == "pooled" and not getattr(config, "vision_use_head", True):
            raise InputError(f'backbone "{spec}" has no pooling head: expected a SigLIP checkpoint with one')
        return known
    model_class = AutoModel._model_mapping.get(type(config), None)
    if getattr(model_class, "main_input_name", "") != "pixel_values":
        types = ", ".join(_KINDS)
        raise InputError(
            f'backbone "{spec}" is a {config.model_type}, which is no vision model and no text encoder that is known: '
            f"use one of {types}"
        )
    return _Kind("image", "cls")


def _model(name: str, source: str, config: Any, kind: _Kind) -> Any:
    """The model in float32, only to be read."""
    import transformers

    loader = getattr(transformers, kind.loader)
    with _from(name, source):
        model, info = loader.from_pretrained(
            source, config=config, dtype=torch.float32, trust_remote_code=False, output_loading_info=True
        )
    missing = sorted(key for key in info["missing_keys"] if "pooler." not in key)
    if missing:
        some = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise InputError(
            f'backbone "{name}" lacks {len(missing)} weights of a {type(model).__name__} ({some}): expected a complete '
            "checkpoint"
        )
    return model.eval().requires_grad_(False)


@torch.no_grad()
def _check(backbone: TransformersImage) -> None:
    """A model that nobody has tried must at least give the same features whole and split."""
    geometry = backbone.geometry
    x = torch.linspace(-1, 1, 3 * geometry.height * geometry.width).view(1, 3, geometry.height, geometry.width)
    split = backbone.head(backbone.trunk(x, 1), 1).features
    if not torch.allclose(split, backbone.features(x), rtol=1e-3, atol=1e-4):
        raise InputError(f'backbone "{backbone.name}" cannot be split before its last block: use a plain ViT')


@contextmanager
def _from(name: str, source: str) -> Iterator[None]:
    """Explain a failure: files that are not here, or that do not load."""
    if Path(source).is_dir():
        with reading(name, _FOLDER):
            yield
    else:
        with fetching(name, source, "transformers:FOLDER"):
            yield


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' progress bars and its remarks about unused weights to itself."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
