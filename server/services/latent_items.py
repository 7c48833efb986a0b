"""A latent's items: the strongest, some from every part of its range, and those that it only just left out."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64

from server.schemas import Interval, LatentItem, LatentItems, LatentItemsQuery
from server.services.indexes import Indexes
from server.services.latents import Latents
from server.services.towers import Towers
from sparc_core.bundle import Bundle
from sparc_core.bundle.postings import Posting

_THIRDS = {Interval.high: (1.0, 2 / 3), Interval.mid: (2 / 3, 1 / 3), Interval.low: (1 / 3, 0.0)}


class ItemsOfLatents:
    """Answers from one bundle's posting lists, under the model's own selection."""

    def __init__(self, bundle: Bundle, latents: Latents, towers: Towers, indexes: Indexes) -> None:
        """Args: what the answers are made of; towers and indexes for near misses."""
        self._bundle, self._latents, self._towers, self._indexes = bundle, latents, towers, indexes

    def items(self, latent: int, query: LatentItemsQuery) -> LatentItems:
        """Items of one interval.

        Raises:
            NotFoundError: There is no such latent or stream.
        """
        self._latents.check(latent)
        posting = self._bundle.postings(query.stream).of(latent)
        if query.interval is Interval.near_miss:
            items, total = self._near_misses(latent, query, posting), len(self._bundle.items) - len(posting.items)
        else:
            places, total = _places(posting, latent, query)
            items = self._named(posting.items[places], posting.activations[places].tolist())
        return LatentItems(
            latent=latent,
            stream=query.stream,
            interval=query.interval,
            items=items,
            total=total,
            n_active=len(posting.items),
        )

    def _near_misses(self, latent: int, query: LatentItemsQuery, posting: Posting) -> list[LatentItem]:
        """A logit is a product with the features: the largest among the inactive items are nearest neighbours."""
        weights, constant = self._towers.encoder_row(query.stream, latent)
        inactive = np.ones(len(self._bundle.items), bool)
        inactive[posting.items] = False
        found = self._indexes.features(query.stream).search(weights, query.limit, allowed=inactive)
        return self._named(found.rows, [0.0] * len(found.rows), (found.scores + constant).tolist())

    def _named(
        self, rows: Int64[np.ndarray, " m"], activations: list[float], logits: list[float] | None = None
    ) -> list[LatentItem]:
        known: Sequence[float | None] = logits or [None] * len(rows)
        return [
            LatentItem(item_id=i.item_id, activation=activation, caption=i.caption, labels=i.labels, logit=logit)
            for i, activation, logit in zip(self._bundle.items.brief(rows), activations, known, strict=True)
        ]


def _places(posting: Posting, latent: int, query: LatentItemsQuery) -> tuple[Int64[np.ndarray, " m"], int]:
    """Which entries of a posting list an interval shows, and how many it has."""
    n = len(posting.items)
    if query.interval is Interval.top:
        return np.arange(min(query.limit, n)), n
    if query.interval is Interval.random:
        drawn = np.random.default_rng((query.seed, latent)).permutation(n)[: query.limit]
        return np.sort(drawn), n
    top = float(posting.activations[0]) if n else 0.0
    high, low = _THIRDS[query.interval]
    # Lists descend: a bound's place is the number of entries above it.
    start, stop = (int(np.searchsorted(-posting.activations, -share * top, "left")) for share in (high, low))
    start, stop = (0 if query.interval is Interval.high else start), (n if query.interval is Interval.low else stop)
    shown = min(query.limit, stop - start)
    return start + np.arange(shown) * (stop - start) // max(shown, 1), stop - start
