"""Publishing a bundle: copied to a temporary sibling, hashed, fsynced, renamed; a reader sees all of it or none.

`sparc_core.bundle.place` holds the place, and puts a bundle into it.
"""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from sparc_core.bundle.manifest import (
    MANIFEST_NAME,
    SCHEMA_VERSION,
    FileManifest,
    Manifest,
    ManifestDraft,
    content_id,
    required_files,
)
from sparc_core.bundle.place import Place, held, writing
from sparc_core.bundle.reader import Bundle, sha256_of
from sparc_core.bundle.tables import MEDIA_SCHEMA, write_table
from sparc_core.errors import BundleError
from sparc_core.full_disk import allocated, check_room

MEDIA_FOLDER = "media"


def publish(folders: Sequence[Path], draft: ManifestDraft, out: Path | Place) -> Manifest:
    """Publish the files of these folders as one bundle.

    A bundle already at `out` is replaced, and left alone when it is whole and has the same content.

    Args:
        folders: Folders laid out as the bundle is; together they hold every required file but `media.parquet`.
        draft: What the manifest says besides the files.
        out: Where the bundle goes; its parent is made.

    Raises:
        BundleError: Something at `out` is no bundle and will not be replaced, or another process publishes there, or a
            required file is missing, or the place cannot be written.
        DiskFullError: There is no room; what was at `out` is still there.
    """
    sources = {path.relative_to(folder).as_posix(): path for folder in folders for path in _files_of(folder)}
    with held(out) as place, writing(place.out):
        _check_room(place, sources.values())
        with place.filling() as partial:
            files = {name: _copy(sources[name], partial / name) for name in sorted(sources)}
            return _replace(_complete(draft, files, partial), partial, place)


def amend(bundle: Bundle, changed: Path, metrics: Mapping[str, float], out: Path | Place) -> Manifest:
    """Publish a bundle with some files replaced and other metrics; the rest is linked, not copied, where it can be.

    Args:
        bundle: Open, and left as it is (unless it is `out`).
        changed: A folder laid out as the bundle is, with the files that replace those of the same name.
        metrics: For the manifest.
        out: Where the new bundle goes; the place of the old one replaces it.

    Raises:
        BundleError, DiskFullError: As `publish`.
    """
    with held(out) as place, writing(place.out):
        _check_room(place, _files_of(changed))
        with place.filling() as partial:
            return _replace(_amended(bundle, changed, metrics, partial), partial, place)


def _check_room(place: Place, files: Iterable[Path]) -> None:
    """Refuse before copying what does not fit: copying takes minutes, and would fill somebody's disk."""
    check_room(f"bundle {place.out}", place.out.parent, sum(allocated(path.stat().st_size) for path in files))


def _amended(bundle: Bundle, changed: Path, metrics: Mapping[str, float], partial: Path) -> Manifest:
    """Fill `partial`; the media's table stays, as the media do."""
    new = {path.relative_to(changed).as_posix(): path for path in _files_of(changed)}
    for path in _files_of(bundle.path):
        name = path.relative_to(bundle.path).as_posix()
        if name != MANIFEST_NAME and name not in new:
            _link(path, partial / name)
    files = dict(bundle.manifest.files) | {name: _copy(path, partial / name) for name, path in new.items()}
    files = dict(sorted(files.items()))
    fields = dict(bundle.manifest) | {"metrics": dict(metrics), "files": files}
    draft = ManifestDraft(**{name: fields[name] for name in ManifestDraft.model_fields})
    return Manifest(**dict(draft), schema_version=SCHEMA_VERSION, bundle_id=content_id(draft, files), files=files)


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)


def _replace(manifest: Manifest, partial: Path, place: Place) -> Manifest:
    """Put `partial` in its place, unless the same content is there already."""
    if _is_published(place.out, manifest.bundle_id):
        return Bundle.open(place.out).manifest
    (partial / MANIFEST_NAME).write_text(manifest.to_json(), encoding="utf-8")
    place.put_in_place()
    return manifest


def _complete(draft: ManifestDraft, files: dict[str, FileManifest], partial: Path) -> Manifest:
    """List the media in a file of their own, so that the manifest does not grow with the corpus; add the id."""
    media = {path: file for path, file in files.items() if path.startswith(f"{MEDIA_FOLDER}/")}
    rows = [{"path": path, **file.model_dump()} for path, file in media.items()]
    table_path = partial / "media.parquet"
    write_table(pa.Table.from_pylist(rows, schema=MEDIA_SCHEMA), table_path)
    files = {path: file for path, file in files.items() if path not in media}
    files["media.parquet"] = FileManifest(bytes=table_path.stat().st_size, sha256=sha256_of(table_path))
    for path in required_files(draft.streams):
        if path not in files:
            raise BundleError(f"bundle cannot be published: {path} was not built")
    files = dict(sorted(files.items()))
    return Manifest(**dict(draft), schema_version=SCHEMA_VERSION, bundle_id=content_id(draft, files), files=files)


def _files_of(folder: Path) -> Iterator[Path]:
    """Regular files. A link in a bundle of strangers may lead anywhere: it is no file of the bundle."""
    return (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _copy(source: Path, target: Path) -> FileManifest:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as reading, target.open("wb") as writing:
        while chunk := reading.read(1 << 20):
            digest.update(chunk)
            size += writing.write(chunk)
    return FileManifest(bytes=size, sha256=digest.hexdigest())


def _is_published(out: Path, bundle_id: str) -> bool:
    try:
        return Bundle.open(out, verify=True).manifest.bundle_id == bundle_id
    except BundleError:
        return False
