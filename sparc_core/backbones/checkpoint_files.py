"""What the files beside a transformers checkpoint say: how pictures are prepared, how texts are pooled and cut."""

import json
from typing import Any, Literal, cast

from sparc_core.backbones.geometry import Geometry
from sparc_core.backbones.pictures import Interpolation, PictureInput
from sparc_core.backbones.weights import reading
from sparc_core.errors import InputError

_FILTERS = ("nearest", "bilinear", "bicubic", "lanczos")
_EIGHT_BITS = 1 / 255


def read_picture_input(name: str, source: str, config: Any) -> tuple[Geometry, PictureInput | None]:
    """How a checkpoint's image processor fits and scales pictures, as its Pillow variant does.

    Args:
        name: The backbone's spec, for errors.
        source: The checkpoint's folder or hub id.
        config: The tower's config.

    Returns:
        The geometry, and the preprocessing; without a preprocessor_config.json, the geometry of a squash to the
        config's image size, and None.

    Raises:
        InputError: The processor does something else than resize, centre-crop and scale.
    """
    from transformers import AutoImageProcessor

    patch = getattr(config, "patch_size", None)
    if not isinstance(patch, int):
        raise InputError(f'backbone "{name}" has patches of {patch} pixels: expected square ones, a side in pixels')
    if not any(_file(source, file) for file in ("preprocessor_config.json", "processor_config.json")):
        height, width = _pair(config.image_size)
        return Geometry.squash(height, width, patch), None
    with reading(name, "preprocessor_config.json as transformers writes it"):
        processor = AutoImageProcessor.from_pretrained(source, trust_remote_code=False)
    if not processor.do_resize:
        raise InputError(f'backbone "{name}" takes pictures of any size: expected a processor that resizes them')
    geometry = _geometry(name, processor, patch)
    rescale = processor.rescale_factor if processor.do_rescale else 1.0
    mean = processor.image_mean if processor.do_normalize else (0.0, 0.0, 0.0)
    std = processor.image_std if processor.do_normalize else (1.0, 1.0, 1.0)
    rescale = None if abs(rescale - _EIGHT_BITS) < 1e-9 else rescale
    return geometry, PictureInput(geometry, tuple(mean), tuple(std), _interpolation(name, processor), rescale)


def pooling_of(name: str, source: str) -> Literal["mean", "cls"]:
    """How a sentence encoder pools its tokens: as sentence-transformers noted, or else by their mean.

    Raises:
        InputError: By neither the mean nor the first token, or with a layer of its own after that.
    """
    modules = _optional_json(name, source, "modules.json") or []
    layers = [module["type"] for module in modules]
    extra = [layer for layer in layers if layer.rpartition(".")[2] not in ("Transformer", "Pooling", "Normalize")]
    if extra:
        raise InputError(f'backbone "{name}" has a {extra[0]} besides its pooling: expected an encoder without')
    settings = _optional_json(name, source, "1_Pooling/config.json") or {"pooling_mode": "mean"}
    modes = [key.removeprefix("pooling_mode_") for key, on in settings.items() if on is True and "pooling_mode_" in key]
    mode = settings.get("pooling_mode") or "+".join(modes)
    if mode in ("mean", "mean_tokens"):
        return "mean"
    if mode in ("cls", "cls_token"):
        return "cls"
    raise InputError(f'backbone "{name}" pools its tokens by "{mode}": expected the mean or the first token')


def read_context_length(source: str, config: Any, tokenizer: Any) -> int:
    """The most tokens that a text model reads: the least of what its files say."""
    settings = _optional_json(source, source, "sentence_bert_config.json") or {}
    positions = int(config.max_position_embeddings)
    # The RoBERTa family counts positions from after the padding's id; MPNet takes that to be 1.
    if config.model_type in ("roberta", "xlm-roberta", "camembert"):
        positions -= int(config.pad_token_id) + 1
    if config.model_type == "mpnet":
        positions -= 2
    return min(positions, int(tokenizer.model_max_length), int(settings.get("max_seq_length") or positions))


def _geometry(name: str, processor: Any, patch: int) -> Geometry:
    size = _sides(processor.size)
    crop = _sides(processor.crop_size) if getattr(processor, "do_center_crop", False) else size
    resize: int | tuple[int, int]
    if size.keys() == {"shortest_edge"}:
        resize = size["shortest_edge"]
    elif size.keys() == {"height", "width"}:
        resize = (size["height"], size["width"])
    else:
        raise InputError(f'backbone "{name}" resizes pictures to {size}: expected height and width, or shortest_edge')
    if crop.keys() != {"height", "width"}:
        raise InputError(f'backbone "{name}" keeps the aspect of pictures: expected a processor that crops them')
    return Geometry(crop["height"], crop["width"], patch, resize, "transformers")


def _sides(size: Any) -> dict[str, int]:
    """The sides that a size names."""
    names = ("height", "width", "shortest_edge", "longest_edge", "max_height", "max_width")
    values = {side: size.get(side) if isinstance(size, dict) else getattr(size, side, None) for side in names}
    return {side: int(value) for side, value in values.items() if value is not None}


def _interpolation(name: str, processor: Any) -> Interpolation:
    from PIL import Image

    resample = processor.resample
    label = str(getattr(resample, "value", resample)).lower()
    if label.isdigit():
        label = Image.Resampling(int(label)).name.lower()
    if label not in _FILTERS:
        raise InputError(f'backbone "{name}" resamples pictures by "{label}": expected one of {", ".join(_FILTERS)}')
    return cast(Interpolation, label)


def _optional_json(name: str, source: str, file: str) -> Any:
    """A JSON file of a checkpoint; None where it has none."""
    path = _file(source, file)
    if path is None:
        return None
    with reading(name, f"{file} in JSON"), open(path, encoding="utf-8") as text:
        return json.load(text)


def _file(source: str, file: str) -> str | None:
    """Where a file of a checkpoint lies, fetched if need be; None where there is none."""
    from transformers.utils import cached_file

    path: str | None = cached_file(
        source,
        file,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
        _raise_exceptions_for_gated_repo=False,
    )
    return path


def _pair(size: Any) -> tuple[int, int]:
    height, width = (size, size) if isinstance(size, int) else size
    return int(height), int(width)
