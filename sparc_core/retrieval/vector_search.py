"""Nearest neighbours among a stream's features, by FAISS: exact, or approximate where the bundle's index is."""

from collections.abc import Sequence
from threading import Lock
from typing import Any

import faiss
import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from sparc_core.retrieval.ranking import Ranking

_CANDIDATES_PER_HIT = 4


class VectorSearch:
    """Inner products with one stream's unit-norm features; safe for any number of threads."""

    def __init__(self, index: Any) -> None:
        """Args: a FAISS inner-product index as bundles hold them; ids are rows."""
        self._owner = index  # a downcast index is a view: it dies with the object that it was made of
        self._index, self._lock = faiss.downcast_index(index), Lock()
        self._has_map = not isinstance(self._index, faiss.IndexIVF)

    @property
    def n_items(self) -> int:
        """How many items there are."""
        return int(self._index.ntotal)

    def search(
        self,
        vector: Float32[np.ndarray, " d"],
        limit: int,
        without: Sequence[int] = (),
        allowed: Bool[np.ndarray, " n"] | None = None,
    ) -> Ranking:
        """The rows with the largest inner products, whatever their sign.

        Args:
            vector: The query; of unit norm, inner products are cosines.
            limit: At most so many.
            without: Rows to leave out.
            allowed: Rows that may be found; None is all. With it an HNSW index is searched exactly: its graph leads
                past rows that are not allowed.
        """
        index, query = self._index, np.ascontiguousarray(vector, np.float32)[None]
        n = min(limit + len(without), self.n_items if allowed is None else int(allowed.sum()))
        if n == 0:
            return Ranking(np.empty(0, np.int64), np.empty(0, np.float32))
        if allowed is not None and isinstance(index, faiss.IndexHNSW):
            index = faiss.downcast_index(index.storage)
        bits = None if allowed is None else np.packbits(allowed, bitorder="little")
        scores, rows = index.search(query, n, params=_parameters(index, n, bits))
        kept = (rows[0] >= 0) & ~np.isin(rows[0], without)
        return Ranking(rows[0][kept][:limit], scores[0][kept][:limit])

    def vectors(self, rows: Int64[np.ndarray, " m"]) -> Float32[np.ndarray, "m d"]:
        """The features of some rows as the index holds them: exact, or what its compression left."""
        with self._lock:
            if not self._has_map:
                self._index.make_direct_map()
                self._has_map = True
        found: np.ndarray = self._index.reconstruct_batch(np.ascontiguousarray(rows, np.int64))
        return found


def _parameters(index: Any, n: int, bits: UInt8[np.ndarray, " b"] | None) -> Any:
    """Search parameters of one search only: those of the index itself are shared."""
    selector = None if bits is None else faiss.IDSelectorBitmap(bits)
    if isinstance(index, faiss.IndexHNSW):
        # As stored for the ten best that the builder measures; more candidates where more are asked for.
        return faiss.SearchParametersHNSW(efSearch=max(index.hnsw.efSearch, _CANDIDATES_PER_HIT * n))
    if isinstance(index, faiss.IndexIVF):
        return faiss.SearchParametersIVF(sel=selector, nprobe=index.nprobe if bits is None else index.nlist)
    return faiss.SearchParameters(sel=selector)
