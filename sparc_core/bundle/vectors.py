"""Backbone features on disk: a FAISS inner-product index per stream, exact or approximate, memory-mapped.

Exact ones are written here; `index_build.indexing.vector_indexes` makes the approximate ones.
"""

import shutil
from pathlib import Path

import faiss
import numpy as np

from sparc_core.bundle.manifest import VectorKind
from sparc_core.bundle.postings import read_index
from sparc_core.errors import BundleError, ShapeError

_COPIED_AT_A_TIME = 1 << 24
_CLASSES = {"exact": faiss.IndexFlatIP, "hnsw": faiss.IndexHNSWFlat, "ivfpq": faiss.IndexIVFPQ}


def write_vectors(features: Path, path: Path) -> None:
    """Write unit-norm features as an exact inner-product index, byte for byte as FAISS would; item rows are its ids.

    The features are copied from file to file: no matrix of them is in memory.

    Args:
        features: A `.npy` file, float32 [n, d].
        path: Replaced if it exists.

    Raises:
        ShapeError: The features are of another type or shape.
    """
    mapped = np.load(features, mmap_mode="r")
    if mapped.dtype != np.dtype("<f4") or mapped.ndim != 2 or not mapped.flags.c_contiguous:
        raise ShapeError(f"{features} holds {mapped.dtype} {list(mapped.shape)}, expected float32 [n, d], row by row")
    index = faiss.IndexFlatIP(mapped.shape[1])
    index.ntotal = len(mapped)
    empty: bytes = faiss.serialize_index(index).tobytes()
    assert empty.endswith(_size(0)), "an index without vectors ends with their number of values"
    path.parent.mkdir(parents=True, exist_ok=True)
    with features.open("rb") as source, path.open("wb") as target:
        source.seek(mapped.offset)
        target.write(empty[: -len(_size(0))] + _size(mapped.size))
        shutil.copyfileobj(source, target, _COPIED_AT_A_TIME)


def _size(n: int) -> bytes:
    return np.array(n, "<u8").tobytes()


def read_vectors(path: Path, n_items: int, d: int, kind: VectorKind = "exact") -> faiss.Index:
    """Map a vector index: vectors, the neighbours of a graph, lists of codes.

    Raises:
        BundleError: The file is no FAISS index, or not one of that kind, of `n_items` vectors of width `d`.
    """
    # IO_FLAG_MMAP maps lists only; the other flag maps all, but opens some truncated lists without complaint.
    flag = faiss.IO_FLAG_MMAP if kind == "ivfpq" else faiss.IO_FLAG_MMAP_IFC
    index = read_index(path, flag | faiss.IO_FLAG_READ_ONLY)
    if not isinstance(index, _CLASSES[kind]) or index.metric_type != faiss.METRIC_INNER_PRODUCT:
        raise BundleError(
            f"{path} is not the index of inner products that the manifest says ({kind}): rebuild the bundle"
        )
    if index.d != d or index.ntotal != n_items:
        raise BundleError(
            f"{path} holds {index.ntotal} vectors of width {index.d}, "
            f"the manifest says {n_items} of width {d}: rebuild the bundle"
        )
    if kind == "ivfpq":
        # By default every search starts 32 threads that read lists ahead: 1.1 ms instead of 0.2.
        faiss.downcast_InvertedLists(index.invlists).prefetch_nthread = 0
    return index
