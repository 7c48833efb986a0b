"""Tables about classes: what one latent tells of a class, and what all of them together do."""

from collections.abc import Iterator, Sequence

from sparc_core.evaluation.published import published_cross_entropy
from sparc_core.evaluation.results import ClassPrecision, Evaluation, Probe
from sparc_core.evaluation.table import Cell, Column, Table

MOST_CLASSES = 1000
"""Rows of a table by class, those with the most items; `evaluation.json` has them all."""


def probes(evaluation: Evaluation) -> Table:
    """Probes of single latents, mean over classes."""
    return Table(
        "probes",
        "Classes told by one latent",
        "How well the best single latent tells items with a label from as many without it, mean over classes; by "
        "chance the cross-entropy is 0.693 and the accuracy 0.5. Published figures are of 432 classes of Open Images, "
        "and other classes may be easier or harder.",
        (
            Column("stream", "Stream", "stream"),
            Column("n_classes", "Classes", "count"),
            Column("cross_entropy", "Cross-entropy", "number", "less"),
            Column("accuracy", "Accuracy", "share", "more"),
            Column("published_cross_entropy", "Published cross-entropy", "number", "less", published=True),
        ),
        tuple(
            (row.stream, row.n_classes, row.cross_entropy, row.accuracy, published_cross_entropy(row.stream))
            for row in evaluation.probe_means
        ),
    )


def probe_classes(evaluation: Evaluation) -> Table:
    """Probes of single latents, class by class."""
    found = {(probe.label, probe.stream): probe for probe in evaluation.probes}
    streams = list(dict.fromkeys(probe.stream for probe in evaluation.probes))
    counts = {probe.label: probe.n_positive for probe in evaluation.probes}
    return Table(
        "probe-classes",
        "Classes told by one latent, class by class",
        "The latent that tells each class best in each stream, with its cross-entropy (0.693 is chance, less is "
        f"better) and accuracy (0.5 is chance) on items that it was not chosen by.{_cut(counts)}",
        (
            Column("label", "Class", "label"),
            Column("n_positive", "Items with the label", "count"),
            *(column for stream in streams for column in _probe_columns(stream)),
        ),
        tuple(
            (label, counts[label], *(cell for stream in streams for cell in _probe_cells(found.get((label, stream)))))
            for label in _most_frequent(counts)
        ),
    )


def _probe_columns(stream: str) -> Iterator[Column]:
    yield Column(f"cross_entropy.{stream}", f"Cross-entropy, {stream}", "number", "less")
    yield Column(f"accuracy.{stream}", f"Accuracy, {stream}", "share", "more")
    yield Column(f"latent.{stream}", f"Latent, {stream}", "latent")


def _probe_cells(probe: Probe | None) -> tuple[Cell, ...]:
    return (None, None, None) if probe is None else (probe.cross_entropy, probe.accuracy, probe.latent)


def classification(evaluation: Evaluation) -> Table:
    """Classifiers of all classes at once."""
    return Table(
        "classification",
        "Classes told by a small classifier",
        "A classifier of one hidden layer says which labels an item carries, from a stream's codes or, to compare, "
        "from the features that the codes stand for. Most labels are rare, so the accuracy is high even of one that "
        "never says any.",
        (
            Column("stream", "Stream", "stream"),
            Column("source", "Reads", "text"),
            Column("mean_average_precision", "Mean average precision", "share", "more"),
            Column("f1", "F1", "share", "more"),
            Column("precision", "Precision", "share", "more"),
            Column("recall", "Recall", "share", "more"),
            Column("accuracy", "Accuracy", "share", "more"),
            Column("n_test", "Test items", "count"),
        ),
        tuple(
            (
                row.stream,
                row.source,
                row.mean_average_precision,
                row.f1,
                row.precision,
                row.recall,
                row.accuracy,
                row.n_test,
            )
            for row in evaluation.classification
        ),
    )


def classification_classes(evaluation: Evaluation) -> Table:
    """Classifiers of all classes at once, class by class."""
    rows = evaluation.classification
    counts = {each.label: each.n_positive for row in rows for each in row.classes}
    found = [_by_label(row.classes) for row in rows]
    return Table(
        "classification-classes",
        "Classes told by a small classifier, class by class",
        "Average precision of each class: 1 puts every item with the label first; by chance it is the share of test "
        f"items that carry the label.{_cut(counts)}",
        (
            Column("label", "Class", "label"),
            Column("n_positive", "Test items with the label", "count"),
            *(
                Column(f"average_precision.{row.stream}.{row.source}", f"{row.stream}, {row.source}", "share", "more")
                for row in rows
                if row.classes
            ),
        ),
        tuple(
            (label, counts[label], *(precisions.get(label) for precisions in found if precisions))
            for label in _most_frequent(counts)
        ),
    )


def _by_label(classes: Sequence[ClassPrecision]) -> dict[str, float]:
    return {each.label: each.average_precision for each in classes}


def _most_frequent(counts: dict[str, int]) -> list[str]:
    """Labels in the order given, or those with the most items, the most first, where there are too many to show."""
    if len(counts) <= MOST_CLASSES:
        return list(counts)
    return sorted(counts, key=lambda label: -counts[label])[:MOST_CLASSES]


def _cut(counts: dict[str, int]) -> str:
    if len(counts) <= MOST_CLASSES:
        return ""
    return f" Shown are the {MOST_CLASSES:,} of {len(counts):,} classes with the most items."
