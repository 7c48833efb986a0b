"""What a built model is worth: retrieval between streams, pure latents, dead latents, reconstruction error.

Measured on the held-out split where items are compared, on all items where latents are; `docs/bundle.md` names the
headline numbers. The measures themselves are in `sparc_core.metrics`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import permutations
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int64

from index_build.indexing.statistics import CorpusFacts, blocks_of_latents, label_shares, n_top
from sparc_core.bundle.codes import Codes
from sparc_core.bundle.manifest import VectorKind
from sparc_core.bundle.postings import Postings
from sparc_core.metrics import (
    Liveness,
    code_scores,
    cosine_scores,
    labels_with_pure_latent,
    liveness,
    recall_at_k,
)
from sparc_core.model import Sparc
from sparc_core.selection import Selection, select

OBJECT_KIND = "object"
MOST_TEST_ITEMS = 5000
"""Retrieval and reconstruction are measured on so many held-out items at most; all their pairs are scored."""
_DIGITS = 6
_BATCH = 1024
_MOST_DENSE = 1 << 26  # activations written out as dense rows at a time


@dataclass(frozen=True)
class Recall:
    """Share of held-out queries of one stream whose own item is among the best of another stream."""

    query: str
    target: str
    via: str
    at_1: float
    at_5: float
    at_10: float


@dataclass(frozen=True)
class Reconstruction:
    """NMSE of a stream's held-out features from its own code, under each selection."""

    stream: str
    own: float
    local: float


@dataclass(frozen=True)
class VectorRecall:
    """Share of the ten items nearest to queries of one stream that another stream's approximate index finds.

    Attributes:
        via: What is searched for: "reconstructions" from the query stream's codes, or its "features".
    """

    query: str
    target: str
    via: str
    index: VectorKind
    at_10: float


@dataclass(frozen=True)
class Evaluation:
    """Everything measured; `recalls` via "codes" use per-stream selection, via "features" the backbones alone.

    Without held-out items there are no recalls and no reconstructions; exact indexes have no `vector_recalls`.
    """

    n_test_items: int
    n_latents: int
    recalls: list[Recall]
    reconstructions: list[Reconstruction]
    liveness: Liveness
    n_objects: int
    n_objects_with_pure_latent: int
    pure_objects_by_stream: dict[str, int]
    objects_without_pure_latent: list[str]
    vector_recalls: list[VectorRecall] = field(default_factory=list)

    def headline(self) -> dict[str, float]:
        """The manifest's metrics: recalls, NMSE and shares between 0 and 1."""
        metrics: dict[str, float] = {}
        for recall in self.recalls:
            pair = f"{recall.via}.{recall.query}.{recall.target}"
            metrics |= {f"recall_at_1.{pair}": recall.at_1, f"recall_at_10.{pair}": recall.at_10}
        metrics |= {f"nmse.{reconstruction.stream}": reconstruction.own for reconstruction in self.reconstructions}
        for found in self.vector_recalls:
            metrics[f"vector_recall_at_10.{found.via}.{found.query}.{found.target}"] = found.at_10
        metrics["latents_dead"] = self.liveness.dead_in_all / self.n_latents
        metrics["latents_alive_in_some"] = self.liveness.alive_in_some / self.n_latents
        if self.n_objects:
            metrics["objects_with_pure_latent"] = self.n_objects_with_pure_latent / self.n_objects
        return {name: round(value, _DIGITS) for name, value in metrics.items()}

    def write(self, path: Path) -> None:
        """Write evaluation.json."""
        content = asdict(self) | {"liveness": self.liveness._asdict(), "headline": self.headline()}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def evaluate(
    model: Sparc,
    features: Mapping[str, Float32[np.ndarray, "n d"]],
    own: Mapping[str, Postings],
    local: Mapping[str, Codes],
    facts: CorpusFacts,
    test_rows: Int64[np.ndarray, "m"],
    shared_spaces: Sequence[tuple[str, str]],
) -> Evaluation:
    """Measure a model on the items that it was built over.

    Args:
        model: The trained model.
        features: Unit-norm features of all items, by stream; may be mapped.
        own: Posting lists under the model's own selection.
        local: Codes under per-stream selection; may be mapped.
        facts: Captions and labels.
        test_rows: The held-out items, any number; of many, `MOST_TEST_ITEMS` are looked at, evenly spaced.
        shared_spaces: Pairs of streams (query, target) whose features can be compared without SPARC.
    """
    n_latents = model.config.n_latents
    rows = evenly_spaced(test_rows, MOST_TEST_ITEMS)
    test_features = {stream: np.asarray(x[rows]) for stream, x in features.items()}
    test_codes = {stream: Codes(codes.latents[rows], codes.activations[rows]) for stream, codes in local.items()}
    counts = {
        stream: np.array([postings.n_items_of(latent) for latent in range(n_latents)])
        for stream, postings in own.items()
    }
    pure, by_stream, objects = _pure_objects(own, facts)
    return Evaluation(
        n_test_items=len(rows),
        n_latents=n_latents,
        recalls=_recalls(test_features, test_codes, n_latents, shared_spaces) if len(rows) else [],
        reconstructions=_reconstructions(model, test_features) if len(rows) else [],
        liveness=liveness(counts),
        n_objects=len(objects),
        n_objects_with_pure_latent=int(pure.sum()),
        pure_objects_by_stream=by_stream,
        objects_without_pure_latent=[name for name, is_pure in zip(objects, pure, strict=True) if not is_pure],
    )


def evenly_spaced(rows: Int64[np.ndarray, "m"], most: int) -> Int64[np.ndarray, "j"]:
    """All rows, or `most` of them, evenly spaced from the first one on."""
    return rows if len(rows) <= most else rows[np.arange(most) * len(rows) // most]


def _recalls(
    features: Mapping[str, Float32[np.ndarray, "m d"]],
    local: Mapping[str, Codes],
    n_latents: int,
    shared_spaces: Sequence[tuple[str, str]],
) -> list[Recall]:
    """Recalls of held-out items among themselves."""
    through_codes = [
        _recall(query, target, "codes", _scores(local[query], local[target], n_latents))
        for query, target in permutations(local, 2)
    ]
    return through_codes + [
        _recall(query, target, "features", cosine_scores(features[query], features[target]))
        for query, target in shared_spaces
    ]


def _scores(queries: Codes, items: Codes, n_latents: int) -> Float32[np.ndarray, "m m"]:
    """Cosines of all pairs; rows as wide as the dictionary exist for a block of items at a time."""
    n_items, step = len(items.latents), max(1, _MOST_DENSE // n_latents)
    starts = range(0, n_items, step)
    scores = np.empty((n_items, n_items), np.float32)
    for i in starts:
        some_queries = Codes(*(array[i : i + step] for array in queries))
        for j in starts:
            some_items = Codes(*(array[j : j + step] for array in items))
            scores[i : i + step, j : j + step] = code_scores(*some_queries, *some_items, n_latents)
    return scores


def _recall(query: str, target: str, via: str, scores: Float32[np.ndarray, "q n"]) -> Recall:
    at = (round(recall_at_k(scores, k), _DIGITS) for k in (1, 5, 10))
    return Recall(query, target, via, *at)


def _reconstructions(model: Sparc, features: Mapping[str, Float32[np.ndarray, "m d"]]) -> list[Reconstruction]:
    """NMSE of every stream from its own code."""
    errors: dict[str, list[torch.Tensor]] = {stream: [] for stream in features}
    n_items = len(next(iter(features.values())))
    with torch.inference_mode():
        for start in range(0, n_items, _BATCH):
            batch = {s: torch.from_numpy(np.array(x[start : start + _BATCH])) for s, x in features.items()}
            for stream, found in _squared_errors(model, batch).items():
                errors[stream].append(found)
        means = {stream: torch.cat(found, dim=1).mean(1).tolist() for stream, found in errors.items()}
    return [Reconstruction(stream, *(round(error, _DIGITS) for error in both)) for stream, both in means.items()]


def _squared_errors(model: Sparc, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Per stream, [2, b]: each row's squared error over its squares, under the model's own selection and per stream."""
    config, logits = model.config, model.all_logits(batch)
    selections: tuple[Selection, Selection] = (config.selection, "local")
    both = [select(logits, config.k, selection) for selection in selections]
    return {
        stream: torch.stack([_row_errors(model.decode(stream, codes[stream]), x) for codes in both])
        for stream, x in batch.items()
    }


def _row_errors(reconstruction: Float[torch.Tensor, "b d"], target: Float[torch.Tensor, "b d"]) -> torch.Tensor:
    """The terms of `sparc_core.losses.nmse`, [b]."""
    return (reconstruction - target).square().mean(1) / target.square().mean(1)


def _pure_objects(
    own: Mapping[str, Postings], facts: CorpusFacts
) -> tuple[Bool[np.ndarray, "c"], dict[str, int], list[str]]:
    """Which objects have one latent that is pure in every stream, how many have one in each stream, all objects."""
    columns = np.array([kind == OBJECT_KIND for kind in facts.label_kinds], bool)
    objects = [name for name, is_object in zip(facts.label_names, columns, strict=True) if is_object]
    carries, enough = facts.carries[:, np.flatnonzero(columns)], n_top(len(facts.captions))
    tops = {s: [posting.items[:enough].copy() for posting in postings.in_order()] for s, postings in own.items()}
    pure, by_stream = np.zeros(len(objects), bool), {stream: np.zeros(len(objects), bool) for stream in own}
    for latents in blocks_of_latents(next(iter(own.values())).n_latents, len(objects)):
        shares = {stream: label_shares(top[latents], carries, enough) for stream, top in tops.items()}
        pure |= labels_with_pure_latent(shares)
        for stream, share in shares.items():
            by_stream[stream] |= labels_with_pure_latent({stream: share})
    return pure, {stream: int(found.sum()) for stream, found in by_stream.items()}, objects
