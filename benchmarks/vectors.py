"""What do approximate indexes of features cost, and what do they miss? `python -m benchmarks.vectors`

Synthetic features: 32 directions of falling weight in noise, unit norm. Queries are held-out rows like those indexed,
and rows of another tower: the same directions in twice the noise, all shifted one way, as texts are from pictures.
Every index is built on one thread, as the builder does, written, mapped again and searched one query at a time.
"""

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, NamedTuple

import faiss
import numpy as np
import typer
from jaxtyping import Float32

from benchmarks.report import Figure, report
from index_build.indexing.vector_indexes import write_vector_index
from index_build.indexing.vector_recall import recall_at_10
from sparc_core.bundle.manifest import VectorKind
from sparc_core.bundle.vectors import read_vectors

N_QUERIES, N_TIMED = 1000, 200
_N_DIRECTIONS, _NOISE, _GAP = 32, 0.3, 1.0
_BLOCK = 1 << 16
KINDS: tuple[VectorKind, ...] = ("exact", "hnsw", "ivfpq")


class Tower(NamedTuple):
    """How items look to one tower."""

    directions: Float32[np.ndarray, "directions d"]
    noise: float
    gap: Float32[np.ndarray, " d"]

    def features(self, n: int, seed: int) -> Float32[np.ndarray, "n d"]:
        """Unit rows."""
        rng, d = np.random.default_rng(seed), self.directions.shape[1]
        weights = rng.standard_normal((n, _N_DIRECTIONS), np.float32) / np.sqrt(
            1 + np.arange(_N_DIRECTIONS), dtype="f4"
        )
        rows = weights @ self.directions
        length = np.linalg.norm(rows, axis=1, keepdims=True).mean()
        rows += self.noise * length / d**0.5 * rng.standard_normal(rows.shape, np.float32) + length * self.gap
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def main(
    items: Annotated[int, typer.Option(help="How many are indexed.")] = 50_000,
    width: Annotated[int, typer.Option(help="Of features.")] = 256,
    quick: Annotated[bool, typer.Option("--quick", help="5,000 items.")] = False,
) -> None:
    """Build, map and search every kind."""
    items = 5000 if quick else items
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((_N_DIRECTIONS, width), np.float32)
    gap = rng.standard_normal(width, np.float32)
    own = Tower(directions, _NOISE, np.zeros(width, np.float32))
    other = Tower(directions, 2 * _NOISE, _GAP * gap / np.linalg.norm(gap))
    queries = {"like": own.features(N_QUERIES, 1), "other": other.features(N_QUERIES, 2)}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "features.npy"
        rows = np.lib.format.open_memmap(path, "w+", np.float32, (items, width))
        for start in range(0, items, _BLOCK):
            rows[start : start + _BLOCK] = own.features(min(_BLOCK, items - start), 3 + start)
        rows.flush()
        figures: dict[str, Figure] = {}
        for kind in KINDS:
            figures |= _measured(kind, path, rows, queries)
    report(f"{items:,} features of width {width}", figures)


def _measured(
    kind: VectorKind, features: Path, rows: np.ndarray, queries: dict[str, Float32[np.ndarray, "q d"]]
) -> dict[str, Figure]:
    path, begun = features.with_name(f"{kind}.faiss"), time.perf_counter()
    write_vector_index(kind, features, path)
    seconds = time.perf_counter() - begun
    index = read_vectors(path, *rows.shape, kind)
    index.search(queries["like"], 10)  # once, so that the file is in memory
    figures = {
        f"{kind}_build": Figure(f"{kind}: build", seconds, unit="s"),
        f"{kind}_bytes": Figure(f"{kind}: bytes an item", path.stat().st_size / len(rows)),
        f"{kind}_ms": Figure(f"{kind}: a query", _milliseconds(index, queries["like"][:N_TIMED]), unit="ms"),
    }
    if kind != "exact":
        for name, vectors in queries.items():
            recall = recall_at_10(index, rows, vectors)
            figures[f"{kind}_recall_{name}"] = Figure(f"{kind}: recall at 10, queries {_QUERIES[name]}", recall)
    return figures


_QUERIES = {"like": "like the items", "other": "of another tower"}


def _milliseconds(index: faiss.Index, queries: Float32[np.ndarray, "q d"]) -> float:
    """Median time of one query alone."""
    times = []
    for query in queries:
        begun = time.perf_counter()
        index.search(query[None], 10)
        times.append(time.perf_counter() - begun)
    return 1000 * float(np.median(times))


if __name__ == "__main__":
    typer.run(main)
