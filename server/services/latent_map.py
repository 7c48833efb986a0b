"""All matching latents at once, as columns: their places on the map, and how two streams use them."""

import numpy as np
from jaxtyping import Float, Float64

from server.schemas import LatentMap, LatentMapQuery, LatentPairs, LatentPairsQuery
from server.services.latent_columns import LatentColumns
from server.services.latent_filters import LatentFilters
from sparc_core.bundle import Bundle

_DIGITS = 4


class LatentMaps:
    """Columns of one bundle's latents, under a filter."""

    def __init__(self, bundle: Bundle, columns: LatentColumns, filters: LatentFilters) -> None:
        """Args: an open bundle, its latents' columns, and their filters."""
        self._columns, self._filters = columns, filters
        images = [stream.name for stream in bundle.manifest.streams if stream.modality == "image"]
        self._usual = (images or columns.streams)[0]

    def map(self, query: LatentMapQuery) -> LatentMap:
        """The matching latents that have a place; NotFoundError where a stream is not there."""
        columns, table = self._columns, self._columns.table
        stream = columns.known(query.stream or self._usual)
        matching = self._filters.matching(query)
        placed = matching[~np.isnan(table.map_x[matching])]
        return LatentMap(
            stream=stream,
            ids=placed.tolist(),
            names=columns.names[placed].tolist(),
            x=rounded(table.map_x[placed]).tolist(),
            y=rounded(table.map_y[placed]).tolist(),
            density=rounded(columns.density[placed]).tolist(),
            alignment=_or_none(table.alignment[placed]),
            purity=_or_none(table.purity[placed]),
            items=columns.strongest_items(stream)[placed].tolist(),
            unplaced=len(matching) - len(placed),
        )

    def pairs(self, query: LatentPairsQuery) -> LatentPairs:
        """The matching latents in two streams.

        Raises:
            NotFoundError: A stream is not there.
            InputError: Both streams are the same.
        """
        pair = self._columns.pair(query.first, query.second)
        matching = self._filters.matching(query)
        return LatentPairs(
            first=query.first,
            second=query.second,
            ids=matching.tolist(),
            names=self._columns.names[matching].tolist(),
            first_density=rounded(pair.first_density[matching]).tolist(),
            second_density=rounded(pair.second_density[matching]).tolist(),
            alignment=_or_none(pair.alignment[matching]),
        )


def rounded(values: Float[np.ndarray, " m"]) -> Float64[np.ndarray, " m"]:
    """To 4 significant digits: densities of a large corpus are small; NaN stays."""
    values = values.astype(np.float64)
    sizes = np.where(np.isfinite(values) & (values != 0), np.abs(values), 1.0)
    decimals = _DIGITS - 1 - np.floor(np.log10(sizes))
    return np.round(values * 10.0**decimals) / 10.0**decimals


def _or_none(values: Float[np.ndarray, " m"]) -> list[float | None]:
    """As JSON has them: None for what is not defined."""
    found = rounded(values).astype(object)
    found[np.isnan(values)] = None
    listed: list[float | None] = found.tolist()
    return listed
