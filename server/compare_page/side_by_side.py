"""Latents of one number in two bundles, side by side, in an order that shows where they differ."""

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from server.schemas import Alive, LatentSummary, StreamInfo

if TYPE_CHECKING:
    from server.explorer import Explorer

N_THUMBS = 3


class Order(StrEnum):
    """Orders of the rows."""

    loss = "loss"  # by how much less the streams agree in the second bundle, the most first
    gain = "gain"  # by how much more
    number = "number"


class StreamLabel(NamedTuple):
    """A latent's best label in a stream; `stream` is its position in the bundle."""

    stream: int
    title: str
    label: str


class Strip(NamedTuple):
    """A latent's strongest items in an image stream."""

    stream: int
    title: str
    item_ids: list[str]


class Side(NamedTuple):
    """A latent in one bundle.

    Attributes:
        name: Its name.
        alive: In how many streams.
        labels: Stream by stream where streams disagree, else none.
        alignment: None where it is not defined.
        strips: One for each image stream.
    """

    name: str
    alive: Alive
    labels: list[StreamLabel]
    alignment: float | None
    strips: list[Strip]


class Row(NamedTuple):
    """A latent in both; `difference` is the second's alignment minus the first's, None where neither has one."""

    latent: int
    first: Side
    second: Side
    difference: float | None


def order(first: "Explorer", second: "Explorer", by: Order) -> Int64[np.ndarray, " l"]:
    """All latents, in an order of the page.

    An alignment that is not defined counts as 0: the latent is not active in two streams. Latents that have none in
    either bundle come last, but by number.
    """
    differences = _differences(first, second)
    if by is Order.number:
        return np.arange(len(differences))
    signed = differences if by is Order.loss else -differences
    return np.argsort(np.nan_to_num(signed, nan=np.inf), kind="stable")


def rows(first: "Explorer", second: "Explorer", latents: Sequence[int]) -> list[Row]:
    """Some latents in both bundles."""
    differences = _differences(first, second)
    sides = [_sides(explorer, latents) for explorer in (first, second)]
    return [
        Row(latent, one, other, None if np.isnan(differences[latent]) else float(differences[latent]))
        for latent, one, other in zip(latents, *sides, strict=True)
    ]


def _differences(first: "Explorer", second: "Explorer") -> Float64[np.ndarray, " l"]:
    before, after = (one.bundle.latents.alignment.astype(np.float64) for one in (first, second))
    found = np.nan_to_num(after) - np.nan_to_num(before)
    found[np.isnan(before) & np.isnan(after)] = np.nan
    return found


def _sides(explorer: "Explorer", latents: Sequence[int]) -> list[Side]:
    streams = explorer.info().streams
    return [_side(summary, streams) for summary in explorer.latents.summaries(latents)]


def _side(latent: LatentSummary, streams: Sequence[StreamInfo]) -> Side:
    titles = {stream.name: stream.title for stream in streams}
    labels = [
        StreamLabel(position, titles[own.stream], own.label or "no label")
        for position, own in enumerate(latent.streams)
    ]
    return Side(
        name=latent.name,
        alive=latent.alive,
        labels=labels if len({own.label for own in labels}) > 1 else [],
        alignment=latent.alignment,
        strips=[
            Strip(position, stream.title, latent.strips[stream.name][:N_THUMBS])
            for position, stream in enumerate(streams)
            if stream.modality == "image"
        ],
    )
