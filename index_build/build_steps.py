"""The steps of a build, in order, as methods that read the folders of the steps before.

`index_build.steps` runs and caches them; `index_build.pipeline` publishes what they leave.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from index_build.corpora.base import Corpus
from index_build.engine import Engine, TrainingJob
from index_build.evaluation.measure import Measuring, measure
from index_build.evaluation.subject import Parts
from index_build.features.assembly import FeatureInputs, feature_path, write_features
from index_build.features.extraction import BackboneLoader
from index_build.features.given import rows_of_items, write_given_features
from index_build.fingerprints import file_fingerprint, spec_fingerprint
from index_build.given_model import check_widths, given_recipe, load_given_model
from index_build.indexing.codes import LOCAL, write_all_codes
from index_build.indexing.posting_lists import POSTING_FOLDERS, write_all_postings
from index_build.indexing.statistics import CorpusFacts, corpus_facts, latent_table
from index_build.indexing.vector_indexes import write_all_vectors
from index_build.indexing.vector_recall import query_rows, search_queries, vector_recalls
from index_build.items.listing import pictures_of, read_listing, usable, write_listing
from index_build.items.media import write_media
from index_build.items.table import item_tables
from index_build.recipe import Recipe
from index_build.steps import Step, StepContext
from sparc_core.arrays import save_array
from sparc_core.bundle.codes import Codes, read_codes
from sparc_core.bundle.manifest import LabelManifest, SparcManifest, StreamManifest
from sparc_core.bundle.postings import Postings, read_postings
from sparc_core.bundle.tables import ItemTable, read_items, write_items, write_latents, write_table
from sparc_core.bundle.vectors import read_vectors
from sparc_core.checkpoint import load_sparc, save_sparc
from sparc_core.evaluation.results import VectorRecall

LISTING, PICTURES, STREAMS, SPARC, KEPT = (
    "listing.parquet", "pictures.parquet", "streams.json", "sparc.json", "kept.npy"
)  # fmt: skip


class BuildSteps:
    """The steps of one build."""

    def __init__(self, corpus: Corpus, recipe: Recipe, loader: BackboneLoader, engine: Engine) -> None:
        """Args: what to build over and how, what makes backbones, and where heavy steps run."""
        self.corpus, self.recipe, self.loader, self.engine = corpus, recipe, loader, engine
        self.streams = list(recipe.streams)

    def all(self) -> list[Step]:
        """All steps, each after those it needs."""
        recipe = self.recipe
        given = {stream: file_fingerprint(path) for stream, path in recipe.given.items()}
        corpora, tables = ("index_build.corpora", "index_build.storybook"), "sparc_core.bundle.tables"
        media = ("index_build.items.media", "sparc_core.picture_files", "sparc_core.backbones.pictures")
        towers = ("index_build.features", "sparc_core.backbones", "sparc_core.picture_files")
        training = ("index_build.training", "index_build.features.store", "index_build.engine")
        sparc = ("sparc_core.model", "sparc_core.selection", "sparc_core.sparse", "sparc_core.losses")
        stored = ("sparc_core.bundle.codes", "sparc_core.bundle.postings")
        codes = (*_indexing("codes", "encoding", "top_latents"), *stored, *sparc)
        postings = (*_indexing("posting_lists"), *stored)
        statistics = (*_indexing("naming", "layout", "statistics"), "sparc_core.metrics", *stored)
        vectors = (*_indexing("vector_indexes"), "sparc_core.bundle.vectors")
        measured = ("index_build.evaluation", "sparc_core.evaluation", *_indexing("vector_recall"), *statistics, *sparc)
        heatmaps = ("index_build.segmentation", "sparc_core.attribution", *towers)
        asked = recipe.evaluation.as_dict() | {"shared_spaces": [list(pair) for pair in recipe.shared_spaces]}
        all_codes = ("items", "features", "training", "codes")
        evaluated = (*all_codes, "corpus", "postings", "vectors", "statistics")
        return [
            Step("corpus", (), dict(self.corpus.settings), (*corpora, "index_build.items.listing"), self._corpus),
            Step("media", ("corpus",), vars(recipe.media), media, self._media, "pictures"),
            Step(
                "items",
                ("corpus", "media"),
                {"given": given},
                ("index_build.items.table", "index_build.features.given", tables),
                self._items_step,
            ),
            Step("features", ("media", "items"), self._feature_settings(), towers, self._features, "inputs"),
            self._training_step((*training, *sparc)),
            Step("codes", ("features", "training"), {}, codes, self._codes, "items"),
            Step("postings", ("training", "codes"), {}, postings, self._postings),
            Step("vectors", ("features",), {"kind": recipe.vectors}, vectors, self._vectors, "streams"),
            Step("statistics", (*all_codes, "postings"), {}, (*statistics, tables), self._statistics),
            Step("evaluation", evaluated, asked, (*measured, *heatmaps), self._evaluation, "pieces"),
        ]

    def _feature_settings(self) -> dict[str, Any]:
        loader = f"{self.loader.__module__}.{self.loader.__qualname__}"
        streams = {
            name: {"modality": stream.modality, "backbone": spec_fingerprint(stream.backbone)}
            for name, stream in self.recipe.streams.items()
        }
        return {"streams": streams, "loader": loader, "given": sorted(self.recipe.given)}

    def _training_step(self, sources: tuple[str, ...]) -> Step:
        needs = ("items", "features")
        if self.recipe.model is None:
            return Step("training", needs, self.recipe.training.as_dict(), sources, self._training, "steps")
        settings = {"model": file_fingerprint(self.recipe.model)}
        return Step("training", needs, settings, ("index_build.given_model", "sparc_core.published"), self._given_model)

    def _corpus(self, step: StepContext) -> None:
        write_listing(self.corpus, step.folder / LISTING)

    def _media(self, step: StepContext) -> None:
        pictures = pictures_of(usable(read_listing(step.inputs["corpus"] / LISTING)))
        reader, tasks = self.corpus.reader, self.engine.tasks
        table = write_media(pictures, reader, self.recipe.media, step.folder, tasks, step.report)
        write_table(table, step.folder / PICTURES)

    def _items_step(self, step: StepContext) -> None:
        listing = read_listing(step.inputs["corpus"] / LISTING)
        wanted = usable(listing)
        given = {s: rows_of_items(s, path, wanted, listing.num_rows) for s, path in self.recipe.given.items()}
        tables = item_tables(listing, pq.read_table(step.inputs["media"] / PICTURES), given)
        write_items(tables.items, step.bundle / "items.parquet")
        write_table(tables.rejected, step.bundle / "rejected.parquet")
        save_array(step.folder / KEPT, tables.kept)
        for stream, rows in given.items():
            save_array(step.folder / f"{stream}.rows.npy", rows[tables.kept])

    def _features(self, step: StepContext) -> None:
        table = pq.read_table(step.inputs["items"] / "bundle" / "items.parquet", columns=["media", "caption"])
        media = pc.unique(table["media"])
        root = step.inputs["media"] / "bundle"
        inputs = FeatureInputs(
            [str(root / path) for path in media.to_pylist()],
            pc.index_in(table["media"], media).to_numpy().astype(np.int64),
            table["caption"].to_pylist(),
        )
        modalities = {name: stream.modality for name, stream in self.recipe.streams.items()}
        extracted = write_features(
            self.recipe.extracted, modalities, self.loader, inputs, step.folder, self.engine, step.report
        )
        given = self.recipe.given
        rows = {stream: np.load(step.inputs["items"] / f"{stream}.rows.npy") for stream in given}
        widths = write_given_features(given, rows, step.folder)
        by_name = {stream.name: stream for stream in extracted} | {
            name: StreamManifest(name=name, modality=modalities[name], d=d, backbone=self.recipe.streams[name].backbone)
            for name, d in widths.items()
        }
        streams = [by_name[name].model_dump() for name in self.streams]
        (step.folder / STREAMS).write_text(json.dumps(streams))

    def _training(self, step: StepContext) -> None:
        rows = step.folder / "rows.npy"
        save_array(rows, self._items(step).rows_of_split("train"))
        options = self.recipe.training
        model = step.bundle / "sparc.safetensors"
        self.engine.train(
            TrainingJob(self._feature_paths(step), rows, options, step.folder / "run", model), step.report
        )
        _write_sparc(step.folder, options.n_latents, options.k, options.selection, options.as_dict())

    def _given_model(self, step: StepContext) -> None:
        path = self.recipe.model
        assert path is not None, "this step is for given models"
        model = load_given_model(path)
        check_widths(model, {stream.name: stream.d for stream in read_streams(step.inputs["features"])}, path)
        step.bundle.mkdir(exist_ok=True)
        save_sparc(model, step.bundle / "sparc.safetensors")
        config = model.config
        _write_sparc(step.folder, config.n_latents, config.k, config.selection, given_recipe(path))

    def _codes(self, step: StepContext) -> None:
        model = step.inputs["training"] / "bundle" / "sparc.safetensors"
        write_all_codes(model, self._feature_paths(step), step.folder, self.engine.tasks, step.report)

    def _postings(self, step: StepContext) -> None:
        codes, n_latents = step.inputs["codes"] / "bundle", read_sparc(step.inputs["training"]).n_latents
        write_all_postings(codes, step.folder, self.streams, n_latents, self.engine.tasks, step.report)

    def _vectors(self, step: StepContext) -> None:
        write_all_vectors(self.recipe.vectors, self._feature_paths(step), step.folder, self.engine.tasks, step.report)

    def _statistics(self, step: StepContext) -> None:
        model = _model(step)
        dictionaries = {stream: model.dictionary(stream).numpy() for stream in self.streams}
        texts = [stream.name for stream in read_streams(step.inputs["features"]) if stream.modality == "text"]
        own, local = (self._read_postings(step, folder) for folder in POSTING_FOLDERS)
        table = latent_table(own, local, dictionaries, self._facts(step), texts)
        write_latents(table, step.bundle / "latents.parquet")

    def _evaluation(self, step: StepContext) -> None:
        parts = self._parts(step)
        measuring = Measuring(parts, self.recipe.evaluation, self.loader, self.corpus)
        measured = measure(measuring, step.folder / "pieces", self.engine.tasks, step.report)
        measured.adding(vector_recalls=self._vector_recalls(step)).write(step.bundle, parts)

    def _parts(self, step: StepContext) -> Parts:
        """What the evaluation looks at."""
        bundles = {name: folder / "bundle" for name, folder in step.inputs.items()}
        return Parts(
            corpus=self.corpus.name,
            streams=read_streams(step.inputs["features"]),
            sparc=read_sparc(step.inputs["training"]),
            labels=tuple(LabelManifest(name=x.name, kind=x.kind, parent=x.parent) for x in self.corpus.labels),
            shared_spaces=self.recipe.shared_spaces,
            model=bundles["training"] / "sparc.safetensors",
            items=bundles["items"] / "items.parquet",
            latents=bundles["statistics"] / "latents.parquet",
            codes=bundles["codes"],
            postings=bundles["postings"],
            features=self._feature_paths(step),
        )

    def _vector_recalls(self, step: StepContext) -> tuple[VectorRecall, ...]:
        """Of approximate indexes; exact ones miss nothing."""
        kind, folder = self.recipe.vectors, step.inputs["vectors"] / "bundle" / "vectors"
        if kind == "exact":
            return ()
        items = self._items(step)
        features = {stream: np.load(path, mmap_mode="r") for stream, path in self._feature_paths(step).items()}
        rows = query_rows(items.rows_of_split("test"), len(items))
        codes, spaces = self._read_codes(step, LOCAL), self.recipe.shared_spaces
        queries = search_queries(_model(step), features, codes, rows, spaces)
        indexes = {s: read_vectors(folder / f"{s}.faiss", len(x), x.shape[1], kind) for s, x in features.items()}
        return tuple(vector_recalls(kind, indexes, features, queries))

    def _items(self, step: StepContext) -> ItemTable:
        return read_items(step.inputs["items"] / "bundle" / "items.parquet", None)

    def _facts(self, step: StepContext) -> CorpusFacts:
        items = self._items(step)
        return corpus_facts(items.captions(), items.labels(), {label.name: label.kind for label in self.corpus.labels})

    def _feature_paths(self, step: StepContext) -> dict[str, Path]:
        return {stream: feature_path(step.inputs["features"], stream) for stream in self.streams}

    def _read_codes(self, step: StepContext, folder: str) -> dict[str, Codes]:
        sparc, n_items = read_sparc(step.inputs["training"]), len(self._items(step))
        path = step.inputs["codes"] / "bundle" / folder
        return {s: read_codes(path, s, n_items, sparc.k, sparc.n_latents) for s in self.streams}

    def _read_postings(self, step: StepContext, folder: str) -> dict[str, Postings]:
        n_latents, path = read_sparc(step.inputs["training"]).n_latents, step.inputs["postings"] / "bundle" / folder
        return {stream: read_postings(path / f"{stream}.faiss", n_latents) for stream in self.streams}


def _indexing(*modules: str) -> tuple[str, ...]:
    return tuple(f"index_build.indexing.{module}" for module in modules)


def read_streams(folder: Path) -> tuple[StreamManifest, ...]:
    """What the streams turned out to be, from the folder of the feature step."""
    return tuple(StreamManifest.model_validate(stream) for stream in json.loads((folder / STREAMS).read_text()))


def read_sparc(folder: Path) -> SparcManifest:
    """What the model is, from the folder of the training step."""
    return SparcManifest.model_validate_json((folder / SPARC).read_text())


def _write_sparc(folder: Path, n_latents: int, k: int, selection: Any, recipe: Mapping[str, Any]) -> None:
    sparc = SparcManifest(n_latents=n_latents, k=k, selection=selection, recipe=dict(recipe))
    (folder / SPARC).write_text(sparc.model_dump_json())


def _model(step: StepContext) -> Any:
    return load_sparc(step.inputs["training"] / "bundle" / "sparc.safetensors")
