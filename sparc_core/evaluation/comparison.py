"""Several evaluations side by side: a column for each, a row for each figure. `figures` says which figures."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sparc_core.evaluation import figures
from sparc_core.evaluation.published import is_published
from sparc_core.evaluation.results import Evaluation
from sparc_core.evaluation.table import Cell, Column, Kind, Table


@dataclass(frozen=True)
class _Compared:
    """One table: its name, title and note, what it holds, and where its figures come from."""

    name: str
    title: str
    note: str
    kind: Kind
    figures: Callable[[Evaluation], Iterator[figures.Figure]]
    better: Literal["more", "less"] | None = "more"


_TABLES = (
    _Compared(
        "profiles",
        "Agreement of streams in the classes that latents stand for",
        "Jaccard of class profiles by depth of the label hierarchy; 1 is perfect. The mean over all latents counts "
        "those that are not active in two streams as 0.",
        "share",
        figures.profiles,
    ),
    _Compared(
        "active-items",
        "Agreement of streams in the items that activate a latent",
        "Jaccard of the sets of items; 1 means the same items.",
        "share",
        figures.active_items,
    ),
    _Compared(
        "dead-latents",
        "Latents that are alive or dead",
        "Shares of the dictionary, under the model's own selection.",
        "share",
        figures.dead_latents,
        None,
    ),
    _Compared(
        "probes",
        "Classes told by one latent",
        "Mean over classes. Cross-entropy: less is better, 0.693 is chance. Accuracy: more is better, 0.5 is chance.",
        "number",
        figures.probes,
        None,
    ),
    _Compared(
        "classification",
        "Classes told by a small classifier",
        "Mean average precision from codes and, to compare, from features.",
        "share",
        figures.classification,
    ),
    _Compared(
        "retrieval",
        "Finding an item by its counterpart in another stream",
        "Share of queries whose own item is the first, or among the first ten. It depends on how many items there are.",
        "share",
        figures.recalls,
    ),
    _Compared(
        "retrieval-ranks",
        "Median rank of the item that is looked for",
        "1 is the best; it depends on how many items there are.",
        "count",
        figures.median_ranks,
        "less",
    ),
    _Compared(
        "reconstruction",
        "What codes keep of features",
        "Normalised squared error: 0 is perfect, 1 no better than zeros. Explained variance: 1 is perfect, 0 no better "
        "than the mean.",
        "number",
        figures.reconstruction,
        None,
    ),
    _Compared("sparsity", "Active latents per item", "On average (L0).", "number", figures.sparsity, None),
    _Compared(
        "segmentation",
        "Heatmaps against the true outlines of things",
        "Share of cases whose strongest pixel lies on the thing, overlap of the warm part with it, and mean over "
        "classes of the average precision.",
        "share",
        figures.segmentation,
    ),
    _Compared(
        "names",
        "How well the names of latents predict what activates them",
        "AUROC on items that the names were not made from; 0.5 is chance.",
        "share",
        figures.names,
    ),
    _Compared(
        "pure-objects",
        "Objects that have a latent of their own",
        "Share of objects with a latent whose strongest items carry the object's label to 80 % or more.",
        "share",
        figures.pure_objects,
    ),
    _Compared(
        "stability",
        "Latents that another model has too",
        "Cosine of each latent's direction with the one that it is matched with, one to one.",
        "number",
        figures.stability,
    ),
)


def compare(evaluations: Mapping[str, Evaluation]) -> list[Table]:
    """Set evaluations side by side.

    Args:
        evaluations: By the title of their column; those of `published` may be among them.

    Returns:
        Tables of what any of them has, each with a column "figure" and one for every evaluation, None where it lacks a
        figure.
    """
    tables = (_table(compared, evaluations) for compared in _TABLES)
    return [table for table in tables if table.rows]


def _table(compared: _Compared, evaluations: Mapping[str, Evaluation]) -> Table:
    found = [dict(compared.figures(evaluation)) for evaluation in evaluations.values()]
    published = [is_published(evaluation) for evaluation in evaluations.values()]
    names = dict.fromkeys(name for of_one in found for name in of_one)
    rows: Iterable[tuple[Cell, ...]] = ((name, *(of_one.get(name) for of_one in found)) for name in names)
    return Table(
        compared.name,
        compared.title,
        compared.note,
        side_by_side(list(evaluations), compared.kind, compared.better, published),
        tuple(row for row in rows if any(cell is not None for cell in row[1:])),
    )


def side_by_side(
    titles: Sequence[str], kind: Kind, better: Literal["more", "less"] | None, published: Sequence[bool]
) -> tuple[Column, ...]:
    """A column for the figures' names, and one for each title."""
    names = unique([re.sub(r"\W+", "_", title.lower()).strip("_") or "evaluation" for title in titles], ["figure"])
    each = zip(names, titles, published, strict=True)
    return (
        Column("figure", "Figure", "text"),
        *(Column(name, title, kind, better, is_known) for name, title, is_known in each),
    )


def unique(names: Sequence[str], taken: Sequence[str] = (), form: str = "{name}_{number}") -> list[str]:
    """These names, with a number where one was there before."""
    found = list(taken)
    for name in names:
        number, new = 1, name
        while new in found:
            number += 1
            new = form.format(name=name, number=number)
        found.append(new)
    return found[len(taken) :]
