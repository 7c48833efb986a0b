"""What a SPARC model is judged by: retrieval, purity of latents, dead latents, agreement between streams.

Arrays in, numbers out; rows are items unless said otherwise. The builder's evaluation and the recipe search share
these functions.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from sparc_core.errors import InputError, ShapeError

PURE_SHARE = 0.8
Ties = Literal["against", "sorted"]
"""How equal scores rank; see `ranks`."""


class Liveness(NamedTuple):
    """How many latents are active on at least one item, in every stream, in some only, in none."""

    alive_in_all: int
    alive_in_some: int
    dead_in_all: int


class Purity(NamedTuple):
    """For each latent, the label that its strongest items share most.

    Attributes:
        label: Column of the label; -1 where the latent's top items carry none, or are too few.
        share: Of the top items, how many carry it, 0 to 1.
    """

    label: Int[np.ndarray, " l"]
    share: Float[np.ndarray, " l"]


class RetrievalMetrics(NamedTuple):
    """How well queries find their own items.

    Attributes:
        recall_at_1: Share of the queries whose own item ranks first, 0 to 1.
        recall_at_5: Among the first 5.
        recall_at_10: Among the first 10.
        median_rank: From 1; the lower middle one of an even number of queries, as published.
        mean_reciprocal_rank: Mean of 1 / rank.
    """

    recall_at_1: float
    recall_at_5: float
    recall_at_10: float
    median_rank: int
    mean_reciprocal_rank: float


def ranks(scores: Float[np.ndarray, "q n"], ties: Ties = "against") -> Int[np.ndarray, " q"]:
    """Rank of item i for query i, from 1, in a row of scores where more is better.

    Args:
        scores: Of query i with every item; item i is its own.
        ties: "against" ranks the own item behind every item that scores the same: the honest choice, since codes that
            share no latent all score exactly 0, and a model must not win by the order of its items. "sorted" is the
            published evaluation: equal scores stay where torch's unstable sort leaves them. That order is arbitrary,
            means nothing and may change with torch; use it only to compare with published numbers.

    Raises:
        ShapeError: There are more queries than items.
        InputError: A score is NaN, which ranks nowhere.
    """
    n_queries, n_items = scores.shape
    if n_queries > n_items:
        raise ShapeError(f"scores have {n_queries} queries for {n_items} items: query i belongs to item i")
    if np.isnan(scores).any():
        raise InputError("a score is NaN: score finite features or codes only")
    if ties == "sorted":
        return _sorted_ranks(scores)
    own = scores[np.arange(n_queries), np.arange(n_queries)]
    result: Int[np.ndarray, " q"] = (scores >= own[:, None]).sum(1)
    return result


def recall_at_k(scores: Float[np.ndarray, "q n"], k: int) -> float:
    """Share of the queries whose own item is among the k best; ties count against it (see `ranks`)."""
    if k < 1:
        raise InputError(f"k is {k}: recall needs at least 1")
    return float((ranks(scores) <= k).mean())


def retrieval_metrics(scores: Float[np.ndarray, "q n"], ties: Ties = "against") -> RetrievalMetrics:
    """Recall at 1, 5 and 10, median rank and mean reciprocal rank of item i for query i.

    The published evaluation gives per-stream codes of both sides, made with "local" selection, three kinds of scores,
    all cosines: *latent*, a source's codes with a target's codes; *cross-reconstruction*, the target's features decoded
    from the source's codes with the target's true features; *self-reconstruction*, the same within one stream.

    Args:
        scores: Of query i with every item; more is better.
        ties: As in `ranks`; "sorted" gives the published numbers.

    Raises:
        ShapeError: There is no query, or there are more queries than items.
        InputError: A score is NaN.
    """
    if not len(scores):
        raise ShapeError(f"scores have shape {list(scores.shape)}: at least one query is needed")
    return metrics_of_ranks(ranks(scores, ties))


def metrics_of_ranks(found: Int[np.ndarray, " q"]) -> RetrievalMetrics:
    """The same from ranks, which start at 1; ShapeError where there are none."""
    if not len(found):
        raise ShapeError("there are no ranks: at least one query is needed")
    at_1, at_5, at_10 = (float((found <= k).mean()) for k in (1, 5, 10))
    median = int(np.sort(found)[(len(found) - 1) // 2])
    return RetrievalMetrics(at_1, at_5, at_10, median, float((1 / found).mean()))


def cosine_scores(queries: Float[np.ndarray, "q l"], items: Float[np.ndarray, "n l"]) -> Float[np.ndarray, "q n"]:
    """Cosine of every query with every item; a row of zeros scores 0 with everything."""
    result: Float[np.ndarray, "q n"] = _unit(queries) @ _unit(items).T
    return result


def code_scores(
    query_latents: Int[np.ndarray, "q k"],
    query_activations: Float[np.ndarray, "q k"],
    item_latents: Int[np.ndarray, "n k"],
    item_activations: Float[np.ndarray, "n k"],
    n_latents: int,
) -> Float[np.ndarray, "q n"]:
    """Cosine of sparse codes, for evaluation sets that fit in memory as dense rows."""
    return cosine_scores(
        dense_rows(query_latents, query_activations, n_latents),
        dense_rows(item_latents, item_activations, n_latents),
    )


def dense_rows(
    latents: Int[np.ndarray, "n k"], activations: Float[np.ndarray, "n k"], n_latents: int
) -> Float[np.ndarray, "n l"]:
    """Write codes out as float32 rows of width `n_latents`."""
    dense = np.zeros((len(latents), n_latents), np.float32)
    np.add.at(dense, (np.arange(len(latents))[:, None], latents.astype(np.int64)), activations)
    return dense


def active_counts(
    latents: Int[np.ndarray, "n k"], activations: Float[np.ndarray, "n k"], n_latents: int
) -> Int[np.ndarray, " l"]:
    """On how many items each latent is active."""
    return np.bincount(latents[activations > 0].astype(np.int64), minlength=n_latents)


def liveness(counts: Mapping[str, Int[np.ndarray, " l"]]) -> Liveness:
    """Sort latents by the number of streams they are active in, from `active_counts` per stream."""
    alive = np.stack([count > 0 for count in counts.values()])
    everywhere, anywhere = alive.all(0), alive.any(0)
    return Liveness(int(everywhere.sum()), int((anywhere & ~everywhere).sum()), int((~anywhere).sum()))


def label_shares(
    top: Sequence[Int[np.ndarray, " m"]], labels: Bool[np.ndarray, "n c"], n_top: int = 20
) -> Float[np.ndarray, "l c"]:
    """For each latent and label, the share of the latent's `n_top` strongest items that carry the label.

    Args:
        top: Per latent, items in order of activation, strongest first; only active ones (see `top_items`).
        labels: Which item carries which label.
        n_top: How many items to look at; a latent with fewer active items gets zeros.
    """
    shares = np.zeros((len(top), labels.shape[1]))
    for latent, items in enumerate(top):
        if len(items) >= n_top:
            shares[latent] = labels[items[:n_top]].mean(0)
    return shares


def purity(
    shares: Float[np.ndarray, "l c"], frequency: Float[np.ndarray, " c"], pure_share: float = PURE_SHARE
) -> Purity:
    """Name each latent after the label that its strongest items share.

    Among labels that at least `pure_share` of the top items carry, the one with the greatest share relative to its
    frequency wins: the rarer label says more. Where none is shared so widely, the label with the greatest share.

    Args:
        shares: From `label_shares`.
        frequency: Share of all items that carry each label.
    """
    if not shares.shape[1]:  # a corpus without labels
        return Purity(np.full(len(shares), -1), np.zeros(len(shares)))
    lift = np.where(shares >= pure_share, shares / np.maximum(frequency, 1e-9), 0)
    best = np.where(lift.any(1), lift.argmax(1), shares.argmax(1))
    share = shares[np.arange(len(shares)), best]
    return Purity(np.where(share > 0, best, -1), share)


def labels_with_pure_latent(
    shares: Mapping[str, Float[np.ndarray, "l c"]], pure_share: float = PURE_SHARE
) -> Bool[np.ndarray, " c"]:
    """Which labels have one latent whose top items share the label in every stream (the same latent in each)."""
    weakest = np.min(np.stack(list(shares.values())), axis=0)
    result: Bool[np.ndarray, " c"] = (weakest >= pure_share).any(0)
    return result


def top_items(
    latents: Int[np.ndarray, "n k"], activations: Float[np.ndarray, "n k"], n_latents: int, n_top: int = 20
) -> list[Int[np.ndarray, " m"]]:
    """Per latent, at most `n_top` items that activate it, strongest first; equal activations in order of item."""
    item, slot = np.nonzero(activations > 0)
    latent, activation = latents[item, slot].astype(np.int64), activations[item, slot]
    order = np.lexsort((item, -activation.astype(np.float64), latent))
    bounds = np.searchsorted(latent[order], np.arange(n_latents + 1))
    ordered = item[order]
    return [ordered[start : min(start + n_top, end)] for start, end in pairwise(bounds)]


def label_matrix(items: Sequence[Sequence[str]], names: Sequence[str]) -> Bool[np.ndarray, "n c"]:
    """Which item carries which of the names; labels of other names are left out."""
    column = {name: position for position, name in enumerate(names)}
    matrix = np.zeros((len(items), len(names)), bool)
    for row, item in enumerate(items):
        for name in item:
            if name in column:
                matrix[row, column[name]] = True
    return matrix


def _sorted_ranks(scores: Float[np.ndarray, "q n"]) -> Int[np.ndarray, " q"]:
    """Ranks by where the published evaluation's sort puts each query's own item."""
    import torch  # only here: the rest of the module is numpy

    order = torch.tensor(scores).argsort(dim=1, descending=True).numpy()
    result: Int[np.ndarray, " q"] = (order == np.arange(len(scores))[:, None]).argmax(1) + 1
    return result


def _unit(rows: Shaped[np.ndarray, "n l"]) -> Float[np.ndarray, "n l"]:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    result: Float[np.ndarray, "n l"] = rows / np.where(norms > 0, norms, 1)
    return result
