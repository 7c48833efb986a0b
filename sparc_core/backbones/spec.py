"""Spec strings: which backbone, in which family, and which of its two towers where it has two.

`FAMILY:NAME` or `FAMILY:NAME#image` or `FAMILY:NAME#text`. The string alone is enough to load a backbone; it is what a
bundle's manifest stores.
"""

from dataclasses import dataclass
from typing import Literal, cast

from sparc_core.errors import InputError

Modality = Literal["image", "text"]
FAMILIES = ("storybook", "open_clip", "transformers")
EXAMPLES = (
    '"storybook:dino", "open_clip:ViT-B-16/datacomp_xl_s13b_b90k#image", "open_clip:local-dir:PATH#text" or '
    '"transformers:facebook/dinov2-with-registers-base"'
)


@dataclass(frozen=True)
class BackboneSpec:
    """A spec string, taken apart; `str` puts it together again."""

    family: str
    name: str
    modality: Modality | None = None

    def __str__(self) -> str:
        return f"{self.family}:{self.name}" + (f"#{self.modality}" if self.modality else "")


def parse_spec(spec: str, modality: Modality | None = None) -> BackboneSpec:
    """Take a spec string apart, without loading anything.

    Args:
        spec: `FAMILY:NAME`, with `#image` or `#text` after it where a checkpoint has both towers.
        modality: Says the same as the suffix, for callers that know what their stream is.

    Raises:
        InputError: No such family, no name, or the suffix says one thing and `modality` the other.
    """
    family, _, rest = spec.partition(":")
    if family not in FAMILIES or not rest:
        raise InputError(f'backbone "{spec}" is unknown: use a spec such as {EXAMPLES}')
    name, mark, suffix = rest.rpartition("#")
    if not mark or suffix not in ("image", "text"):
        return BackboneSpec(family, rest, modality)
    if not name:
        raise InputError(f'backbone "{spec}" has no name before "#{suffix}": use a spec such as {EXAMPLES}')
    if modality is not None and modality != suffix:
        raise InputError(f'backbone "{spec}" was asked for as {modality}: write "{family}:{name}#{modality}"')
    return BackboneSpec(family, name, cast(Modality, suffix))
