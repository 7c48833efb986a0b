"""The segmentation table: heatmaps of the published methods and ours, judged by a corpus that has masks."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from index_build.corpora.base import Corpus
from index_build.evaluation.subject import Subject, evenly_spaced
from index_build.features.extraction import BackboneLoader
from index_build.segmentation.cases import Case, of_pictures, read_cases
from index_build.segmentation.judging import judge
from index_build.segmentation.methods import Models, Named, open_models, ours, published
from index_build.segmentation.sanity import agreement
from sparc_core.attribution import Method
from sparc_core.evaluation.results import Blocks, Segmentation

N_SHUFFLED = 24  # cases that are asked of a tower with shuffled weights too
_DIGITS = 6
_N_BLOCKS: dict[Blocks, int | None] = {"last": 1, "all": None}


class Asked(NamedTuple):
    """What is asked of heatmaps: a file of cases (`segmentation.cases`), and what makes towers from specs."""

    cases: Path
    loader: BackboneLoader


def cases_of(subject: Subject, corpus: Corpus, most: int) -> list[Case]:
    """Things in the measured items' pictures, evenly spaced; at most `most`."""
    sources = list(dict.fromkeys(item.source for item in subject.items.take(subject.rows)))
    chosen = [sources[place] for place in evenly_spaced(np.arange(len(sources)), most)]
    cases = list(of_pictures(corpus, chosen))
    return [cases[place] for place in evenly_spaced(np.arange(len(cases)), most)]


def method_names(models: Models) -> list[tuple[str, Blocks]]:
    """Methods by name, and over which blocks: the published ones as published and over all, ours over all."""
    everywhere: list[Blocks] = ["last", "all"]
    names = [(method.name, blocks) for method in published(models) for blocks in everywhere]
    return names + [(method.name, "all") for method in _own(models)]


def segmentation(subject: Subject, asked: Asked, name: str, blocks: Blocks) -> Segmentation:
    """One method's row."""
    models = open_models(subject.parts.streams, subject.model, asked.loader)
    own = _own(models)
    method = next(method for method in [*published(models), *own] if method.name == name)
    cases = read_cases(asked.cases)
    judged = judge(models, [method], cases, _N_BLOCKS[blocks], clock=lambda: 0.0)[name]
    pointing, iou, precision = (round(value, _DIGITS) for value in (judged.pointing, judged.iou, judged.ap))
    return Segmentation(
        method=name,
        stream=method.stream,
        blocks=blocks,
        pointing=pointing,
        iou=iou,
        average_precision=precision,
        n_cases=len(cases),
        shuffled=_shuffled(models, method, cases) if method in own else None,
    )


def _own(models: Models) -> list[Named]:
    return ours(models, Method.glances)


def _shuffled(models: Models, method: Named, cases: Sequence[Case]) -> float:
    few = [cases[place] for place in evenly_spaced(np.arange(len(cases)), N_SHUFFLED)]
    return round(float(np.mean(agreement(models, method, few))), _DIGITS)
