"""What a built model is worth: retrieval between streams, pure latents, dead latents, reconstruction error.

Measured on the held-out split where items are compared, on all items where latents are; `docs/bundle.md` names the
headline numbers. The measures themselves are in `sparc_core.metrics`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import permutations
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Int64

from index_build.codes import encode_all
from index_build.statistics import CorpusFacts, n_top
from sparc_core.bundle.codes import Codes
from sparc_core.losses import nmse
from sparc_core.metrics import (
    Liveness,
    active_counts,
    code_scores,
    cosine_scores,
    label_shares,
    labels_with_pure_latent,
    liveness,
    recall_at_k,
    top_items,
)
from sparc_core.model import Sparc

OBJECT_KIND = "object"
_DIGITS = 6


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
class Evaluation:
    """Everything measured; `recalls` via "codes" use per-stream selection, via "features" the backbones alone."""

    n_test_items: int
    n_latents: int
    recalls: list[Recall]
    reconstructions: list[Reconstruction]
    liveness: Liveness
    n_objects: int
    n_objects_with_pure_latent: int
    pure_objects_by_stream: dict[str, int]
    objects_without_pure_latent: list[str]

    def headline(self) -> dict[str, float]:
        """The manifest's metrics: recalls, NMSE and shares between 0 and 1."""
        metrics: dict[str, float] = {}
        for recall in self.recalls:
            pair = f"{recall.via}.{recall.query}.{recall.target}"
            metrics |= {f"recall_at_1.{pair}": recall.at_1, f"recall_at_10.{pair}": recall.at_10}
        metrics |= {f"nmse.{reconstruction.stream}": reconstruction.own for reconstruction in self.reconstructions}
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
    own: Mapping[str, Codes],
    local: Mapping[str, Codes],
    facts: CorpusFacts,
    test_rows: Int64[np.ndarray, "m"],
    shared_spaces: Sequence[tuple[str, str]],
) -> Evaluation:
    """Measure a model on the items that it was built over.

    Args:
        model: The trained model.
        features: Unit-norm features of all items, by stream.
        own: Codes under the model's own selection.
        local: Codes under per-stream selection.
        facts: Captions and labels.
        test_rows: The held-out items; retrieval is among these.
        shared_spaces: Pairs of streams (query, target) whose features can be compared without SPARC.
    """
    n_latents = model.config.n_latents
    counts = {stream: active_counts(*codes, n_latents) for stream, codes in own.items()}
    pure, by_stream, objects = _pure_objects(own, facts, n_latents)
    return Evaluation(
        n_test_items=len(test_rows),
        n_latents=n_latents,
        recalls=[
            *_code_recalls(local, test_rows, n_latents),
            *(_feature_recall(features, test_rows, *pair) for pair in shared_spaces),
        ],
        reconstructions=_reconstructions(model, {stream: x[test_rows] for stream, x in features.items()}),
        liveness=liveness(counts),
        n_objects=len(objects),
        n_objects_with_pure_latent=int(pure.sum()),
        pure_objects_by_stream=by_stream,
        objects_without_pure_latent=[name for name, is_pure in zip(objects, pure, strict=True) if not is_pure],
    )


def _code_recalls(local: Mapping[str, Codes], rows: Int64[np.ndarray, "m"], n_latents: int) -> list[Recall]:
    test = {stream: Codes(codes.latents[rows], codes.activations[rows]) for stream, codes in local.items()}
    return [
        _recall(query, target, "codes", code_scores(*test[query], *test[target], n_latents))
        for query, target in permutations(test, 2)
    ]


def _feature_recall(
    features: Mapping[str, Float32[np.ndarray, "n d"]], rows: Int64[np.ndarray, "m"], query: str, target: str
) -> Recall:
    return _recall(query, target, "features", cosine_scores(features[query][rows], features[target][rows]))


def _recall(query: str, target: str, via: str, scores: Float32[np.ndarray, "q n"]) -> Recall:
    at = (round(recall_at_k(scores, k), _DIGITS) for k in (1, 5, 10))
    return Recall(query, target, via, *at)


def _reconstructions(model: Sparc, features: Mapping[str, Float32[np.ndarray, "m d"]]) -> list[Reconstruction]:
    own, local = encode_all(model, features, None), encode_all(model, features, "local")
    errors = []
    with torch.inference_mode():
        for stream, x in features.items():
            target = torch.from_numpy(x)
            both = [nmse(model.decode(stream, codes[stream]), target) for codes in (own, local)]
            errors.append(Reconstruction(stream, *(round(float(error), _DIGITS) for error in both)))
    return errors


def _pure_objects(
    own: Mapping[str, Codes], facts: CorpusFacts, n_latents: int
) -> tuple[np.ndarray, dict[str, int], list[str]]:
    """Which objects have one latent that is pure in every stream, how many have one in each stream, all objects."""
    columns = [column for column, kind in enumerate(facts.label_kinds) if kind == OBJECT_KIND]
    carries, enough = facts.carries[:, columns], n_top(len(facts.captions))
    shares = {s: label_shares(top_items(*codes, n_latents, enough), carries, enough) for s, codes in own.items()}
    by_stream = {stream: int(labels_with_pure_latent({stream: share}).sum()) for stream, share in shares.items()}
    return labels_with_pure_latent(shares), by_stream, [facts.label_names[column] for column in columns]
