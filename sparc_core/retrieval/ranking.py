"""The best rows of a whole column of scores, exactly, without sorting the column."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int64

_CLASSES_PER_ROW = 4
_FEWEST_CLASSES = 256


class Ranking(NamedTuple):
    """Found rows, best first (ties by row), with their scores."""

    rows: Int64[np.ndarray, " m"]
    scores: Float32[np.ndarray, " m"]


def strongest(
    scores: Float32[np.ndarray, " n"],
    limit: int,
    without: Sequence[int] = (),
    allowed: Bool[np.ndarray, " n"] | None = None,
) -> Ranking:
    """The rows with the highest positive scores.

    Args:
        scores: One per row.
        limit: At most so many.
        without: Rows to leave out (the query's own).
        allowed: Rows that may be found; None is all.
    """
    if allowed is not None:
        scores = np.where(allowed, scores, np.float32(0))
    if len(without):
        scores = scores.copy() if allowed is None else scores
        scores[list(without)] = 0
    candidates = np.flatnonzero(scores >= _lower_bound(scores, limit))
    order = np.lexsort((candidates, -scores[candidates]))[:limit]
    return Ranking(candidates[order], scores[candidates[order]])


def _lower_bound(scores: Float32[np.ndarray, " n"], limit: int) -> np.float32:
    """A positive value that all of the `limit` best reach, and few others.

    The limit-th largest of the maxima of classes of rows (every 256th row, say): so many rows reach it at least.
    """
    smallest = np.nextafter(np.float32(0), np.float32(1))
    n_classes = max(_FEWEST_CLASSES, _CLASSES_PER_ROW * limit)
    whole = len(scores) - len(scores) % n_classes
    if not whole:
        return smallest
    maxima = scores[:whole].reshape(-1, n_classes).max(0)
    bound: np.float32 = np.partition(maxima, n_classes - limit)[n_classes - limit]
    return max(bound, smallest)
