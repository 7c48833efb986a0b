"""The few figures that tell two bundles apart at a glance, each on a scale that both share."""

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from server.compare_page.marks import one_of, shared_streams
from server.page_rendering import decimal, percent
from sparc_core.evaluation import Evaluation
from sparc_core.evaluation.results import ProfileAlignment

if TYPE_CHECKING:
    from server.explorer import Explorer

_DIGITS = 3  # as in the tables
Better = Literal["more", "less"] | None


class Shown(NamedTuple):
    """One bundle's value; `share` is its part of the scale, 0 to 1."""

    text: str
    share: float


class Figure(NamedTuple):
    """A figure of both bundles.

    Attributes:
        title: What it is.
        note: How to read it, a sentence without a full stop.
        stream: Position of the stream that it is about, or None.
        first: None where it was not measured, as `second`.
        second: Of the other bundle.
        difference: Second minus first, signed; "" where there is none to be had.
        verdict: What that makes of the second bundle: "better", "worse", "higher", "lower", "the same" or "".
    """

    title: str
    note: str
    stream: int | None
    first: Shown | None
    second: Shown | None
    difference: str
    verdict: str


class _Measure(NamedTuple):
    title: str
    note: str
    values: tuple[float | None, float | None]
    better: Better = "more"
    top: float = 1.0
    as_percent: bool = False
    stream: int | None = None


def figures(first: "Explorer", second: "Explorer") -> list[Figure]:
    """The figures that at least one of two bundles has, those that a reader asks for first.

    Raises:
        BundleError: What was measured of one of them cannot be read.
    """
    measured = (*_agreement(first, second), *_retrieval(first, second), *_latents(first, second))
    reconstructed = list(_reconstruction(first, second))
    return [_figure(one) for one in (*measured, *reconstructed) if any(value is not None for value in one.values)]


def _agreement(first: "Explorer", second: "Explorer") -> Iterator[_Measure]:
    both = first.evaluated.evaluation, second.evaluated.evaluation
    for selection, how in (("own", "selected as the model does"), ("local", "each stream selecting by itself")):
        rows = [deepest(evaluation, selection) for evaluation in both]
        values = tuple(row.jaccard if row else None for row in rows)
        yield _Measure(
            f"Agreement on classes, {how}",
            "Jaccard of class profiles, mean over pairs of streams; higher is better",
            (values[0], values[1]),
        )


def deepest(evaluation: Evaluation, selection: str) -> ProfileAlignment | None:
    """Agreement on classes at the greatest depth of the hierarchy; None where it was not measured."""
    rows = [row for row in evaluation.profiles if row.selection == selection]
    return max(rows, key=lambda row: row.depth, default=None)


def _retrieval(first: "Explorer", second: "Explorer") -> Iterator[_Measure]:
    """From a text to an image, in the first direction of which both know something, and most."""
    streams = shared_streams(first.info(), second.info())
    titles = {stream.name: stream.title for stream in streams}
    both = first.evaluated.evaluation, second.evaluated.evaluation
    directions = [d for d in product(one_of("text", streams), one_of("image", streams)) if _at_10(both[0], *d)]
    # A direction that the backbone knows too is the one that head figures of the evaluation show.
    known = {(row.query, row.target) for row in both[0].retrieval if row.inside and row.way == "backbone"}
    for query, target in sorted(directions, key=lambda direction: direction not in known)[:1]:
        yield _Measure(
            "Text finds image",
            f"{titles[query]} to {titles[target]}, R@10 by latents; higher is better",
            (_at_10(both[0], query, target), _at_10(both[1], query, target)),
        )


def _at_10(evaluation: Evaluation, query: str, target: str) -> float | None:
    rows = [row for row in evaluation.retrieval if row.inside and row.way == "latent"]
    return next((row.at_10 for row in rows if (row.query, row.target) == (query, target)), None)


def _latents(first: "Explorer", second: "Explorer") -> Iterator[_Measure]:
    tables = first.bundle.latents, second.bundle.latents
    dead, some = ([float(np.mean([a == alive for a in t.alive])) for t in tables] for alive in ("none", "some"))
    yield _Measure(
        "Dead latents",
        "Of the dictionary, active in no stream; lower is better",
        (dead[0], dead[1]),
        "less",
        as_percent=True,
    )
    yield _Measure(
        "Latents of some streams only",
        "Of the dictionary; lower means that more is shared",
        (some[0], some[1]),
        None,
        as_percent=True,
    )
    purity = [float(np.nanmean(table.purity)) if not np.isnan(table.purity).all() else None for table in tables]
    yield _Measure(
        "Purity",
        "Share of strongest items with the best label, mean; higher is better",
        (purity[0], purity[1]),
    )
    objects = [one.evaluated.evaluation.pure_objects for one in (first, second)]
    shares = [found.n_with_pure_latent / found.n_objects if found.n_objects else None for found in objects]
    yield _Measure(
        "Objects with a pure latent",
        "One that is pure in every stream at once; higher is better",
        (shares[0], shares[1]),
        as_percent=True,
    )


def _reconstruction(first: "Explorer", second: "Explorer") -> Iterator[_Measure]:
    """Stream by stream, on one scale that ends at or above the largest error."""
    info = first.info()
    positions = {stream.name: position for position, stream in enumerate(info.streams)}
    streams = shared_streams(info, second.info())
    found = {stream.name: (nmse_of(first, stream.name), nmse_of(second, stream.name)) for stream in streams}
    top = _scale(max((value for pair in found.values() for value in pair if value is not None), default=1.0))
    for stream in streams:
        yield _Measure(
            f"Error of {stream.title}",
            f"NMSE, on a scale to {top:g}; lower is better",
            found[stream.name],
            "less",
            top,
            stream=positions[stream.name],
        )


def nmse_of(explorer: "Explorer", stream: str) -> float | None:
    """Error of a stream's reconstruction from its own code, under the model's own selection; None if not measured."""
    rows = [row for row in explorer.evaluated.evaluation.reconstruction if row.selection == "own"]
    return next((row.nmse for row in rows if row.source == row.target == stream), None)


def _scale(largest: float) -> float:
    """A round number that is at least so large: 0.1, 0.2, 0.5, 1, 2 ..."""
    power = 10.0 ** np.floor(np.log10(largest)) if largest > 0 else 1.0
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= largest * (1 - 1e-9)))


def _figure(measure: _Measure) -> Figure:
    first, second = measure.values
    difference, verdict = _compared(measure)
    return Figure(
        measure.title,
        measure.note,
        measure.stream,
        _shown(first, measure),
        _shown(second, measure),
        difference,
        verdict,
    )


def _shown(value: float | None, measure: _Measure) -> Shown | None:
    if value is None:
        return None
    text = percent(value) if measure.as_percent else decimal(value, _DIGITS)
    return Shown(text, min(value / measure.top, 1.0))


def _compared(measure: _Measure) -> tuple[str, str]:
    """The difference as it is seen, of the numbers that are shown, and a word for it."""
    first, second = measure.values
    if first is None or second is None:
        return "", ""
    by = second - first if measure.as_percent else round(second, _DIGITS) - round(first, _DIGITS)
    text = f"{percent(abs(by))[:-1]} points" if measure.as_percent else decimal(abs(by), _DIGITS)
    if not any(digit in text for digit in "123456789"):
        return text, "the same"
    words = {"more": ("better", "worse"), "less": ("worse", "better"), None: ("higher", "lower")}[measure.better]
    return ("+" if by > 0 else "−") + text, words[0] if by > 0 else words[1]
