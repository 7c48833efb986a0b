"""Ranks of queries' own items among all items: exact, a block of scores in memory at a time, whatever the corpus."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int64
from scipy import sparse

from sparc_core.bundle.codes import Codes

_MOST_SCORES = 1 << 24  # of dense rows in memory at a time


class Ranks(NamedTuple):
    """Of each query, how many items score more than its own, and how many as much (its own one included)."""

    n_better: Int64[np.ndarray, "q"]
    n_equal: Int64[np.ndarray, "q"]

    @property
    def worst(self) -> Int64[np.ndarray, "q"]:
        """Ranks from 1, ties counting against the own item: codes that share nothing all score 0."""
        return self.n_better + self.n_equal


class CodeRanking:
    """Items of one stream, to be found by the codes of another: cosines over the latents that a query has."""

    def __init__(self, items: Codes, n_latents: int) -> None:
        """Args: the items' codes, any number, and the size of the dictionary."""
        by_latent = sparse_rows(items, n_latents).tocsc()
        squares = by_latent.multiply(by_latent).sum(1)
        norms = np.sqrt(np.where(squares > 0, squares, 1)).astype(np.float32)
        self._items: Int64[np.ndarray, "entries"] = by_latent.indices.astype(np.int64)
        self._activations: Float32[np.ndarray, "entries"] = by_latent.data / norms[by_latent.indices]
        self._bounds: list[int] = by_latent.indptr.tolist()
        self._n_items = len(items.latents)

    def ranks(self, queries: Codes, own: Int64[np.ndarray, "q"]) -> Ranks:
        """Rank of each query's own item, which is in row `own` of the items."""
        better, equal = np.empty((2, len(own)), np.int64)
        for query, item in enumerate(own.tolist()):
            used = queries.activations[query] > 0
            scores = self._scores(queries.latents[query][used], queries.activations[query][used])
            better[query] = np.count_nonzero(scores > scores[item])
            equal[query] = np.count_nonzero(scores == scores[item])
        return Ranks(better, equal)

    def _scores(self, latents: np.ndarray, activations: np.ndarray) -> Float64[np.ndarray, "n"]:
        """Of every item, up to the query's norm; added in the query's order, so that equal codes score the same."""
        if not len(latents):
            return np.zeros(self._n_items)
        lists = [slice(self._bounds[latent], self._bounds[latent + 1]) for latent in latents.tolist()]
        items = np.concatenate([self._items[of_latent] for of_latent in lists])
        products = np.concatenate(
            [self._activations[of_latent] * weight for of_latent, weight in zip(lists, activations, strict=True)]
        )
        return np.bincount(items, products, minlength=self._n_items)


def feature_ranks(
    queries: Float32[np.ndarray, "q d"], items: Float32[np.ndarray, "n d"], own: Int64[np.ndarray, "q"]
) -> Ranks:
    """Rank of each query's own item by inner product; rows are unit norm where cosines are meant."""
    better, equal = np.empty((2, len(queries)), np.int64)
    step = max(1, _MOST_SCORES // max(1, len(items)))
    for start in range(0, len(queries), step):
        block = slice(start, start + step)
        scores = queries[block] @ items.T
        mine = scores[np.arange(len(scores)), own[block]][:, None]
        better[block] = (scores > mine).sum(1)
        equal[block] = (scores == mine).sum(1)
    return Ranks(better, equal)


def sparse_rows(codes: Codes, n_latents: int) -> sparse.csr_array:
    """Codes as a sparse matrix [n, l] of float32."""
    used = codes.activations > 0
    ends = np.concatenate([[0], np.cumsum(used.sum(1))])
    latents, activations = codes.latents[used], codes.activations[used].astype(np.float32)
    return sparse.csr_array((activations, latents.astype(np.int64), ends), (len(used), n_latents))
