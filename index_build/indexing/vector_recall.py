"""How many of the true neighbours an approximate index finds, for every direction that the service searches in.

A direction is what is searched for (a stream's features, or what SPARC reconstructs from a stream's code) and where.
Indexes that serve one well may fail another: queries of another modality lie elsewhere than what is indexed.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import faiss
import numpy as np
from jaxtyping import Float32, Int64

from index_build.evaluation.retrieval import decoded
from index_build.evaluation.subject import evenly_spaced
from sparc_core.bundle.codes import Codes
from sparc_core.bundle.manifest import VectorKind
from sparc_core.evaluation.results import VectorRecall
from sparc_core.model import Sparc

K = 10
MOST_QUERIES = 1000
_DIGITS = 6
_EQUAL = 1e-6  # inner products of unit rows this close are equal: items may share their picture


class Direction(NamedTuple):
    """Queries made from `query`, searched among the features of `target`."""

    query: str
    target: str
    via: Literal["reconstructions", "features"]


Queries = Mapping[Direction, Float32[np.ndarray, "q d"]]


def query_rows(test_rows: Int64[np.ndarray, " m"], n_items: int) -> Int64[np.ndarray, " q"]:
    """The items to make queries of: held-out ones, or any where none are; of many some, evenly spaced."""
    return evenly_spaced(test_rows if len(test_rows) else np.arange(n_items), MOST_QUERIES)


def search_queries(
    model: Sparc,
    features: Mapping[str, Float32[np.ndarray, "n d"]],
    local: Mapping[str, Codes],
    rows: Int64[np.ndarray, " q"],
    shared_spaces: Sequence[tuple[str, str]],
) -> Queries:
    """Unit vectors to search with in every direction.

    Args:
        model: Decodes.
        features: Unit-norm features of all items, by stream; may be mapped.
        local: Codes of all items under per-stream selection; may be mapped.
        rows: The items to make queries of.
        shared_spaces: Pairs of streams whose features can be compared; they are searched both ways.
    """
    queries: dict[Direction, Float32[np.ndarray, "q d"]] = {}
    for source, codes in local.items():
        for target in features:
            queries[Direction(source, target, "reconstructions")] = decoded(
                model, target, Codes(codes.latents[rows], codes.activations[rows])
            )
    both_ways = [pair for query, target in shared_spaces for pair in ((query, target), (target, query))]
    for source, target in [*((stream, stream) for stream in features), *both_ways]:
        queries[Direction(source, target, "features")] = np.asarray(features[source][rows])
    return queries


def vector_recalls(
    kind: VectorKind,
    indexes: Mapping[str, faiss.Index],
    features: Mapping[str, Float32[np.ndarray, "n d"]],
    queries: Queries,
) -> list[VectorRecall]:
    """The recall of every direction, by the indexes and features of the streams."""
    return [
        VectorRecall(
            **way._asdict(),
            index=kind,
            at_10=round(recall_at_10(indexes[way.target], features[way.target], vectors), _DIGITS),
        )
        for way, vectors in queries.items()
    ]


def recall_at_10(
    index: faiss.Index, features: Float32[np.ndarray, "n d"], queries: Float32[np.ndarray, "q d"]
) -> float:
    """Share of the queries' ten best items that the index finds among its first ten; equal items count as one another.

    Args:
        index: Of inner products; ids are rows.
        features: What it was built from; may be mapped.
        queries: At least one.
    """
    k = min(K, len(features))
    exact, _ = faiss.knn(queries, features, k, metric=faiss.METRIC_INNER_PRODUCT)  # a block of each at a time
    _, found = index.search(queries, k)
    scores = np.einsum("qd,qkd->qk", queries, features[found])
    good = (scores >= exact[:, -1:] - _EQUAL) & (found >= 0)
    return float(good.mean())
