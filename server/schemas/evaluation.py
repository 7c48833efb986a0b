"""What the bundle's evaluation measured."""

from pydantic import ConfigDict

from server.schemas.base import Wire


class _Measured(Wire):
    # A bundle may be older or newer than this service, and say more.
    model_config = ConfigDict(extra="ignore", frozen=True)


class Recall(_Measured):
    """Share of held-out queries of one stream whose own item is among the best of another stream."""

    query: str
    target: str
    via: str  # "codes", or "features" of the backbones alone
    at_1: float
    at_5: float
    at_10: float


class Reconstruction(_Measured):
    """NMSE of a stream's held-out features from its own code, under the model's own and per-stream selection."""

    stream: str
    own: float
    local: float


class Liveness(_Measured):
    """How many latents are active in every stream, in some only, in none."""

    alive_in_all: int
    alive_in_some: int
    dead_in_all: int


class VectorRecall(_Measured):
    """Share of the exact 10 nearest features that an approximate index finds, for one direction of queries."""

    query: str
    target: str
    via: str  # "reconstructions" or "features"
    index: str
    at_10: float


class Evaluation(_Measured):
    """What was measured when the bundle was built; recalls and reconstructions on held-out items."""

    n_test_items: int
    n_latents: int
    recalls: list[Recall]
    reconstructions: list[Reconstruction]
    liveness: Liveness
    n_objects: int
    n_objects_with_pure_latent: int
    pure_objects_by_stream: dict[str, int]
    objects_without_pure_latent: list[str]
    vector_recalls: tuple[VectorRecall, ...] = ()
    headline: dict[str, float]
