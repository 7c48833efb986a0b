"""Heatmaps: the request, and the lines of its answer."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from server.schemas.base import BodyBool, BodyInt, CaptionText, Wire
from server.schemas.items import LatentActivation
from server.schemas.texts import Contribution, Word
from sparc_core.heatmap_method import Method


class HeatmapTarget(StrEnum):
    """What is explained. The last three are as published, for comparison; they need a caption."""

    match = "match"  # cosine of the caption's code and the picture's ReLU logits; of latents alone, their sum
    cross_modal = "cross_modal"  # dot product of both codes, selection shared over the pair
    code = "code"  # the picture's code added up, selection shared over the pair
    similarity = "similarity"  # cosine of the features, without SPARC: for the image tower trained with the text's


class HeatmapRequest(Wire):
    """Where do the image streams find this caption, or these latents? In items, in an upload, or in what fits best.

    With a caption, `latents` narrows the match to some of the caption's latents; alone, they are what is looked for.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"caption": "a red balloon", "n_items": 3},
                {"latents": [17], "item_ids": ["s000003"], "streams": ["dino"], "trust": True},
            ]
        }
    )

    caption: CaptionText | None = None
    latents: Annotated[list[Annotated[BodyInt, Field(ge=0)]], Field(min_length=1, max_length=64)] | None = None
    item_ids: Annotated[list[str], Field(min_length=1, max_length=24)] | None = None
    upload_id: str | None = None
    n_items: Annotated[BodyInt, Field(ge=1, le=24)] = 12  # when neither items nor an upload are named
    streams: Annotated[list[str], Field(min_length=1)] | None = None  # default: every image stream
    target: HeatmapTarget = HeatmapTarget.match
    method: Method = Method.glances
    layers: Annotated[BodyInt, Field(ge=1)] | None = None  # the tower's last blocks; default: all (Grad-CAM: one)
    trust: BodyBool = False  # also measure how far each heatmap can be believed

    @model_validator(mode="after")
    def _one_source(self) -> "HeatmapRequest":
        if self.item_ids is not None and self.upload_id is not None:
            raise ValueError("name item_ids or an upload_id, not both")
        if self.caption is None and self.latents is None:
            raise ValueError("name a caption, latents, or both")
        if self.target is not HeatmapTarget.match and (self.caption is None or self.latents is not None):
            raise ValueError(f"target {self.target.value} explains a caption, without latents")
        return self


class CaptionReading(Wire):
    """First line of a heatmap answer: how the text was understood, and which pictures follow.

    Without a caption, `words` is empty and `code` holds the latents asked for, each with activation 1. `words_cut`
    counts words beyond the text tower's context, which were not read.
    """

    kind: Literal["caption"] = "caption"
    words: list[Word]
    words_cut: int
    code: list[LatentActivation]
    item_ids: list[str]  # of the pictures that follow; an upload is "upload"
    streams: list[str]
    target: HeatmapTarget
    method: Method


class Window(Wire):
    """The part of a picture that a grid covers, in shares of its width and height; beyond 0 and 1 is padding."""

    left: float
    top: float
    right: float
    bottom: float


class Heatmap(Wire):
    """One stream's attribution over one picture on an even grid over `window`, row by row from the upper left.

    `values` are at least 0 and add up to the score; for colours, divide by a scale shared by the pictures shown
    together. Shares of `contributions` add up to 1. `words` are shares of a caption's match too, one for each word
    that was read: what the match loses without it, of all such losses. `layers` counts the last blocks that were read.
    """

    stream: str
    rows: int
    columns: int
    window: Window
    values: list[float]
    score: float
    layers: int
    contributions: list[Contribution]
    words: list[float] | None = (
        None  # each read word's share of a caption's match: what is lost without it; adds up to 1
    )
    note: str | None = None  # why the map is empty, where it is


class PictureHeatmaps(Wire):
    """A further line of a heatmap answer: all asked streams over one picture."""

    kind: Literal["picture"] = "picture"
    item_id: str
    caption: str | None
    heatmaps: list[Heatmap]


class Verdict(StrEnum):
    """What deletion and insertion say of a heatmap, against a random order of patches and a map of random latents."""

    clear = "clear"  # it finds what the score depends on, and random latents do not find it
    unspecific = "unspecific"  # it finds what the score depends on, and so do random latents: it marks what stands out
    weak = "weak"  # a little better than a random order of patches
    chance = "chance"  # no better than a random order of patches, or next to nothing to explain


class Faithfulness(Wire):
    """How much to believe one heatmap.

    Curves are scores, as shares of the whole picture's and at most 3, after the share `shares[i]` of the patches,
    strongest first, was taken away (deletion) or alone was shown (insertion). Areas under them are over shares 0 to 1.
    `chance_*` are those of a heatmap of as many random latents; its curves are of the same score.
    """

    stream: str
    shares: list[float]
    deletion: list[float]
    insertion: list[float]
    deletion_area: float
    insertion_area: float
    chance_deletion_area: float
    chance_insertion_area: float
    verdict: Verdict


class PictureTrust(Wire):
    """A later line of a heatmap answer, where trust was asked for: every heatmap of one picture."""

    kind: Literal["trust"] = "trust"
    item_id: str
    streams: list[Faithfulness]


class HeatmapsDone(Wire):
    """Last line of a heatmap answer: the time each step took, and the scale to share."""

    kind: Literal["done"] = "done"
    milliseconds: dict[str, float]
    scale: dict[str, float]  # stream -> the largest value over all pictures
