"""What a backbone takes, from its spec: said by the spec itself where possible, else asked of the loaded tower."""

from sparc_core.backbones import load_backbone
from sparc_core.backbones.spec import Modality, parse_spec

_STORYBOOK: dict[str, Modality] = {"dino": "image", "clip_img": "image", "clip_txt": "text"}


def modality_of(spec: str) -> Modality:
    """What the tower of a spec takes.

    Raises:
        InputError: No such backbone, or its weights are not here.
    """
    parsed = parse_spec(spec)
    if parsed.family == "storybook" and parsed.name in _STORYBOOK:
        return _STORYBOOK[parsed.name]
    return parsed.modality or load_backbone(spec).modality
