"""How many latents each choice of a filter would leave: numbers beside the gallery's filters."""

from collections import Counter

import numpy as np
from jaxtyping import Float, Int64

from server.schemas import LabelCount, LatentCounts, LatentFilter, Spread, StreamCounts
from server.services.latent_columns import LatentColumns
from server.services.latent_filters import LatentFilters
from server.services.latent_map import rounded

N_BINS = 24
MOST_LABELS = 200
_SMALLEST_DENSITY = 1e-4  # left end of the logarithmic bars: page_rendering.log_share


class LatentCounter:
    """Counts one bundle's latents. Every filter is left out once, so that its other values can be counted."""

    def __init__(self, columns: LatentColumns, filters: LatentFilters) -> None:
        """Args: the latents' columns, and their filters."""
        self._columns, self._filters = columns, filters
        self._shares = rounded(np.linspace(0, 1, N_BINS + 1))
        self._densities = rounded(np.geomspace(_SMALLEST_DENSITY, 1, N_BINS + 1))
        self._densities[0] = 0.0  # what is rarer than the bars can show belongs to their left end

    def counts(self, wanted: LatentFilter) -> LatentCounts:
        """Count; NotFoundError where a stream is not there."""
        columns, table = self._columns, self._columns.table
        of_any_state = self._filters.of_any_state(wanted)
        matching = self._filters.of_state(of_any_state, wanted.alive)
        return LatentCounts(
            total=len(matching),
            any_state=len(of_any_state),
            states=self._filters.counts(of_any_state),
            streams=[self._of_stream(stream, matching) for stream in columns.streams],
            labels=self._labels(self._without(wanted, "label")),
            density=_spread(columns.density[self._without(wanted, "min_density", "max_density")], self._densities),
            alignment=_spread(table.alignment[self._without(wanted, "min_alignment", "max_alignment")], self._shares),
            purity=_spread(table.purity[self._without(wanted, "min_purity", "max_purity")], self._shares),
        )

    def _without(self, wanted: LatentFilter, *fields: str) -> Int64[np.ndarray, " m"]:
        """What matches everything but these fields."""
        return self._filters.matching(wanted.model_copy(update=dict.fromkeys(fields)))

    def _of_stream(self, stream: str, matching: Int64[np.ndarray, " m"]) -> StreamCounts:
        active = int((self._columns.table.density[stream][matching] > 0).sum())
        return StreamCounts(stream=stream, active=active, silent=len(matching) - active)

    def _labels(self, latents: Int64[np.ndarray, " m"]) -> list[LabelCount]:
        """By number, then by name: an order that does not depend on the latents'."""
        found = Counter(label for label in self._columns.labels[latents] if label is not None)
        ordered = sorted(found.items(), key=lambda one: (-one[1], one[0]))
        return [LabelCount(label=label, n=n) for label, n in ordered[:MOST_LABELS]]


def _spread(values: Float[np.ndarray, " m"], edges: Float[np.ndarray, " e"]) -> Spread:
    defined = values[~np.isnan(values)].astype(np.float64)
    counts, _ = np.histogram(np.clip(defined, 0, 1), edges)
    return Spread(edges=edges.tolist(), counts=counts.tolist(), undefined=len(values) - len(defined))
