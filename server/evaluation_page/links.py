"""Where the cells of tables lead: to the latents, mismatches and classes behind a number."""

from collections.abc import Collection, Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from server.evaluation_page.density import DENSITY, bins_of, gallery_address, range_text
from server.schemas import StreamInfo
from sparc_core.evaluation import Evaluation


class Link(NamedTuple):
    """Where something leads, and in words what is there."""

    href: str
    title: str


ONWARD = {
    "profiles": Link("/?sort=profile_alignment", "Latents by this agreement"),
    "sparsity": Link("/?sort=density", "Latents by density"),
    "names": Link("/?sort=name_quality", "Latents by how well they are named"),
}
"""From a table as a whole."""


class Links:
    """Of one bundle's evaluation."""

    def __init__(self, evaluation: Evaluation, streams: Sequence[StreamInfo], labels: Collection[str]) -> None:
        """Args: what was measured, the bundle's streams, and the labels that are the best label of some latent."""
        self._titles = {stream.name: stream.title for stream in streams}
        self._can_read = any(stream.modality == "text" and stream.can_read for stream in streams)
        self._labels = labels
        self._rows = _patterns(evaluation) | _bins(evaluation)

    def row(self, table: str, text: str) -> Link | None:
        """From the first cell of a row."""
        return self._rows.get((table, text))

    def label(self, label: str) -> Link | None:
        """To the latents of a class; where no latent has it as its best label, to those near its meaning."""
        if label in self._labels:
            return Link(f"/?{urlencode({'label': label})}", f"Latents whose best label is {label}")
        if self._can_read:
            return Link(f"/find?{urlencode({'text': label})}", f"Latents near the meaning of {label}")
        return None

    def mismatches(self, first: str, second: str) -> Link:
        """To the latents on which two streams disagree."""
        query = urlencode({"strong": first, "weak": second})
        titles = " and ".join(self._titles.get(stream, stream) for stream in (first, second))
        return Link(f"/mismatches?{query}", f"Latents on which {titles} disagree")


def _patterns(evaluation: Evaluation) -> dict[tuple[str, str], Link]:
    """By the texts of the table "dead-latents", the latents that its rows count, where there are any."""
    found, streams = evaluation.liveness, list(evaluation.liveness.dead_in)
    rows: list[tuple[str, int, dict[str, str | Sequence[str]]]] = [
        ("alive in every stream", found.alive_in_all, {"alive": "alive"}),
        ("dead in every stream", found.dead_in_all, {"alive": "dead"}),
    ]
    for pattern in found.patterns:
        silent = [stream for stream in streams if stream not in pattern.alive_in]
        text = f"alive in {' + '.join(pattern.alive_in)} only"
        rows.append((text, pattern.n_latents, {"active_in": pattern.alive_in, "silent_in": silent}))
    rows += [(f"dead in {stream}", n_dead, {"silent_in": stream}) for stream, n_dead in found.dead_in.items()]
    return {
        ("dead-latents", text): Link(f"/?{urlencode(query, doseq=True)}", "These latents")
        for text, n_latents, query in rows
        if n_latents
    }


def _bins(evaluation: Evaluation) -> dict[tuple[str, str], Link]:
    """By the texts of the table of densities, the latents of a bin."""
    return {
        (DENSITY, range_text(*ends)): Link(gallery_address(*ends), "Latents of this density")
        for ends in bins_of(evaluation)
    }
