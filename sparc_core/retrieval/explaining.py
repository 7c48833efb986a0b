"""What makes up a score: the part of each latent, and what is left when all latents are counted."""

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
    order = np.argsort(-products, axis=1, kind="stable")
    latents, activations, products = (np.take_along_axis(a, order, 1) for a in (latents, activations, products))
    totals = products.sum(1)
    hits = []
    for i, total in enumerate(totals):
        used = products[i] != 0
        at = latents[i, used].astype(np.int64)
        hits.append(Explained(at, products[i, used] / total, weights[at], activations[i, used], 0.0))
    return hits


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
