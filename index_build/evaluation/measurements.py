"""What is measured of a bundle, in independent pieces: each makes some rows of one table from a subject.

`pieces` lists them and runs them. Rows come as an `Evaluation` that holds nothing else.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int64

from index_build.evaluation.alignment import item_alignment, profile_alignment
from index_build.evaluation.classification import classify
from index_build.evaluation.hierarchy import Hierarchy
from index_build.evaluation.names import name_quality
from index_build.evaluation.probes import probe_mean, probe_stream
from index_build.evaluation.purity import pure_objects
from index_build.evaluation.reconstruction import reconstructions
from index_build.evaluation.retrieval import Inside, retrieval
from index_build.evaluation.second_corpus import SecondCorpus
from index_build.evaluation.segmentation import Asked, segmentation
from index_build.evaluation.subject import Subject
from index_build.evaluation.usage import alive_where, sparsity
from index_build.indexing.statistics import n_top
from sparc_core.bundle.manifest import Selection
from sparc_core.evaluation.results import Blocks, Evaluation, Way

SELECTIONS: tuple[Selection, ...] = ("own", "local")


class Rows(NamedTuple):
    """What one piece measured: rows of tables, and columns of numbers by latent (NaN where not defined)."""

    evaluation: Evaluation
    by_latent: Mapping[str, Float[np.ndarray, "l"]] = {}


def measure_retrieval(subject: Subject, seed: int, way: Way, query: str, target: str) -> Rows:
    """Inside the corpus."""
    return Rows(Evaluation(retrieval=(retrieval(Inside(subject), way, query, target),)))


def measure_second(subject: Subject, seed: int, second: SecondCorpus, way: Way, query: str, target: str) -> Rows:
    """Outside of it."""
    return Rows(Evaluation(retrieval=(retrieval(second.open(), way, query, target),)))


def measure_reconstruction(subject: Subject, seed: int, source: str, selection: Selection) -> Rows:
    """From one stream's codes."""
    return Rows(Evaluation(reconstruction=tuple(reconstructions(subject, source, selection))))


def measure_sparsity(subject: Subject, seed: int, stream: str, selection: Selection) -> Rows:
    """Of one stream."""
    return Rows(Evaluation(sparsity=(sparsity(subject, stream, selection),)))


def measure_liveness(subject: Subject, seed: int) -> Rows:
    """Of all latents."""
    return Rows(Evaluation(liveness=alive_where(subject)))


def measure_alignment(subject: Subject, seed: int, selection: Selection) -> Rows:
    """Of class profiles, where there are labels, and of active items."""
    codes, (carries, names) = subject.all_codes(selection), subject.labelled
    active = item_alignment(codes, subject.n_latents, selection)
    if not names:
        return Rows(Evaluation(active_items=(active,)))
    found = profile_alignment(codes, carries, names, Hierarchy(subject.parts.labels), subject.n_latents, selection)
    columns = {}
    if selection == "own":
        columns = {"profile_jaccard": found.mean_by_latent}
        columns |= {f"profile_jaccard_{first}~{second}": value for (first, second), value in found.by_latent.items()}
    return Rows(Evaluation(active_items=(active,), profiles=tuple(found.depths)), columns)


def measure_pure_objects(subject: Subject, seed: int) -> Rows:
    """Of all objects."""
    return Rows(Evaluation(pure_objects=pure_objects(subject)))


def measure_probes(subject: Subject, seed: int, stream: str) -> Rows:
    """Of all classes, in one stream."""
    carries, names = subject.labelled
    probes = probe_stream(stream, subject.codes(stream, "own"), carries, names, subject.n_latents, seed)
    if not probes:
        return Rows(Evaluation())
    return Rows(Evaluation(probes=tuple(probes), probe_means=(probe_mean(stream, probes),)))


def measure_classification(subject: Subject, seed: int, stream: str, source: Literal["codes", "features"]) -> Rows:
    """Of all classes at once."""
    carries, names = subject.labelled
    inputs = subject.codes(stream, "own") if source == "codes" else subject.features(stream)
    found = classify(stream, source, inputs, carries, names, subject.n_latents, seed)
    return Rows(Evaluation(classification=() if found is None else (found,)))


def measure_names(subject: Subject, seed: int) -> Rows:
    """Of all latents."""
    rows, (carries, names) = subject.rows, subject.labelled
    captions = subject.items.captions_of(rows)
    codes, made_from = subject.all_codes("own"), _made_from(subject)
    quality = name_quality(subject.latents, codes, captions, carries, names, made_from)
    return Rows(Evaluation(names=tuple(quality.tables)), {"name_auroc": quality.by_latent})


def _made_from(subject: Subject) -> list[Int64[np.ndarray, "j"]]:
    """Per latent, which measured items its name was made from: its strongest items in any stream."""
    enough, place = n_top(len(subject.items)), np.full(len(subject.items), -1)
    place[subject.rows] = np.arange(len(subject.rows))
    lists = zip(*(postings.in_order() for postings in subject.postings().values()), strict=True)
    made_from = []
    for of_latent in lists:
        places = place[np.unique(np.concatenate([posting.items[:enough] for posting in of_latent]))]
        made_from.append(places[places >= 0])
    return made_from


def measure_segmentation(subject: Subject, seed: int, asked: Asked, method: str, blocks: Blocks) -> Rows:
    """By one method."""
    return Rows(Evaluation(segmentation=(segmentation(subject, asked, method, blocks),)))
