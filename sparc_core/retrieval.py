"""Exact retrieval with sparse codes over posting lists: only the lists of the query's latents are touched.

NumPy, not torch: lists are memory-mapped and short, and a query uses k of them.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int64

from sparc_core.bundle.codes import Codes
from sparc_core.bundle.postings import Postings


class QueryCode(NamedTuple):
    """One row's code, unused slots left out: latents and their positive activations, strongest first."""

    latents: Int64[np.ndarray, " k"]
    activations: Float32[np.ndarray, " k"]


class Ranking(NamedTuple):
    """Found rows, best first (ties by row), with their cosine to the query."""

    rows: Int64[np.ndarray, " m"]
    scores: Float32[np.ndarray, " m"]


def query_code(latents: np.ndarray, activations: np.ndarray) -> QueryCode:
    """A code's used slots."""
    used = activations > 0
    return QueryCode(latents[used].astype(np.int64), activations[used].astype(np.float32))


def code_norms(codes: Codes) -> Float32[np.ndarray, " n"]:
    """The Euclidean norm of every item's code."""
    return np.linalg.norm(codes.activations.astype(np.float32), axis=1)


def cosine_scores(query: QueryCode, postings: Postings, norms: Float32[np.ndarray, " n"]) -> Float32[np.ndarray, " n"]:
    """Cosine between one code and every item's code in a stream.

    Args:
        query: The query's code, of any stream: streams share their latents.
        postings: The searched stream's posting lists (per-stream selection).
        norms: Norms of the searched stream's codes, from the same selection.

    Returns:
        One value in [0, 1] per item; 0 where nothing is shared.
    """
    dots = np.zeros(len(norms), np.float32)
    for latent, activation in zip(query.latents, query.activations, strict=True):
        posting = postings.of(int(latent))
        dots[posting.items] += activation * posting.activations
    scale = norms * np.linalg.norm(query.activations)
    return np.divide(dots, scale, out=np.zeros_like(dots), where=scale > 0)


def strongest(scores: Float32[np.ndarray, " n"], limit: int, without: int | None = None) -> Ranking:
    """The rows with the highest positive scores.

    Args:
        scores: One per row.
        limit: At most so many.
        without: A row to leave out (the query's own).
    """
    scores = scores.copy()
    if without is not None:
        scores[without] = 0
    limit = min(limit, len(scores))
    candidates = np.argpartition(-scores, limit - 1)[:limit] if limit < len(scores) else np.arange(len(scores))
    # argpartition cuts ties anywhere: take everything that ties with the last, then order by score and row
    candidates = np.flatnonzero(scores >= scores[candidates].min()) if len(candidates) else candidates
    candidates = candidates[scores[candidates] > 0]
    order = np.lexsort((candidates, -scores[candidates]))[:limit]
    return Ranking(candidates[order], scores[candidates[order]])


class SharedLatent(NamedTuple):
    """A latent that query and item share, its activations and its share of their dot product."""

    latent: int
    share: float
    query_activation: float
    item_activation: float


def shared_latents(query: QueryCode, item: QueryCode) -> list[SharedLatent]:
    """What makes up the score of a pair, largest share first; shares add up to 1 (empty where nothing is shared)."""
    _, in_query, in_item = np.intersect1d(query.latents, item.latents, return_indices=True)
    products = query.activations[in_query] * item.activations[in_item]
    total = float(products.sum())
    order = np.argsort(-products, kind="stable")
    return [
        SharedLatent(
            int(query.latents[in_query[i]]),
            float(products[i]) / total,
            float(query.activations[in_query[i]]),
            float(item.activations[in_item[i]]),
        )
        for i in order
    ]
