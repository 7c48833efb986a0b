"""Evaluating a published bundle: its parts are measured, and it is published again with what came out."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from index_build.corpora.base import Corpus
from index_build.corpora.storybook import StorybookCorpus
from index_build.evaluation.measure import Measuring, measure
from index_build.evaluation.options import EvaluationOptions
from index_build.evaluation.second_corpus import SecondCorpus
from index_build.evaluation.stability import stability
from index_build.evaluation.subject import Parts
from index_build.folder_lock import locked
from index_build.steps import Display, Step, StepContext, run_steps
from index_build.workers import TaskRunner
from sparc_core.backbones import load_backbone
from sparc_core.backbones.shared_spaces import shared_spaces
from sparc_core.bundle import Bundle, Manifest
from sparc_core.bundle.place import held
from sparc_core.bundle.writer import amend
from sparc_core.checkpoint import load_sparc
from sparc_core.errors import InputError
from sparc_core.evaluation.results import Stability, VectorRecall

_LOOKED_AT = 3  # pictures that tell whether a corpus is the one it seems to be
_SOURCES = (
    "index_build.evaluation",
    "index_build.segmentation",
    "sparc_core.evaluation",
    "sparc_core.attribution",
    "sparc_core.backbones",
    "sparc_core.model",
)


class BundleEvaluation:
    """The evaluation of one bundle."""

    def __init__(
        self,
        bundle: Bundle,
        options: EvaluationOptions,
        corpus: Corpus | None = None,
        second: Path | None = None,
        against: Sequence[Path] = (),
    ) -> None:
        """Prepare it.

        Args:
            bundle: Open.
            options: What is measured, and on how much.
            corpus: Where the pictures come from, if it is known; judges heatmaps where it has masks.
            second: A bundle or a folder of features, for retrieval outside the corpus.
            against: Bundles of models with the same streams, for the stability of latents.

        Raises:
            InputError: The corpus is another, or the second one or a bundle to compare with does not fit.
        """
        if corpus is not None and not has_pictures_of(corpus, bundle):
            raise InputError(
                f'the pictures of {bundle.path} are not those of the corpus "{corpus.name}": '
                "give the sparc.toml that it was built with"
            )
        self._bundle, self._options = bundle, options
        streams = bundle.manifest.streams
        specs = {stream.name: stream.backbone for stream in streams}
        spaces = shared_spaces(specs, {stream.name: stream.modality for stream in streams})
        known = {(row.query, row.target) for row in bundle.evaluation.retrieval if row.way == "backbone"}
        self._parts = Parts.of_bundle(bundle, spaces or _one_way(known))
        self._second = _second_corpus(bundle, second, options)
        self._corpus = corpus
        self._against = [Bundle.open(path) for path in against]
        for other in self._against:
            _check_alike(bundle, other)

    def publish(self, out: Path, work: Path, tasks: TaskRunner, display: Display) -> Manifest:
        """Measure and publish.

        Args:
            out: Where the bundle goes.
            work: Keeps finished pieces; safe to delete when nothing runs.
            tasks: Where pieces run.
            display: Shows progress.

        Raises:
            SparcError: Something cannot be read or written; the message says what.
        """
        step = Step("evaluation", (), self._settings(), _SOURCES, lambda step: self._measure(step, tasks), "pieces")
        with held(out) as place, locked(work):
            folder = run_steps([step], work, display)["evaluation"].folder / "bundle"
            metrics = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))["headline"]
            return amend(self._bundle, folder, metrics, place)

    def _settings(self) -> dict[str, object]:
        """What the result depends on; of the bundle all but an earlier evaluation, for it may be published in place."""
        manifest, corpus = self._bundle.manifest, self._corpus
        untouched = {
            name: file.sha256
            for name, file in manifest.files.items()
            if name not in ("evaluation.json", "latent_evaluation.parquet")
        }
        return {
            "bundle": hashlib.sha256(json.dumps(untouched, sort_keys=True).encode()).hexdigest(),
            "shared_spaces": [list(pair) for pair in self._parts.shared_spaces],
            "options": self._options.as_dict(),
            "corpus": dict(corpus.settings) if corpus is not None else None,
            "second": self._second.fingerprint() if self._second is not None else None,
            "against": [other.manifest.bundle_id for other in self._against],
        }

    def _measure(self, step: StepContext, tasks: TaskRunner) -> None:
        measuring = Measuring(self._parts, self._options, load_backbone, self._corpus, self._second)
        measured = measure(measuring, step.folder / "pieces", tasks, step.report)
        earlier: tuple[VectorRecall, ...] = self._bundle.evaluation.vector_recalls
        rows = tuple(row for other in self._against for row in self._stability(other))
        measured.adding(earlier, rows).write(step.bundle, self._parts)

    def _stability(self, other: Bundle) -> list[Stability]:
        ours, theirs = (load_sparc(bundle.sparc_path) for bundle in (self._bundle, other))
        return [
            stability(
                ours.dictionary(stream).numpy(), theirs.dictionary(stream).numpy(), stream, other.manifest.bundle_id
            )
            for stream in ours.config.streams
        ]


def storybook_of(bundle: Bundle) -> StorybookCorpus | None:
    """The storybook that a bundle was built over, if its pictures are a storybook's."""
    items = bundle.items
    n_train, n_test = (len(items.rows_of_split(split)) for split in ("train", "test"))
    if bundle.manifest.corpus.name != "storybook" or not n_train or not n_test:
        return None
    corpus = StorybookCorpus(n_train, n_test, bundle.manifest.seed, items[0].width)
    return corpus if has_pictures_of(corpus, bundle) else None


def has_pictures_of(corpus: Corpus, bundle: Bundle) -> bool:
    """Whether some of a bundle's pictures, from the first to the last, are what the corpus has by their names."""
    for row in np.linspace(0, len(bundle.items) - 1, _LOOKED_AT).astype(int):
        item = bundle.items[int(row)]
        try:
            content = corpus.reader.read(item.source)
        except (OSError, ValueError, LookupError):
            return False
        if hashlib.sha256(content if isinstance(content, bytes) else content.tobytes()).hexdigest() != item.sha256:
            return False
    return True


def _one_way(pairs: set[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Pairs of streams, each once."""
    return tuple(sorted({(min(pair), max(pair)) for pair in pairs}))


def _second_corpus(bundle: Bundle, path: Path | None, options: EvaluationOptions) -> SecondCorpus | None:
    if path is None:
        return None
    widths = {stream.name: stream.d for stream in bundle.manifest.streams}
    second = SecondCorpus(path, bundle.sparc_path, widths, options.most_items)
    second.check()
    return second


def _check_alike(bundle: Bundle, other: Bundle) -> None:
    ours, theirs = ({stream.name: stream.d for stream in b.manifest.streams} for b in (bundle, other))
    if ours != theirs:
        raise InputError(
            f"{other.path} has streams {_said(theirs)}, {bundle.path} has {_said(ours)}: latents can be matched only "
            "between models of the same streams"
        )


def _said(widths: dict[str, int]) -> str:
    return ", ".join(f"{stream} ({d})" for stream, d in widths.items())
