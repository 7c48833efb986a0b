"""How a number is spread over latents: histograms as outlines on one axis, drawn as SVG by `templates/compare.html`.

Numbers that are shares are counted in even steps from 0 to 1, densities in even steps of their logarithm.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Float64

from server.page_rendering import decimal, percent

WIDTH, HEIGHT = 240, 72
"""Of a drawing, in its own units; an outline touches the upper edge where it is highest."""
_N_BINS = 20
_PER_DECADE = 4
_LEAST_DECADE = -6


class Tick(NamedTuple):
    """A number at the axis; `x` is from 0, the left end, to 1."""

    x: float
    text: str


@dataclass(frozen=True)
class Outline:
    """One histogram.

    Attributes:
        title: Whose.
        path: Its outline for SVG, closed along the axis.
        heights: Share of the counted latents in each bin.
        n: Latents that were counted.
        n_without: Latents that have no such number.
        median: Of those counted, as text; "–" where there are none.
        median_x: Its place on the axis, from 0 to 1; None where there are none.
    """

    title: str
    path: str
    heights: tuple[float, ...]
    n: int
    n_without: int
    median: str
    median_x: float | None


@dataclass(frozen=True)
class Spread:
    """Histograms of one number on one axis.

    Attributes:
        name: For programs.
        title: For people.
        note: What the number is.
        unit: Under the axis.
        edges: Of the bins on the axis, from 0 to 1.
        ticks: At the axis.
        outlines: In the order given.
    """

    name: str
    title: str
    note: str
    unit: str
    edges: tuple[float, ...]
    ticks: tuple[Tick, ...]
    outlines: tuple[Outline, ...]

    @property
    def as_json(self) -> dict[str, Any]:
        """JSON values, for the browser's pictures."""
        return asdict(self)


class _Axis(NamedTuple):
    edges: Float64[np.ndarray, " e"]  # in the number's own scale
    place: Callable[[float], float]  # of a number on the axis
    ticks: tuple[Tick, ...]
    text: Callable[[float], str]


def spread_of_shares(
    name: str, title: str, note: str, unit: str, values: Mapping[str, Float[np.ndarray, " l"]]
) -> Spread:
    """Histograms of shares.

    Args:
        name: For programs.
        title: For people.
        note: What the number is.
        unit: Under the axis.
        values: Those of every latent by the title of their outline; NaN where a latent has none.
    """
    ticks = tuple(Tick(x, f"{x:g}") for x in (0, 0.25, 0.5, 0.75, 1))
    axis = _Axis(np.linspace(0, 1, _N_BINS + 1), lambda value: value, ticks, decimal)
    return _spread(name, title, note, unit, axis, values)


def spread_of_densities(name: str, title: str, note: str, values: Mapping[str, Float[np.ndarray, " l"]]) -> Spread:
    """Histograms of densities on a logarithmic axis, where 0 has no place. Other arguments as `spread_of_shares`."""
    positive = {of: np.where(found > 0, found, np.nan) for of, found in values.items()}
    least = min((float(np.nanmin(found)) for found in positive.values() if not np.isnan(found).all()), default=0.01)
    low = max(math.floor(math.log10(least)), _LEAST_DECADE)
    low = min(low, -1)
    axis = _Axis(
        # Powers of whole numbers, so that the ends are 10 to the low and exactly 1.
        10.0 ** (np.arange(low * _PER_DECADE, 1) / _PER_DECADE),
        lambda value: 1 - math.log10(value) / low,
        tuple(Tick(1 - power / low, _percent_of(power)) for power in range(low, 1)),
        percent,
    )
    return _spread(name, title, note, "share of items, logarithmic", axis, positive)


def _spread(
    name: str, title: str, note: str, unit: str, axis: _Axis, values: Mapping[str, Float[np.ndarray, " l"]]
) -> Spread:
    edges = tuple(axis.place(float(edge)) for edge in axis.edges)
    counted = {of: found[~np.isnan(found)].astype(np.float64) for of, found in values.items()}
    heights = {of: _heights(found, axis.edges) for of, found in counted.items()}
    highest = max((max(of) for of in heights.values()), default=0.0) or 1.0
    return Spread(
        name,
        title,
        note,
        unit,
        edges,
        axis.ticks,
        tuple(
            _outline(of, _path(edges, heights[of], highest), heights[of], counted[of], len(values[of]), axis)
            for of in values
        ),
    )


def _heights(found: Float64[np.ndarray, " m"], edges: Float64[np.ndarray, " e"]) -> tuple[float, ...]:
    counts, _ = np.histogram(np.clip(found, edges[0], edges[-1]), edges)
    return tuple((counts / max(len(found), 1)).tolist())


def _outline(
    title: str, path: str, heights: tuple[float, ...], found: Float64[np.ndarray, " m"], n_latents: int, axis: _Axis
) -> Outline:
    median = float(np.median(found)) if len(found) else None
    return Outline(
        title=title,
        path=path,
        heights=heights,
        n=len(found),
        n_without=n_latents - len(found),
        median="–" if median is None else axis.text(median),
        median_x=None if median is None else min(max(axis.place(median), 0.0), 1.0),
    )


def _path(edges: Sequence[float], heights: Sequence[float], highest: float) -> str:
    """Steps from the left end of the axis to the right one."""
    steps = [f"M{WIDTH * edges[0]:.1f} {HEIGHT}"]
    for height, right in zip(heights, edges[1:], strict=True):
        steps.append(f"V{HEIGHT * (1 - height / highest):.1f}H{WIDTH * right:.1f}")
    return "".join([*steps, f"V{HEIGHT}Z"])


def _percent_of(power: int) -> str:
    return f"{100 * 10.0**power:g}%"
