"""The build: corpus -> media -> features -> training -> codes -> postings, vectors, statistics, evaluation -> bundle.

`build_bundle` strings the steps together; `index_build.steps` runs and caches them.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from index_build.codes import FOLDERS, write_all_codes
from index_build.corpus import Corpus
from index_build.evaluation import evaluate
from index_build.feature_store import FeatureStore
from index_build.features import BackboneLoader, read_features, write_features
from index_build.folder_lock import locked
from index_build.media import media_name, write_media
from index_build.statistics import CorpusFacts, corpus_facts, latent_table
from index_build.steps import Display, SilentDisplay, Step, StepContext, StepResult, run_steps
from index_build.threads import one_thread
from index_build.training.options import TrainingOptions
from index_build.training.progress import TrainingProgress
from index_build.training.run import train_sparc
from index_build.workers import n_cores
from sparc_core import __version__
from sparc_core.backbones import load_backbone
from sparc_core.bundle.codes import Codes, read_codes
from sparc_core.bundle.manifest import (
    CorpusManifest,
    LabelManifest,
    Manifest,
    ManifestDraft,
    SparcManifest,
    StreamManifest,
)
from sparc_core.bundle.postings import invert, write_postings
from sparc_core.bundle.tables import ITEM_SCHEMA, ItemTable, read_items, write_items, write_latents
from sparc_core.bundle.vectors import write_vectors
from sparc_core.bundle.writer import publish, refuse_other
from sparc_core.checkpoint import load_sparc, save_sparc

STORYBOOK_STREAMS = {"dino": "storybook:dino", "clip_img": "storybook:clip_img", "clip_txt": "storybook:clip_txt"}
_FEW_ITEMS = 400
"""Up to this many items, starting worker processes costs more than it saves."""
_LIBRARIES = ("torch", "numpy", "faiss-cpu", "pyarrow", "pillow", "open_clip_torch", "transformers")


@dataclass(frozen=True)
class Recipe:
    """How to make a bundle from a corpus.

    Attributes:
        training: SPARC's training options; its seed is the build's.
        streams: Backbone specs by stream name.
        shared_spaces: Pairs of streams (query, target) whose features can be compared without SPARC.
    """

    training: TrainingOptions
    streams: Mapping[str, str] = field(default_factory=lambda: dict(STORYBOOK_STREAMS))
    shared_spaces: tuple[tuple[str, str], ...] = (("clip_txt", "clip_img"),)


@dataclass(frozen=True)
class BuildReport:
    """A finished build: its manifest, its steps, and the seconds that publishing took."""

    manifest: Manifest
    steps: list[StepResult]
    publish_seconds: float


def build_bundle(
    corpus: Corpus,
    recipe: Recipe,
    work: Path,
    out: Path,
    display: Display | None = None,
    loader: BackboneLoader = load_backbone,
    n_workers: int | None = None,
) -> BuildReport:
    """Build and publish a bundle, going on where an earlier run with the same settings stopped.

    Args:
        corpus: What to build over.
        recipe: How.
        work: Holds the steps' results; safe to delete when no build runs.
        out: Where the bundle goes.
        display: Shows progress; nothing is shown by default.
        loader: Makes backbones from specs.
        n_workers: Worker processes; by default one per core, and none for a small corpus.

    Raises:
        SparcError: Unusable options, backbones or folders; the message says which.
    """
    if n_workers is None:
        n_workers = n_cores() if len(corpus.items) > _FEW_ITEMS else 0
    builder = _Builder(corpus, recipe, loader, n_workers)
    refuse_other(out)
    with locked(work), one_thread():
        results = run_steps(builder.steps(), work, display or SilentDisplay())
        begun = time.monotonic()
        folders = {name: result.folder for name, result in results.items()}
        with_files = [folder / "bundle" for folder in folders.values() if (folder / "bundle").is_dir()]
        manifest = publish(with_files, builder.draft(folders), out)
        report = BuildReport(manifest, list(results.values()), time.monotonic() - begun)
        _record_times(report, work / "times.json")
    return report


class _Builder:
    """The steps of one build, as methods that read the folders of the steps before."""

    def __init__(self, corpus: Corpus, recipe: Recipe, loader: BackboneLoader, n_workers: int) -> None:
        self.corpus, self.recipe, self.loader, self.n_workers = corpus, recipe, loader, n_workers
        self.streams = list(recipe.streams)

    def steps(self) -> list[Step]:
        """All steps, each after those it needs."""
        corpus, storybook = dict(self.corpus.settings), ("index_build.corpus", "index_build.storybook")
        loader = f"{self.loader.__module__}.{self.loader.__qualname__}"
        features = {"streams": dict(self.recipe.streams), "loader": loader}
        towers = ("index_build.features", "sparc_core.backbones", "sparc_core.model")
        training = ("index_build.training", "index_build.feature_store")
        sparc = ("sparc_core.model", "sparc_core.selection", "sparc_core.sparse", "sparc_core.losses")
        statistics = ("index_build.statistics", "index_build.naming", "index_build.layout", "sparc_core.metrics")
        evaluation = {"shared_spaces": [list(pair) for pair in self.recipe.shared_spaces]}
        tables, codes = "sparc_core.bundle.tables", ("index_build.codes", "sparc_core.bundle.codes")
        return [
            Step("corpus", (), corpus, (*storybook, tables), self._corpus),
            Step("media", ("corpus",), corpus, (*storybook, "index_build.media"), self._media),
            Step("features", ("corpus", "media"), features, towers, self._features),
            Step(
                "training", ("corpus", "features"), self.recipe.training.as_dict(), (*training, *sparc), self._training
            ),
            Step("codes", ("features", "training"), {}, (*codes, *sparc), self._codes),
            Step("postings", ("training", "codes"), {}, ("sparc_core.bundle.postings",), self._postings),
            Step("vectors", ("features",), {}, ("sparc_core.bundle.vectors",), self._vectors),
            Step(
                "statistics", ("corpus", "features", "training", "codes"), {}, (*statistics, tables), self._statistics
            ),
            Step(
                "evaluation",
                ("corpus", "features", "training", "codes"),
                evaluation,
                ("index_build.evaluation", "sparc_core.metrics", "sparc_core.losses"),
                self._evaluation,
            ),
        ]

    def draft(self, folders: Mapping[str, Path]) -> ManifestDraft:
        """What the manifest says besides the files."""
        training = self.recipe.training
        return ManifestDraft(
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            versions=_versions(),
            seed=training.seed,
            streams=_read_streams(folders["features"]),
            sparc=SparcManifest(
                n_latents=training.n_latents, k=training.k, selection=training.selection, recipe=training.as_dict()
            ),
            corpus=CorpusManifest(name=self.corpus.name, n_items=len(self.corpus.items), licence=self.corpus.licence),
            labels=tuple(LabelManifest(name=x.name, kind=x.kind, parent=x.parent) for x in self.corpus.labels),
            metrics=json.loads((folders["evaluation"] / "bundle" / "evaluation.json").read_text())["headline"],
        )

    def _corpus(self, step: StepContext) -> None:
        rows = []
        for row, item in enumerate(self.corpus.items):
            height, width = self.corpus.picture_shape(row)
            size = {"media": media_name(item.item_id), "width": width, "height": height}
            text = {"caption": item.caption, "labels": list(item.labels), "split": item.split}
            rows.append({"item_id": item.item_id} | size | text)
        write_items(pa.Table.from_pylist(rows, schema=ITEM_SCHEMA), step.bundle / "items.parquet")

    def _media(self, step: StepContext) -> None:
        write_media(self.corpus, step.bundle, self.n_workers, step.report)

    def _features(self, step: StepContext) -> None:
        items = self._items(step)
        media = [step.inputs["media"] / "bundle" / items.media(row) for row in range(len(items))]
        captions = items.captions()
        streams = write_features(
            self.recipe.streams, self.loader, media, captions, step.folder, self.n_workers, step.report
        )
        (step.folder / "streams.json").write_text(json.dumps([stream.model_dump() for stream in streams]))

    def _training(self, step: StepContext) -> None:
        train_rows = self._items(step).rows_of_split("train")
        features = FeatureStore.of(self._read_features(step)).subset(train_rows)

        def report(progress: TrainingProgress) -> None:
            step.report(progress.step, progress.n_steps)

        model = train_sparc(features, self.recipe.training, step.folder / "run", [report])
        step.bundle.mkdir(exist_ok=True)
        save_sparc(model, step.bundle / "sparc.safetensors")

    def _codes(self, step: StepContext) -> None:
        write_all_codes(_model(step), self._read_features(step), step.bundle, step.report)

    def _postings(self, step: StepContext) -> None:
        n_latents = self.recipe.training.n_latents
        for folder, target in zip(FOLDERS, ("postings", "postings_local"), strict=True):
            for stream, codes in self._read_codes(step, folder).items():
                write_postings(invert(codes, n_latents), step.bundle / target / f"{stream}.faiss")

    def _vectors(self, step: StepContext) -> None:
        for stream, features in self._read_features(step).items():
            write_vectors(features, step.bundle / "vectors" / f"{stream}.faiss")

    def _statistics(self, step: StepContext) -> None:
        model = _model(step)
        dictionaries = {stream: model.dictionary(stream).numpy() for stream in self.streams}
        own, local = (self._read_codes(step, folder) for folder in FOLDERS)
        texts = [stream.name for stream in _read_streams(step.inputs["features"]) if stream.modality == "text"]
        table = latent_table(own, local, dictionaries, self._facts(step), texts)
        write_latents(table, step.bundle / "latents.parquet")

    def _evaluation(self, step: StepContext) -> None:
        own, local = (self._read_codes(step, folder) for folder in FOLDERS)
        test_rows = self._items(step).rows_of_split("test")
        features, spaces = self._read_features(step), self.recipe.shared_spaces
        result = evaluate(_model(step), features, own, local, self._facts(step), test_rows, spaces)
        result.write(step.bundle / "evaluation.json")

    def _items(self, step: StepContext) -> ItemTable:
        return read_items(step.inputs["corpus"] / "bundle" / "items.parquet", len(self.corpus.items))

    def _facts(self, step: StepContext) -> CorpusFacts:
        items = self._items(step)
        return corpus_facts(items.captions(), items.labels(), {label.name: label.kind for label in self.corpus.labels})

    def _read_features(self, step: StepContext) -> dict[str, np.ndarray]:
        return read_features(step.inputs["features"], self.streams)

    def _read_codes(self, step: StepContext, folder: str) -> dict[str, Codes]:
        training, n_items = self.recipe.training, len(self.corpus.items)
        path = step.inputs["codes"] / "bundle" / folder
        return {s: read_codes(path, s, n_items, training.k, training.n_latents) for s in self.streams}


def _model(step: StepContext) -> Any:
    return load_sparc(step.inputs["training"] / "bundle" / "sparc.safetensors")


def _read_streams(folder: Path) -> tuple[StreamManifest, ...]:
    return tuple(StreamManifest.model_validate(stream) for stream in json.loads((folder / "streams.json").read_text()))


def _versions() -> dict[str, str]:
    versions = {"sparc-explorer": __version__}
    for library in _LIBRARIES:
        try:
            versions[library] = version(library)
        except PackageNotFoundError:
            continue
    return versions


def _record_times(report: BuildReport, path: Path) -> None:
    seconds = {step.name: {"seconds": round(step.seconds, 2), "cached": step.cached} for step in report.steps}
    seconds["publish"] = {"seconds": round(report.publish_seconds, 2), "cached": False}
    path.write_text(json.dumps(seconds, indent=1) + "\n", encoding="utf-8")
