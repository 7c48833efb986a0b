"""Latents: the gallery, one latent in full, its strongest items. All of it comes from the bundle, not from models."""

from functools import cached_property

import numpy as np
from jaxtyping import Float32

from server.schemas import (
    Alive,
    Histogram,
    LabelShare,
    Latent,
    LatentActivation,
    LatentItem,
    LatentItems,
    LatentPage,
    LatentSort,
    LatentStream,
    LatentSummary,
    NearLatent,
)
from sparc_core.bundle import Bundle
from sparc_core.errors import InputError, NotFoundError
from sparc_core.retrieval import QueryCode

N_STRIP = 6
N_CAPTIONS = 2
N_BINS = 24
_MOST_DIGITS = 9  # of a latent's number or a cursor
_ALIVE = {"all": Alive.alive, "some": Alive.mixed, "none": Alive.dead}


class Latents:
    """Answers about the latents of one bundle."""

    def __init__(self, bundle: Bundle, dictionaries: list[Float32[np.ndarray, "l d"]]) -> None:
        """Args: an open bundle, and the unit-norm dictionary of each of its streams."""
        self._bundle, self._table, self._dictionaries = bundle, bundle.latents, dictionaries
        self._streams = [stream.name for stream in bundle.manifest.streams]
        self._text_streams = [stream.name for stream in bundle.manifest.streams if stream.modality == "text"]
        self._alive = np.array([_ALIVE[alive].value for alive in self._table.alive])

    def page(self, query: str, sort: LatentSort, alive: Alive | None, limit: int, cursor: str | None) -> LatentPage:
        """One page of the gallery; the cursor is the position of the next page's first latent.

        Raises:
            InputError: The cursor is not one of ours.
        """
        start = _position(cursor)
        matching = self._matching(query)
        counts = {state: int((self._alive[matching] == state.value).sum()) for state in Alive}
        if alive is not None:
            matching = matching[self._alive[matching] == alive.value]
        matching = matching[self._order(sort, matching)]
        if start and start >= len(matching):
            raise InputError(f'cursor "{cursor}" is beyond the last of {len(matching)} latents: start without a cursor')
        shown = matching[start : start + limit]
        more = str(start + limit) if start + limit < len(matching) else None
        summaries = [self.summary(int(latent)) for latent in shown]
        return LatentPage(latents=summaries, total=len(matching), counts=counts, next_cursor=more)

    def summary(self, latent: int) -> LatentSummary:
        """A latent as the gallery shows it."""
        table = self._table
        streams = [self._stream(latent, stream) for stream in self._streams]
        return LatentSummary(
            id=latent,
            name=table.name[latent],
            name_source=table.name_source[latent],
            alive=_ALIVE[table.alive[latent]],
            density=sum(s.density for s in streams) / len(streams),
            alignment=_optional(table.alignment[latent]),
            purity=_optional(table.purity[latent]),
            label=table.label[latent],
            streams=streams,
            strips={stream: self._strip(latent, stream) for stream in self._streams},
            captions={stream: self._captions(latent, stream) for stream in self._text_streams},
        )

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
            pair_alignment=self._pair_alignment(latent),
            previous_id=latent - 1 if latent > 0 else None,
            next_id=latent + 1 if latent + 1 < len(table) else None,
        )

    def items(self, latent: int, stream: str, limit: int) -> LatentItems:
        """The strongest items of a latent in a stream.

        Raises:
            NotFoundError: There is no such latent or stream.
        """
        self.check(latent)
        posting = self._bundle.postings(stream).of(latent)
        found = self._bundle.items.take(posting.items[:limit])
        items = [
            LatentItem(item_id=i.item_id, activation=float(a), caption=i.caption, labels=list(i.labels))
            for i, a in zip(found, posting.activations[:limit], strict=True)
        ]
        return LatentItems(latent=latent, stream=stream, items=items, total=len(posting.items))

    def named(self, code: QueryCode) -> list[LatentActivation]:
        """A code with the latents' names, strongest first."""
        return [
            LatentActivation(latent=int(latent), name=self._table.name[latent], activation=float(activation))
            for latent, activation in zip(code.latents, code.activations, strict=True)
        ]

    def name(self, latent: int) -> str:
        """A latent's name."""
        return self._table.name[latent]

    def check(self, latent: int) -> None:
        """NotFoundError where there is no such latent."""
        if not 0 <= latent < len(self._table):
            last = len(self._table) - 1
            raise NotFoundError("latent", f"there is no latent {latent}: this bundle has latents 0 to {last}")

    @cached_property
    def _searchable(self) -> list[str]:
        table = self._table
        return [f"{name} {table.label[latent] or ''}".lower() for latent, name in enumerate(table.name)]

    def _matching(self, query: str) -> np.ndarray:
        wanted = query.strip().strip("\"'“”").strip().lower()
        if not wanted:
            return np.arange(len(self._table))
        number = wanted.removeprefix("#")
        if number.isdecimal():
            known = len(number) <= _MOST_DIGITS and int(number) < len(self._table)
            return np.array([int(number)] if known else [], np.int64)
        words = wanted.split()
        return np.array([i for i, text in enumerate(self._searchable) if all(w in text for w in words)], np.int64)

    def _order(self, sort: LatentSort, latents: np.ndarray) -> np.ndarray:
        if sort is LatentSort.id:
            return np.arange(len(latents))
        if sort is LatentSort.density:
            # in float64, as the number that is shown: float32 would order near ties differently
            keys = np.mean([self._table.density[stream].astype(np.float64) for stream in self._streams], axis=0)
        else:
            keys = self._table.alignment if sort is LatentSort.alignment else self._table.purity
        return np.argsort(-np.nan_to_num(keys[latents], nan=-1), kind="stable")

    def _stream(self, latent: int, stream: str) -> LatentStream:
        table = self._table
        return LatentStream(
            stream=stream,
            density=float(table.density[stream][latent]),
            mean_activation=float(np.nan_to_num(table.mean[stream][latent])),
            max_activation=float(np.nan_to_num(table.max[stream][latent])),
            purity=_optional(table.stream_purity[stream][latent]),
            label=table.stream_label[stream][latent],
        )

    def _strip(self, latent: int, stream: str) -> list[str]:
        rows = self._bundle.postings(stream).of(latent).items[:N_STRIP]
        return [item.item_id for item in self._bundle.items.take(rows)]

    def _captions(self, latent: int, stream: str) -> list[str]:
        rows = self._bundle.postings(stream).of(latent).items[:N_CAPTIONS]
        return [item.caption for item in self._bundle.items.take(rows)]

    def _histograms(self, latent: int) -> list[Histogram]:
        """Histograms of all streams over one set of edges, so that they can be compared."""
        postings = {stream: self._bundle.postings(stream).of(latent).activations for stream in self._streams}
        top = max((float(a[0]) for a in postings.values() if len(a)), default=1.0)
        edges = np.linspace(0, top, N_BINS + 1)
        return [
            Histogram(stream=stream, edges=edges.tolist(), counts=np.histogram(a, edges)[0].tolist())
            for stream, a in postings.items()
        ]

    def _pair_alignment(self, latent: int) -> dict[str, float]:
        rows = {stream: self._bundle.local_postings(stream).of(latent).items for stream in self._streams}
        pairs = {}
        for i, first in enumerate(self._streams):
            for second in self._streams[i + 1 :]:
                if len(rows[first]) and len(rows[second]):
                    both = len(np.intersect1d(rows[first], rows[second]))
                    pairs[f"{first}~{second}"] = both / (len(rows[first]) + len(rows[second]) - both)
        return pairs

    def _similarity(self, latent: int, other: int) -> float:
        return float(np.mean([dictionary[latent] @ dictionary[other] for dictionary in self._dictionaries]))


def _optional(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _position(cursor: str | None) -> int:
    if not cursor:
        return 0
    if not cursor.isdecimal() or len(cursor) > _MOST_DIGITS:
        raise InputError(f'cursor "{cursor[:40]}" is not one that this service gave: start without a cursor')
    return int(cursor)
