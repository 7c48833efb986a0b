"""The work folder on storage that every node mounts, and how a worker can tell that it sees the same one."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import ray

from sparc_core.errors import InputError


@dataclass(frozen=True)
class SharedFolder:
    """The folder as the builder knows it.

    Attributes:
        path: Absolute.
        marker: A file that the builder has put there.
    """

    path: Path
    marker: Path

    def require(self) -> None:
        """Raise InputError where this process does not see the folder; asked once per process, and cheap."""
        if not _is_there(self.marker):
            raise InputError(
                f"node {ray.util.get_node_ip_address()} does not see the work folder {self.path}: put it on storage "
                "that every node mounts at the same path (docs/scale.md)"
            )


@contextmanager
def marked(folder: Path) -> Iterator[SharedFolder]:
    """Mark a folder for a while.

    Raises:
        InputError: It cannot be written.
    """
    path = folder.absolute()
    marker = path / f".seen-by-every-node-{secrets.token_hex(8)}"
    try:
        path.mkdir(parents=True, exist_ok=True)
        marker.touch()
    except OSError as error:
        raise InputError(f"folder {path} cannot be written: {error.strerror}") from None
    try:
        yield SharedFolder(path, marker)
    finally:
        marker.unlink(missing_ok=True)


@lru_cache(maxsize=8)
def _is_there(marker: Path) -> bool:
    return marker.exists()
