"""What an item's page says of its codes: which latents its streams share, and how much of each code that is.

A latent is shared where it is active for the item in every stream. `routes/pages.py` hands the view to `item.html`.
"""

from collections import Counter
from enum import StrEnum
from typing import NamedTuple

from server.schemas import Info, Item, StreamInfo


class Sharing(StrEnum):
    """Which latents of an item's codes are shown: all of them, or those that so many streams share."""

    all = "all"
    shared = "shared"  # active in every stream
    some = "some"  # in more than one stream, but not in every one
    one = "one"  # in one stream only


class Entry(NamedTuple):
    """A latent of one stream's code."""

    latent: int
    name: str
    activation: float
    length: float  # of its bar, 0 to 1: a share of the strongest
    sharing: Sharing
    active_in: tuple[bool, ...]  # for each stream of the bundle
    mark: str  # the same in words: "all", "2 of 3", "DINO only"


class Column(NamedTuple):
    """One stream's code, strongest latent first."""

    stream: StreamInfo
    entries: list[Entry]
    shared: float  # share of the stream's activation that is in shared latents, 0 to 1


class ItemView(NamedTuple):
    """An item's codes side by side."""

    columns: list[Column]
    counts: dict[Sharing, int]  # distinct latents


def item_view(item: Item, info: Info) -> ItemView:
    """The codes of an item, with what its streams share."""
    streams = {stream.name: {entry.latent for entry in item.codes.get(stream.name, [])} for stream in info.streams}
    sharing = {latent: _sharing(latent, list(streams.values())) for latent in set().union(*streams.values())}
    counts = Counter(sharing.values())
    return ItemView(
        columns=[_column(item, stream, info, streams, sharing) for stream in info.streams],
        counts={Sharing.all: len(sharing), **{kind: counts[kind] for kind in Sharing if kind is not Sharing.all}},
    )


def _sharing(latent: int, codes: list[set[int]]) -> Sharing:
    n_active = sum(latent in code for code in codes)
    if n_active == len(codes):
        return Sharing.shared
    return Sharing.some if n_active > 1 else Sharing.one


def _column(
    item: Item, stream: StreamInfo, info: Info, streams: dict[str, set[int]], sharing: dict[int, Sharing]
) -> Column:
    code = item.codes.get(stream.name, [])
    strongest = max((entry.activation for entry in code), default=0.0) or 1.0
    entries = []
    for entry in code:
        active_in = tuple(entry.latent in streams[other.name] for other in info.streams)
        kind = sharing[entry.latent]
        mark = {Sharing.shared: "all", Sharing.one: f"{stream.title} only"}.get(
            kind, f"{sum(active_in)} of {len(active_in)}"
        )
        length = entry.activation / strongest
        entries.append(Entry(entry.latent, entry.name, entry.activation, length, kind, active_in, mark))
    total = sum(entry.activation for entry in entries)
    shared = sum(entry.activation for entry in entries if entry.sharing is Sharing.shared)
    return Column(stream, entries, shared / total if total else 0.0)
