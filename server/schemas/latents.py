"""Latents: the gallery, one in full, its items."""

from enum import StrEnum

from server.schemas.base import Share, Wire


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
