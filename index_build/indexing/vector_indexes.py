"""The vector step: an index of each stream's features, exact or, by choice, approximate, built in a task of its own.

What the kinds are for, and what they cost: `docs/building.md`. How well they find: `vector_recall`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import isqrt
from pathlib import Path

import faiss
import numpy as np
from jaxtyping import Float32

from index_build.files import whole_file
from index_build.workers import ProgressReport, TaskRunner
from sparc_core.bundle.manifest import VectorKind
from sparc_core.bundle.vectors import write_vectors
from sparc_core.errors import InputError

Features = Float32[np.ndarray, "n d"]

N_NEIGHBOURS, BUILD_EFFORT, SEARCH_EFFORT = 32, 200, 128  # FAISS: M, efConstruction, efSearch
FEWEST_TRAINED, MOST_TRAINED = 64, 100_000
_ROWS_PER_LIST = 20  # to train its centroid on
_LEAST_PROBED, _PROBED_SHARE = 64, 1 / 32  # lists that a search looks into
_PQ_ROUNDS, _PQ_ROWS = 10, 64  # k-means of 256 points in two dimensions: more of either takes longer and finds no more
_ROWS_AT_A_TIME = 1 << 16


def write_all_vectors(
    kind: VectorKind, features: Mapping[str, Path], folder: Path, runner: TaskRunner, report: ProgressReport
) -> None:
    """Write `vectors/` of all streams below `folder / "bundle"`, going on where a killed run stopped.

    Args:
        kind: What to build.
        features: `.npy` files by stream, float32 [n, d], unit rows.
        folder: Takes `bundle/`.
        runner: Runs the streams; "hnsw" takes memory for the features of as many as run at a time.
        report: Told the streams done.

    Raises:
        InputError: "ivfpq", and there are too few items to train it on.
    """
    vectors = folder / "bundle" / "vectors"
    tasks = [(kind, path, vectors / f"{stream}.faiss") for stream, path in features.items()]
    runner.run(write_vector_index, tasks, report)


def write_vector_index(kind: VectorKind, features: Path, path: Path) -> None:
    """Write the index of one stream; nothing if it is there."""
    if path.exists():
        return
    with whole_file(path) as temporary:
        if kind == "exact":
            write_vectors(features, temporary)
            return
        with _one_thread():
            index = _BUILDERS[kind](np.load(features, mmap_mode="r"))
        with temporary.open("wb") as file:  # FAISS's own files say nothing of a full disk when they are closed
            faiss.write_index(index, faiss.PyCallbackIOWriter(file.write))


def hnsw_index(features: Features) -> faiss.IndexHNSWFlat:
    """A graph of near neighbours over the features themselves."""
    index = faiss.IndexHNSWFlat(features.shape[1], N_NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction, index.hnsw.efSearch = BUILD_EFFORT, SEARCH_EFFORT
    index.add(features)
    return index


def ivfpq_index(features: Features) -> faiss.IndexIVFPQ:
    """Lists of near features, each kept as a byte for every two values of what its list's centroid leaves.

    Raises:
        InputError: There are too few features to train centroids on.
    """
    n_items, d = features.shape
    if n_items < FEWEST_TRAINED:
        raise InputError(
            f'ivfpq is trained on {FEWEST_TRAINED} items at least, the corpus has {n_items}: set vectors = "exact"'
        )
    sample = _sample(features)
    n_lists = min(4 * isqrt(n_items), len(sample) // _ROWS_PER_LIST)
    n_parts, n_bits = (d // 2 if d % 2 == 0 else d), min(8, len(sample).bit_length() - 1)
    centroids = faiss.IndexFlatIP(d)
    index = faiss.IndexIVFPQ(centroids, d, n_lists, n_parts, n_bits, faiss.METRIC_INNER_PRODUCT)
    index.cp.min_points_per_centroid = index.pq.cp.min_points_per_centroid = 1  # else FAISS prints warnings
    index.pq.cp.niter, index.pq.cp.max_points_per_centroid = _PQ_ROUNDS, _PQ_ROWS
    index.train(sample)
    for start in range(0, n_items, _ROWS_AT_A_TIME):
        index.add(features[start : start + _ROWS_AT_A_TIME])
    index.nprobe = min(n_lists, max(_LEAST_PROBED, int(n_lists * _PROBED_SHARE)))
    return index


_BUILDERS: dict[VectorKind, Callable[[Features], faiss.Index]] = {"hnsw": hnsw_index, "ivfpq": ivfpq_index}


def _sample(features: Features) -> Features:
    """All rows, or some at random: rows of one kind may come at regular intervals."""
    n_items = len(features)
    if n_items <= MOST_TRAINED:
        return np.asarray(features)
    return features[np.sort(np.random.default_rng(0).choice(n_items, MOST_TRAINED, replace=False))]


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let FAISS use one thread in this process for a while, so that no byte depends on the number of cores."""
    n_threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(n_threads)
