"""The place that a bundle is published at: held by one builder, filled beside, put in place by renames.

Hidden siblings of a bundle `NAME`: `.NAME.lock` while somebody builds it, `.NAME.partial` while it is published, and
`.NAME.old` while it takes the place of another. What a killed builder leaves of them, the next one removes.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sparc_core.bundle.manifest import MANIFEST_NAME, replaced_bundle
from sparc_core.errors import BundleError
from sparc_core.full_disk import full_disk_said


class Place:
    """Where a bundle goes; `held` makes it, and nobody else publishes there meanwhile."""

    def __init__(self, out: Path) -> None:
        """Args: use `held`."""
        self.out = out
        self._partial, self._old = out.with_name(f".{out.name}.partial"), replaced_bundle(out)

    @contextmanager
    def filling(self) -> Iterator[Path]:
        """An empty folder beside the place; what is left in it when the block ends is removed."""
        shutil.rmtree(self._partial, ignore_errors=True)
        self._partial.mkdir()
        try:
            yield self._partial
        finally:
            shutil.rmtree(self._partial, ignore_errors=True)

    def put_in_place(self) -> None:
        """Rename what was filled into the place; what was there stays if that fails.

        Raises:
            BundleError: By now, something there is no bundle.
        """
        _sync(self._partial)
        refuse_other(self.out)
        if self.out.exists():
            self.out.rename(self._old)
        try:
            self._partial.rename(self.out)
        except BaseException:
            self.tidy()
            raise
        _sync_path(self.out.parent)
        self.tidy()

    def tidy(self) -> None:
        """Bring back a bundle that was moved aside for another that never came; remove what is left over."""
        if (self._old / MANIFEST_NAME).is_file() and not self.out.exists():
            self._old.rename(self.out)
        for leftover in (self._partial, self._old):
            shutil.rmtree(leftover, ignore_errors=True)


@contextmanager
def held(out: Path | Place) -> Iterator[Place]:
    """Hold a place; the system lets go of it when the process ends, however it ends.

    Args:
        out: The bundle's folder; its parent is made. A place that is held already stays so.

    Raises:
        BundleError: Another process builds there, something there is no bundle, or the folder cannot be written.
        DiskFullError: There is no room.
    """
    if isinstance(out, Place):
        yield out
        return
    refuse_other(out)
    lock = out.with_name(f".{out.name}.lock")
    with writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _locked(lock, out)
    try:
        place = Place(out)
        with writing(out):
            place.tidy()
        yield place
    finally:
        lock.unlink(missing_ok=True)  # before letting go of it: whoever has opened it meanwhile looks again
        os.close(descriptor)


@contextmanager
def writing(out: Path) -> Iterator[None]:
    """Say which bundle could not be written, where the block meets an error of the disk's making."""
    try:
        with full_disk_said(f"bundle {out}", out.parent):
            yield
    except OSError as error:
        name = f" ({error.filename})" if error.filename else ""
        raise BundleError(f"bundle {out} cannot be written: {error.strerror or error}{name}") from None


def refuse_other(out: Path) -> None:
    """Raise BundleError where `out` is something that is no bundle; a builder asks before it begins to work."""
    if out.is_dir() and ((out / MANIFEST_NAME).is_file() or not any(out.iterdir())):
        return
    if out.exists() or out.is_symlink():
        raise BundleError(f"{out} is there and is no bundle, so it is not replaced: choose another --out or remove it")


def _locked(lock: Path, out: Path) -> int:
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(descriptor, lock):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise BundleError(
                f"another process is building {out}: wait until it ends, or choose another --out"
            ) from None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its holder ended and removed it just now


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _sync(folder: Path) -> None:
    """Flush every file and folder to the disk."""
    for path in (folder, *folder.rglob("*")):
        _sync_path(path)


def _sync_path(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
