"""Latents: the gallery, one in full, its items."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from server.schemas.base import OfBundle, Share, Wire
from server.schemas.lasso import Lasso

_Id = Annotated[int, Field(ge=0, le=2**31 - 1)]


class LatentSort(StrEnum):
    """Orders of the gallery; all but `id` are descending."""

    alignment = "alignment"
    profile_alignment = "profile_alignment"
    density = "density"
    purity = "purity"
    name_quality = "name_quality"
    id = "id"


class Alive(StrEnum):
    """In how many streams a latent is ever active: all, some (mixed), none (dead)."""

    alive = "alive"
    mixed = "mixed"
    dead = "dead"


class Interval(StrEnum):
    """Which of a latent's items: by activation, as a share of the largest in the stream."""

    top = "top"  # the strongest
    high = "high"  # more than two thirds; from here to `low` spread evenly over the interval
    mid = "mid"  # more than one third, at most two
    low = "low"  # at most one third
    random = "random"  # drawn from all items on which it is active
    near_miss = "near_miss"  # not active, by the smallest margin: the largest logits that selection left out


class LatentFilter(OfBundle):
    """Which latents of the gallery: those that fulfil all of it."""

    query: Annotated[str, Field(max_length=200, description="Words of the name or label, or a number")] = ""
    alive: Alive | None = None
    active_in: Annotated[tuple[str, ...], Field(max_length=64, description="Streams in which it is ever active")] = ()
    silent_in: Annotated[tuple[str, ...], Field(max_length=64, description="Streams in which it never is")] = ()
    label: Annotated[str, Field(max_length=200, description="Its best label, exactly")] | None = None
    min_density: Share | None = None
    max_density: Share | None = None
    min_alignment: Share | None = None
    max_alignment: Share | None = None
    min_purity: Share | None = None
    max_purity: Share | None = None
    ids: Annotated[tuple[_Id, ...], Field(max_length=200, description="Only these, in the order of the sort")] = ()
    lasso: Lasso | None = None  # only those whose place on the map lies inside; dead latents have none


def check_beginning(cursor: str | None, start: int | None) -> None:
    """ValueError where a page is to begin at two places."""
    if cursor is not None and start is not None:
        raise ValueError("cursor and start both say where the page begins: give one of them")


class LatentQuery(LatentFilter):
    """A page of the gallery: the one after another (`cursor`), or the one that begins anywhere (`start`)."""

    sort: LatentSort = LatentSort.alignment
    limit: Annotated[int, Field(ge=1, le=200)] = 24
    cursor: Annotated[str, Field(max_length=60, description="`next_cursor` of the page before")] | None = None
    # A page that begins past the end is empty.
    start: Annotated[int, Field(ge=0, le=2**31 - 1, description="Position of its first latent, from 0")] | None = None

    @model_validator(mode="after")
    def _begins_once(self) -> "LatentQuery":
        check_beginning(self.cursor, self.start)
        return self


class LatentItemsQuery(OfBundle):
    """Which of a latent's items."""

    stream: Annotated[str, Field(max_length=80)]
    interval: Interval = Interval.top
    limit: Annotated[int, Field(ge=1, le=200)] = 24
    seed: Annotated[int, Field(ge=0, le=2**31 - 1, description="Of the interval `random`")] = 0


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
    profile_alignment: Share | None  # mean Jaccard of class profiles between streams, under the model's own selection
    purity: Share | None
    name_quality: Share | None  # AUROC of its activations for the items that its name fits; 0.5 is chance
    label: str | None
    streams: list[LatentStream]
    strips: dict[str, list[str]]  # stream -> item ids of its strongest items, strongest first
    captions: dict[str, list[str]]  # text stream -> captions of its strongest items


class LatentPage(Wire):
    """A page of the gallery. `counts` are over all latents that pass the filter, whatever its `alive`."""

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
    """An item and a latent's activation on it. `logit` is there for near misses, whose activation is 0."""

    item_id: str
    activation: float
    caption: str
    labels: list[str]
    logit: float | None = None


class LatentItems(Wire):
    """Items of one latent in one stream, strongest first."""

    latent: int
    stream: str
    interval: Interval
    items: list[LatentItem]
    total: int  # items in the interval; for `near_miss` those on which it is not active
    n_active: int  # items on which it is active
