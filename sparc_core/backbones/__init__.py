"""Backbones: pretrained towers that give streams their features and let attribution reach inside.

`load_backbone` turns a spec string into one; `base` says what a backbone is, `docs/backbones.md` which there are.
"""

from sparc_core.backbones.base import Backbone, HeadOutput, ImageBackbone, TextBackbone, TextWord, Trunk
from sparc_core.backbones.geometry import Box, Geometry
from sparc_core.backbones.spec import BackboneSpec, Modality, parse_spec
from sparc_core.errors import InputError

__all__ = [
    "Backbone",
    "BackboneSpec",
    "Box",
    "Geometry",
    "HeadOutput",
    "ImageBackbone",
    "Modality",
    "TextBackbone",
    "TextWord",
    "Trunk",
    "load_backbone",
    "parse_spec",
]


def load_backbone(spec: str, modality: Modality | None = None) -> ImageBackbone | TextBackbone:
    """Load the backbone that a spec names, in evaluation mode and float32, on the CPU.

    Args:
        spec: `storybook:NAME`, `open_clip:NAME/PRETRAINED`, `open_clip:hf-hub:ORG/REPO`, `open_clip:local-dir:PATH` or
            `transformers:ID_OR_PATH`; with `#image` or `#text` after it where a checkpoint has both towers.
        modality: Says the same as the suffix.

    Returns:
        The backbone; its `name` is a spec that loads it again without `modality`.

    Raises:
        InputError: No such backbone, its weights are not to be had, or it is of a kind that cannot be split.
    """
    parsed = parse_spec(spec, modality)
    if parsed.family == "open_clip":
        from sparc_core.backbones.open_clip_models import load_open_clip

        return load_open_clip(parsed)
    if parsed.family == "transformers":
        from sparc_core.backbones.transformers_models import load_transformers

        return load_transformers(parsed)
    from sparc_core.backbones.storybook import load_storybook

    backbone = load_storybook(parsed.name)
    if parsed.modality is not None and parsed.modality != backbone.modality:
        raise InputError(f'backbone "{spec}" takes {backbone.modality}, not {parsed.modality}: use another tower')
    return backbone
