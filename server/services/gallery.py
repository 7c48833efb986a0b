"""The gallery: latents filtered and sorted, and those on which two streams disagree. All from the bundle's table."""

from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float64, Int64

from server.schemas import (
    Alive,
    LatentFilter,
    LatentPage,
    LatentQuery,
    LatentSort,
    Mismatch,
    MismatchKind,
    MismatchPage,
    MismatchQuery,
)
from server.services.cursors import Cursors
from server.services.latents import ALIVE, Latents, optional
from sparc_core.bundle import Bundle
from sparc_core.errors import InputError, NotFoundError

_MOST_DIGITS = 9  # of a latent's number
# Items on which a latent is active, for its disagreement to mean something: so many, and such a share of all.
_FEWEST_ITEMS, _FEWEST_SHARE = 5, 0.002


class Gallery:
    """Pages of one bundle's latents."""

    def __init__(self, bundle: Bundle, latents: Latents, cursors: Cursors) -> None:
        """Args: an open bundle, its latents, and the cursors of its pages."""
        self._table, self._latents, self._cursors = bundle.latents, latents, cursors
        self._measured = bundle.latent_evaluation
        self._streams = [stream.name for stream in bundle.manifest.streams]
        self._n_items = bundle.manifest.corpus.n_items
        self._alive = np.array([ALIVE[alive].value for alive in self._table.alive])

    def page(self, query: LatentQuery) -> LatentPage:
        """One page.

        Raises:
            InputError: The cursor is not one of ours.
            NotFoundError: No such stream.
        """
        matching = self._matching(query)
        counts = {state: int((self._alive[matching] == state.value).sum()) for state in Alive}
        if query.alive is not None:
            matching = matching[self._alive[matching] == query.alive.value]
        matching = matching[self._order(query.sort, matching)]
        start = self._cursors.position(query.cursor, len(matching))
        return LatentPage(
            latents=[self._latents.summary(int(latent)) for latent in matching[start : start + query.limit]],
            total=len(matching),
            counts=counts,
            next_cursor=self._cursors.after(start + query.limit, len(matching)),
        )

    def mismatches(self, query: MismatchQuery) -> MismatchPage:
        """A page of the latents on which two streams disagree; errors as `page`, also where it is one stream twice."""
        strong, weak = (self._table.density_local[self._known(s)] for s in (query.strong, query.weak))
        if query.strong == query.weak:
            raise InputError(f'strong and weak are both "{query.strong}": name two streams')
        alignment = self._table.pair_alignment[self._pair(query.strong, query.weak)].astype(np.float64)
        fewest = max(_FEWEST_ITEMS / max(self._n_items, 1), _FEWEST_SHARE)
        enough, silent = strong >= fewest, weak <= query.at_most * strong
        if query.kind is MismatchKind.silent:
            latents = np.flatnonzero(enough & silent)
            order = np.argsort(-(strong - weak)[latents], kind="stable")
        else:
            latents = np.flatnonzero(enough & ~silent & (weak >= fewest))
            order = np.argsort(np.nan_to_num(alignment[latents]), kind="stable")
        latents = latents[order]
        start = self._cursors.position(query.cursor, len(latents))
        return MismatchPage(
            strong=query.strong,
            weak=query.weak,
            kind=query.kind,
            latents=[
                Mismatch(
                    latent=self._latents.summary(int(latent)),
                    strong_density=float(strong[latent]),
                    weak_density=float(weak[latent]),
                    alignment=optional(alignment[latent]),
                )
                for latent in latents[start : start + query.limit]
            ],
            total=len(latents),
            next_cursor=self._cursors.after(start + query.limit, len(latents)),
        )

    def _matching(self, wanted: LatentFilter) -> Int64[np.ndarray, " m"]:
        table = self._table
        kept = self._named_like(wanted.query)
        for stream in wanted.active_in:
            kept &= table.density[self._known(stream)] > 0
        for stream in wanted.silent_in:
            kept &= table.density[self._known(stream)] == 0
        if wanted.label is not None:
            kept &= np.array([label == wanted.label for label in table.label], bool)
        for values, low, high in (
            (self._density, wanted.min_density, wanted.max_density),
            (table.alignment, wanted.min_alignment, wanted.max_alignment),
            (table.purity, wanted.min_purity, wanted.max_purity),
        ):
            # Comparisons with NaN are False: what is not defined lies within no bounds.
            if low is not None:
                kept &= values >= low
            if high is not None:
                kept &= values <= high
        return np.flatnonzero(kept)

    def _named_like(self, query: str) -> Bool[np.ndarray, " l"]:
        wanted = query.strip().strip("\"'“”").strip().lower()
        n = len(self._table)
        if not wanted:
            return np.ones(n, bool)
        number = wanted.removeprefix("#")
        if number.isascii() and number.isdecimal():
            kept = np.zeros(n, bool)
            if len(number) <= _MOST_DIGITS and int(number) < n:
                kept[int(number)] = True
            return kept
        words = wanted.split()
        return np.array([all(word in text for word in words) for text in self._searchable], bool)

    @cached_property
    def _searchable(self) -> list[str]:
        table = self._table
        return [f"{name} {table.label[latent] or ''}".lower() for latent, name in enumerate(table.name)]

    @cached_property
    def _density(self) -> Float64[np.ndarray, " l"]:
        """The mean over streams, in float64 as the number that is shown: float32 would order near ties differently."""
        return np.mean([self._table.density[stream].astype(np.float64) for stream in self._streams], axis=0)

    def _order(self, sort: LatentSort, latents: Int64[np.ndarray, " m"]) -> Int64[np.ndarray, " m"]:
        if sort is LatentSort.id:
            return np.arange(len(latents))
        by = {
            LatentSort.density: self._density,
            LatentSort.alignment: self._table.alignment,
            LatentSort.profile_alignment: self._measured.profile_jaccard,
            LatentSort.purity: self._table.purity,
            LatentSort.name_quality: self._measured.name_auroc,
        }
        return np.argsort(-np.nan_to_num(by[sort][latents], nan=-1), kind="stable")

    def _known(self, stream: str) -> str:
        if stream not in self._streams:
            names = ", ".join(self._streams)
            raise NotFoundError("stream", f'there is no stream "{stream[:40]}": the streams are {names}')
        return stream

    def _pair(self, first: str, second: str) -> tuple[str, str]:
        """In the bundle's order, as the table has them."""
        one, other = sorted((first, second), key=self._streams.index)
        return one, other
