"""Retrieval tables: how well items of one stream find themselves in another, inside the corpus or in a second one.

Three ways, all by cosine and as published: codes with codes under per-stream selection, features decoded from those
codes with true features (a stream with itself too), and features of streams that share a space.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float32

from index_build.evaluation.ranking import CodeRanking, Ranks, feature_ranks
from index_build.evaluation.subject import Subject, evenly_spaced
from sparc_core.bundle.codes import Codes
from sparc_core.evaluation.results import Retrieval, Way
from sparc_core.metrics import metrics_of_ranks
from sparc_core.model import Sparc, normalize
from sparc_core.sparse import SparseCode

MOST_QUERIES = 5000
"""So many queries at most, evenly spaced, where features are compared: every one of them costs a product with all."""
_DIGITS = 6
_BATCH = 4096


class Searched(Protocol):
    """A corpus to find things in: items with features and codes of a model."""

    @property
    def corpus(self) -> str:
        """Its name."""
        ...

    @property
    def inside(self) -> bool:
        """Whether it is the bundle's own."""
        ...

    @property
    def model(self) -> Sparc:
        """The model."""
        ...

    def local_codes(self, stream: str) -> Codes:
        """Codes of its items under per-stream selection."""
        ...

    def features(self, stream: str) -> Float32[np.ndarray, "m d"]:
        """Their unit features."""
        ...


class Inside:
    """The measured items of a bundle."""

    inside = True

    def __init__(self, subject: Subject) -> None:
        """Args: the bundle."""
        self._subject, self.corpus, self.features = subject, subject.parts.corpus, subject.features

    @property
    def model(self) -> Sparc:
        """The bundle's."""
        return self._subject.model

    def local_codes(self, stream: str) -> Codes:
        """As the bundle holds them."""
        return self._subject.codes(stream, "local")


def retrieval(searched: Searched, way: Way, query: str, target: str) -> Retrieval:
    """One direction of one way.

    Args:
        searched: Where.
        way: By what.
        query: The stream that items are looked for with.
        target: The stream that they are found in; another one, but for "reconstruction".
    """
    n_items, found = _RANKS[way](searched, query, target)
    metrics = metrics_of_ranks(found.worst)
    at_1, at_5, at_10 = (round(recall, _DIGITS) for recall in metrics[:3])
    return Retrieval(
        corpus=searched.corpus,
        inside=searched.inside,
        way=way,
        query=query,
        target=target,
        n_queries=len(found.worst),
        n_items=n_items,
        at_1=at_1,
        at_5=at_5,
        at_10=at_10,
        median_rank=metrics.median_rank,
        mean_reciprocal_rank=round(metrics.mean_reciprocal_rank, _DIGITS),
    )


def _by_latents(searched: Searched, query: str, target: str) -> tuple[int, Ranks]:
    queries, items = searched.local_codes(query), searched.local_codes(target)
    rows = np.arange(len(items.latents))
    return len(rows), CodeRanking(items, searched.model.config.n_latents).ranks(queries, rows)


def _by_reconstruction(searched: Searched, query: str, target: str) -> tuple[int, Ranks]:
    items, codes = searched.features(target), searched.local_codes(query)
    rows = evenly_spaced(np.arange(len(items)), MOST_QUERIES)
    queries = decoded(searched.model, target, Codes(codes.latents[rows], codes.activations[rows]))
    return len(items), feature_ranks(queries, items, rows)


def _by_features(searched: Searched, query: str, target: str) -> tuple[int, Ranks]:
    items, queries = searched.features(target), searched.features(query)
    rows = evenly_spaced(np.arange(len(items)), MOST_QUERIES)
    return len(items), feature_ranks(queries[rows], items, rows)


_RANKS: Mapping[Way, Callable[[Searched, str, str], tuple[int, Ranks]]] = {
    "latent": _by_latents,
    "reconstruction": _by_reconstruction,
    "backbone": _by_features,
}


def decoded(model: Sparc, target: str, codes: Codes) -> Float32[np.ndarray, "m d"]:
    """Unit features of `target` as codes of any stream reconstruct them."""
    return unit(reconstructed(model, target, codes))


def reconstructed(model: Sparc, target: str, codes: Codes) -> Float32[np.ndarray, "m d"]:
    """Features of `target` as codes of any stream reconstruct them, a batch at a time."""
    parts = []
    with torch.inference_mode():
        for start in range(0, len(codes.latents), _BATCH):
            latents, activations = (array[start : start + _BATCH] for array in codes)
            code = SparseCode(
                torch.from_numpy(latents.astype(np.int64)), torch.from_numpy(activations.astype(np.float32))
            )
            parts.append(model.decode(target, code).numpy())
    return np.concatenate(parts)


def unit(rows: Float32[np.ndarray, "m d"]) -> Float32[np.ndarray, "m d"]:
    """Rows at unit norm; zeros stay zeros."""
    return normalize(torch.from_numpy(rows)).numpy()
