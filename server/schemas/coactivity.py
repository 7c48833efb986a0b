"""Latents that are active on the same items as another."""

from typing import Annotated

from pydantic import Field

from server.schemas.base import OfBundle, Share, Wire


class CoactiveQuery(OfBundle):
    """Which latents that are active with another."""

    stream: Annotated[str, Field(max_length=80, description="By default the mean over all streams")] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 8


class CoactiveLatent(Wire):
    """A latent that is active on some of another's items."""

    id: int
    name: str
    jaccard: Share  # items on which both are active, of those on which one is; mean over streams
    together: Share  # share of the other's active items on which this one is active too
    lift: float  # `together` against this one's share of all items: 1 is chance


class CoactiveLatents(Wire):
    """Latents by the overlap of their active items with one latent's, under per-stream selection; the greatest first.

    Of a latent with more than 20,000 active items in a stream, so many are looked at, evenly spaced from the strongest
    to the weakest, and what is found is scaled up.
    """

    latent: int
    stream: str | None  # null: the mean over all streams
    latents: list[CoactiveLatent]
    n_items: int  # active items that were looked at, of all these streams together
    n_active: int  # active items
