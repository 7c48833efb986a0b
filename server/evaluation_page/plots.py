"""What the plots of the page Evaluation draw; `static/js/parts` has a module for each."""

import math
from dataclasses import asdict, dataclass
from itertools import permutations
from typing import Any

from server.evaluation_page.density import bins_of, gallery_address, own_sparsity, range_text
from sparc_core.bundle.manifest import Selection
from sparc_core.evaluation import Evaluation
from sparc_core.evaluation.published import published_jaccard
from sparc_core.evaluation.results import ProfileAlignment, Way


@dataclass(frozen=True)
class PairLine:
    """Two streams' agreement, by depth; None where they have no latent in common."""

    first: str
    second: str
    jaccard: tuple[float | None, ...]


@dataclass(frozen=True)
class ProfilePanel:
    """Agreement of class profiles by depth, under one selection."""

    selection: Selection
    depths: tuple[int, ...]
    pairs: tuple[PairLine, ...]
    of_all: tuple[float, ...]
    published: tuple[float | None, ...]


@dataclass(frozen=True)
class DensityBin:
    """One bin: its ends, in words, and the address of its latents."""

    low: float
    high: float
    text: str
    href: str


@dataclass(frozen=True)
class DensityBars:
    """How many latents of a stream each bin has."""

    stream: str
    counts: tuple[int, ...]


@dataclass(frozen=True)
class ProbeLine:
    """Classes told by one latent of a stream, the best told first."""

    stream: str
    labels: tuple[str, ...]
    latents: tuple[int, ...]
    names: tuple[str, ...]
    cross_entropy: tuple[float, ...]


@dataclass(frozen=True)
class WayLine:
    """Recall at 1, 5 and 10."""

    way: Way
    recalls: tuple[float, float, float]


@dataclass(frozen=True)
class RecallPanel:
    """One direction in one corpus, by each way that was measured."""

    corpus: str
    query: str
    target: str
    ways: tuple[WayLine, ...]


@dataclass(frozen=True)
class Plots:
    """All of them; empty where nothing was measured.

    Attributes:
        bins: Of density.
        density: Stream by stream, as many counts as `bins`.
        chance: The cross-entropy of guessing.
        recalls: Of different streams, the bundle's own corpus first.
    """

    profiles: tuple[ProfilePanel, ...]
    bins: tuple[DensityBin, ...]
    density: tuple[DensityBars, ...]
    probes: tuple[ProbeLine, ...]
    chance: float
    recalls: tuple[RecallPanel, ...]

    @property
    def corpora(self) -> list[str]:
        """Of the recalls."""
        return list(dict.fromkeys(panel.corpus for panel in self.recalls))

    def as_dict(self) -> dict[str, Any]:
        """JSON values, for the browser."""
        return asdict(self)


def plots_of(evaluation: Evaluation, streams: list[str], names: list[str]) -> Plots:
    """The plots of a bundle's evaluation.

    Args:
        evaluation: What was measured.
        streams: The bundle's, in order.
        names: Of all latents.
    """
    return Plots(
        profiles=tuple(_profile_panels(evaluation)),
        bins=tuple(DensityBin(*ends, range_text(*ends), gallery_address(*ends)) for ends in bins_of(evaluation)),
        density=tuple(DensityBars(row.stream, row.counts) for row in own_sparsity(evaluation)),
        probes=tuple(line for stream in streams if (line := _probe_line(evaluation, stream, names)).labels),
        chance=math.log(2),
        recalls=tuple(_recall_panels(evaluation, streams)),
    )


def _profile_panels(evaluation: Evaluation) -> list[ProfilePanel]:
    by_selection: dict[Selection, list[ProfileAlignment]] = {}
    for row in evaluation.profiles:
        by_selection.setdefault(row.selection, []).append(row)
    panels = []
    for selection, rows in by_selection.items():
        found = [{(pair.first, pair.second): pair.jaccard for pair in row.pairs} for row in rows]
        pairs = list(dict.fromkeys(pair for known in found for pair in known))
        panels.append(
            ProfilePanel(
                selection=selection,
                depths=tuple(row.depth for row in rows),
                pairs=tuple(PairLine(*pair, tuple(known.get(pair) for known in found)) for pair in pairs),
                of_all=tuple(row.jaccard_of_all for row in rows),
                published=tuple(published_jaccard(row) for row in rows),
            )
        )
    return panels


def _probe_line(evaluation: Evaluation, stream: str, names: list[str]) -> ProbeLine:
    probes = sorted((p for p in evaluation.probes if p.stream == stream), key=lambda probe: probe.cross_entropy)
    return ProbeLine(
        stream=stream,
        labels=tuple(probe.label for probe in probes),
        latents=tuple(probe.latent for probe in probes),
        names=tuple(names[probe.latent] for probe in probes),
        cross_entropy=tuple(probe.cross_entropy for probe in probes),
    )


def _recall_panels(evaluation: Evaluation, streams: list[str]) -> list[RecallPanel]:
    found = sorted(evaluation.retrieval, key=lambda row: not row.inside)
    own = {row.corpus for row in found if row.inside}
    # Both may have one name: two storybooks, say.
    corpora = {
        (row.inside, row.corpus): f"{row.corpus} (second)" if not row.inside and row.corpus in own else row.corpus
        for row in found
    }
    panels = [
        RecallPanel(
            corpus=title,
            query=query,
            target=target,
            ways=tuple(
                WayLine(row.way, (row.at_1, row.at_5, row.at_10))
                for row in found
                if ((row.inside, row.corpus), row.query, row.target) == (corpus, query, target)
            ),
        )
        for corpus, title in corpora.items()
        for query, target in permutations(streams, 2)
    ]
    return [panel for panel in panels if panel.ways]
