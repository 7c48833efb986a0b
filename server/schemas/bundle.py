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
    can_read: bool  # whether its backbone is loaded, so that new texts or pictures can be given to it


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
    similarity_streams: list[str]  # image streams whose features can be compared with a caption's without SPARC
    metrics: dict[str, float]
    device: str
    version: str


class ReloadRequest(Wire):
    """How to look for a new bundle."""

    verify: BodyBool = False  # also hash all of its files


class Reloaded(Wire):
    """What a look for a new bundle did."""

    bundle_id: str  # served from now on
    previous_id: str
    changed: bool
