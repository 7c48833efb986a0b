"""How well a latent's name predicts when it is active, on items that the name was not made from.

A name says which items it fits: those that carry its labels, or whose captions have its words. The AUROC of the
latent's activations for these items is 1 where it is most active on exactly them, and 0.5 where the name says nothing.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial, reduce
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64
from scipy import sparse
from scipy.stats import rankdata

from index_build.evaluation.ranking import sparse_rows
from index_build.indexing.naming import words_of
from sparc_core.bundle.codes import Codes
from sparc_core.bundle.tables import LatentTable
from sparc_core.evaluation.results import NamedLatent, Names

_N_WEAKEST, _GOOD, _DIGITS = 10, 0.9, 6
_NUMBER = re.compile(r" \(\d+\)$")


class NameQuality(NamedTuple):
    """How well names predict activations.

    Attributes:
        tables: One for each stream and source of names, where there is a name that can be judged.
        by_latent: AUROC, mean over streams; NaN where the latent's name cannot be judged.
    """

    tables: list[Names]
    by_latent: Float64[np.ndarray, "l"]


class _Active(NamedTuple):
    """The items that activate a latent, and how strongly."""

    items: Int64[np.ndarray, "a"]
    activations: Float32[np.ndarray, "a"]


class _Truth(NamedTuple):
    """Which items count for a latent, and which of all items its name fits; of those that count, how many it fits."""

    counts: Bool[np.ndarray, "m"]
    fits: Bool[np.ndarray, "m"]
    n_fit: int
    n_other: int


def name_quality(
    latents: LatentTable,
    codes: Mapping[str, Codes],
    captions: Sequence[str],
    carries: sparse.csr_array,
    label_names: Sequence[str],
    left_out: Sequence[Int64[np.ndarray, "o"]],
) -> NameQuality:
    """Judge every latent's name in every stream.

    A name can be judged where, of the items that count, it fits some and not all.

    Args:
        latents: Names and where they came from.
        codes: Of the measured items under the model's own selection, by stream.
        captions: Theirs.
        carries: Ones of an [m, c] matrix: which item carries which label.
        label_names: The c labels.
        left_out: Per latent, the measured items that its name was made from: they do not count for it.
    """
    aurocs = _aurocs(codes, fitting_items(latents, captions, carries, label_names), left_out)
    sources = np.array(latents.name_source)
    tables = [
        _table(stream, source, latents.name, np.where(sources == source, found, np.nan))
        for stream, found in zip(codes, aurocs, strict=True)
        for source in ("labels", "caption words")
    ]
    return NameQuality([table for table in tables if table], aurocs.mean(0))


def fitting_items(
    latents: LatentTable, captions: Sequence[str], carries: sparse.csr_array, label_names: Sequence[str]
) -> list[Int64[np.ndarray, "f"]]:
    """Per latent, the items that its name fits, ascending; none where it has no name, or a label that none carries."""
    known = set(label_names)
    meanings = [
        (source, parts_of(name, source, known)) for name, source in zip(latents.name, latents.name_source, strict=True)
    ]
    items_with = {
        "labels": _items_by_label(carries, label_names),
        "caption words": _items_by_word(
            captions, {w for source, ws in meanings if source == "caption words" for w in ws}
        ),
    }
    # Many latents have the same name up to its number.
    fitting = {
        (source, parts): _in_all([items_with[source][part] for part in parts]) for source, parts in set(meanings)
    }
    return [fitting[meaning] for meaning in meanings]


def parts_of(name: str, source: str, labels: Collection[str]) -> tuple[str, ...]:
    """What an item must have for a name to fit: labels or words, as `index_build.indexing.naming` put them together.

    Args:
        name: Of a latent, perhaps numbered: "red car (2)".
        source: What it was made from.
        labels: Those that occur; a name with another one has no parts.
    """
    if source == "labels":
        return _labels_in(name, labels) or _labels_in(_NUMBER.sub("", name), labels)
    return tuple(_NUMBER.sub("", name).split()) if source == "caption words" else ()


def _labels_in(text: str, labels: Collection[str]) -> tuple[str, ...]:
    """One label, or two with a space between: labels may have spaces of their own."""
    if text in labels:
        return (text,)
    spaces = (position for position, letter in enumerate(text) if letter == " ")
    pairs = ((text[:space], text[space + 1 :]) for space in spaces)
    return next((pair for pair in pairs if pair[0] in labels and pair[1] in labels), ())


def _items_by_label(carries: sparse.csr_array, label_names: Sequence[str]) -> dict[str, Int64[np.ndarray, "f"]]:
    by_label = carries.tocsc()
    bounds = pairwise(by_label.indptr.tolist())
    return {name: by_label.indices[start:end] for name, (start, end) in zip(label_names, bounds, strict=True)}


def _items_by_word(captions: Sequence[str], words: Collection[str]) -> dict[str, Int64[np.ndarray, "f"]]:
    items: dict[str, list[int]] = {word: [] for word in words}
    for item, caption in enumerate(captions):
        for word in words_of(caption) & items.keys():
            items[word].append(item)
    return {word: np.array(found, np.int64) for word, found in items.items()}


def _in_all(lists: Sequence[Int64[np.ndarray, "f"]]) -> Int64[np.ndarray, "g"]:
    """What all ascending lists have; nothing without a list."""
    return reduce(partial(np.intersect1d, assume_unique=True), lists) if lists else np.empty(0, np.int64)


def _aurocs(
    codes: Mapping[str, Codes],
    fitting: Sequence[Int64[np.ndarray, "f"]],
    left_out: Sequence[Int64[np.ndarray, "o"]],
) -> Float64[np.ndarray, "s l"]:
    found = np.full((len(codes), len(fitting)), np.nan)
    n_items = len(next(iter(codes.values())).latents)
    columns = zip(*(_active(of_stream, len(fitting)) for of_stream in codes.values()), strict=True)
    for latent, (items, made_from, of_streams) in enumerate(zip(fitting, left_out, columns, strict=True)):
        truth = _truth(items, made_from, n_items)
        if truth.n_fit and truth.n_other:
            found[:, latent] = [_auroc(active, truth) for active in of_streams]
    return found


def _active(codes: Codes, n_latents: int) -> Iterator[_Active]:
    """Latent by latent."""
    by_latent = sparse_rows(codes, n_latents).tocsc()
    for start, end in pairwise(by_latent.indptr.tolist()):
        yield _Active(by_latent.indices[start:end], by_latent.data[start:end])


def _truth(items: Int64[np.ndarray, "f"], left_out: Int64[np.ndarray, "o"], n_items: int) -> _Truth:
    counts, fits = np.ones(n_items, bool), np.zeros(n_items, bool)
    counts[left_out], fits[items] = False, True
    n_fit = int(counts[items].sum())
    return _Truth(counts, fits, n_fit, int(counts.sum()) - n_fit)


def _auroc(active: _Active, truth: _Truth) -> float:
    """How often an item that the name fits is more active than one that it does not, equal ones half.

    Only active items are ranked: all others are equal, and less.
    """
    counts = truth.counts[active.items]
    fits = truth.fits[active.items[counts]]
    n_fit = int(fits.sum())
    n_other = len(fits) - n_fit
    won_by_active = rankdata(active.activations[counts])[fits].sum() - n_fit * (n_fit + 1) / 2
    inactive = truth.n_other - n_other
    won = won_by_active + n_fit * inactive + (truth.n_fit - n_fit) * inactive / 2
    return float(won / (truth.n_fit * truth.n_other))


def _table(stream: str, source: str, names: Sequence[str], aurocs: Float64[np.ndarray, "l"]) -> Names | None:
    """Of the latents that have an AUROC; None where there is none."""
    judged = np.flatnonzero(~np.isnan(aurocs))
    if not len(judged):
        return None
    found = aurocs[judged]
    weakest = judged[np.argsort(found, kind="stable")[:_N_WEAKEST]].tolist()
    return Names(
        stream=stream,
        source=source,
        n_latents=len(judged),
        auroc=round(float(found.mean()), _DIGITS),
        share_above_09=round(float((found >= _GOOD).mean()), _DIGITS),
        weakest=tuple(
            NamedLatent(latent=latent, name=names[latent], auroc=round(float(aurocs[latent]), _DIGITS))
            for latent in weakest
        ),
    )
