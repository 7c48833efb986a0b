"""The storybook towers that the package ships: an open_clip CLIP and a transformers DINOv2-with-registers.

`towers/clip` and `towers/dino` hold weights (float16 safetensors), configs, preprocessing and a model card each.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from sparc_core.backbones.base import ImageBackbone, TextBackbone
from sparc_core.backbones.clip import ClipImage, ClipText
from sparc_core.backbones.compact_tokenizer import CompactTokenizer
from sparc_core.backbones.geometry import Geometry
from sparc_core.backbones.pictures import PictureInput
from sparc_core.backbones.vision import TransformersImage
from sparc_core.errors import InputError

TOWERS_PATH = Path(__file__).parent / "towers"


def load_storybook(name: str, towers_path: Path = TOWERS_PATH) -> ImageBackbone | TextBackbone:
    """Load one storybook tower: `dino`, `clip_img` or `clip_txt` (the latter two share their model).

    Raises:
        InputError: No such tower, or its files are not where they belong.
    """
    spec = f"storybook:{name}"
    try:
        if name == "dino":
            return _dino(towers_path / "dino")
        if name == "clip_img":
            clip = _clip(towers_path / "clip")
            return ClipImage(spec, clip, _picture_input(towers_path / "clip", clip.visual.patch_size[0]))
        if name == "clip_txt":
            return ClipText(spec, _clip(towers_path / "clip"), _tokenizer(towers_path / "clip"))
    except FileNotFoundError as error:
        missing = Path(error.filename or "").name
        raise InputError(f'backbone "{spec}" lacks its file {missing}: reinstall sparc-explorer') from error
    raise InputError(f'backbone "{spec}" is unknown: the storybook towers are dino, clip_img and clip_txt')


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _picture_input(folder: Path, patch: int) -> PictureInput:
    settings = _read_json(folder / "preprocessor_config.json")
    geometry = Geometry.squash(settings["size"]["height"], settings["size"]["width"], patch)
    return PictureInput(geometry, tuple(settings["image_mean"]), tuple(settings["image_std"]))


def _tokenizer(folder: Path) -> CompactTokenizer:
    vocabulary = _read_json(folder / "vocabulary.json")
    return CompactTokenizer(vocabulary["clip_token_ids"], vocabulary["context_length"])


@lru_cache(maxsize=2)
def _clip(folder: Path) -> Any:
    from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg

    config = _read_json(folder / "open_clip_config.json")["model_cfg"]
    model = CLIP(config["embed_dim"], CLIPVisionCfg(**config["vision_cfg"]), CLIPTextCfg(**config["text_cfg"]))
    return _with_weights(model, folder / "open_clip_model.safetensors")


@lru_cache(maxsize=2)
def _dino(folder: Path) -> TransformersImage:
    from transformers import Dinov2WithRegistersConfig, Dinov2WithRegistersModel

    config = Dinov2WithRegistersConfig(**_read_json(folder / "config.json"))
    model = _with_weights(Dinov2WithRegistersModel(config), folder / "model.safetensors")
    picture_input = _picture_input(folder, config.patch_size)
    return TransformersImage("storybook:dino", model, picture_input.geometry, picture_input, "cls")


def _with_weights(model: torch.nn.Module, path: Path) -> torch.nn.Module:
    """Load float16 weights into a float32 model, for inference only."""
    model.load_state_dict({name: tensor.float() for name, tensor in load_file(path).items()})
    return model.eval().requires_grad_(False)
