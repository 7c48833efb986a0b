"""The gallery: latents filtered and sorted, and those on which two streams disagree. All from the bundle's table."""

import random

import numpy as np
from jaxtyping import Int64

from server.schemas import (
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
from server.services.latent_columns import LatentColumns
from server.services.latent_filters import LatentFilters
from server.services.latents import Latents, optional
from sparc_core.bundle import Bundle

# Items on which a latent is active, for its disagreement to mean something: so many, and such a share of all.
_FEWEST_ITEMS, _FEWEST_SHARE = 5, 0.002


class Gallery:
    """Pages of one bundle's latents."""

    def __init__(
        self, bundle: Bundle, latents: Latents, cursors: Cursors, columns: LatentColumns, filters: LatentFilters
    ) -> None:
        """Args: an open bundle, its latents, the cursors of its pages, its latents' columns, and their filters."""
        self._latents, self._cursors, self._columns, self._filters = latents, cursors, columns, filters
        self._measured = bundle.latent_evaluation
        self._n_items = bundle.manifest.corpus.n_items

    def page(self, query: LatentQuery) -> LatentPage:
        """One page.

        Raises:
            InputError: The cursor is not one of ours.
            NotFoundError: No such stream.
        """
        of_any_state = self._filters.of_any_state(query)
        matching = self._filters.of_state(of_any_state, query.alive)
        matching = matching[self._order(query.sort, matching)]
        start = self._cursors.position(query.cursor, len(matching)) if query.start is None else query.start
        return LatentPage(
            latents=self._latents.summaries(matching[start : start + query.limit].tolist()),
            total=len(matching),
            counts=self._filters.counts(of_any_state),
            next_cursor=self._cursors.after(start + query.limit, len(matching)),
        )

    def drawn(self, wanted: LatentFilter) -> int | None:
        """A latent drawn at random from those that match, every one as likely; None where there is none."""
        matching = self._filters.matching(wanted)
        return int(random.choice(matching)) if len(matching) else None

    def mismatches(self, query: MismatchQuery) -> MismatchPage:
        """A page of the latents on which two streams disagree; errors as `page`, also where it is one stream twice."""
        strong, weak, alignment = self._columns.pair(query.strong, query.weak, "strong and weak")
        fewest = max(_FEWEST_ITEMS / max(self._n_items, 1), _FEWEST_SHARE)
        enough, silent = strong >= fewest, weak <= query.at_most * strong
        if query.kind is MismatchKind.silent:
            latents = np.flatnonzero(enough & silent)
            order = np.argsort(-(strong - weak)[latents], kind="stable")
        else:
            latents = np.flatnonzero(enough & ~silent & (weak >= fewest))
            order = np.argsort(np.nan_to_num(alignment[latents]), kind="stable")
        latents = latents[order]
        start = self._cursors.position(query.cursor, len(latents)) if query.start is None else query.start
        shown = latents[start : start + query.limit].tolist()
        return MismatchPage(
            strong=query.strong,
            weak=query.weak,
            kind=query.kind,
            latents=[
                Mismatch(
                    latent=summary,
                    strong_density=float(strong[summary.id]),
                    weak_density=float(weak[summary.id]),
                    alignment=optional(alignment[summary.id]),
                )
                for summary in self._latents.summaries(shown)
            ],
            total=len(latents),
            next_cursor=self._cursors.after(start + query.limit, len(latents)),
        )

    def _order(self, sort: LatentSort, latents: Int64[np.ndarray, " m"]) -> Int64[np.ndarray, " m"]:
        if sort is LatentSort.id:
            return np.arange(len(latents))
        by = {
            LatentSort.density: self._columns.density,
            LatentSort.alignment: self._columns.table.alignment,
            LatentSort.profile_alignment: self._measured.profile_jaccard,
            LatentSort.purity: self._columns.table.purity,
            LatentSort.name_quality: self._measured.name_auroc,
        }
        return np.argsort(-np.nan_to_num(by[sort][latents], nan=-1), kind="stable")
