"""How to make a bundle from a corpus: streams, training or a trained model, pictures as stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from index_build.evaluation.options import EvaluationOptions
from index_build.items.media import MediaOptions
from index_build.training.options import TrainingOptions
from sparc_core.backbones.spec import Modality
from sparc_core.bundle.manifest import VectorKind
from sparc_core.errors import InputError


@dataclass(frozen=True)
class StreamRecipe:
    """Where a stream's features come from.

    Attributes:
        modality: What its tower takes.
        backbone: The tower's spec; "" where there is none, and the service can then only show what was indexed.
        features: A file of features to use instead of computing them (`.npy`, or HDF5 in the published layout).

    Raises:
        InputError: There is neither a backbone nor features.
    """

    modality: Modality
    backbone: str = ""
    features: Path | None = None

    def __post_init__(self) -> None:
        if not self.backbone and self.features is None:
            raise InputError("a stream has neither a backbone nor features: give it one of them")


STORYBOOK_STREAMS = {
    "dino": StreamRecipe("image", "storybook:dino"),
    "clip_img": StreamRecipe("image", "storybook:clip_img"),
    "clip_txt": StreamRecipe("text", "storybook:clip_txt"),
}


@dataclass(frozen=True)
class Recipe:
    """How to make a bundle from a corpus.

    Attributes:
        training: SPARC's training options; its seed is the build's.
        streams: By name.
        shared_spaces: Pairs of streams (query, target) whose features can be compared without SPARC.
        media: How pictures are stored.
        model: A trained model to use instead of training: a published run directory, or a file of ours.
        vectors: How features are indexed for searching.
        evaluation: What is measured. Heatmaps take long with large towers, so a build leaves them to
            `sparc-build evaluate`, unless it is told otherwise.
    """

    training: TrainingOptions
    streams: Mapping[str, StreamRecipe] = field(default_factory=lambda: dict(STORYBOOK_STREAMS))
    shared_spaces: tuple[tuple[str, str], ...] = (("clip_txt", "clip_img"),)
    media: MediaOptions = field(default_factory=MediaOptions)
    model: Path | None = None
    vectors: VectorKind = "exact"
    evaluation: EvaluationOptions = field(default_factory=lambda: EvaluationOptions(skip=("segmentation",)))

    @property
    def extracted(self) -> dict[str, str]:
        """Backbone specs of the streams whose features are computed."""
        return {name: stream.backbone for name, stream in self.streams.items() if stream.features is None}

    @property
    def given(self) -> dict[str, Path]:
        """Feature files of the other streams."""
        return {name: stream.features for name, stream in self.streams.items() if stream.features is not None}
