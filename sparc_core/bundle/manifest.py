"""What a bundle says of itself: `manifest.json`, its models, its identity and its reading.

`docs/bundle.md` explains every field; `reader` opens the rest of a bundle.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sparc_core.errors import BundleError

SCHEMA_VERSION: Literal[4] = 4
MANIFEST_NAME = "manifest.json"
Selection = Literal["own", "local"]
"""Which codes: those of the model's own selection, or those of per-stream selection (retrieval uses these)."""
VectorKind = Literal["exact", "hnsw", "ivfpq"]
"""How a stream's features are searched: exactly, over a graph of neighbours, or in lists of compressed features."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class StreamManifest(_Model):
    """One stream: its name, modality, width of features, the backbone that computes them ("" for none), their index."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    modality: Literal["image", "text"]
    d: int = Field(gt=0)
    backbone: str
    preprocessing: str = ""
    vectors: VectorKind = "exact"


class SparcManifest(_Model):
    """The model: its size, its own selection, and the recipe that it was trained with."""

    n_latents: int = Field(gt=0)
    k: int = Field(gt=0)
    selection: Literal["global", "local"]
    recipe: dict[str, str | int | float | bool | None]


class CorpusManifest(_Model):
    """Where the items come from."""

    name: str
    n_items: int = Field(ge=0)
    n_rejected: int = Field(ge=0)
    licence: str


class LabelManifest(_Model):
    """One label of the hierarchy; `parent` is another label's name, empty at a root."""

    name: str
    kind: str
    parent: str


class FileManifest(_Model):
    """Size and SHA-256 (lower-case hex) of one file."""

    bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class ManifestDraft(_Model):
    """Everything that a builder knows before the files are published."""

    created_at: str
    versions: dict[str, str]
    seed: int
    streams: tuple[StreamManifest, ...]
    sparc: SparcManifest
    corpus: CorpusManifest
    labels: tuple[LabelManifest, ...]
    metrics: dict[str, float]


class Manifest(ManifestDraft):
    """The whole of `manifest.json`."""

    schema_version: Literal[4]
    bundle_id: str = Field(pattern=r"^[0-9a-f]{16}$")
    files: dict[str, FileManifest]

    def stream(self, name: str) -> StreamManifest:
        """The stream of that name; KeyError where there is none."""
        return {stream.name: stream for stream in self.streams}[name]

    def to_json(self) -> str:
        """The text of `manifest.json`: indented, keys in the order of the models."""
        return self.model_dump_json(indent=1) + "\n"


def content_id(draft: ManifestDraft, files: Mapping[str, FileManifest]) -> str:
    """The bundle id: 16 hex digits over the files and over what the manifest says of the content.

    When it was made and by which versions does not count, so the same content always has the same id.
    """
    content = draft.model_dump(
        mode="json", include={"seed", "streams", "sparc", "corpus", "labels", "metrics"}, round_trip=True
    )
    content["schema_version"] = SCHEMA_VERSION
    content["files"] = {path: file.sha256 for path, file in files.items()}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def required_files(streams: tuple[StreamManifest, ...]) -> list[str]:
    """The paths that every bundle of these streams holds besides the manifest and the media."""
    tables = [f"{name}.parquet" for name in ("items", "latents", "latent_evaluation", "rejected", "media")]
    paths = ["sparc.safetensors", *tables, "evaluation.json"]
    for stream in streams:
        for folder in ("codes", "codes_local"):
            paths += [f"{folder}/{stream.name}.latents.npy", f"{folder}/{stream.name}.activations.npy"]
        paths += [f"{folder}/{stream.name}.faiss" for folder in ("postings", "postings_local", "vectors")]
    return paths


def replaced_bundle(path: Path) -> Path:
    """Where the bundle at `path` is for the moment in which another takes its place."""
    return path.with_name(f".{path.name}.old")


def is_safe_path(path: str) -> bool:
    """Whether a path of a bundle stays inside it: relative, POSIX, no `..`."""
    pure = PurePosixPath(path)
    return bool(path) and not pure.is_absolute() and ".." not in pure.parts and "\\" not in path


def read_manifest(path: Path) -> Manifest:
    """Read and check `manifest.json` of the bundle at `path`.

    Raises:
        BundleError: No bundle is there, the JSON is damaged, the schema is another, or a field is wrong.
    """
    file = path / MANIFEST_NAME
    try:
        data = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise BundleError(_not_a_bundle(path)) from None
    except NotADirectoryError:
        raise BundleError(f"no bundle at {path}: it is a file, and a bundle is a folder") from None
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{file} is damaged, not JSON ({error}): rebuild the bundle") from None
    except OSError as error:
        raise BundleError(f"{file} cannot be read: {error.strerror}") from None
    _check_schema(path, data)
    try:
        manifest = Manifest.model_validate(data)
    except ValidationError as error:
        raise BundleError(f"{file} is damaged: {_first_problem(error)}: rebuild the bundle") from None
    _check_files(file, manifest)
    return manifest


_UPDATE = "update SPARC Explorer, or rebuild the bundle with this version"
_REBUILD = "rebuild it with the command that built it, from the same work folder"


def _not_a_bundle(path: Path) -> str:
    if not path.exists() and replaced_bundle(path).exists():
        return (
            f"no bundle at {path}: its replacement was interrupted; run the same sparc-build command again, or rename "
            f"{replaced_bundle(path)} to {path}"
        )
    if not path.exists():
        return f'no bundle at {path}: there is no such folder; build one with "sparc-build demo --out {path}"'
    return f"no bundle at {path}: it has no {MANIFEST_NAME}"


def _check_schema(path: Path, data: Any) -> None:
    version = data.get("schema_version") if isinstance(data, dict) else None
    if version is None:
        raise BundleError(f"{path / MANIFEST_NAME} is not a bundle's manifest: it has no schema_version")
    if type(version) is not int or version < 1:
        raise BundleError(
            f"{path / MANIFEST_NAME} is damaged: schema_version is {version!r}, no such version: rebuild the bundle"
        )
    if version != SCHEMA_VERSION:
        raise BundleError(
            f"bundle at {path} has schema {version}, this version reads {SCHEMA_VERSION}: "
            + (_UPDATE if version > SCHEMA_VERSION else _REBUILD)
        )


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg'].lower()}"


def _check_files(file: Path, manifest: Manifest) -> None:
    for path in manifest.files:
        if not is_safe_path(path):
            raise BundleError(f'{file} is damaged: it lists "{path}", which is not a path inside the bundle')
    for path in required_files(manifest.streams):
        if path not in manifest.files:
            raise BundleError(f"{file} is damaged: it does not list {path}")
