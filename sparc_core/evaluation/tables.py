"""An evaluation as tables for people.

Functions of `latent_tables`, `class_tables`, `stream_tables` and `heatmap_tables` make one table each.
`formats` writes them down; `comparison` sets several evaluations side by side.
"""

from dataclasses import replace

from sparc_core.evaluation.class_tables import classification, classification_classes, probe_classes, probes
from sparc_core.evaluation.heatmap_tables import segmentation
from sparc_core.evaluation.latent_tables import (
    active_items,
    dead_latents,
    names,
    profiles,
    pure_objects,
    stability,
    weakest_names,
)
from sparc_core.evaluation.results import Evaluation
from sparc_core.evaluation.stream_tables import reconstruction, retrieval, sparsity, vector_recall
from sparc_core.evaluation.table import Table

_MAKERS = (
    profiles,
    active_items,
    dead_latents,
    probes,
    probe_classes,
    classification,
    classification_classes,
    retrieval,
    vector_recall,
    reconstruction,
    sparsity,
    segmentation,
    names,
    weakest_names,
    pure_objects,
    stability,
)


def tables_of(evaluation: Evaluation) -> list[Table]:
    """Every table of which something was measured, always in the same order.

    Columns that would be empty throughout, such as published figures of streams that were not published, are left out.
    """
    tables = (make(evaluation) for make in _MAKERS)
    return [_without_empty_columns(table) for table in tables if table.rows]


def _without_empty_columns(table: Table) -> Table:
    kept = [place for place in range(len(table.columns)) if any(row[place] is not None for row in table.rows)]
    return replace(
        table,
        columns=tuple(table.columns[place] for place in kept),
        rows=tuple(tuple(row[place] for place in kept) for row in table.rows),
    )
