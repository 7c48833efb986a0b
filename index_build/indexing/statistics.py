"""What is known of every latent: how often and how strongly it is active, what its top items share, where it lies.

Posting lists in, arrays out, in passes over lists and blocks of latents that fit in memory; `latent_table` puts
everything together with names into latents.parquet's columns.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int32, Int64
from scipy import sparse

from index_build.indexing.layout import nearest_latents, places
from index_build.indexing.naming import SHARED, name_latents, names_from_labels
from sparc_core.bundle.postings import Postings
from sparc_core.bundle.tables import LabelShare, LatentTable, stream_pairs
from sparc_core.metrics import Purity, purity

N_TOP_LABELS = 5
_N_TOP, _N_TOP_OF_FEW, _FEW_ITEMS = 20, 5, 1000
_MOST_SHARES = 1 << 23  # of a block of latents


@dataclass(frozen=True)
class Usage:
    """How a stream uses the latents.

    Attributes:
        density: Share of items on which each is active.
        mean: Mean activation over those; NaN where there are none.
        max: Greatest activation; NaN where it is never active.
        top: The strongest items, strongest first, equal ones by row.
    """

    density: Float32[np.ndarray, "l"]
    mean: Float32[np.ndarray, "l"]
    max: Float32[np.ndarray, "l"]
    top: list[Int64[np.ndarray, "m"]]


@dataclass(frozen=True)
class CorpusFacts:
    """What the statistics need of the corpus: captions, the names and kinds of its item-level labels, who has which.

    Attributes:
        carries: Ones of a [n, c] matrix.
    """

    captions: Sequence[str]
    label_names: Sequence[str]
    label_kinds: Sequence[str]
    carries: sparse.csr_array

    @property
    def frequency(self) -> Float[np.ndarray, "c"]:
        """Share of all items that carry each label."""
        n_items, _ = self.carries.shape
        counts: Float[np.ndarray, "c"] = self.carries.sum(0) / n_items
        return counts


class Alignment(NamedTuple):
    """How far streams activate a latent on the same items: per pair of streams, and the mean over pairs; NaN for none.

    A pair has a value where the latent is active in both of its streams.
    """

    mean: Float32[np.ndarray, "l"]
    by_pair: dict[tuple[str, str], Float32[np.ndarray, "l"]]


class LabelFacts(NamedTuple):
    """What the top items of some latents share: on average over streams, and in each stream; names made from it."""

    mean: Purity
    by_stream: dict[str, Purity]
    top: list[list[LabelShare]]
    names: list[str]


def corpus_facts(
    captions: Sequence[str], item_labels: Sequence[Sequence[str]], kinds: Mapping[str, str]
) -> CorpusFacts:
    """Facts from captions, labels per item, and the kind of every label; labels that no item carries are left out."""
    used = {label for labels in item_labels for label in labels}
    names = [name for name in kinds if name in used]
    return CorpusFacts(captions, names, [kinds[name] for name in names], label_matrix(item_labels, names))


def n_top(n_items: int) -> int:
    """How many of its strongest items speak for a latent: 20, or 5 in a corpus of fewer than 1,000 items."""
    return _N_TOP if n_items >= _FEW_ITEMS else _N_TOP_OF_FEW


def latent_table(
    own: Mapping[str, Postings],
    local: Mapping[str, Postings],
    dictionaries: Mapping[str, Float[np.ndarray, "l d"]],
    facts: CorpusFacts,
    text_streams: Sequence[str],
) -> LatentTable:
    """Every column of latents.parquet.

    Args:
        own: Posting lists under the model's own selection, by stream: what is alive, how dense, what top items share.
        local: The same under per-stream selection: alignment, which shared selection would make trivial.
        dictionaries: Unit rows per stream.
        facts: Captions and labels.
        text_streams: Streams whose top items' captions may name a latent; all streams when empty.
    """
    n_items = len(facts.captions)
    enough = n_top(n_items)
    usages = {stream: usage(postings, n_items, enough) for stream, postings in own.items()}
    density = np.stack([found.density for found in usages.values()])
    tops = {stream: found.top for stream, found in usages.items()}
    labels = label_facts(tops, facts, enough)
    needed = enough if facts.label_names else n_items + 1  # without labels nothing is pure or impure
    measured = {stream: np.array([len(items) >= needed for items in top]) for stream, top in tops.items()}
    names = name_latents(labels.names, facts, [tops[stream] for stream in text_streams or own], density.mean(0))
    n_alive = (density > 0).sum(0)
    x, y = places(list(dictionaries.values()), n_alive > 0)
    anywhere = np.any(list(measured.values()), axis=0)
    agreement = alignment(local, n_items)
    return LatentTable(
        name=[name.text for name in names],
        name_source=[name.source for name in names],
        alive=[_alive(int(n), len(own)) for n in n_alive],
        n_alive_streams=n_alive.astype(np.int32),
        alignment=agreement.mean,
        pair_alignment=agreement.by_pair,
        purity=np.where(anywhere, labels.mean.share, np.nan).astype(np.float32),
        label=label_names(labels.mean.label, facts.label_names),
        top_labels=labels.top,
        map_x=x,
        map_y=y,
        nearest=nearest_latents(list(dictionaries.values()), n_alive > 0),
        density={stream: found.density for stream, found in usages.items()},
        density_local={stream: density_of(postings, n_items) for stream, postings in local.items()},
        mean={stream: found.mean for stream, found in usages.items()},
        max={stream: found.max for stream, found in usages.items()},
        stream_purity={
            stream: np.where(measured[stream], found.share, np.nan).astype(np.float32)
            for stream, found in labels.by_stream.items()
        },
        stream_label={s: label_names(found.label, facts.label_names) for s, found in labels.by_stream.items()},
    )


def usage(postings: Postings, n_items: int, n_top: int) -> Usage:
    """How often and how strongly each latent is active in a stream, and on which items most, in one pass."""
    counts = np.zeros(postings.n_latents, np.int64)
    mean, greatest = np.full((2, postings.n_latents), np.nan, np.float32)
    top = []
    for latent, (items, activations) in enumerate(postings.in_order()):
        counts[latent] = len(items)
        if len(items):
            mean[latent] = activations.sum(dtype=np.float64) / len(items)
            greatest[latent] = activations[0]
        top.append(items[:n_top].copy())
    return Usage((counts / max(n_items, 1)).astype(np.float32), mean, greatest, top)


def density_of(postings: Postings, n_items: int) -> Float32[np.ndarray, "l"]:
    """Share of items on which each latent is active, from the lengths of its lists."""
    counts = np.array([postings.n_items_of(latent) for latent in range(postings.n_latents)])
    return (counts / max(n_items, 1)).astype(np.float32)


def alignment(local: Mapping[str, Postings], n_items: int) -> Alignment:
    """Per latent, the Jaccard index of the sets of items that activate it, of each pair of streams and on average."""
    pairs, marked = stream_pairs(local), np.zeros(n_items, bool)
    lists = zip(*(postings.in_order() for postings in local.values()), strict=True)
    found = [_jaccards([posting.items for posting in of_latent], marked) for of_latent in lists]
    by_pair = np.array(found, np.float64).reshape(len(found), len(pairs)).T
    n_measured = (~np.isnan(by_pair)).sum(0)
    mean = np.where(n_measured, np.nansum(by_pair, axis=0) / np.maximum(n_measured, 1), np.nan)
    return Alignment(mean.astype(np.float32), dict(zip(pairs, by_pair.astype(np.float32), strict=True)))


def _jaccards(sets: Sequence[Int64[np.ndarray, "m"]], marked: Bool[np.ndarray, "n"]) -> list[float]:
    """Of all pairs, NaN where one is empty; `marked` is all False before and after."""
    found = []
    for number, first in enumerate(sets[:-1]):
        marked[first] = True
        for second in sets[number + 1 :]:
            both = np.count_nonzero(marked[second])
            either = len(first) + len(second) - both
            found.append(both / either if len(first) and len(second) else np.nan)
        marked[first] = False
    return found


def label_facts(tops: Mapping[str, Sequence[Int[np.ndarray, "m"]]], facts: CorpusFacts, enough: int) -> LabelFacts:
    """What the top items of all latents share, from their top items by stream."""
    n_latents = len(next(iter(tops.values())))
    blocks = [
        _label_facts({stream: top[latents] for stream, top in tops.items()}, facts, enough)
        for latents in blocks_of_latents(n_latents, len(facts.label_names))
    ]
    return LabelFacts(
        _joined([block.mean for block in blocks]),
        {stream: _joined([block.by_stream[stream] for block in blocks]) for stream in tops},
        [top for block in blocks for top in block.top],
        [name for block in blocks for name in block.names],
    )


def blocks_of_latents(n_latents: int, n_labels: int) -> list[slice]:
    """All latents, as many at a time as have a bounded number of label shares."""
    step = max(1, _MOST_SHARES // max(1, n_labels))
    return [slice(start, start + step) for start in range(0, n_latents, step)]


def _label_facts(tops: Mapping[str, Sequence[Int[np.ndarray, "m"]]], facts: CorpusFacts, enough: int) -> LabelFacts:
    shares = {stream: label_shares(top, facts.carries, enough) for stream, top in tops.items()}
    measured = {stream: np.array([len(items) >= enough for items in top]) for stream, top in tops.items()}
    mean = mean_over(shares, measured)
    return LabelFacts(
        purity(mean, facts.frequency, SHARED),
        {stream: purity(found, facts.frequency, SHARED) for stream, found in shares.items()},
        top_labels(mean, facts.label_names),
        names_from_labels(mean, facts),
    )


def _joined(blocks: Sequence[Purity]) -> Purity:
    return Purity(*(np.concatenate(parts) for parts in zip(*blocks, strict=True)))


def label_shares(
    top: Sequence[Int[np.ndarray, "m"]], carries: sparse.csr_array, enough: int
) -> Float[np.ndarray, "l c"]:
    """`sparc_core.metrics.label_shares` of a sparse matrix."""
    rows = [items[:enough] if len(items) >= enough else items[:0] for items in top]
    ends = np.cumsum([0, *(len(items) for items in rows)])
    chosen = sparse.csr_array((np.ones(ends[-1], np.int32), _flat(rows), ends), (len(rows), carries.shape[0]))
    shares: Float[np.ndarray, "l c"] = (chosen @ carries).toarray() / enough
    return shares


def mean_over(
    shares: Mapping[str, Float[np.ndarray, "l c"]], measured: Mapping[str, Bool[np.ndarray, "l"]]
) -> Float[np.ndarray, "l c"]:
    """Label shares averaged over the streams in which the latent has enough items to tell; zeros where it has none."""
    weights = {stream: measured[stream][:, None].astype(float) for stream in shares}
    total: Float[np.ndarray, "l c"] = np.sum([shares[stream] * weights[stream] for stream in shares], axis=0)
    return total / np.maximum(np.sum(list(weights.values()), axis=0), 1)


def top_labels(shares: Float[np.ndarray, "l c"], names: Sequence[str]) -> list[list[LabelShare]]:
    """Per latent, the labels that most of its top items carry, the most shared first."""
    order = np.argsort(-shares, axis=1, kind="stable")[:, :N_TOP_LABELS]
    rows = np.take_along_axis(shares, order, 1)
    return [
        [LabelShare(names[c], float(np.float32(share))) for c, share in zip(*row, strict=True) if share > 0]
        for row in zip(order, rows, strict=True)
    ]


def label_names(labels: Int[np.ndarray, "l"] | Int64[np.ndarray, "l"], names: Sequence[str]) -> list[str | None]:
    """Names of label columns; -1 has none."""
    return [names[label] if label >= 0 else None for label in labels]


def label_matrix(items: Sequence[Sequence[str]], names: Sequence[str]) -> sparse.csr_array:
    """Which item carries which of the names; labels of other names are left out."""
    column = {name: position for position, name in enumerate(names)}
    columns = [sorted({column[name] for name in item if name in column}) for item in items]
    ends = np.cumsum([0, *map(len, columns)])
    return sparse.csr_array((np.ones(ends[-1], np.int32), _flat(columns), ends), (len(items), len(names)))


def _flat(lists: Iterable[Sequence[int] | Int[np.ndarray, "m"]]) -> Int32[np.ndarray, "sum_m"]:
    """All numbers of all lists."""
    return np.concatenate([np.empty(0, np.int32), *(np.asarray(numbers, np.int32) for numbers in lists)])


def _alive(n_streams: int | Int32[np.ndarray, ""], n_all: int) -> str:
    return "none" if n_streams == 0 else "all" if n_streams == n_all else "some"
