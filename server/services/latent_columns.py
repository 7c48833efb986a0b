"""The table of latents as columns that many answers read: made once, so that no answer goes over all latents itself."""

from functools import cache, cached_property
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Float32, Float64

from server.services.latents import ALIVE
from sparc_core.bundle import Bundle
from sparc_core.errors import InputError, NotFoundError


class PairColumns(NamedTuple):
    """How two streams use the latents, under per-stream selection."""

    first_density: Float32[np.ndarray, " l"]
    second_density: Float32[np.ndarray, " l"]
    alignment: Float64[np.ndarray, " l"]  # NaN where one of them never uses it


class LatentColumns:
    """Columns of one bundle's latents.

    Attributes:
        table: As the bundle has it.
        streams: Names, in the bundle's order.
    """

    def __init__(self, bundle: Bundle) -> None:
        """Args: an open bundle."""
        self._bundle = bundle
        self.table, self.streams = bundle.latents, [stream.name for stream in bundle.manifest.streams]
        self.strongest_items = cache(self._strongest_items)

    def __len__(self) -> int:
        """How many latents there are."""
        return len(self.table)

    @cached_property
    def alive(self) -> np.ndarray:
        """The value of each latent's `Alive`."""
        return np.array([ALIVE[alive].value for alive in self.table.alive])

    @cached_property
    def names(self) -> np.ndarray:
        """Names, as Python strings."""
        return np.array(self.table.name, object)

    @cached_property
    def labels(self) -> np.ndarray:
        """Best labels, None where there is none."""
        return np.array(self.table.label, object)

    @cached_property
    def searchable(self) -> pa.Array:
        """Name and label of each in lower case."""
        labels = self.table.label
        return pa.array([f"{name} {labels[latent] or ''}".lower() for latent, name in enumerate(self.table.name)])

    @cached_property
    def density(self) -> Float64[np.ndarray, " l"]:
        """The mean over streams, in float64 as the number that is shown: float32 would order near ties differently."""
        return np.mean([self.table.density[stream].astype(np.float64) for stream in self.streams], axis=0)

    def known(self, stream: str) -> str:
        """The stream's name; NotFoundError where there is none."""
        if stream not in self.streams:
            names = ", ".join(self.streams)
            raise NotFoundError("stream", f'there is no stream "{stream[:40]}": the streams are {names}')
        return stream

    def pair(self, first: str, second: str, fields: str = "first and second") -> PairColumns:
        """How two streams use the latents.

        Args:
            first: A stream.
            second: Another one.
            fields: Where the streams were named, for the error.

        Raises:
            NotFoundError: One of them is unknown.
            InputError: Both are the same.
        """
        densities = {stream: self.table.density_local[self.known(stream)] for stream in (first, second)}
        if first == second:
            raise InputError(f'{fields} are both "{first}": name two streams')
        one, other = sorted((first, second), key=self.streams.index)  # as the table has them
        return PairColumns(
            densities[first], densities[second], self.table.pair_alignment[one, other].astype(np.float64)
        )

    def _strongest_items(self, stream: str) -> np.ndarray:
        """The id of each latent's strongest item in a stream; None where it is never active there."""
        postings = self._bundle.postings(stream)
        firsts = [postings.of(latent).items[:1] for latent in range(len(self))]
        used = np.array([len(first) > 0 for first in firsts], bool)
        found = np.full(len(self), None, object)
        if used.any():
            found[used] = self._bundle.items.ids_of(np.concatenate(firsts))
        return found
