"""How many latents each choice of a filter would leave, given all of its other choices."""

from server.schemas.base import Wire
from server.schemas.latents import Alive


class StreamCounts(Wire):
    """What a stream would leave, asked for beside everything else."""

    stream: str
    active: int  # with it among `active_in`
    silent: int  # with it among `silent_in`


class LabelCount(Wire):
    """A best label, and how many latents have it."""

    label: str
    n: int


class Spread(Wire):
    """One number of the latents that match everything but its own bounds.

    `counts[i]` latents lie from `edges[i]` up to but not including `edges[i + 1]`; the last bin holds 1 as well.
    """

    edges: list[float]
    counts: list[int]
    undefined: int  # latents for which the number is not defined, which no bounds hold


class LatentCounts(Wire):
    """What a filter leaves (`total`), and what it would leave with one of its choices changed."""

    total: int
    any_state: int  # whatever its `alive`
    states: dict[Alive, int]  # by `alive`
    streams: list[StreamCounts]
    labels: list[LabelCount]  # by `label`, the most frequent 200
    density: Spread  # edges in equal ratios from 0.0001 to 1, but the first one is 0
    alignment: Spread  # edges in equal steps, as for purity
    purity: Spread
