"""The table about heatmaps: do they show where a named thing is?"""

from sparc_core.evaluation.published import published_segmentation
from sparc_core.evaluation.results import Evaluation, Segmentation
from sparc_core.evaluation.table import Cell, Column, Table


def segmentation(evaluation: Evaluation) -> Table:
    """Heatmaps against masks."""
    return Table(
        "segmentation",
        "Heatmaps against the true outlines of things",
        "Pointing is the share of cases whose strongest pixel lies on the thing that is asked for, mean IoU the "
        "overlap of the heatmap's warm part with it. Shuffled is the likeness to heatmaps of a tower with shuffled "
        "weights: near 0 is good. Published figures are of COCO.",
        (
            Column("method", "Method", "text"),
            Column("stream", "Stream", "stream"),
            Column("blocks", "Blocks read", "text"),
            Column("pointing", "Pointing", "share", "more"),
            Column("iou", "Mean IoU", "share", "more"),
            Column("average_precision", "Average precision at 0.2", "share", "more"),
            Column("shuffled", "Shuffled", "number"),
            Column("n_cases", "Cases", "count"),
            Column("published_iou", "Published mean IoU", "share", "more", published=True),
            Column("published_average_precision", "Published average precision", "share", "more", published=True),
        ),
        tuple(_row(row) for row in evaluation.segmentation),
    )


def _row(row: Segmentation) -> tuple[Cell, ...]:
    known = published_segmentation(row)
    return (
        row.method,
        row.stream,
        row.blocks,
        row.pointing,
        row.iou,
        row.average_precision,
        row.shuffled,
        row.n_cases,
        None if known is None else known.iou,
        None if known is None else known.average_precision,
    )
