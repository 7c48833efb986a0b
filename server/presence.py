"""Whether a served bundle lies where it was opened: somebody may remove it, move it away, or put another there."""

import logging
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from server.refusals import BundleGoneError
from sparc_core.bundle import Bundle
from sparc_core.bundle.manifest import MANIFEST_NAME, read_manifest
from sparc_core.errors import BundleError

log = logging.getLogger(__name__)


class _Stamp(NamedTuple):
    """What changes when a file is replaced."""

    device: int
    inode: int
    n_bytes: int
    changed_ns: int


class Presence:
    """Of one bundle. What is mapped or kept goes on being answered without it; safe for any number of threads."""

    def __init__(self, bundle: Bundle) -> None:
        """Args: an open bundle."""
        self._path, self._bundle_id = bundle.path, bundle.manifest.bundle_id
        self._known: _Stamp | None = None
        self._lock, self._is_there = Lock(), True

    @property
    def is_there(self) -> bool:
        """Whether it was there at the last look."""
        return self._is_there

    def look(self) -> bool:
        """Whether it is there now; costs the look-up of one file. What changed since the last look is logged."""
        with self._lock:
            is_there = self._lies_there()
            if is_there != self._is_there:
                self._is_there = is_there
                self._say()
            return is_there

    def check(self) -> None:
        """Look, before a file of it is read.

        Raises:
            BundleGoneError: It is gone.
        """
        if not self.look():
            raise BundleGoneError

    def _lies_there(self) -> bool:
        try:
            found = _stamp(self._path / MANIFEST_NAME)
            if found != self._known:
                if read_manifest(self._path).bundle_id != self._bundle_id:
                    return False
                self._known = found
        except (OSError, BundleError):
            return False
        return True

    def _say(self) -> None:
        if self._is_there:
            log.warning("bundle %s lies at %s again", self._bundle_id, self._path)
        else:
            log.error(
                "bundle %s is no more at %s, or another one is: what needs its files is answered 503 until it is "
                "put back, or another one is loaded (SIGHUP)",
                self._bundle_id,
                self._path,
            )


def _stamp(path: Path) -> _Stamp:
    found = path.stat()
    return _Stamp(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
