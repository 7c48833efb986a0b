"""Opening a bundle: checks first, then everything in it memory-mapped or read on first use."""

import hashlib
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from sparc_core.bundle.manifest import FileManifest, Manifest, Selection, content_id, is_safe_path, read_manifest
from sparc_core.errors import BundleError, NotFoundError

if TYPE_CHECKING:
    import faiss

    from sparc_core.bundle.codes import Codes
    from sparc_core.bundle.latent_evaluation import LatentEvaluation
    from sparc_core.bundle.postings import Postings
    from sparc_core.bundle.tables import ItemTable, LatentTable
    from sparc_core.evaluation.results import Evaluation

_CHUNK = 1 << 20


class Bundle:
    """An open bundle. It is immutable, so one object may serve any number of threads.

    Arrays and FAISS files are mapped when they are first asked for; the libraries for that are imported then too.
    """

    def __init__(self, path: Path, manifest: Manifest) -> None:
        """Args: use `Bundle.open`, which checks what lies at `path`."""
        self.path, self.manifest = path, manifest
        self._codes = cache(self._read_codes)
        self._postings = cache(self._read_postings)
        self._vectors = cache(self._read_vectors)

    @classmethod
    def open(cls, path: Path, verify: bool = False) -> "Bundle":
        """Open the bundle at `path`.

        Args:
            path: The bundle's folder.
            verify: Also hash every file, media included, and compare with what the manifest says.

        Raises:
            BundleError: No bundle is there, its schema is another, or a file is missing, truncated or altered; the
                message names the file.
        """
        manifest = read_manifest(path)
        for name, file in manifest.files.items():
            check_file(path / name, file, verify)
        bundle = cls(path, manifest)
        if verify:
            bundle._verify_content()
        return bundle

    @cached_property
    def items(self) -> "ItemTable":
        """The items."""
        from sparc_core.bundle.tables import read_items

        return read_items(self.path / "items.parquet", self.manifest.corpus.n_items)

    @cached_property
    def latents(self) -> "LatentTable":
        """The latents' statistics and names."""
        from sparc_core.bundle.tables import read_latents

        streams = [stream.name for stream in self.manifest.streams]
        return read_latents(self.path / "latents.parquet", streams, self.manifest.sparc.n_latents)

    @cached_property
    def latent_evaluation(self) -> "LatentEvaluation":
        """What was measured of every latent."""
        from sparc_core.bundle.latent_evaluation import read_latent_evaluation

        streams = [stream.name for stream in self.manifest.streams]
        path = self.path / "latent_evaluation.parquet"
        return read_latent_evaluation(path, streams, self.manifest.sparc.n_latents)

    def codes(self, stream: str, selection: Selection = "own") -> "Codes":
        """The stream's codes of all items; NotFoundError where there is no such stream."""
        return self._codes(self._known(stream), selection)

    def postings(self, stream: str) -> "Postings":
        """The stream's posting lists under the model's own selection; galleries show these."""
        return self._postings(self._known(stream), "own")

    def local_postings(self, stream: str) -> "Postings":
        """The stream's posting lists under per-stream selection; retrieval uses these."""
        return self._postings(self._known(stream), "local")

    def vectors(self, stream: str) -> "faiss.Index":
        """The stream's unit-norm features as a FAISS inner-product index of the manifest's kind; ids are rows."""
        return self._vectors(self._known(stream))

    @property
    def sparc_path(self) -> Path:
        """The model."""
        return self.path / "sparc.safetensors"

    @cached_property
    def evaluation(self) -> "Evaluation":
        """What was measured; BundleError where evaluation.json cannot be read or is of another form."""
        from sparc_core.evaluation.results import Evaluation

        path = self.path / "evaluation.json"
        try:
            return Evaluation.model_validate_json(path.read_bytes())
        except OSError as error:
            raise BundleError(f"{path} cannot be read: {error.strerror}") from None
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"])) or "its text"
            raise BundleError(
                f'{path} is damaged: {place}: {first["msg"].lower()}: run "sparc-build evaluate {self.path}"'
            ) from None

    def media_path(self, row: int) -> Path:
        """Where the item's picture lies.

        Raises:
            NotFoundError: There is no such row.
            BundleError: The item names a path outside the bundle, or a link that leads there.
        """
        media = self.items[row].media
        path = self.path / media
        if not is_safe_path(media) or not path.resolve().is_relative_to(self.path.resolve()):
            raise BundleError(f'item {row} of bundle {self.path} has media "{media}", not a path inside the bundle')
        return path

    def _known(self, stream: str) -> str:
        names = [known.name for known in self.manifest.streams]
        if stream not in names:
            raise NotFoundError("stream", f'there is no stream "{stream[:80]}": this bundle has {", ".join(names)}')
        return stream

    def _read_codes(self, stream: str, selection: Selection) -> "Codes":
        from sparc_core.bundle.codes import read_codes

        sparc, folder = self.manifest.sparc, self.path / ("codes" if selection == "own" else "codes_local")
        return read_codes(folder, stream, self.manifest.corpus.n_items, sparc.k, sparc.n_latents)

    def _read_postings(self, stream: str, selection: Selection) -> "Postings":
        from sparc_core.bundle.postings import read_postings

        folder = self.path / ("postings" if selection == "own" else "postings_local")
        return read_postings(folder / f"{stream}.faiss", self.manifest.sparc.n_latents)

    def _read_vectors(self, stream: str) -> Any:
        from sparc_core.bundle.vectors import read_vectors

        n_items, described = self.manifest.corpus.n_items, self.manifest.stream(stream)
        return read_vectors(self.path / "vectors" / f"{stream}.faiss", n_items, described.d, described.vectors)

    def _verify_content(self) -> None:
        from sparc_core.bundle.tables import MEDIA_SCHEMA, read_table

        found = content_id(self.manifest, self.manifest.files)
        if found != self.manifest.bundle_id:
            raise BundleError(
                f"{self.path / 'manifest.json'} was altered: its content has id {found}, "
                f"it says {self.manifest.bundle_id}: rebuild the bundle"
            )
        media = read_table(self.path / "media.parquet", MEDIA_SCHEMA)
        for row in media.to_pylist():
            if not is_safe_path(row["path"]):
                raise BundleError(f'{self.path / "media.parquet"} lists "{row["path"]}", not a path inside the bundle')
            check_file(self.path / row["path"], FileManifest(bytes=row["bytes"], sha256=row["sha256"]), verify=True)


def check_file(path: Path, expected: FileManifest, verify: bool) -> None:
    """Check that a file is there with its size and, with `verify`, its hash; BundleError otherwise."""
    try:
        size = path.stat().st_size
        if size != expected.bytes:
            state = "truncated" if size < expected.bytes else "too long"
            raise BundleError(
                f"{path} is {state}: {size} bytes, the manifest says {expected.bytes}: rebuild the bundle"
            )
        if verify and sha256_of(path) != expected.sha256:
            raise BundleError(f"{path} was altered: its SHA-256 is not the manifest's: rebuild the bundle")
    except FileNotFoundError:
        raise BundleError(f"{path} is missing: rebuild the bundle") from None
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}") from None


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, lower-case hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
