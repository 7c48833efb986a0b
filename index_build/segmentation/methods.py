"""The methods that are compared: the published five, at any depth, and ours."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float

from sparc_core.attribution import CaptionMatch, CodeSum, CrossModal, Method, Similarity, Target, heatmaps, look_for
from sparc_core.backbones import ImageBackbone, TextBackbone, load_backbone
from sparc_core.backbones.features import unit_features
from sparc_core.backbones.shared_spaces import shared_spaces
from sparc_core.bundle import Bundle
from sparc_core.bundle.manifest import StreamManifest
from sparc_core.checkpoint import load_sparc
from sparc_core.errors import InputError
from sparc_core.model import Sparc
from sparc_core.sparse import SparseCode

SHORT = {"clip_img": "clip", "dino": "dino"}
"""What the published notebooks call image streams, as "dino" in `dino_sparc_sum`."""


@dataclass(frozen=True)
class Models:
    """What looks: a model, its image towers by stream, and the text tower.

    Attributes:
        sparc: The model.
        images: Image towers by stream.
        text_stream: The text stream.
        text: Its tower.
        similar: The image stream whose features lie in the text's space; "" for none.
    """

    sparc: Sparc
    images: Mapping[str, ImageBackbone]
    text_stream: str
    text: TextBackbone
    similar: str


@dataclass(frozen=True)
class Question:
    """Texts as they were read, one row each."""

    features: Float[torch.Tensor, "b d"]
    logits: Float[torch.Tensor, "b l"]
    code: SparseCode


@dataclass(frozen=True)
class Named:
    """A method with the name it has in tables: which stream looks, how, and at what.

    Attributes:
        name: In tables.
        stream: The image stream.
        method: How.
        target: What is explained, of texts.
    """

    name: str
    stream: str
    method: Method
    target: Callable[[Models, Question], Target]


def models_of(bundle: Bundle) -> Models:
    """The models of a bundle; InputError where they cannot look for words."""
    return open_models(bundle.manifest.streams, load_sparc(bundle.sparc_path), load_backbone)


def open_models(streams: Sequence[StreamManifest], sparc: Sparc, loader: Callable[[str], Any]) -> Models:
    """The model and its streams' towers; the text stream is the last that has one.

    Raises:
        InputError: No text tower, or no image tower that can be looked into.
    """
    specs = {s.name: s.backbone for s in streams if s.backbone}
    towers = {name: loader(spec) for name, spec in specs.items()}
    images = {name: tower for name, tower in towers.items() if isinstance(tower, ImageBackbone)}
    texts = {name: tower for name, tower in towers.items() if isinstance(tower, TextBackbone)}
    if not texts or not images:
        raise InputError("no stream has a text tower, or none an image tower that can be looked into")
    text_stream = list(texts)[-1]
    pairs = shared_spaces(specs, {s.name: s.modality for s in streams})
    similar = next((image for text, image in pairs if text == text_stream), "")
    return Models(sparc.eval().requires_grad_(False), images, text_stream, texts[text_stream], similar)


def read(models: Models, texts: list[str]) -> Question:
    """Texts as their tower reads them."""
    features = unit_features(models.text, models.text.preprocess(texts))
    logits = models.sparc.logits(models.text_stream, features)
    code = models.sparc.encode({models.text_stream: features}, selection="local")[models.text_stream]
    return Question(features, logits, code)


def published(models: Models) -> list[Named]:
    """The five of the published notebooks, by attention relevance."""
    made = []
    for stream in models.images:
        made.append(Named(f"{SHORT.get(stream, stream)}_sparc_sum", stream, Method.relevance, _code_sum))
        made.append(Named(f"{SHORT.get(stream, stream)}_sparc_cross", stream, Method.relevance, _cross_modal))
    if models.similar:
        made.append(Named(f"{SHORT.get(models.similar, models.similar)}_sim", models.similar, Method.relevance, _sim))
    return made


def ours(models: Models, *methods: Method) -> list[Named]:
    """The match of codes, by each of these methods in every image stream."""
    return [
        Named(f"{SHORT.get(stream, stream)}_{method.value}", stream, method, _match)
        for method in methods
        for stream in models.images
    ]


def similarity(models: Models, *methods: Method) -> list[Named]:
    """Plain similarity of features, by each of these methods: what SPARC is measured against."""
    if not models.similar:
        raise InputError("no image stream shares the text's space, so there is no similarity to compare with")
    name = SHORT.get(models.similar, models.similar)
    return [Named(f"{name}_sim_{method.value}", models.similar, method, _sim) for method in methods]


def values(
    models: Models, named: Named, x: Float[torch.Tensor, "b c h w"], question: Question, n_blocks: int | None
) -> Float[torch.Tensor, "b rows columns"]:
    """A method's heatmaps of preprocessed pictures, over so many of the tower's last blocks (all, if None)."""
    backbone = models.images[named.stream]
    looks = look_for(named.method, backbone, x, n_blocks)
    target = named.target(models, question)
    return heatmaps(named.method, models.sparc, named.stream, backbone, looks, target).values


def _match(models: Models, question: Question) -> Target:
    return CaptionMatch(question.code)


def _code_sum(models: Models, question: Question) -> Target:
    return CodeSum(models.sparc.config.k, {models.text_stream: question.logits})


def _cross_modal(models: Models, question: Question) -> Target:
    return CrossModal(models.sparc.config.k, {models.text_stream: question.logits}, models.text_stream)


def _sim(models: Models, question: Question) -> Target:
    return Similarity(question.features)
