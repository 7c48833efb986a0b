"""Backbone features on disk: an exact FAISS inner-product index per stream, memory-mapped."""

from pathlib import Path

import faiss
import numpy as np
from jaxtyping import Float32

from sparc_core.bundle.postings import read_index
from sparc_core.errors import BundleError


def write_vectors(features: Float32[np.ndarray, "n d"], path: Path) -> None:
    """Write unit-norm features as an exact inner-product index; item rows are its ids."""
    index = faiss.IndexFlatIP(features.shape[1])
    index.add(np.ascontiguousarray(features, np.float32))
    path.parent.mkdir(parents=True, exist_ok=True)
    faiss.write_index(index, str(path))


def read_vectors(path: Path, n_items: int, d: int) -> faiss.Index:
    """Map a vector index.

    Raises:
        BundleError: The file is no FAISS index, or not one of `n_items` vectors of width `d`.
    """
    index = read_index(path, faiss.IO_FLAG_MMAP_IFC | faiss.IO_FLAG_READ_ONLY)
    if index.d != d or index.ntotal != n_items:
        raise BundleError(
            f"{path} holds {index.ntotal} vectors of width {index.d}, "
            f"the manifest says {n_items} of width {d}: rebuild the bundle"
        )
    return index
