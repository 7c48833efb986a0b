"""`sparc.toml`: one file that says what to build. Its tables become a corpus, a recipe and an engine.

Paths in it are relative to the file. `index_build.config.template` writes one with comments.
"""

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator

from index_build.config.modality import modality_of
from index_build.corpora import CorpusSettings, open_corpus
from index_build.corpora.base import Corpus
from index_build.engine import Engine, LocalEngine
from index_build.evaluation.options import EvaluationOptions
from index_build.items.media import Keep, MediaOptions
from index_build.recipe import Recipe, StreamRecipe
from index_build.training.options import TrainingOptions
from index_build.training.processes import choose_device
from index_build.workers import n_cores
from sparc_core.backbones.shared_spaces import shared_spaces
from sparc_core.backbones.spec import parse_spec
from sparc_core.bundle.manifest import VectorKind
from sparc_core.errors import InputError

StreamName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BundleTable(_Table):
    """[bundle]: where things go."""

    out: Path = Field(default=Path("bundle"), description="The bundle's folder; it is replaced when a build is done.")
    work: Path = Field(default=Path("work"), description="Steps are cached here; safe to delete when no build runs.")


class StreamTable(_Table):
    """[streams.NAME]: where a stream's features come from."""

    backbone: str = Field(default="", description="The tower's spec; see docs/backbones.md.")
    features: Path | None = Field(default=None, description="Features that are there already (.npy, .h5).")
    modality: Literal["image", "text"] | None = Field(
        default=None, description="image or text; needed where there is no backbone, saves loading it to ask."
    )

    @model_validator(mode="after")
    def _has_a_source(self) -> "StreamTable":
        if not self.backbone and self.features is None:
            raise ValueError('give it a "backbone", or "features" that are there already')
        if not self.backbone and self.modality is None:
            raise ValueError('without a backbone it needs modality = "image" or "text"')
        return self


class MediaTable(_Table):
    """[media]: how pictures are stored."""

    keep: Keep = Field(default="resized", description='"resized" stores WebP, "originals" copies the files.')
    side: int = Field(default=640, description="Longest side of a resized picture, in pixels.")
    quality: int = Field(default=85, description="WebP quality of resized pictures, 1 to 100.")


class IndexTable(_Table):
    """[index]: how features are indexed for searching."""

    vectors: VectorKind = Field(
        default="exact",
        description='"exact"; "hnsw" searches a million and more faster, "ivfpq" in an eighth of the space; both miss '
        "some, and what is measured of that is in the manifest (docs/building.md).",
    )


class ModelTable(_Table):
    """[model]: a trained model, instead of training one."""

    path: Path = Field(description="A published run directory, or a folder or file of sparc-build train.")


class EvaluationTable(_Table):
    """[evaluation]: what is measured when a bundle is built; `sparc-build evaluate` measures more, or again."""

    skip: list[str] = Field(
        default=["segmentation"], description="Tables that are left out; heatmaps take long with large towers."
    )
    items: int = Field(default=5000, ge=0, description="Most held-out items that are looked at; 0 for all.")
    cases: int = Field(default=200, ge=1, description="Most things that heatmaps are asked for.")
    seed: int = Field(default=0, ge=0, description="Of everything drawn at random.")

    shared_spaces: list[tuple[str, str]] | None = Field(
        default=None, description="Pairs (query, target) of streams whose features can be compared; by their specs."
    )


class EngineTable(_Table):
    """[engine]: where heavy steps run."""

    kind: Literal["local", "ray"] = Field(default="local", description='"local" is this machine, "ray" a cluster.')
    workers: int = Field(default=0, ge=0, description="Worker processes; 0 is one per core.")
    device: str = Field(default="auto", description="auto, cpu or cuda.")
    address: str | None = Field(default=None, description="Of the Ray cluster; none starts one on this machine.")
    gpus_per_encoder: float = Field(default=0, ge=0, description="GPUs of one encoder actor on Ray; 0 is CPU.")
    encoders: int = Field(default=0, ge=0, description="Encoder actors on Ray; 0 is as many as fit.")
    train_workers: int = Field(default=1, ge=1, description="Ray Train workers; one gives the local bundle id.")


class BuildConfig(_Table):
    """The whole file."""

    bundle: BundleTable = BundleTable()
    corpus: CorpusSettings
    streams: dict[StreamName, StreamTable] = Field(min_length=1)
    media: MediaTable = MediaTable()
    training: dict[str, Any] = Field(default_factory=dict)
    index: IndexTable = IndexTable()
    model: ModelTable | None = None
    evaluation: EvaluationTable = EvaluationTable()
    engine: EngineTable = EngineTable()

    @field_validator("training")
    @classmethod
    def _known_options(cls, training: dict[str, Any]) -> dict[str, Any]:
        kinds: dict[str, Any] = {"recipe": str} | get_type_hints(TrainingOptions)
        unknown = sorted(training.keys() - kinds.keys())
        if unknown:
            raise ValueError(f"there is no training option {unknown[0]!r}: choose from {', '.join(sorted(kinds))}")
        return {name: _of_kind(name, value, kinds[name]) for name, value in training.items()}


def _of_kind(name: str, value: Any, kind: Any) -> Any:
    try:
        return TypeAdapter(kind).validate_python(value, strict=True)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]["msg"]
        raise ValueError(f"{name} is {value!r}: {problem[0].lower()}{problem[1:]}") from None


class OpenConfig:
    """A configuration with its file's folder: opens the corpus, makes the recipe."""

    def __init__(self, config: BuildConfig, base: Path) -> None:
        """Args: the tables, and what their paths are relative to."""
        self.config, self.base = config, base

    @property
    def out(self) -> Path:
        """Where the bundle goes."""
        return self.base / self.config.bundle.out

    @property
    def work(self) -> Path:
        """Where steps are cached."""
        return self.base / self.config.bundle.work

    def changed(self, table: str, settings: Mapping[str, Any]) -> "OpenConfig":
        """The same with some settings of a table replaced, those that are not None; InputError where one is wrong."""
        chosen = {name: value for name, value in settings.items() if value is not None}
        if not chosen:
            return self
        tables = self.config.model_dump(exclude_unset=True)
        tables[table] = tables.get(table, {}) | chosen
        return OpenConfig(parse_config(tables, "the command line"), self.base)

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        """The engine, connected for a while; InputError where a cluster or a device is not to be had."""
        table = self.config.engine
        if table.kind == "local":
            with LocalEngine.opened(table.workers or n_cores(), choose_device(table.device)) as local:
                yield local
            return
        from index_build.ray_engine import connected  # only here: Ray is an extra

        with connected(table, self.work) as engine:
            yield engine

    def corpus(self) -> Corpus:
        """The corpus, listed; InputError where it is not there."""
        return open_corpus(self.config.corpus, self.base)

    def recipe(self) -> Recipe:
        """The recipe.

        Raises:
            InputError: A training option is out of range, or a backbone is unknown.
        """
        config = self.config
        streams = {name: self._stream(name, table) for name, table in config.streams.items()}
        specs = {name: stream.backbone for name, stream in streams.items()}
        modalities = {name: stream.modality for name, stream in streams.items()}
        named = config.evaluation.shared_spaces
        return Recipe(
            training=training_options(config.training),
            streams=streams,
            shared_spaces=shared_spaces(specs, modalities) if named is None else _known(named, streams),
            media=MediaOptions(**config.media.model_dump()),
            model=None if config.model is None else self.base / config.model.path,
            vectors=config.index.vectors,
            evaluation=_evaluation_options(config.evaluation),
        )

    def _stream(self, name: str, table: StreamTable) -> StreamRecipe:
        spec = _resolved(table.backbone, self.base)
        modality = table.modality or modality_of(spec)
        said = parse_spec(spec).modality if spec else None
        if said not in (None, modality):
            raise InputError(f'stream {name}: modality is "{modality}", backbone "{spec}" says {said}: leave it out')
        features = None if table.features is None else self.base / table.features
        return StreamRecipe(modality, spec, features)


def training_options(table: Mapping[str, Any]) -> TrainingOptions:
    """[training] as options: a recipe and what differs from it; InputError where a value is out of range."""
    changes = dict(table)
    recipe = changes.pop("recipe", "default")
    if recipe == "storybook":
        return TrainingOptions.storybook(**changes)
    return TrainingOptions.of_recipe(recipe, changes)


def read_config(path: Path) -> OpenConfig:
    """Read a `sparc.toml`.

    Raises:
        InputError: It is not there, not TOML, or a value is wrong; the message names the value.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f'there is no {path}: "sparc-build init folder PHOTOS --out {path}" writes one') from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not TOML: {error}") from None
    return OpenConfig(parse_config(tables, str(path)), path.parent.absolute())


def parse_config(tables: Mapping[str, Any], where: str) -> BuildConfig:
    """Check tables; `where` names them in messages."""
    try:
        return BuildConfig.model_validate(dict(tables))
    except ValidationError as error:
        raise InputError(f"{where}: {first_problem(error)}") from None


def first_problem(error: ValidationError) -> str:
    """What is wrong first, in words, with the place where it is."""
    first = error.errors(include_url=False)[0]
    kinds = {"storybook", "folder", "table", "coco", "open_images", "webdataset", "datasets"}
    place = ".".join(str(part) for i, part in enumerate(first["loc"]) if not (i == 1 and part in kinds))
    if first["type"] == "extra_forbidden":
        return f"{place} is no setting: correct its name or leave it out"
    if first["type"] == "missing":
        return f"{place} is missing: add it"
    message = first["msg"].removeprefix("Value error, ")
    if place == "training":
        return f"{place}: {message}"
    return f"{place} is {first['input']!r}: {message[0].lower()}{message[1:]}"[:600]


def _evaluation_options(table: EvaluationTable) -> EvaluationOptions:
    return EvaluationOptions(table.seed, table.items, table.cases, tuple(table.skip))


def _known(named: list[tuple[str, str]], streams: Mapping[str, StreamRecipe]) -> tuple[tuple[str, str], ...]:
    for pair in named:
        for stream in pair:
            if stream not in streams:
                raise InputError(f"evaluation.shared_spaces names stream {stream!r}: there is {', '.join(streams)}")
    return tuple((query, target) for query, target in named)


def _resolved(spec: str, base: Path) -> str:
    """A spec with its relative path made absolute, where the path is there."""
    for prefix in ("transformers:", "open_clip:local-dir:"):
        path, mark, tower = spec.removeprefix(prefix).partition("#")
        if spec.startswith(prefix) and path and (base / path).is_dir():
            return f"{prefix}{(base / path).resolve()}{mark}{tower}"
    return spec
