"""Backbones: pretrained towers that give streams their features and let attribution reach inside.

`load_backbone` turns a spec string into one; `base` says what a backbone is.
"""

from sparc_core.backbones.base import Backbone, HeadOutput, ImageBackbone, TextBackbone, TextWord, Trunk
from sparc_core.errors import InputError

__all__ = ["Backbone", "HeadOutput", "ImageBackbone", "TextBackbone", "TextWord", "Trunk", "load_backbone"]


def load_backbone(spec: str) -> ImageBackbone | TextBackbone:
    """Load the backbone that a spec names, in evaluation mode, on the CPU.

    Args:
        spec: `storybook:dino`, `storybook:clip_img` or `storybook:clip_txt`.

    Raises:
        InputError: No such backbone.
    """
    from sparc_core.backbones.storybook import load_storybook

    family, _, name = spec.partition(":")
    if family != "storybook":
        known = '"storybook:dino", "storybook:clip_img" or "storybook:clip_txt"'
        raise InputError(f'backbone "{spec}" is unknown: use {known}')
    return load_storybook(name)
