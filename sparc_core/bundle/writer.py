"""Publishing a bundle: copied to a temporary sibling, hashed, fsynced, renamed; a reader sees all of it or none."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
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
from sparc_core.bundle.reader import Bundle, sha256_of
from sparc_core.bundle.tables import MEDIA_SCHEMA, write_table
from sparc_core.errors import BundleError

MEDIA_FOLDER = "media"


def publish(folders: Sequence[Path], draft: ManifestDraft, out: Path) -> Manifest:
    """Publish the files of these folders as one bundle.

    A bundle already at `out` is replaced, and left alone when it is whole and has the same content.

    Args:
        folders: Folders laid out as the bundle is; together they hold every required file but `media.parquet`.
        draft: What the manifest says besides the files.
        out: Where the bundle goes; its parent is made.

    Raises:
        BundleError: Something at `out` is no bundle and will not be replaced, or a required file is missing, or the
            place cannot be written.
    """
    refuse_other(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with _exclusive(out.parent):
            return _publish(folders, draft, out)
    except OSError as error:
        raise BundleError(f"bundle {out} cannot be written: {error.strerror} ({error.filename})") from None


def amend(bundle: Bundle, changed: Path, metrics: Mapping[str, float], out: Path) -> Manifest:
    """Publish a bundle with some files replaced and other metrics; the rest is linked, not copied, where it can be.

    Args:
        bundle: Open, and left as it is (unless it is `out`).
        changed: A folder laid out as the bundle is, with the files that replace those of the same name.
        metrics: For the manifest.
        out: Where the new bundle goes; the place of the old one replaces it.

    Raises:
        BundleError: As `publish`.
    """
    refuse_other(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with _exclusive(out.parent):
            partial = _cleared(out)
            return _replace(_amended(bundle, changed, metrics, partial), partial, out)
    except OSError as error:
        raise BundleError(f"bundle {out} cannot be written: {error.strerror} ({error.filename})") from None


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


def _publish(folders: Sequence[Path], draft: ManifestDraft, out: Path) -> Manifest:
    partial = _cleared(out)
    files = _copy_all(folders, partial)
    return _replace(_complete(draft, files, partial), partial, out)


def _cleared(out: Path) -> Path:
    """An empty folder beside `out`, which is brought back if an earlier publishing was killed while it was away."""
    partial, old = out.with_name(f".{out.name}.partial"), _old(out)
    if old.exists() and not out.exists():
        old.rename(out)  # an earlier publishing was killed between its two renames
    for leftover in (partial, old):
        shutil.rmtree(leftover, ignore_errors=True)
    partial.mkdir()
    return partial


def _replace(manifest: Manifest, partial: Path, out: Path) -> Manifest:
    """Put `partial` in the place of `out`, unless the same content is there already."""
    if _is_published(out, manifest.bundle_id):
        shutil.rmtree(partial)
        return Bundle.open(out).manifest
    (partial / MANIFEST_NAME).write_text(manifest.to_json(), encoding="utf-8")
    _sync(partial)
    if out.exists():
        out.rename(_old(out))
    partial.rename(out)
    _sync_folder(out.parent)
    shutil.rmtree(_old(out), ignore_errors=True)
    return manifest


def _old(out: Path) -> Path:
    return out.with_name(f".{out.name}.old")


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


def _copy_all(folders: Sequence[Path], partial: Path) -> dict[str, FileManifest]:
    """Copy every file once, hashing on the way; sorted by path."""
    sources = {path.relative_to(folder).as_posix(): path for folder in folders for path in _files_of(folder)}
    return {name: _copy(sources[name], partial / name) for name in sorted(sources)}


def _files_of(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _copy(source: Path, target: Path) -> FileManifest:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as reading, target.open("wb") as writing:
        while chunk := reading.read(1 << 20):
            digest.update(chunk)
            size += writing.write(chunk)
    return FileManifest(bytes=size, sha256=digest.hexdigest())


def refuse_other(out: Path) -> None:
    """Raise BundleError where `out` is something that is no bundle; a builder asks before it begins to work."""
    if out.is_dir() and ((out / MANIFEST_NAME).is_file() or not any(out.iterdir())):
        return
    if out.exists() or out.is_symlink():
        raise BundleError(f"{out} is there and is no bundle, so it is not replaced: choose another --out or remove it")


def _is_published(out: Path, bundle_id: str) -> bool:
    try:
        return Bundle.open(out, verify=True).manifest.bundle_id == bundle_id
    except BundleError:
        return False


@contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: two publishings into one folder take turns. The system frees it if we are killed."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sync(folder: Path) -> None:
    """Flush every file and folder to the disk."""
    for path in _files_of(folder):
        _sync_folder(path)
    for path in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        _sync_folder(path)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
