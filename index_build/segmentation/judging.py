"""Judge methods on cases: heatmaps at the picture's size against its masks."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float

from index_build.segmentation.cases import Case
from index_build.segmentation.measures import found, mean_average_precision, overlap, points_at, prefers
from index_build.segmentation.methods import Models, Named, read, values
from sparc_core.backbones import Geometry

IOU_OF_A_HIT = 0.2
_BATCH = 16


@dataclass(frozen=True)
class Judged:
    """What one method scored.

    Attributes:
        pointing: Share of cases whose strongest pixel lies on the thing.
        iou: Mean intersection over union above Otsu's threshold.
        ap: Mean average precision at an overlap of 0.2.
        right: Share of confusing cases whose stronger thing is the one that was named; NaN where there are none.
        seconds: Per case, on this machine.
    """

    pointing: float
    iou: float
    ap: float
    right: float
    seconds: float


@dataclass
class _Tally:
    points: list[bool]
    ious: list[float]
    labels: list[str]
    rights: list[bool]
    seconds: float = 0.0


def judge(
    models: Models,
    methods: Sequence[Named],
    cases: Iterable[Case],
    n_blocks: int | None,
    clock: Callable[[], float],
    progress: Callable[[int], None] = lambda n: None,
) -> dict[str, Judged]:
    """Score methods, by name.

    Args:
        models: What looks.
        methods: Which heatmaps.
        cases: What is asked.
        n_blocks: How many of a tower's last blocks are read; all if None.
        clock: Seconds.
        progress: Told how many cases are done.
    """
    tallies = {method.name: _Tally([], [], [], []) for method in methods}
    n_done = 0
    for batch in _batches(cases):
        question = read(models, [case.text for case in batch])
        inputs = {
            stream: backbone.preprocess([case.picture for case in batch]) for stream, backbone in models.images.items()
        }
        for method in methods:
            tally, begun = tallies[method.name], clock()
            maps = values(models, method, inputs[method.stream], question, n_blocks)
            tally.seconds += clock() - begun
            geometry = models.images[method.stream].geometry
            for case, one in zip(batch, maps, strict=True):
                _count(tally, case, spread(one, geometry, case.picture.size))
        n_done += len(batch)
        progress(n_done)
    return {name: _judged(tally, n_done) for name, tally in tallies.items()}


def spread(
    values: Float[torch.Tensor, "rows columns"], geometry: Geometry, size: tuple[int, int]
) -> Float[np.ndarray, "h w"]:
    """A heatmap at a picture's own size, bilinear; what the tower did not see has the least value."""
    left, top, right, bottom = geometry.window(*size)
    width, height = size
    x = ((torch.arange(width) + 0.5 - left) / (right - left)) * 2 - 1
    y = ((torch.arange(height) + 0.5 - top) / (bottom - top)) * 2 - 1
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)[None]
    large = F.grid_sample(
        values.detach()[None, None].float(), grid, mode="bilinear", padding_mode="border", align_corners=False
    )[0, 0]
    outside = (grid[0].abs() > 1).any(-1)
    return large.masked_fill(outside, float(values.min())).numpy()


def _count(tally: _Tally, case: Case, heatmap: Float[np.ndarray, "h w"]) -> None:
    if case.other is not None:
        tally.rights.append(prefers(heatmap, case.mask, case.other))
        return
    tally.points.append(points_at(heatmap, case.mask))
    tally.ious.append(overlap(found(heatmap), case.mask))
    tally.labels.append(case.label)


def _judged(tally: _Tally, n: int) -> Judged:
    hits = [iou >= IOU_OF_A_HIT for iou in tally.ious]
    return Judged(
        float(np.mean(tally.points)) if hits else float("nan"),
        float(np.mean(tally.ious)) if hits else float("nan"),
        mean_average_precision(hits, tally.labels) if hits else float("nan"),
        float(np.mean(tally.rights)) if tally.rights else float("nan"),
        tally.seconds / n,
    )


def _batches(cases: Iterable[Case]) -> Iterator[list[Case]]:
    waiting: list[Case] = []
    for case in cases:
        waiting.append(case)
        if len(waiting) == _BATCH:
            yield waiting
            waiting = []
    if waiting:
        yield waiting
