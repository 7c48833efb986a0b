"""What makes up a score: the part of each latent, and what is left when all latents are counted."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int64

from sparc_core.bundle.codes import Codes
from sparc_core.retrieval.query import QueryCode


class Explained(NamedTuple):
    """One hit's score as parts, the largest first.

    Attributes:
        latents: Which latents have a part.
        shares: Of the score; with `rest` they add up to 1. Negative where a latent speaks against the pair.
        query_activations: In the query's code.
        item_activations: In the item's code; 0 where the item does not activate the latent.
        rest: What no latent accounts for: nothing between codes; between features pre-bias and reconstruction error.
    """

    latents: Int64[np.ndarray, " m"]
    shares: Float32[np.ndarray, " m"]
    query_activations: Float32[np.ndarray, " m"]
    item_activations: Float32[np.ndarray, " m"]
    rest: float


def explain(query: QueryCode, codes: Codes, rows: Int64[np.ndarray, " m"], n_latents: int) -> list[Explained]:
    """The parts of the dot products (or cosines) of a query and some items' codes.

    Args:
        query: As searched with.
        codes: Of the searched stream, under per-stream selection.
        rows: The hits.
        n_latents: Width of the code.
    """
    weights = np.zeros(n_latents, np.float32)
    weights[query.latents] = query.activations
    latents, activations = codes.latents[rows], codes.activations[rows].astype(np.float32)
    products = weights[latents] * activations
    # Few of a code's latents are shared: those alone are sorted, of all hits at once.
    hit, slot = np.nonzero(products)
    shared = products[hit, slot]
    order = np.lexsort((slot, -shared, hit))
    hit, slot, shared = hit[order], slot[order], shared[order]
    at = latents[hit, slot].astype(np.int64)
    shares, asked, active = shared / products.sum(1)[hit], weights[at], activations[hit, slot]
    ends = np.searchsorted(hit, np.arange(len(rows) + 1)).tolist()
    return [Explained(at[i:j], shares[i:j], asked[i:j], active[i:j], 0.0) for i, j in pairwise(ends)]


def explain_features(
    query: QueryCode,
    parts: Float32[np.ndarray, "k d"],
    norm: float,
    vectors: Float32[np.ndarray, "m d"],
    scores: Float32[np.ndarray, " m"],
    item_activations: Float32[np.ndarray, "m k"],
) -> list[Explained]:
    """The parts of the cosines of a vector that latents make up, but for a rest, and some items' features.

    Args:
        query: The latents, with the activations to show.
        parts: What each of them adds to the vector.
        norm: Of the vector.
        vectors: The hits' features.
        scores: The cosines, positive.
        item_activations: Of the query's latents in the hits' codes, to show.
    """
    shares = (vectors @ parts.T / norm / scores[:, None]).astype(np.float32)
    hits = []
    for own, activations in zip(shares, item_activations, strict=True):
        order = np.argsort(-own, kind="stable")
        order = order[own[order] != 0]
        rest = float(1 - own.sum(dtype=np.float64))
        hits.append(Explained(query.latents[order], own[order], query.activations[order], activations[order], rest))
    return hits


def activations_of(
    latents: Int64[np.ndarray, " k"], codes: Codes, rows: Int64[np.ndarray, " m"], n_latents: int
) -> Float32[np.ndarray, "m k"]:
    """The activations of some latents in some items' codes."""
    slots = np.full(n_latents, -1)
    slots[latents] = np.arange(len(latents))
    at = slots[codes.latents[rows]]
    found = np.zeros((len(rows), len(latents)), np.float32)
    row, column = np.nonzero(at >= 0)
    np.maximum.at(found, (row, at[row, column]), codes.activations[rows][row, column].astype(np.float32))
    return found
