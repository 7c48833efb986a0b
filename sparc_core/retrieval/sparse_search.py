"""Exact retrieval with sparse codes: only the posting lists of the query's latents are touched."""

from typing import Literal

import numpy as np
from jaxtyping import Float32

from sparc_core.bundle.codes import Codes
from sparc_core.bundle.postings import Postings
from sparc_core.retrieval.query import QueryCode

Measure = Literal["cosine", "dot"]
_ROWS_AT_A_TIME = 1 << 16


class SparseSearch:
    """Scores of every item of one stream for any query; safe for any number of threads."""

    def __init__(self, postings: Postings, codes: Codes) -> None:
        """Args: the searched stream's posting lists and codes, both under per-stream selection."""
        self._postings = postings
        norms = _norms(codes)
        self._inverse_norms = np.divide(1, norms, out=np.zeros_like(norms), where=norms > 0)

    @property
    def n_items(self) -> int:
        """How many items there are."""
        return len(self._inverse_norms)

    def scores(self, query: QueryCode, measure: Measure = "cosine") -> Float32[np.ndarray, " n"]:
        """Cosine, or dot product, of the query with every item's code.

        Args:
            query: A code of any stream, since streams share their latents, or a sum of codes.
            measure: What is computed.

        Returns:
            One value per item; 0 where nothing is shared, negative only for queries with negative activations. Summed
            in float64, so that the order of the query's latents does not show.
        """
        if not len(query.latents):
            return np.zeros(self.n_items, np.float32)
        posting, sizes = self._postings.gather(query.latents.tolist())
        weights = query.activations if measure == "dot" else query.activations / np.float32(query.norm)
        products = posting.activations * np.repeat(weights, sizes)
        scores = np.bincount(posting.items, products, minlength=self.n_items).astype(np.float32)
        if measure == "cosine":
            scores *= self._inverse_norms
        return scores


def _norms(codes: Codes) -> Float32[np.ndarray, " n"]:
    """The Euclidean norm of every item's code, a block of mapped rows at a time."""
    norms = np.empty(len(codes.activations), np.float32)
    for start in range(0, len(norms), _ROWS_AT_A_TIME):
        block = codes.activations[start : start + _ROWS_AT_A_TIME].astype(np.float32)
        norms[start : start + len(block)] = np.linalg.norm(block, axis=1)
    return norms
