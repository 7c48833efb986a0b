"""All matching latents at once, as columns: on the map, and by how two streams use them. Numbers have 4 digits."""

from typing import Annotated

from pydantic import Field

from server.schemas.base import Share, Wire
from server.schemas.latents import LatentFilter

_Stream = Annotated[str, Field(max_length=80)]


class LatentMapQuery(LatentFilter):
    """Which latents of the map."""

    stream: (
        Annotated[_Stream, Field(description="Whose strongest items are named; by default an image stream")] | None
    ) = None


class LatentMap(Wire):
    """Latents by their places on the map, as parallel lists by number; numbers rounded to 4 significant digits."""

    stream: str  # of `items`
    ids: list[int]
    names: list[str]
    x: list[float]  # from -1 to 1, as y
    y: list[float]
    density: list[Share]  # mean over streams
    alignment: list[Share | None]
    purity: list[Share | None]
    items: list[str | None]  # the id of its strongest item in `stream`; null where it is never active there
    unplaced: int  # matching latents without a place: the dead ones


class LatentPairsQuery(LatentFilter):
    """Which latents, in which two streams."""

    first: _Stream
    second: _Stream


class LatentPairs(Wire):
    """Latents by their use in two streams under per-stream selection, as parallel lists by number; 4 digits each."""

    first: str
    second: str
    ids: list[int]
    names: list[str]
    first_density: list[Share]
    second_density: list[Share]
    alignment: list[Share | None]  # Jaccard of the two sets of active items; null where one of them is empty
