"""Posting lists: for every latent the items that activate it, strongest first, as memory-mapped FAISS inverted lists.

The file is an ordinary FAISS index (`IndexIVFFlat`, d = 1): list l holds the items of latent l as ids and their
activations as codes of one float32 each, and its coarse centroid is the number l. So FAISS tools can open it too.
"""

from pathlib import Path
from typing import Any, NamedTuple

import faiss
import numpy as np
from jaxtyping import Float32, Int64

from sparc_core.bundle.codes import Codes
from sparc_core.errors import BundleError, NotFoundError

_BYTES_PER_ACTIVATION = 4


class Posting(NamedTuple):
    """One latent's items, strongest first (ties by row), and their activations; read-only views of the mapped file."""

    items: Int64[np.ndarray, "m"]
    activations: Float32[np.ndarray, "m"]


class _MappedArray:
    """Mapped memory that NumPy can view; the view keeps `owner`, and so the mapping, alive."""

    def __init__(self, address: int, n: int, dtype: str, owner: object) -> None:
        self._owner = owner
        self.__array_interface__ = {"data": (address, True), "shape": (n,), "typestr": dtype, "version": 3}


class Postings:
    """The posting lists of one stream."""

    def __init__(self, index: faiss.Index) -> None:
        """Args: `index` holds one inverted list per latent, as `write_postings` makes them."""
        self._index = index
        self._lists = faiss.downcast_InvertedLists(index.invlists)

    @property
    def n_latents(self) -> int:
        """How many lists there are."""
        return int(self._lists.nlist)

    @property
    def n_entries(self) -> int:
        """Entries of all lists together."""
        return int(self._index.ntotal)

    def n_items_of(self, latent: int) -> int:
        """How many items activate the latent."""
        return int(self._lists.list_size(self._checked(latent)))

    def of(self, latent: int) -> Posting:
        """The posting list of a latent.

        Raises:
            NotFoundError: There is no such latent.
        """
        n = self.n_items_of(latent)
        if n == 0:
            return Posting(np.empty(0, np.int64), np.empty(0, np.float32))
        ids = int(self._lists.get_ids(latent))
        codes = int(self._lists.get_codes(latent))
        return Posting(
            np.asarray(_MappedArray(ids, n, "<i8", self._index)), np.asarray(_MappedArray(codes, n, "<f4", self._index))
        )

    def _checked(self, latent: int) -> int:
        if not 0 <= latent < self.n_latents:
            raise NotFoundError("latent", f"there is no latent {latent}: this bundle has 0 to {self.n_latents - 1}")
        return latent


def invert(codes: Codes, n_latents: int) -> list[Posting]:
    """The posting list of every latent: all (item, activation) of the codes, strongest first, ties by row."""
    rows, slots = np.nonzero(codes.activations)
    latents = codes.latents[rows, slots].astype(np.int64)
    activations = codes.activations[rows, slots].astype(np.float32)
    order = np.lexsort((rows, -activations, latents))
    ends = np.cumsum(np.bincount(latents, minlength=n_latents))[:-1]
    items = np.split(rows[order].astype(np.int64), ends)
    return [Posting(*pair) for pair in zip(items, np.split(activations[order], ends), strict=True)]


def write_postings(postings: list[Posting], path: Path) -> None:
    """Write posting lists as a FAISS index; the same lists always give the same bytes."""
    n_latents = len(postings)
    centroids = faiss.IndexFlatL2(1)
    centroids.add(np.arange(n_latents, dtype=np.float32)[:, None])
    index = faiss.IndexIVFFlat(centroids, 1, n_latents, faiss.METRIC_L2)
    lists = faiss.ArrayInvertedLists(n_latents, _BYTES_PER_ACTIVATION)
    for latent, posting in enumerate(postings):
        if len(posting.items):
            ids = np.ascontiguousarray(posting.items, np.int64)
            codes = np.ascontiguousarray(posting.activations, np.float32).view(np.uint8)
            lists.add_entries(latent, len(ids), faiss.swig_ptr(ids), faiss.swig_ptr(codes))
    index.replace_invlists(lists, False)
    index.ntotal = sum(len(posting.items) for posting in postings)
    path.parent.mkdir(parents=True, exist_ok=True)
    faiss.write_index(index, str(path))


def read_postings(path: Path, n_latents: int) -> Postings:
    """Map posting lists; a list is read from disk when it is looked at.

    Raises:
        BundleError: The file is no FAISS index, or not one of `n_latents` lists of activations.
    """
    index = read_index(path, faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
    if (
        not isinstance(index, faiss.IndexIVFFlat)
        or index.nlist != n_latents
        or index.code_size != _BYTES_PER_ACTIVATION
    ):
        raise BundleError(f"{path} does not hold posting lists of {n_latents} latents: rebuild the bundle")
    return Postings(index)


def read_index(path: Path, flags: int) -> Any:
    """`faiss.read_index` with a BundleError in place of FAISS's own."""
    try:
        return faiss.read_index(str(path), flags)
    except RuntimeError:
        raise BundleError(f"{path} is damaged, not a FAISS index: rebuild the bundle") from None
