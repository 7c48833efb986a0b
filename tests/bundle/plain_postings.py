"""Posting lists the plain way: everything sorted in memory at once, written by FAISS itself."""

from collections.abc import Sequence
from pathlib import Path

import faiss
import numpy as np

from sparc_core.bundle.codes import Codes
from sparc_core.bundle.postings import Posting


def invert(codes: Codes, n_latents: int) -> list[Posting]:
    """The posting list of every latent: all (item, activation) of the codes, strongest first, ties by row."""
    rows, slots = np.nonzero(codes.activations)
    latents = codes.latents[rows, slots].astype(np.int64)
    activations = codes.activations[rows, slots].astype(np.float32)
    order = np.lexsort((rows, -activations, latents))
    ends = np.cumsum(np.bincount(latents, minlength=n_latents))[:-1]
    items = np.split(rows[order].astype(np.int64), ends)
    return [Posting(*pair) for pair in zip(items, np.split(activations[order], ends), strict=True)]


def write_by_faiss(postings: Sequence[Posting], path: Path) -> None:
    """Write posting lists as a FAISS index."""
    n_latents = len(postings)
    centroids = faiss.IndexFlatL2(1)
    centroids.add(np.arange(n_latents, dtype=np.float32)[:, None])
    index = faiss.IndexIVFFlat(centroids, 1, n_latents, faiss.METRIC_L2)
    lists = faiss.ArrayInvertedLists(n_latents, 4)
    for latent, posting in enumerate(postings):
        if len(posting.items):
            ids = np.ascontiguousarray(posting.items, np.int64)
            codes = np.ascontiguousarray(posting.activations, np.float32).view(np.uint8)
            lists.add_entries(latent, len(ids), faiss.swig_ptr(ids), faiss.swig_ptr(codes))
    index.replace_invlists(lists, False)
    index.ntotal = sum(len(posting.items) for posting in postings)
    path.parent.mkdir(parents=True, exist_ok=True)
    faiss.write_index(index, str(path))


def write_inverted(codes: Codes, n_latents: int, path: Path) -> None:
    """Write the posting lists of codes."""
    write_by_faiss(invert(codes, n_latents), path)
