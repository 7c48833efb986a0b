"""The figures at the page's head."""

from collections.abc import Iterator
from statistics import fmean
from typing import NamedTuple

from server.page_rendering import decimal, percent
from server.schemas import StreamInfo
from sparc_core.evaluation import Evaluation

_DIGITS = 3  # as in the tables


class HeadFigure(NamedTuple):
    """A number at the page's head; `section` has what is behind it."""

    section: str
    title: str
    value: str
    note: str


def head_figures(evaluation: Evaluation, streams: list[StreamInfo]) -> Iterator[HeadFigure]:
    """At most six, those that a reader asks for first; what was not measured is left out.

    Args:
        evaluation: What was measured.
        streams: The bundle's.
    """
    yield from _alignment(evaluation)
    yield from _retrieval(evaluation, streams)
    yield from _latents(evaluation)
    if evaluation.probe_means:
        mean = fmean(row.cross_entropy for row in evaluation.probe_means)
        yield HeadFigure("probes", "Probe cross-entropy", decimal(mean, _DIGITS), "by chance 0.693; less is better")
    errors = [row.nmse for row in evaluation.reconstruction if row.source == row.target and row.selection == "own"]
    if errors:
        note = "NMSE, mean over streams; 0 is perfect"
        yield HeadFigure("reconstruction", "Reconstruction error", decimal(fmean(errors), _DIGITS), note)
    n_named = sum(row.n_latents for row in evaluation.names)
    if n_named:
        mean = sum(row.auroc * row.n_latents for row in evaluation.names) / n_named
        yield HeadFigure("names", "Names predict activity", decimal(mean, _DIGITS), "AUROC; by chance 0.5")


def _alignment(evaluation: Evaluation) -> Iterator[HeadFigure]:
    """At the greatest depth, and beside it under per-stream selection, which does not agree by construction."""
    by_depth = {(row.selection, row.depth): row.jaccard for row in evaluation.profiles if row.jaccard is not None}
    depths = [depth for selection, depth in by_depth if selection == "own"]
    if depths:
        per_stream = by_depth.get(("local", max(depths)))
        note = (
            f"Jaccard; {decimal(per_stream, _DIGITS)} if each stream selects" if per_stream is not None else "Jaccard"
        )
        yield HeadFigure("alignment", "Agreement on classes", decimal(by_depth["own", max(depths)], _DIGITS), note)


def _retrieval(evaluation: Evaluation, streams: list[StreamInfo]) -> Iterator[HeadFigure]:
    """From a text to an image: beside the backbone's recall, where there are streams that share a space."""
    modality = {stream.name: stream.modality for stream in streams}
    rows = [
        row
        for row in evaluation.retrieval
        if row.inside and (modality.get(row.query), modality.get(row.target)) == ("text", "image")
    ]
    ours = {(row.query, row.target): row.at_10 for row in rows if row.way == "latent"}
    backbone = {(row.query, row.target): row.at_10 for row in rows if row.way == "backbone"}
    both = [direction for direction in ours if direction in backbone]
    for direction in (both or list(ours))[:1]:
        note = f"R@10 by latents; {decimal(backbone[direction], _DIGITS)} by features" if both else "R@10 by latents"
        yield HeadFigure("retrieval", "Text finds image", decimal(ours[direction], _DIGITS), note)


def _latents(evaluation: Evaluation) -> Iterator[HeadFigure]:
    liveness, n_latents = evaluation.liveness, evaluation.settings.n_latents
    if liveness.patterns and n_latents:
        note = f"{percent(liveness.dead_in_all / n_latents)} of {n_latents:,}"
        yield HeadFigure("latents", "Dead latents", f"{liveness.dead_in_all:,}", note)
