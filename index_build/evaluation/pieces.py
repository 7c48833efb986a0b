"""The list of all that is measured, and its running: on any core, each piece into a file of its own.

After an interruption the pieces that are there stay. `gathered` puts them together in the order of the list.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np

from index_build.evaluation import measurements
from index_build.evaluation.classification import FEWEST_ITEMS
from index_build.evaluation.measurements import SELECTIONS, Rows
from index_build.evaluation.options import NOT_ASKED, TABLES, EvaluationOptions
from index_build.evaluation.second_corpus import SecondCorpus
from index_build.evaluation.segmentation import Asked
from index_build.evaluation.subject import Parts, Subject
from index_build.files import whole_file
from index_build.threads import one_thread
from sparc_core.evaluation.results import Blocks, Evaluation, Way


@dataclass(frozen=True)
class Piece:
    """Some rows of one table.

    Attributes:
        name: Of its file; unique.
        table: One of `options.TABLES`.
        measure: A module-level function of a subject, a seed and `arguments`.
        arguments: They pickle.
    """

    name: str
    table: str
    measure: Callable[..., Rows]
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Heatmaps:
    """Which methods are judged, by name and blocks, and what is asked of them."""

    asked: Asked
    methods: Sequence[tuple[str, Blocks]]


@dataclass(frozen=True)
class Plan:
    """What is measured, and by table, why the rest is not."""

    pieces: list[Piece]
    skipped: dict[str, str]


def plan(
    subject: Subject,
    options: EvaluationOptions,
    second: SecondCorpus | None = None,
    heatmaps: Heatmaps | str = NOT_ASKED,
) -> Plan:
    """All pieces, in the order in which their rows stand.

    Args:
        subject: What is measured.
        options: What is left out.
        second: A second corpus for retrieval.
        heatmaps: Which methods are judged by which cases, or why none are.
    """
    skipped = dict.fromkeys(options.skip, NOT_ASKED) | _impossible(subject)
    if isinstance(heatmaps, str):
        skipped.setdefault("segmentation", heatmaps)
    pieces = [*_about_streams(subject), *_about_labels(subject)]
    if second is not None:
        pieces += _retrieval(subject, measurements.measure_second, "second", (second,))
    if not isinstance(heatmaps, str):
        pieces += [
            Piece(f"segmentation-{name}-{blocks}", "segmentation", measurements.measure_segmentation, arguments)
            for name, blocks in heatmaps.methods
            for arguments in [(heatmaps.asked, name, blocks)]
        ]
    return Plan([piece for piece in pieces if piece.table not in skipped], skipped)


def _impossible(subject: Subject) -> dict[str, str]:
    """By table, why it cannot be measured."""
    n_items = len(subject.rows)
    if not n_items:
        return dict.fromkeys(TABLES, "the bundle has no items")
    skipped = {}
    if len(subject.parts.features) < len(subject.streams):
        skipped["reconstruction"] = "the bundle keeps features compressed (ivfpq), which cannot be undone"
    if not subject.labelled.names:
        about_labels = ("profiles", "pure_objects", "probes", "classification")
        skipped |= dict.fromkeys(about_labels, "the items carry no labels")
    elif n_items < FEWEST_ITEMS:
        skipped |= dict.fromkeys(("probes", "classification"), f"{n_items} items are too few to learn from")
    return skipped


def _about_streams(subject: Subject) -> list[Piece]:
    """Retrieval, reconstruction, sparsity, dead latents."""
    pieces = _retrieval(subject, measurements.measure_retrieval, "inside", ())
    for stream, selection in product(subject.streams, SELECTIONS):
        name, arguments = f"{selection}-{stream}", (stream, selection)
        pieces.append(Piece(f"reconstruction-{name}", "reconstruction", measurements.measure_reconstruction, arguments))
        pieces.append(Piece(f"sparsity-{name}", "sparsity", measurements.measure_sparsity, arguments))
    return [*pieces, Piece("liveness", "liveness", measurements.measure_liveness)]


def _about_labels(subject: Subject) -> list[Piece]:
    """Alignment, purity, probes, classification, names."""
    pieces = [Piece(f"alignment-{s}", "alignment", measurements.measure_alignment, (s,)) for s in SELECTIONS]
    pieces.append(Piece("pure-objects", "pure_objects", measurements.measure_pure_objects))
    pieces += [Piece(f"probes-{s}", "probes", measurements.measure_probes, (s,)) for s in subject.streams]
    for stream in subject.streams:
        for source in ("codes", "features") if stream in subject.parts.features else ("codes",):
            name = f"classification-{stream}-{source}"
            pieces.append(Piece(name, "classification", measurements.measure_classification, (stream, source)))
    return [*pieces, Piece("names", "names", measurements.measure_names)]


def _retrieval(subject: Subject, measure: Callable[..., Rows], name: str, arguments: tuple[Any, ...]) -> list[Piece]:
    """Every direction of every way; features are compared where both streams have them."""
    streams, having = subject.streams, subject.parts.features
    both_ways = [pair for a, b in subject.parts.shared_spaces for pair in ((a, b), (b, a))]
    directions: list[tuple[Way, str, str]] = [("latent", *pair) for pair in permutations(streams, 2)]
    directions += [("reconstruction", query, target) for query, target in product(streams, having)]
    directions += [("backbone", *pair) for pair in both_ways if set(pair) <= set(having)]
    return [
        Piece(f"retrieval-{name}-{'-'.join(direction)}", "retrieval", measure, (*arguments, *direction))
        for direction in directions
    ]


def run_piece(parts: Parts, options: EvaluationOptions, piece: Piece, folder: Path) -> None:
    """Measure a piece, unless its file is there; on one thread, so that sums do not depend on the number of cores."""
    path = folder / f"{piece.name}.json"
    if path.is_file():
        return
    with one_thread():
        rows = piece.measure(Subject(parts, options.most_items), options.seed, *piece.arguments)
    if rows.by_latent:
        with whole_file(path.with_suffix(".npz")) as columns, columns.open("wb") as file:
            np.savez(file, **rows.by_latent)  # type: ignore[arg-type]
    with whole_file(path) as file_path:
        file_path.write_text(rows.evaluation.model_dump_json(exclude_defaults=True), encoding="utf-8")


def gathered(pieces: Sequence[Piece], folder: Path) -> Rows:
    """All rows of all pieces, which have run."""
    fields: dict[str, Any] = {}
    columns: dict[str, np.ndarray] = {}
    for piece in pieces:
        found = Evaluation.model_validate_json((folder / f"{piece.name}.json").read_bytes())
        for name in found.model_fields_set:
            rows = getattr(found, name)
            fields[name] = (*fields.get(name, ()), *rows) if isinstance(rows, tuple) else rows
        if (folder / f"{piece.name}.npz").is_file():
            with np.load(folder / f"{piece.name}.npz", allow_pickle=False) as arrays:
                columns |= {name: arrays[name] for name in arrays.files}
    return Rows(Evaluation(**fields), columns)
