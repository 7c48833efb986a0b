"""Which latents are active on the same items: posting list and codes under per-stream selection."""

from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from server.schemas import CoactiveLatent, CoactiveLatents, CoactiveQuery
from server.services.latents import Latents
from sparc_core.bundle import Bundle

_MOST_ITEMS = 20_000


class _Overlap(NamedTuple):
    """What all latents share with one in a stream."""

    together: Float64[np.ndarray, " l"]  # items on which both are active, scaled up where not all were looked at
    sizes: Int64[np.ndarray, " l"]  # items on which each is active
    n_items: int
    n_active: int

    @property
    def jaccard(self) -> Float64[np.ndarray, " l"]:
        """Shared items, of those of either."""
        either = self.n_active + self.sizes - self.together
        return np.divide(self.together, either, out=np.zeros(len(either)), where=either > 0)


class Coactivity:
    """Answers about one bundle's latents."""

    def __init__(self, bundle: Bundle, latents: Latents) -> None:
        """Args: an open bundle, and its latents."""
        self._bundle, self._latents = bundle, latents
        self._streams = [stream.name for stream in bundle.manifest.streams]
        self._sizes = cache(self._count)

    def of(self, latent: int, query: CoactiveQuery) -> CoactiveLatents:
        """The latents that share most items with one.

        The overlap is a mean over the streams asked for; the share of the latent's items and the lift are means over
        those of them in which it is ever active.

        Raises:
            NotFoundError: There is no such latent or stream.
        """
        self._latents.check(latent)
        streams = self._streams if query.stream is None else [query.stream]
        overlaps = [self._overlap(stream, latent) for stream in streams]
        jaccard = np.mean([overlap.jaccard for overlap in overlaps], axis=0)
        jaccard[latent] = 0
        order = np.argsort(-jaccard, kind="stable")[: query.limit]
        order = order[jaccard[order] > 0]
        active = [overlap for overlap in overlaps if overlap.n_active] or overlaps
        together = np.mean([overlap.together[order] / max(overlap.n_active, 1) for overlap in active], axis=0)
        density = np.mean([overlap.sizes[order] for overlap in active], axis=0) / max(len(self._bundle.items), 1)
        columns = zip(order.tolist(), jaccard[order].tolist(), together.tolist(), density.tolist(), strict=True)
        return CoactiveLatents(
            latent=latent,
            stream=query.stream,
            latents=[
                CoactiveLatent(
                    id=other, name=self._latents.name(other), jaccard=overlap, together=share, lift=share / chance
                )
                for other, overlap, share, chance in columns
            ],
            n_items=sum(overlap.n_items for overlap in overlaps),
            n_active=sum(overlap.n_active for overlap in overlaps),
        )

    def _overlap(self, stream: str, latent: int) -> _Overlap:
        items, sizes = self._bundle.local_postings(stream).of(latent).items, self._sizes(stream)
        n_items = min(len(items), _MOST_ITEMS)
        # In the order of the rows, so that the mapped codes are read from front to back.
        rows = np.sort(items[np.arange(n_items) * len(items) // max(n_items, 1)])
        codes = self._bundle.codes(stream, "local")
        latents, activations = codes.latents[rows], codes.activations[rows]
        found = np.bincount(latents[activations > 0], minlength=len(sizes)) * (len(items) / max(n_items, 1))
        return _Overlap(np.minimum(found, np.minimum(sizes, len(items))), sizes, n_items, len(items))

    def _count(self, stream: str) -> Int64[np.ndarray, " l"]:
        postings = self._bundle.local_postings(stream)
        return np.array([postings.n_items_of(latent) for latent in range(postings.n_latents)], np.int64)
