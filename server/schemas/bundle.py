"""What is being served."""

from typing import Literal

from server.schemas.base import Wire


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
    similarity_streams: list[str]  # image streams whose features can be compared with a caption's without SPARC
    metrics: dict[str, float]
    device: str
    version: str
