"""What the page shows of two streams of one bundle."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from server.compare_page.figures import deepest, nmse_of
from server.compare_page.outlines import Spread, spread_of_shares
from server.page_rendering import decimal, percent
from server.schemas import LatentPairsQuery, LatentSummary, MismatchKind, MismatchQuery, StreamInfo
from sparc_core.evaluation import Evaluation
from sparc_core.evaluation.results import PairAlignment, Retrieval, Way

if TYPE_CHECKING:
    from server.explorer import Explorer

N_LISTED = 4
# For overlaps to mean something: active in both streams on so many items, and on such a share; as in mismatches.
_FEWEST_ITEMS, _FEWEST_SHARE = 5, 0.002
WAYS: tuple[tuple[Way, str], ...] = (
    ("latent", "by latents"),
    ("reconstruction", "by reconstructed features"),
    ("backbone", "by features alone"),
)


class StreamSide(NamedTuple):
    """One of the two streams; `position` is that in the bundle."""

    stream: StreamInfo
    position: int


class StreamFact(NamedTuple):
    """One fact of both streams, as text."""

    name: str
    first: str
    second: str


class Direction(NamedTuple):
    """Retrieval from one stream to the other: R@1 and R@10 for each of `WAYS`, "–" where it was not measured."""

    query: StreamSide
    target: StreamSide
    recalls: tuple[tuple[str, str], ...]


class PairFigure(NamedTuple):
    """One number of the pair."""

    title: str
    value: str
    note: str


class Listed(NamedTuple):
    """A latent in a list.

    Attributes:
        latent: In short.
        first_density: Share of items, each stream selecting by itself.
        second_density: Of the other stream.
        alignment: Jaccard of the two sets of active items; None where it is active in neither.
    """

    latent: LatentSummary
    first_density: float
    second_density: float
    alignment: float | None


class LatentList(NamedTuple):
    """Latents of one kind.

    Attributes:
        title: Of the list.
        note: What is in it.
        total: Latents of this kind.
        latents: The first of them.
        href: Where all of them are; "" where there is no such page.
        empty: Said where there is none.
    """

    title: str
    note: str
    total: int
    latents: list[Listed]
    href: str
    empty: str


@dataclass(frozen=True)
class StreamsView:
    """What the template shows.

    Attributes:
        first: The stream along.
        second: The stream upwards.
        facts: Of both.
        figures: Of the pair.
        directions: Both ways.
        lists: Most agreed, silent in the second, active on other items.
        overlap: Histogram of the pair's Jaccard over latents.
        n_silent: Latents that are active in neither, in the first alone, in the second alone.
    """

    first: StreamSide
    second: StreamSide
    facts: list[StreamFact]
    figures: list[PairFigure]
    directions: list[Direction]
    lists: list[LatentList]
    overlap: Spread
    n_silent: tuple[int, int, int]


class _Pair(NamedTuple):
    first: Float64[np.ndarray, " l"]
    second: Float64[np.ndarray, " l"]
    alignment: Float64[np.ndarray, " l"]  # NaN where there is none


def streams_view(explorer: "Explorer", first: str, second: str) -> StreamsView:
    """Two streams as the page shows them.

    Raises:
        NotFoundError: One of them is not there.
        InputError: They are the same.
        BundleError: What was measured cannot be read.
    """
    found = explorer.latent_maps.pairs(LatentPairsQuery(first=first, second=second))
    pair = _Pair(*(np.array(column, float) for column in (found.first_density, found.second_density, found.alignment)))
    named = {stream.name: StreamSide(stream, position) for position, stream in enumerate(explorer.info().streams)}
    one, other = named[first], named[second]
    return StreamsView(
        first=one,
        second=other,
        facts=_facts(explorer, one.stream, other.stream),
        figures=_figures(explorer.evaluated.evaluation, one.stream, other.stream),
        directions=_directions(explorer.evaluated.evaluation, one, other),
        lists=[_most_agreed(explorer, pair), *_mismatches(explorer, one.stream, other.stream)],
        overlap=spread_of_shares(
            "overlap",
            "Jaccard of active items",
            "Over the latents that are active in both streams, each stream selecting by itself.",
            "Jaccard",
            {f"{one.stream.title} and {other.stream.title}": pair.alignment},
        ),
        n_silent=_silent(pair),
    )


def _facts(explorer: "Explorer", *both: StreamInfo) -> list[StreamFact]:
    table, evaluation = explorer.bundle.latents, explorer.evaluated.evaluation
    probes = {row.stream: row.cross_entropy for row in evaluation.probe_means}
    densities = [table.density[stream.name] for stream in both]
    n_latents = len(table)
    rows: list[tuple[str, list[str]]] = [
        ("modality", [stream.modality for stream in both]),
        ("backbone", [stream.backbone or "given features" for stream in both]),
        ("width", [f"{stream.d:,}" for stream in both]),
        ("alive latents", [f"{int((density > 0).sum()):,} of {n_latents:,}" for density in densities]),
        ("mean density", [percent(float(density.mean())) for density in densities]),
        ("reconstruction error (NMSE)", [decimal(nmse_of(explorer, stream.name), 3) for stream in both]),
        ("probe cross-entropy", [decimal(probes.get(stream.name), 3) for stream in both]),
    ]
    return [StreamFact(name, *values) for name, values in rows]


def _figures(evaluation: Evaluation, first: StreamInfo, second: StreamInfo) -> list[PairFigure]:
    names = {first.name, second.name}
    profiles = {selection: deepest(evaluation, selection) for selection in ("own", "local")}
    classes = {selection: _of_pair(row.pairs, names) for selection, row in profiles.items() if row}
    items = {row.selection: _of_pair(row.pairs, names) for row in evaluation.active_items}
    found = (
        ("Agreement on classes", classes.get("own"), "Jaccard of class profiles, selected as the model does"),
        ("Agreement on classes", classes.get("local"), "the same, each stream selecting by itself"),
        ("Agreement on items", items.get("local"), "Jaccard of active items, each stream selecting by itself"),
    )
    return [PairFigure(title, decimal(value, 3), note) for title, value, note in found if value is not None]


def _of_pair(pairs: Sequence[PairAlignment], names: set[str]) -> float | None:
    return next((pair.jaccard for pair in pairs if {pair.first, pair.second} == names), None)


def _directions(evaluation: Evaluation, first: StreamSide, second: StreamSide) -> list[Direction]:
    """Those of which something was measured in the bundle's own corpus."""
    found: dict[tuple[Way, str, str], Retrieval] = {
        (row.way, row.query, row.target): row for row in evaluation.retrieval if row.inside
    }
    directions = []
    for query, target in ((first, second), (second, first)):
        rows = [found.get((way, query.stream.name, target.stream.name)) for way, _ in WAYS]
        if any(rows):
            recalls = ((decimal(row.at_1 if row else None, 3), decimal(row.at_10 if row else None, 3)) for row in rows)
            directions.append(Direction(query, target, tuple(recalls)))
    return directions


def _most_agreed(explorer: "Explorer", pair: _Pair) -> LatentList:
    fewest = max(_FEWEST_ITEMS / max(explorer.bundle.manifest.corpus.n_items, 1), _FEWEST_SHARE)
    enough: Int64[np.ndarray, " m"] = np.flatnonzero((pair.first >= fewest) & (pair.second >= fewest))
    best = enough[np.argsort(-pair.alignment[enough], kind="stable")][:N_LISTED]
    return LatentList(
        "Most agreed",
        f"Of the latents that are active on {percent(fewest)} of items in both, those with the most items in common.",
        len(enough),
        [
            Listed(
                latent, float(pair.first[latent.id]), float(pair.second[latent.id]), float(pair.alignment[latent.id])
            )
            for latent in explorer.latents.summaries(best.tolist())
        ],
        "",
        "No latent is active often enough in both.",
    )


def _mismatches(explorer: "Explorer", first: StreamInfo, second: StreamInfo) -> list[LatentList]:
    texts = {
        MismatchKind.silent: (
            f"Active in {first.title}, silent in {second.title}",
            "Active at most half as often in the second stream, the greatest difference first.",
            "No latent falls silent.",
        ),
        MismatchKind.different: (
            "Active in both, on other items",
            "About as often in either stream, those with the fewest items in common first.",
            "No latent: in this way, the two streams never disagree.",
        ),
    }
    return [_mismatch(explorer, first, second, kind, *words) for kind, words in texts.items()]


def _mismatch(
    explorer: "Explorer", first: StreamInfo, second: StreamInfo, kind: MismatchKind, title: str, note: str, empty: str
) -> LatentList:
    query = MismatchQuery(strong=first.name, weak=second.name, kind=kind, limit=N_LISTED)
    page = explorer.gallery.mismatches(query)
    return LatentList(
        title,
        note,
        page.total,
        [Listed(found.latent, found.strong_density, found.weak_density, found.alignment) for found in page.latents],
        f"/mismatches?strong={first.name}&weak={second.name}&kind={kind.value}",
        empty,
    )


def _silent(pair: _Pair) -> tuple[int, int, int]:
    one, other = pair.first > 0, pair.second > 0
    return int((~one & ~other).sum()), int((one & ~other).sum()), int((~one & other).sum())
