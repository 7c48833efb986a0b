"""Which streams' features can be compared without SPARC: a text tower and an image tower that were trained together."""

from collections.abc import Mapping

_STORYBOOK_CLIP = {"storybook:clip_img": "storybook:clip", "storybook:clip_txt": "storybook:clip"}


def shared_spaces(specs: Mapping[str, str], modalities: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Pairs (text stream, image stream) whose specs name the two towers of one model.

    Args:
        specs: Backbone specs by stream; "" for none.
        modalities: By stream.
    """
    models = {stream: _STORYBOOK_CLIP.get(spec, spec.partition("#")[0]) for stream, spec in specs.items()}
    return tuple(
        (text, image)
        for text in specs
        for image in specs
        if (modalities[text], modalities[image]) == ("text", "image") and models[text] == models[image] != ""
    )
