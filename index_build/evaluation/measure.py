"""Measuring a bundle, or a build that is about to become one: pieces run, put together and written."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from index_build.corpora.base import Corpus, MaskedCorpus
from index_build.evaluation.options import NOT_ASKED, EvaluationOptions
from index_build.evaluation.pieces import Heatmaps, gathered, plan, run_piece
from index_build.evaluation.second_corpus import SecondCorpus
from index_build.evaluation.segmentation import Asked, cases_of, method_names
from index_build.evaluation.subject import Parts, Subject
from index_build.features.extraction import BackboneLoader
from index_build.files import write_text
from index_build.segmentation.cases import write_cases
from index_build.segmentation.methods import open_models
from index_build.workers import ProgressReport, TaskRunner
from sparc_core.bundle.latent_evaluation import write_latent_evaluation
from sparc_core.errors import SparcError
from sparc_core.evaluation.headline import headline
from sparc_core.evaluation.results import Evaluation, Settings, Stability, VectorRecall

NO_MASKS = "the corpus has no masks"
ALONE = "no other model was given to compare with"


@dataclass(frozen=True)
class Measuring:
    """What to measure and with what.

    Attributes:
        parts: The bundle's, or the build's.
        options: How.
        loader: Makes towers, for heatmaps.
        corpus: Where the pictures come from; None if that is not known.
        second: A second corpus for retrieval.
    """

    parts: Parts
    options: EvaluationOptions
    loader: BackboneLoader
    corpus: Corpus | None = None
    second: SecondCorpus | None = None


@dataclass(frozen=True)
class Measured:
    """What came out, and columns of numbers by latent."""

    evaluation: Evaluation
    by_latent: Mapping[str, Float[np.ndarray, "l"]]

    def adding(
        self, vector_recalls: tuple[VectorRecall, ...] = (), stability: tuple[Stability, ...] = ()
    ) -> "Measured":
        """With rows that are measured elsewhere."""
        skipped = self.evaluation.skipped | ({} if stability else {"stability": ALONE})
        more = {"vector_recalls": vector_recalls, "stability": stability, "skipped": skipped}
        return replace(self, evaluation=self.evaluation.model_copy(update=more))

    def write(self, folder: Path, parts: Parts) -> Evaluation:
        """Write evaluation.json and latent_evaluation.parquet; returns the former, with its headline."""
        whole = self.evaluation.model_copy(update={"headline": headline(self.evaluation)})
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / "evaluation.json", whole.model_dump_json(indent=1) + "\n")
        streams = [stream.name for stream in parts.streams]
        path = folder / "latent_evaluation.parquet"
        write_latent_evaluation(self.by_latent, streams, parts.sparc.n_latents, path)
        return whole


def measure(measuring: Measuring, folder: Path, tasks: TaskRunner, report: ProgressReport) -> Measured:
    """Measure all that can be.

    Args:
        measuring: What.
        folder: Keeps the pieces; run again to go on.
        tasks: Where they run.
        report: Told how many are done.
    """
    subject = Subject(measuring.parts, measuring.options.most_items)
    folder.mkdir(parents=True, exist_ok=True)
    planned = plan(subject, measuring.options, measuring.second, _heatmaps(measuring, subject, folder))
    arguments = [(measuring.parts, measuring.options, piece, folder) for piece in planned.pieces]
    tasks.run(run_piece, arguments, report)
    rows = gathered(planned.pieces, folder)
    settings = Settings(
        seed=measuring.options.seed,
        n_items=len(subject.items),
        n_held_out=len(subject.held_out),
        n_measured=len(subject.rows),
        n_latents=subject.n_latents,
    )
    found = rows.evaluation.model_copy(update={"settings": settings, "skipped": planned.skipped})
    return Measured(found, rows.by_latent)


def _heatmaps(measuring: Measuring, subject: Subject, folder: Path) -> Heatmaps | str:
    """What heatmaps are asked, or why they cannot be."""
    if "segmentation" in measuring.options.skip:
        return NOT_ASKED
    if not isinstance(measuring.corpus, MaskedCorpus):
        return NO_MASKS
    try:
        models = open_models(measuring.parts.streams, subject.model, measuring.loader)
    except SparcError as error:
        return str(error)
    asked = Asked(folder / "cases.npz", measuring.loader)
    cases = cases_of(subject, measuring.corpus, measuring.options.most_cases)
    if not cases:
        return NO_MASKS
    write_cases(cases, asked.cases)
    return Heatmaps(asked, method_names(models))
