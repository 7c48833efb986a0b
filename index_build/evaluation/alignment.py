"""Alignment of streams, latent by latent: do they activate it on items of the same classes, or on the same items?

Both compare counts: a latent's profile in a stream counts how often each class occurs over the items on which it is
active; a set of items counts each item once. `hierarchy` says what the classes are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64
from scipy import sparse

from index_build.evaluation.hierarchy import Hierarchy
from index_build.evaluation.ranking import sparse_rows
from index_build.indexing.statistics import blocks_of_latents
from sparc_core.bundle.codes import Codes
from sparc_core.bundle.manifest import Selection
from sparc_core.bundle.tables import stream_pairs
from sparc_core.evaluation.results import ItemAlignment, PairAlignment, ProfileAlignment

_DIGITS = 6


class Profiles(NamedTuple):
    """How far streams agree in the class profiles of latents.

    Attributes:
        depths: From the roots down to the deepest labels; empty without labels.
        by_latent: Per pair of streams, Jaccard at the deepest depth; NaN where the latent is not active in both.
        mean_by_latent: Its mean over the pairs that have a value; NaN where none has.
    """

    depths: list[ProfileAlignment]
    by_latent: dict[tuple[str, str], Float64[np.ndarray, "l"]]
    mean_by_latent: Float64[np.ndarray, "l"]


class _Agreement(NamedTuple):
    """Of pairs of streams on each latent; 0 where neither has a count."""

    jaccard: Float64[np.ndarray, "pair l"]
    dice: Float64[np.ndarray, "pair l"]


@dataclass(frozen=True)
class _Activity:
    """Which items activate which latent, by stream: ones of an [l, m] matrix."""

    by_stream: dict[str, sparse.csr_array]
    n_latents: int

    @classmethod
    def of(cls, codes: Mapping[str, Codes], n_latents: int) -> "_Activity":
        rows = {stream: sparse_rows(of_stream, n_latents).T.tocsr() for stream, of_stream in codes.items()}
        return cls({stream: (of_stream > 0).astype(np.int32) for stream, of_stream in rows.items()}, n_latents)

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        return stream_pairs(self.by_stream)

    @cached_property
    def in_both(self) -> Bool[np.ndarray, "pair l"]:
        """Where a latent is active in both streams of a pair."""
        alive = {stream: np.diff(items.indptr) > 0 for stream, items in self.by_stream.items()}
        found = [alive[first] & alive[second] for first, second in self.pairs]
        return np.array(found, bool).reshape(len(self.pairs), self.n_latents)

    def over_pairs(self, values: Float64[np.ndarray, "pair l"]) -> Float64[np.ndarray, "l"]:
        """Mean over the pairs in both of whose streams a latent is active; NaN without one."""
        n_pairs = self.in_both.sum(0)
        total = np.where(self.in_both, values, 0).sum(0)
        return np.divide(total, n_pairs, out=np.full(self.n_latents, np.nan), where=n_pairs > 0)


def profile_alignment(
    codes: Mapping[str, Codes],
    carries: sparse.csr_array,
    label_names: Sequence[str],
    hierarchy: Hierarchy,
    n_latents: int,
    selection: Selection,
) -> Profiles:
    """Compare class profiles at every depth of the hierarchy.

    Args:
        codes: Of the measured items, by stream.
        carries: Ones of an [m, c] matrix: which item carries which label.
        label_names: The c labels.
        hierarchy: Where they lie.
        n_latents: Size of the dictionary.
        selection: What the codes were made with.

    Source: SPARC (arXiv 2507.06265), whose overall number, the mean over all latents, is `jaccard_of_all`.
    """
    activity = _Activity.of(codes, n_latents)
    lifts = [_lift(hierarchy, label_names, depth) for depth in range(hierarchy.n_depths if label_names else 0)]
    agreements = _profile_agreements(activity, carries, lifts)
    measured = np.where(activity.in_both, agreements[-1].jaccard if agreements else np.nan, np.nan)
    return Profiles(
        [
            _at_depth(depth, lift.shape[1], activity, agreement, selection)
            for depth, (lift, agreement) in enumerate(zip(lifts, agreements, strict=True))
        ],
        dict(zip(activity.pairs, measured, strict=True)),
        activity.over_pairs(measured),
    )


def item_alignment(codes: Mapping[str, Codes], n_latents: int, selection: Selection) -> ItemAlignment:
    """Compare the sets of items that activate each latent; arguments as for `profile_alignment`."""
    activity = _Activity.of(codes, n_latents)
    agreement = _agreement(activity.by_stream, activity.pairs)
    return ItemAlignment(selection=selection, pairs=_pair_by_pair(activity, agreement))


def _lift(hierarchy: Hierarchy, label_names: Sequence[str], depth: int) -> sparse.csr_array:
    """Ones of a matrix [c, classes]: the class of each label."""
    numbers, classes = hierarchy.lifted(label_names, depth)
    entries = (np.ones(len(numbers), np.int32), (np.arange(len(numbers)), numbers))
    return sparse.csr_array(entries, shape=(len(numbers), len(classes)))


def _profile_agreements(
    activity: _Activity, carries: sparse.csr_array, lifts: Sequence[sparse.csr_array]
) -> list[_Agreement]:
    """Per depth; the profiles of a block of latents are in memory at a time."""
    blocks = []
    for latents in blocks_of_latents(activity.n_latents, carries.shape[1]):
        labels = {stream: items[latents] @ carries for stream, items in activity.by_stream.items()}
        of_depths = [{stream: counts @ lift for stream, counts in labels.items()} for lift in lifts]
        blocks.append([_agreement(counts, activity.pairs) for counts in of_depths])
    return [
        _Agreement(*(np.concatenate(parts, axis=1) for parts in zip(*of_depth, strict=True)))
        for of_depth in zip(*blocks, strict=True)
    ]


def _agreement(counts: Mapping[str, sparse.csr_array], pairs: Sequence[tuple[str, str]]) -> _Agreement:
    """Compare counts per latent, the rows of the streams' matrices.

    The greater of two counts is their sum less the lesser one, so the lesser ones are all that is needed.
    """
    n_latents = next(iter(counts.values())).shape[0]
    jaccard, dice = np.zeros((2, len(pairs), n_latents))
    for pair, (first, second) in enumerate(pairs):
        lesser = counts[first].minimum(counts[second]).sum(1)
        total = counts[first].sum(1) + counts[second].sum(1)
        np.divide(lesser, total - lesser, out=jaccard[pair], where=total > 0)
        np.divide(2 * lesser, total, out=dice[pair], where=total > 0)
    return _Agreement(jaccard, dice)


def _at_depth(
    depth: int, n_classes: int, activity: _Activity, agreement: _Agreement, selection: Selection
) -> ProfileAlignment:
    jaccard, dice = (activity.over_pairs(values) for values in agreement)
    aligned = activity.in_both.any(0)
    return ProfileAlignment(
        depth=depth,
        n_classes=n_classes,
        selection=selection,
        jaccard=_mean(jaccard[aligned]),
        dice=_mean(dice[aligned]),
        jaccard_of_all=_mean(np.where(aligned, jaccard, 0)),
        dice_of_all=_mean(np.where(aligned, dice, 0)),
        pairs=_pair_by_pair(activity, agreement),
    )


def _pair_by_pair(activity: _Activity, agreement: _Agreement) -> tuple[PairAlignment, ...]:
    return tuple(
        PairAlignment(
            first=first,
            second=second,
            jaccard=_mean(jaccard[both]),
            dice=_mean(dice[both]),
            n_latents=int(both.sum()),
        )
        for (first, second), jaccard, dice, both in zip(activity.pairs, *agreement, activity.in_both, strict=True)
    )


def _mean(values: Float64[np.ndarray, "m"]) -> float:
    """0 of nothing."""
    return round(float(values.mean()), _DIGITS) if len(values) else 0.0
