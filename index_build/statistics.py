"""What is known of every latent: how often and how strongly it is active, what its top items share, where it lies.

Everything here is arrays in, arrays out; `latent_table` puts them together with names into latents.parquet's columns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int32, Int64
from scipy import sparse

from index_build.layout import nearest_latents, plane
from index_build.naming import SHARED, name_latents
from sparc_core.bundle.codes import Codes
from sparc_core.bundle.tables import LabelShare, LatentTable
from sparc_core.metrics import label_matrix, label_shares, purity, top_items

N_TOP_LABELS = 5
_N_TOP, _N_TOP_OF_FEW, _FEW_ITEMS = 20, 5, 1000


@dataclass(frozen=True)
class Occurrence:
    """How a stream uses the latents: share of items, mean and greatest activation where active (NaN where never)."""

    density: Float32[np.ndarray, "l"]
    mean: Float32[np.ndarray, "l"]
    max: Float32[np.ndarray, "l"]


@dataclass(frozen=True)
class CorpusFacts:
    """What the statistics need of the corpus: captions, the names and kinds of its item-level labels, who has which."""

    captions: Sequence[str]
    label_names: Sequence[str]
    label_kinds: Sequence[str]
    carries: Bool[np.ndarray, "n c"]


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
    own: Mapping[str, Codes],
    local: Mapping[str, Codes],
    dictionaries: Mapping[str, Float[np.ndarray, "l d"]],
    facts: CorpusFacts,
    text_streams: Sequence[str],
) -> LatentTable:
    """Every column of latents.parquet.

    Args:
        own: Codes by stream under the model's own selection: what is alive, how dense, what the top items share.
        local: Codes by stream under per-stream selection: alignment, which shared selection would make trivial.
        dictionaries: Unit rows per stream.
        facts: Captions and labels.
        text_streams: Streams whose top items' captions may name a latent; all streams when empty.
    """
    n_latents, enough = len(next(iter(dictionaries.values()))), n_top(len(facts.captions))
    occurrences = {stream: occurrence(codes, n_latents) for stream, codes in own.items()}
    top = {stream: top_items(*codes, n_latents, enough) for stream, codes in own.items()}
    shares = {stream: label_shares(items, facts.carries, enough) for stream, items in top.items()}
    measured = {stream: np.array([len(rows) >= enough for rows in items]) for stream, items in top.items()}
    frequency = facts.carries.mean(0)
    mean_shares = mean_over(shares, measured)
    best = purity(mean_shares, frequency, SHARED)
    by_stream = {stream: purity(stream_shares, frequency, SHARED) for stream, stream_shares in shares.items()}
    density = np.stack([o.density for o in occurrences.values()])
    names = name_latents(mean_shares, facts, [top[s] for s in text_streams or own], density.mean(0))
    n_alive = (density > 0).sum(0)
    x, y = plane(list(dictionaries.values()), n_alive > 0)
    anywhere = np.any(list(measured.values()), axis=0)
    return LatentTable(
        name=[name.text for name in names],
        name_source=[name.source for name in names],
        alive=[_alive(int(n), len(own)) for n in n_alive],
        n_alive_streams=n_alive.astype(np.int32),
        alignment=alignment(local, n_latents),
        purity=np.where(anywhere, best.share, np.nan).astype(np.float32),
        label=label_names(best.label, facts.label_names),
        top_labels=top_labels(mean_shares, facts.label_names),
        map_x=x,
        map_y=y,
        nearest=nearest_latents(list(dictionaries.values()), n_alive > 0),
        density={stream: o.density for stream, o in occurrences.items()},
        mean={stream: o.mean for stream, o in occurrences.items()},
        max={stream: o.max for stream, o in occurrences.items()},
        stream_purity={s: np.where(measured[s], p.share, np.nan).astype(np.float32) for s, p in by_stream.items()},
        stream_label={s: label_names(p.label, facts.label_names) for s, p in by_stream.items()},
    )


def occurrence(codes: Codes, n_latents: int) -> Occurrence:
    """How often and how strongly each latent is active in a stream."""
    active = codes.activations > 0
    latents, activations = codes.latents[active].astype(np.int64), codes.activations[active].astype(np.float64)
    count = np.bincount(latents, minlength=n_latents)
    total = np.bincount(latents, weights=activations, minlength=n_latents)
    greatest = np.full(n_latents, -np.inf)
    np.maximum.at(greatest, latents, activations)
    never = count == 0
    return Occurrence(
        density=(count / max(len(codes.latents), 1)).astype(np.float32),
        mean=np.where(never, np.nan, total / np.maximum(count, 1)).astype(np.float32),
        max=np.where(never, np.nan, greatest).astype(np.float32),
    )


def alignment(local: Mapping[str, Codes], n_latents: int) -> Float32[np.ndarray, "l"]:
    """Per latent, the Jaccard index of the sets of items that activate it, averaged over pairs of streams.

    Streams in which the latent is never active are left out; NaN where fewer than two are left.
    """
    active = [active_matrix(codes, n_latents) for codes in local.values()]
    total, n_pairs = np.zeros(n_latents), np.zeros(n_latents)
    for first, second in combinations(active, 2):
        both = np.asarray(first.multiply(second).sum(0)).ravel()
        in_first, in_second = (np.asarray(matrix.sum(0)).ravel() for matrix in (first, second))
        counted = (in_first > 0) & (in_second > 0)
        total += np.where(counted, both / np.maximum(in_first + in_second - both, 1), 0)
        n_pairs += counted
    return np.where(n_pairs > 0, total / np.maximum(n_pairs, 1), np.nan).astype(np.float32)


def active_matrix(codes: Codes, n_latents: int) -> sparse.csr_array:
    """Which item activates which latent, as a sparse [n, l] matrix of ones."""
    rows, slots = np.nonzero(codes.activations)
    columns = codes.latents[rows, slots].astype(np.int64)
    return sparse.csr_array((np.ones(len(rows), np.int32), (rows, columns)), (len(codes.latents), n_latents))


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


def _alive(n_streams: int | Int32[np.ndarray, ""], n_all: int) -> str:
    return "none" if n_streams == 0 else "all" if n_streams == n_all else "some"
