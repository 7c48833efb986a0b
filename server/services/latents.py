"""Latents: one in short, one in full, and their names. All of it comes from the bundle, not from models."""

from collections.abc import Sequence
from itertools import islice

import numpy as np
from jaxtyping import Float32, Int64

from server.schemas import (
    Alive,
    Histogram,
    LabelShare,
    Latent,
    LatentActivation,
    LatentStream,
    LatentSummary,
    NearLatent,
)
from sparc_core.bundle import Bundle
from sparc_core.errors import NotFoundError
from sparc_core.retrieval import QueryCode

N_STRIP = 6
N_CAPTIONS = 2
N_BINS = 24
ALIVE = {"all": Alive.alive, "some": Alive.mixed, "none": Alive.dead}
"""By what the bundle's table says."""


class Latents:
    """Answers about the latents of one bundle."""

    def __init__(self, bundle: Bundle, dictionaries: dict[str, Float32[np.ndarray, "l d"]]) -> None:
        """Args: an open bundle, and the unit-norm dictionary of each of its streams."""
        self._bundle, self._table, self._dictionaries = bundle, bundle.latents, dictionaries
        self._measured = bundle.latent_evaluation
        self._streams = [stream.name for stream in bundle.manifest.streams]
        self._text_streams = [stream.name for stream in bundle.manifest.streams if stream.modality == "text"]
        self.names = list(self._table.name)

    def summary(self, latent: int) -> LatentSummary:
        """A latent as the gallery shows it."""
        return self.summaries([latent])[0]

    def summaries(self, latents: Sequence[int]) -> list[LatentSummary]:
        """Latents as the gallery shows them, in this order; their items are looked up together, which is quicker."""
        strips = {stream: self._strips(latents, stream) for stream in self._streams}
        captions = {stream: self._captions(latents, stream) for stream in self._text_streams}
        return [
            self._summary(
                latent, {s: of[place] for s, of in strips.items()}, {s: of[place] for s, of in captions.items()}
            )
            for place, latent in enumerate(latents)
        ]

    def latent(self, latent: int) -> Latent:
        """One latent in full.

        Raises:
            NotFoundError: There is no such latent.
        """
        self.check(latent)
        table, summary = self._table, self.summary(latent)
        return Latent(
            **{name: getattr(summary, name) for name in LatentSummary.model_fields},
            top_labels=[LabelShare(label=share.label, share=share.share) for share in table.top_labels[latent]],
            nearest=[
                NearLatent(id=int(near), name=table.name[near], similarity=self._similarity(latent, int(near)))
                for near in table.nearest[latent]
            ],
            histograms=self._histograms(latent),
            pair_alignment={
                f"{first}~{second}": float(values[latent])
                for (first, second), values in table.pair_alignment.items()
                if not np.isnan(values[latent])
            },
            previous_id=latent - 1 if latent > 0 else None,
            next_id=latent + 1 if latent + 1 < len(table) else None,
        )

    def named(self, code: QueryCode) -> list[LatentActivation]:
        """A code with the latents' names, in its order."""
        return [
            LatentActivation(latent=latent, name=self.names[latent], activation=activation)
            for latent, activation in zip(code.latents.tolist(), code.activations.tolist(), strict=True)
        ]

    def name(self, latent: int) -> str:
        """A latent's name."""
        return self.names[latent]

    def dictionary(self, stream: str) -> Float32[np.ndarray, "l d"]:
        """The unit-norm directions of all latents in a stream."""
        return self._dictionaries[stream]

    def check(self, latent: int) -> None:
        """NotFoundError where there is no such latent."""
        if not 0 <= latent < len(self._table):
            last = len(self._table) - 1
            raise NotFoundError("latent", f"there is no latent {latent}: this bundle has latents 0 to {last}")

    def _stream(self, latent: int, stream: str) -> LatentStream:
        table = self._table
        return LatentStream(
            stream=stream,
            density=float(table.density[stream][latent]),
            mean_activation=optional(table.mean[stream][latent]) or 0.0,
            max_activation=optional(table.max[stream][latent]) or 0.0,
            purity=optional(table.stream_purity[stream][latent]),
            label=table.stream_label[stream][latent],
        )

    def _summary(self, latent: int, strips: dict[str, list[str]], captions: dict[str, list[str]]) -> LatentSummary:
        table = self._table
        streams = [self._stream(latent, stream) for stream in self._streams]
        return LatentSummary(
            id=latent,
            name=table.name[latent],
            name_source=table.name_source[latent],
            alive=ALIVE[table.alive[latent]],
            density=sum(s.density for s in streams) / len(streams),
            alignment=optional(table.alignment[latent]),
            profile_alignment=optional(self._measured.profile_jaccard[latent]),
            purity=optional(table.purity[latent]),
            name_quality=optional(self._measured.name_auroc[latent]),
            label=table.label[latent],
            streams=streams,
            strips=strips,
            captions=captions,
        )

    def _strips(self, latents: Sequence[int], stream: str) -> list[list[str]]:
        rows = [self._bundle.postings(stream).of(latent).items[:N_STRIP] for latent in latents]
        return _parts(self._bundle.items.ids_of(_joined(rows)), rows)

    def _captions(self, latents: Sequence[int], stream: str) -> list[list[str]]:
        rows = [self._bundle.postings(stream).of(latent).items[:N_CAPTIONS] for latent in latents]
        return _parts(self._bundle.items.captions_of(_joined(rows)), rows)

    def _histograms(self, latent: int) -> list[Histogram]:
        """Histograms of all streams over one set of edges, so that they can be compared."""
        postings = {stream: self._bundle.postings(stream).of(latent).activations for stream in self._streams}
        top = max((float(a[0]) for a in postings.values() if len(a)), default=1.0)
        edges = np.linspace(0, top, N_BINS + 1)
        return [
            Histogram(stream=stream, edges=edges.tolist(), counts=np.histogram(a, edges)[0].tolist())
            for stream, a in postings.items()
        ]

    def _similarity(self, latent: int, other: int) -> float:
        return float(np.mean([each[latent] @ each[other] for each in self._dictionaries.values()]))


def _joined(rows: Sequence[Int64[np.ndarray, " m"]]) -> Int64[np.ndarray, " sum_m"]:
    return np.concatenate([*rows, np.empty(0, np.int64)])


def _parts(values: list[str], rows: Sequence[Int64[np.ndarray, " m"]]) -> list[list[str]]:
    """What was looked up for joined rows, apart again."""
    left = iter(values)
    return [list(islice(left, len(own))) for own in rows]


def optional(value: float) -> float | None:
    """A number, or None for what is not defined."""
    return None if np.isnan(value) else float(value)
