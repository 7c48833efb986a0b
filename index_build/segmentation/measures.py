"""How well a heatmap matches a mask. Thresholds and averages are those of the published segmentation notebooks."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

_BINS = 256
_RECALLS = np.linspace(0, 1, 101)


def points_at(heatmap: Float[np.ndarray, "h w"], mask: Bool[np.ndarray, "h w"]) -> bool:
    """The pointing game: whether the strongest pixel lies on the mask; never, where the heatmap is flat."""
    return bool(heatmap.max() > heatmap.min() and mask.flat[int(heatmap.argmax())])


def prefers(heatmap: Float[np.ndarray, "h w"], mask: Bool[np.ndarray, "h w"], other: Bool[np.ndarray, "h w"]) -> bool:
    """Whether the strongest pixel of both things lies on the right one."""
    return bool(heatmap[mask].max() > heatmap[other].max())


def otsu(values: Float[np.ndarray, "..."]) -> float:
    """The least value of the upper one of the two classes that differ most (Otsu 1979), over 256 bins."""
    counts, edges = np.histogram(values, _BINS)
    centres = (edges[1:] + edges[:-1]) / 2
    below, weight = np.cumsum(counts), np.cumsum(counts * centres)
    n, total = below[-1], weight[-1]
    between = (total * below[:-1] / n - weight[:-1]) ** 2 / np.maximum(below[:-1] * (n - below[:-1]), 1)
    return float(edges[int(between.argmax()) + 1])


def found(heatmap: Float[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """The pixels from Otsu's threshold on; none where the heatmap is flat."""
    if heatmap.max() <= heatmap.min():
        return np.zeros(heatmap.shape, bool)
    return heatmap >= otsu(heatmap)


def overlap(found: Bool[np.ndarray, "h w"], mask: Bool[np.ndarray, "h w"]) -> float:
    """Intersection over union."""
    return float((found & mask).sum() / max((found | mask).sum(), 1))


def mean_average_precision(hits: Sequence[bool], labels: Sequence[str]) -> float:
    """Mean over classes of the average precision of detections that are all equally sure, in the order given.

    Each case is one thing of its class and one detection, a hit where the overlap is large enough. As COCO: precision
    is made to fall, and averaged over 101 recalls.
    """
    by_label: dict[str, list[bool]] = {}
    for hit, label in zip(hits, labels, strict=True):
        by_label.setdefault(label, []).append(hit)
    return float(np.mean([_average_precision(np.array(own)) for own in by_label.values()]))


def _average_precision(hits: Bool[np.ndarray, " n"]) -> float:
    true = np.cumsum(hits)
    recall, precision = true / len(hits), true / np.arange(1, len(hits) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, _RECALLS, side="left")
    return float(np.mean(np.where(at < len(hits), falling[np.minimum(at, len(hits) - 1)], 0.0)))
