"""Which latents fulfil a filter: columns compared, without a loop over latents."""

from collections.abc import Sequence

import numpy as np
import pyarrow.compute as pc
from jaxtyping import Bool, Float, Int64

from server.schemas import Alive, LatentFilter
from server.schemas.lasso import Corner, corners_of
from server.services.latent_columns import LatentColumns

_MOST_DIGITS = 9  # of a latent's number


class LatentFilters:
    """Filters of one bundle's latents."""

    def __init__(self, columns: LatentColumns) -> None:
        """Args: what is compared."""
        self._columns = columns

    def matching(self, wanted: LatentFilter) -> Int64[np.ndarray, " m"]:
        """The latents that fulfil all of a filter, by number; NotFoundError for a stream that is not there."""
        return self.of_state(self.of_any_state(wanted), wanted.alive)

    def of_state(self, latents: Int64[np.ndarray, " m"], alive: Alive | None) -> Int64[np.ndarray, " j"]:
        """Those that are alive in so many streams; all where it is None."""
        return latents if alive is None else latents[self._columns.alive[latents] == alive.value]

    def counts(self, latents: Int64[np.ndarray, " m"]) -> dict[Alive, int]:
        """How many are of each state."""
        states = self._columns.alive[latents]
        return {state: int((states == state.value).sum()) for state in Alive}

    def of_any_state(self, wanted: LatentFilter) -> Int64[np.ndarray, " m"]:
        """The latents that fulfil all of a filter but its `alive`; errors as `matching`."""
        columns, table = self._columns, self._columns.table
        kept = self._named_like(wanted.query)
        for stream in wanted.active_in:
            kept &= table.density[columns.known(stream)] > 0
        for stream in wanted.silent_in:
            kept &= table.density[columns.known(stream)] == 0
        if wanted.label is not None:
            kept &= columns.labels == wanted.label
        for values, low, high in (
            (columns.density, wanted.min_density, wanted.max_density),
            (table.alignment, wanted.min_alignment, wanted.max_alignment),
            (table.purity, wanted.min_purity, wanted.max_purity),
        ):
            # Comparisons with NaN are False: what is not defined lies within no bounds.
            if low is not None:
                kept &= values >= low
            if high is not None:
                kept &= values <= high
        if wanted.ids:
            kept &= _among(wanted.ids, len(columns))
        if wanted.lasso is not None:
            kept &= inside(corners_of(wanted.lasso), table.map_x, table.map_y)
        return np.flatnonzero(kept)

    def _named_like(self, query: str) -> Bool[np.ndarray, " l"]:
        wanted = query.strip().strip("\"'“”").strip().lower()
        kept = np.ones(len(self._columns), bool)
        number = wanted.removeprefix("#")
        if number.isascii() and number.isdecimal():
            return _among([int(number)] if len(number) <= _MOST_DIGITS else [], len(kept))
        for word in wanted.split():
            kept &= pc.match_substring(self._columns.searchable, word).to_numpy(zero_copy_only=False)
        return kept


def inside(corners: Sequence[Corner], x: Float[np.ndarray, " l"], y: Float[np.ndarray, " l"]) -> Bool[np.ndarray, " l"]:
    """Which points lie inside a polygon, by the even-odd rule; a point with NaN never does.

    A ray from the point to the right crosses the polygon's edges an odd number of times.
    """
    x, y = x.astype(np.float64), y.astype(np.float64)
    found = np.zeros(len(x), bool)
    for (x1, y1), (x2, y2) in zip(corners, [*corners[1:], corners[0]], strict=True):
        crossed = np.flatnonzero((y1 > y) != (y2 > y))
        found[crossed] ^= x[crossed] < x1 + (x2 - x1) * ((y[crossed] - y1) / (y2 - y1))
    return found


def _among(ids: Sequence[int], n: int) -> Bool[np.ndarray, " l"]:
    """Which of n latents are named; numbers that no latent has name none."""
    kept = np.zeros(n, bool)
    kept[[latent for latent in ids if latent < n]] = True
    return kept
