"""What is being served."""

from typing import Literal

from server.schemas.base import BodyBool, Wire


class StreamInfo(Wire):
    """One stream of the bundle."""

    name: str
    title: str  # for people, "DINO"
    modality: Literal["image", "text"]
    d: int
    backbone: str
    vectors: str  # the index of its features: "exact", "hnsw" or "ivfpq"
    vectors_recall: float | None  # lowest measured share of the exact 10 nearest that it finds; null where exact
    can_read: bool  # whether its backbone is loaded, so that new texts or pictures can be given to it


class BundleBrief(Wire):
    """A bundle in a line: what tells it apart from those that are served with it."""

    bundle_id: str
    title: str  # for people, "local selection, no cross loss"
    corpus: str
    n_items: int
    n_latents: int
    k: int
    selection: str
    cross_loss_coef: float | None  # weight of cross-reconstruction in training; null where the bundle does not say it


class Info(Wire):
    """What is being served, and from where it came."""

    bundle_id: str
    title: str  # for people, "global selection": as in BundleBrief
    created_at: str
    corpus: str
    licence: str
    n_items: int
    n_latents: int
    k: int
    selection: str
    cross_loss_coef: float | None  # as in BundleBrief
    streams: list[StreamInfo]
    similarity_streams: list[str]  # image streams whose features can be compared with a caption's without SPARC
    metrics: dict[str, float]
    device: str
    version: str
    beside: list[BundleBrief]  # the other bundles, for the parameter `bundle`; only the main bundle's Info lists them


class ReloadRequest(Wire):
    """How to look for a new bundle."""

    verify: BodyBool = False  # also hash all of its files


class Reloaded(Wire):
    """What a look for a new bundle did."""

    bundle_id: str  # served from now on
    previous_id: str
    changed: bool  # whether this bundle or one beside it is another now
