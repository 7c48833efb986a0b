"""The REST contract, one model per thing on the wire; pages and API answer with the same objects.

Activations are at least 0. Shares are between 0 and 1. Ids of latents are integers, of items strings.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

MAX_CAPTION_CHARACTERS = 500

CaptionText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_CAPTION_CHARACTERS)]
Share = Annotated[float, Field(ge=0, le=1)]


class Wire(BaseModel):
    """Base of everything on the wire: unknown fields are errors, so that a misspelt one is never dropped silently."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ErrorDetail(Wire):
    """What went wrong: a stable code, a sentence for a person, and facts for a program."""

    code: str
    message: str
    detail: dict[str, object] = {}


class ErrorBody(Wire):
    """The body of every error answer."""

    error: ErrorDetail


class StreamInfo(Wire):
    """One stream of the bundle."""

    name: str
    title: str  # for people, "DINO"
    modality: Literal["image", "text"]
    d: int
    backbone: str


class Info(Wire):
    """What is being served, and from where it came."""

    bundle_id: str
    created_at: str
    corpus: str
    licence: str
    n_items: int
    n_latents: int
    k: int
    selection: str
    streams: list[StreamInfo]
    metrics: dict[str, float]
    device: str
    version: str


class LatentSort(StrEnum):
    """Orders of the gallery; all but `id` are descending."""

    alignment = "alignment"
    density = "density"
    purity = "purity"
    id = "id"


class Alive(StrEnum):
    """In how many streams a latent is ever active: all, some (mixed), none (dead)."""

    alive = "alive"
    mixed = "mixed"
    dead = "dead"


class LatentStream(Wire):
    """One stream's statistics of a latent over the corpus."""

    stream: str
    density: Share  # share of items on which it is active
    mean_activation: float  # over the items on which it is active
    max_activation: float
    purity: Share | None  # share of its 20 strongest items (5 in small corpora) with its best label; null if too few
    label: str | None


class LatentSummary(Wire):
    """A latent as the gallery shows it."""

    id: int
    name: str
    name_source: str  # "labels", "caption words" or "none"
    alive: Alive
    density: Share  # mean over streams
    alignment: Share | None  # mean Jaccard of active items between streams, under per-stream selection
    purity: Share | None
    label: str | None
    streams: list[LatentStream]
    strips: dict[str, list[str]]  # stream -> item ids of its strongest items, strongest first
    captions: dict[str, list[str]]  # text stream -> captions of its strongest items


class LatentPage(Wire):
    """A page of the gallery. `counts` are over all latents that match the text, whatever the alive filter."""

    latents: list[LatentSummary]
    total: int
    counts: dict[Alive, int]
    next_cursor: str | None


class LabelShare(Wire):
    """How large a share of a latent's strongest items carries a label."""

    label: str
    share: Share


class Histogram(Wire):
    """Activations of one stream: `counts[i]` items lie between `edges[i]` and `edges[i + 1]`; zeros are left out."""

    stream: str
    edges: list[float]
    counts: list[int]


class NearLatent(Wire):
    """A latent whose dictionary directions are close (cosine, mean over streams)."""

    id: int
    name: str
    similarity: float


class Latent(LatentSummary):
    """One latent in full."""

    top_labels: list[LabelShare]
    nearest: list[NearLatent]
    histograms: list[Histogram]
    pair_alignment: dict[str, float]  # "dino~clip_img" -> Jaccard of active items
    previous_id: int | None
    next_id: int | None


class LatentItem(Wire):
    """An item and a latent's activation on it."""

    item_id: str
    activation: float
    caption: str
    labels: list[str]


class LatentItems(Wire):
    """The strongest items of one latent in one stream, strongest first."""

    latent: int
    stream: str
    items: list[LatentItem]
    total: int  # items on which it is active


class LatentActivation(Wire):
    """One entry of a code."""

    latent: int
    name: str
    activation: float


class Item(Wire):
    """One item of the corpus with its codes (the model's own selection), strongest first."""

    item_id: str
    caption: str
    labels: list[str]
    width: int
    height: int
    split: str
    codes: dict[str, list[LatentActivation]]


class Upload(Wire):
    """A picture that was sent; `upload_id` stands for it in later requests until newer uploads push it out."""

    upload_id: str
    width: int
    height: int


class Word(Wire):
    """One word of a caption. `relevance` (0 to 1, the strongest word is 1) shades it; `known` is false where the
    text tower never learnt the word."""

    text: str
    known: bool
    relevance: Share


class HeatmapRequest(Wire):
    """Where do the image streams find this caption? Over the best matching items, these items, or an upload."""

    caption: CaptionText
    item_ids: Annotated[list[str], Field(max_length=24)] | None = None
    upload_id: str | None = None
    n_items: Annotated[int, Field(ge=1, le=24)] = 12  # when neither items nor an upload are named
    streams: list[str] | None = None  # default: every image stream

    @model_validator(mode="after")
    def _one_source(self) -> "HeatmapRequest":
        if self.item_ids is not None and self.upload_id is not None:
            raise ValueError("name item_ids or an upload_id, not both")
        return self


class Contribution(Wire):
    """A latent's share of a score; the shares of one score add up to 1."""

    latent: int
    name: str
    share: Share
    query_activation: float
    target_activation: float


class CaptionReading(Wire):
    """First line of a heatmap answer: how the text was understood, and which pictures follow.

    `words_cut` counts words beyond the text tower's context, which were not read.
    """

    kind: Literal["caption"] = "caption"
    words: list[Word]
    words_cut: int
    code: list[LatentActivation]
    item_ids: list[str]  # of the pictures that follow; an upload is "upload"
    streams: list[str]


class Window(Wire):
    """The part of a picture that a grid covers, in shares of its width and height; beyond 0 and 1 is padding."""

    left: float
    top: float
    right: float
    bottom: float


class Heatmap(Wire):
    """One stream's relevance over one picture on an even grid over `window`, row by row from the upper left.

    `values` add up to the score; for colours, divide by a scale shared by the pictures shown together. `score` is the
    cosine (0 to 1) of the caption's code and the picture's ReLU logits in this stream.
    """

    stream: str
    rows: int
    columns: int
    window: Window
    values: list[float]
    score: float
    contributions: list[Contribution]


class PictureHeatmaps(Wire):
    """A further line of a heatmap answer: all asked streams over one picture."""

    kind: Literal["picture"] = "picture"
    item_id: str
    caption: str | None
    heatmaps: list[Heatmap]


class HeatmapsDone(Wire):
    """Last line of a heatmap answer: the time each step took, and the scale to share."""

    kind: Literal["done"] = "done"
    milliseconds: dict[str, float]
    scale: dict[str, float]  # stream -> the largest value over all pictures


class RetrieveRequest(Wire):
    """Find items by text, by an item, or by an upload: exactly one of the three."""

    text: CaptionText | None = None
    item_id: str | None = None
    upload_id: str | None = None
    source: str | None = None  # the stream that encodes the query; default: by what the query is
    target: str | None = None  # the stream that is searched; default: a stream of another model
    limit: Annotated[int, Field(ge=1, le=200)] = 24

    @model_validator(mode="after")
    def _one_query(self) -> "RetrieveRequest":
        if sum(value is not None for value in (self.text, self.item_id, self.upload_id)) != 1:
            raise ValueError("name exactly one of text, item_id and upload_id")
        return self


class Hit(Wire):
    """A found item: the cosine of the two sparse codes, and the latents that make it up."""

    item_id: str
    score: float
    caption: str
    labels: list[str]
    shared: list[Contribution]


class Retrieval(Wire):
    """The answer to a retrieval, best hit first."""

    source: str
    target: str
    query_code: list[LatentActivation]
    words: list[Word] | None
    hits: list[Hit]
    milliseconds: dict[str, float]
