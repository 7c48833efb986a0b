"""Stability of latents: how far the dictionary of another model holds the same directions."""

from collections.abc import Iterator
from math import isqrt

import numpy as np
from jaxtyping import Float32, Int64
from scipy.optimize import linear_sum_assignment

from sparc_core.errors import ShapeError
from sparc_core.evaluation.results import Stability

MOST_CELLS = 8192**2
"""Up to so many cosines the best matching is found exactly: 8,192 latents take 0.5 GB and about ten seconds."""
_GOOD, _DIGITS = 0.9, 6
_N_ROUNDS, _BLOCK_CELLS = 20, 1 << 25


def stability(
    ours: Float32[np.ndarray, "l d"], theirs: Float32[np.ndarray, "m d"], stream: str, other: str
) -> Stability:
    """Match two dictionaries of one stream one to one and say how alike the matched directions are.

    Args:
        ours: Unit rows.
        theirs: Unit rows of the other model.
        stream: Whose dictionaries they are.
        other: The other bundle's id.

    Raises:
        ShapeError: They are not of the same width.
    """
    if ours.shape[1] != theirs.shape[1]:
        raise ShapeError(
            f"dictionaries of stream {stream} are {ours.shape[1]} and {theirs.shape[1]} wide: "
            "latents can be matched only between models of the same features"
        )
    cosines = matched_cosines(ours, theirs)
    return Stability(
        other=other,
        stream=stream,
        cosine=round(float(cosines.mean(dtype=np.float64)), _DIGITS),
        share_above_09=round(float((cosines >= _GOOD).mean()), _DIGITS),
        n_matched=len(cosines),
    )


def matched_cosines(
    ours: Float32[np.ndarray, "l d"], theirs: Float32[np.ndarray, "m d"], most_cells: int = MOST_CELLS
) -> Float32[np.ndarray, "matched"]:
    """Cosines of the one-to-one matching with the greatest sum, or nearly that.

    Where there are more than `most_cells` cosines, rows that are each other's nearest are matched first, round by
    round, which is what taking the greatest cosine again and again would match; the rest is matched exactly, in blocks
    if it is still too many.

    Returns:
        As many as the smaller dictionary has latents, in no order.
    """
    found, left, right = [], ours, theirs
    for _ in range(_N_ROUNDS):
        if len(left) * len(right) <= most_cells:
            break
        rows, columns, cosines = _mutual_nearest(left, right)
        left, right = np.delete(left, rows, 0), np.delete(right, columns, 0)
        found.append(cosines)
    fits = len(left) * len(right) <= most_cells
    n_blocks = 1 if fits else -(-max(len(left), len(right)) // isqrt(most_cells))
    found += map(_exact, np.array_split(left, n_blocks), np.array_split(right, n_blocks))
    return np.concatenate(found)


def _exact(ours: Float32[np.ndarray, "l d"], theirs: Float32[np.ndarray, "m d"]) -> Float32[np.ndarray, "matched"]:
    cosines = ours @ theirs.T
    return cosines[linear_sum_assignment(cosines, maximize=True)]


def _mutual_nearest(
    ours: Float32[np.ndarray, "l d"], theirs: Float32[np.ndarray, "m d"]
) -> tuple[Int64[np.ndarray, "pair"], Int64[np.ndarray, "pair"], Float32[np.ndarray, "pair"]]:
    """Rows of both that are each other's nearest, and their cosines; at least one pair, as ties go to the first."""
    nearest = np.empty(len(ours), np.int64)
    best, best_row = np.full(len(theirs), -np.inf, np.float32), np.zeros(len(theirs), np.int64)
    for start, cosines in _blocks(ours, theirs):
        nearest[start : start + len(cosines)] = cosines.argmax(1)
        rows = cosines.argmax(0)
        of_block = cosines[rows, np.arange(len(theirs))]
        better = of_block > best
        best[better], best_row[better] = of_block[better], start + rows[better]
    rows = np.flatnonzero(best_row[nearest] == np.arange(len(ours)))
    return rows, nearest[rows], best[nearest[rows]]


def _blocks(
    ours: Float32[np.ndarray, "l d"], theirs: Float32[np.ndarray, "m d"]
) -> Iterator[tuple[int, Float32[np.ndarray, "block m"]]]:
    """Cosines of some of our rows with all of theirs, and the first row's number."""
    n_rows = max(1, _BLOCK_CELLS // len(theirs))
    for start in range(0, len(ours), n_rows):
        yield start, ours[start : start + n_rows] @ theirs.T
