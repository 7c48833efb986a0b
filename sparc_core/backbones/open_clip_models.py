"""Load OpenCLIP models by spec: built-in names with their pretrained tags, hub repositories and local folders.

What the towers do not know how to split is refused here, in a sentence.
"""

import json
from collections.abc import Sequence
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int64

from sparc_core.backbones.base import ImageBackbone, TextBackbone, TextWord
from sparc_core.backbones.clip import ClipImage, ClipText
from sparc_core.backbones.geometry import Geometry
from sparc_core.backbones.pictures import Interpolation, PictureInput
from sparc_core.backbones.spec import BackboneSpec
from sparc_core.backbones.weights import fetching, local_folder, reading
from sparc_core.backbones.words import bpe_pieces, fast_words, place
from sparc_core.errors import InputError

_LOCAL, _HUB = "local-dir:", "hf-hub:"
_CONFIG = "open_clip_config.json"


def load_open_clip(spec: BackboneSpec) -> ImageBackbone | TextBackbone:
    """Load one tower of an OpenCLIP model; the other shares its weights.

    Args:
        spec: `NAME/PRETRAINED`, `hf-hub:ORG/REPO` or `local-dir:PATH`, and which tower.

    Raises:
        InputError: No such model, its weights are not to be had, or the tower is of a kind that cannot be split.
    """
    if spec.modality is None:
        raise InputError(f'backbone "{spec}" has two towers: write "{spec}#image" or "{spec}#text"')
    clip = _model(spec.name)
    if spec.modality == "text":
        _check_text(spec, clip)
        return ClipText(str(spec), clip, _tokenizer(spec))
    _check_image(spec, clip)
    return ClipImage(str(spec), clip, _picture_input(spec, clip))


class OpenClipTokenizer:
    """OpenCLIP's own tokenizer of a model, with the words of a text."""

    def __init__(self, tokenizer: Any) -> None:
        """Args: `tokenizer` is an open_clip SimpleTokenizer or HFTokenizer."""
        self._tokenizer = tokenizer
        self.context_length = int(tokenizer.context_length)

    def __call__(self, texts: Sequence[str]) -> Int64[torch.Tensor, "b t"]:
        """Token ids, in rows of the context's length."""
        ids: torch.Tensor = self._tokenizer(list(texts))
        return ids

    def words(self, text: str) -> list[TextWord]:
        """The words of a text with the positions of their tokens."""
        inner = getattr(self._tokenizer, "tokenizer", None)
        if inner is not None:
            return fast_words(inner, self._tokenizer.clean_fn(text), self.context_length)
        return place(bpe_pieces(self._tokenizer, text), 1, self.context_length - 1)


@lru_cache(maxsize=4)
def _model(name: str) -> Any:
    """A model in float32 that is only read; cached, so that both towers share it."""
    import open_clip

    spec = f"open_clip:{name}"
    options: dict[str, Any] = {}
    if name.startswith(_LOCAL):
        _check_folder(spec, name.removeprefix(_LOCAL))
        source, tag = _LOCAL + str(local_folder(name.removeprefix(_LOCAL))), None
    elif name.startswith(_HUB):
        source, tag = name, None
        _fetch_repository(spec, name.removeprefix(_HUB))
    else:
        source, _, tag = name.partition("/")
        options["force_quick_gelu"] = _fetch_tag(spec, source, tag)
    with reading(spec, "the weights of the model that its config describes"):
        model = open_clip.create_model(source, tag, require_pretrained=True, weights_only=True, **options)
    return model.float().eval().requires_grad_(False)


def _check_folder(spec: str, name: str) -> None:
    folder = local_folder(name)
    if folder is None:
        raise InputError(f'backbone "{spec}": there is no folder {name}; expected one with {_CONFIG} and weights')
    if not (folder / _CONFIG).is_file():
        raise InputError(f'backbone "{spec}" lacks {_CONFIG}: copy it from where the weights come from')
    with reading(spec, f'a {_CONFIG} with "model_cfg"'):
        json.loads((folder / _CONFIG).read_text(encoding="utf-8"))["model_cfg"]
    if not any(path.suffix in (".safetensors", ".bin", ".pth") for path in folder.iterdir()):
        raise InputError(f'backbone "{spec}" has no weights in its folder: copy open_clip_model.safetensors there')


def _fetch_repository(spec: str, repository: str) -> None:
    from open_clip.pretrained import download_pretrained_from_hf

    with fetching(spec, repository, f"open_clip:{_LOCAL}FOLDER"):
        download_pretrained_from_hf(repository, _CONFIG)
        download_pretrained_from_hf(repository)


def _fetch_tag(spec: str, name: str, tag: str) -> bool:
    """Fetch the weights of a built-in model; returns whether they want OpenAI's variant of GELU."""
    import open_clip
    from open_clip.pretrained import download_pretrained, get_pretrained_cfg

    if name not in open_clip.list_models():
        close = ", ".join(get_close_matches(name, open_clip.list_models(), 3)) or "none"
        raise InputError(
            f'backbone "{spec}": open_clip has no model "{name}" (similar ones: {close}); use "open_clip:MODEL/TAG", '
            f'"open_clip:{_HUB}ORG/REPO" or "open_clip:{_LOCAL}PATH"'
        )
    settings = get_pretrained_cfg(name, tag)
    if not settings:
        if tag and Path(tag).is_file():
            return False
        known = ", ".join(open_clip.list_pretrained_tags_by_model(name)) or "none"
        raise InputError(f'backbone "{spec}": model {name} has no pretrained tag "{tag}"; it has {known}')
    repository = settings["hf_hub"].rpartition("/")[0]
    with fetching(spec, repository, f"open_clip:{_LOCAL}FOLDER"):
        download_pretrained(settings)
    return bool(settings.get("quick_gelu", False))


def _check_image(spec: BackboneSpec, clip: Any) -> None:
    from open_clip.transformer import ResidualAttentionBlock, VisionTransformer

    visual = clip.visual
    if not isinstance(visual, VisionTransformer):
        kind = type(visual).__name__
        hint = "; for SigLIP, use a transformers spec" if kind == "TimmModel" else ""
        raise InputError(f'backbone "{spec}" has a {kind} as image tower: expected OpenCLIP\'s VisionTransformer{hint}')
    if visual.attn_pool is not None or visual.pool_type not in ("tok", "avg"):
        raise InputError(f'backbone "{spec}" pools patches by an attention: expected a CLS token or the mean')
    if not all(type(block) is ResidualAttentionBlock for block in visual.transformer.resblocks):
        raise InputError(f'backbone "{spec}" has blocks with extra norms or scales: expected OpenCLIP\'s plain ones')


def _check_text(spec: BackboneSpec, clip: Any) -> None:
    from open_clip.transformer import ResidualAttentionBlock, TextTransformer

    tower = getattr(clip, "text", None)
    if tower is not None and not isinstance(tower, TextTransformer):
        kind = type(tower).__name__
        raise InputError(f'backbone "{spec}" has a {kind} as text tower: expected OpenCLIP\'s TextTransformer')
    if getattr(tower, "cls_emb", None) is not None:
        raise InputError(f'backbone "{spec}" adds a class token to texts (CoCa): expected one that reads end-of-text')
    pool = tower.pool_type if tower is not None else clip.text_pool_type
    if pool not in ("argmax", "eos", "first", "last"):
        raise InputError(f'backbone "{spec}" pools texts by "{pool}": expected argmax, eos, first or last')
    blocks = (tower if tower is not None else clip).transformer.resblocks
    if not all(type(block) is ResidualAttentionBlock for block in blocks):
        raise InputError(f'backbone "{spec}" has blocks with extra norms or scales: expected OpenCLIP\'s plain ones')


def _tokenizer(spec: BackboneSpec) -> OpenClipTokenizer:
    import open_clip

    name = spec.name
    if name.startswith(_LOCAL):
        name = _LOCAL + str(local_folder(name.removeprefix(_LOCAL)))
    elif not name.startswith(_HUB):
        name = name.partition("/")[0]
    with reading(str(spec), "its tokenizer's files: in the folder, or in the hub's cache"):
        tokenizer = open_clip.get_tokenizer(name)
    inner = getattr(tokenizer, "tokenizer", None)
    if getattr(tokenizer, "reduction_fn", None) is not None or getattr(tokenizer, "tokenizer_mode", None):
        raise InputError(f'backbone "{spec}" drops words of long texts by chance: expected a tokenizer that cuts them')
    if inner is not None and not inner.is_fast:
        raise InputError(f'backbone "{spec}" has a slow tokenizer, which cannot place words: add tokenizer.json')
    return OpenClipTokenizer(tokenizer)


def _picture_input(spec: BackboneSpec, clip: Any) -> PictureInput:
    """As open_clip's own transform for inference, which it describes in the model's `preprocess_cfg`."""
    settings, patch = clip.visual.preprocess_cfg, clip.visual.patch_size
    height, width = clip.visual.image_size
    if patch[0] != patch[1]:
        raise InputError(f'backbone "{spec}" has patches of {patch[0]} x {patch[1]} pixels: expected square ones')
    if settings["resize_mode"] == "squash":
        geometry = Geometry.squash(height, width, patch[0])
    elif settings["resize_mode"] == "shortest" and height == width:
        geometry = Geometry.crop(height, height, patch[0])
    else:
        raise InputError(
            f'backbone "{spec}" resizes pictures to {width} x {height} by "{settings["resize_mode"]}": expected '
            '"squash", or "shortest" and a square'
        )
    interpolation: Interpolation = "bilinear" if settings["interpolation"] == "bilinear" else "bicubic"
    return PictureInput(geometry, tuple(settings["mean"]), tuple(settings["std"]), interpolation)
