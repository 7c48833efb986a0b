"""Full disks, said in one sentence, whatever the library that met one raised.

`sparc_core.arrays` writes arrays so that a full disk is an error and not a shorter file.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sparc_core.errors import DiskFullError

GO_ON = "run the same command again to go on from here"
_CODES = (errno.ENOSPC, errno.EDQUOT)
_UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def is_full(error: BaseException) -> bool:
    """Whether an error says that a disk, or its owner's share of it, is full."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _CODES
    return any(os.strerror(code) in str(error) for code in _CODES)


@contextmanager
def full_disk_said(what: str, folder: Path, after: str = GO_ON) -> Iterator[None]:
    """Raise DiskFullError where the block meets a full disk.

    Args:
        what: Cannot be written then.
        folder: On that disk; need not exist.
        after: What to do when there is room.
    """
    try:
        yield
    except Exception as error:
        if not is_full(error):
            raise
        left = size_text(free_bytes(folder))
        raise DiskFullError(
            f"{what} cannot be written: the disk at {folder} is full, {left} left: make room, then {after}"
        ) from None


def check_room(what: str, folder: Path, n_bytes: int, after: str = GO_ON) -> None:
    """Raise DiskFullError where so many bytes do not fit."""
    free = free_bytes(folder)
    if n_bytes > free:
        raise DiskFullError(
            f"{what} needs {size_text(n_bytes)} on the disk at {folder}, {size_text(free)} are free: "
            f"make room, then {after}"
        )


def free_bytes(folder: Path) -> int:
    """What may still be written to the disk of a folder, or of the nearest one above it that is there."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(there).free


def allocated(n_bytes: int, block: int = 4096) -> int:
    """What a file of so many bytes takes on a disk: whole blocks."""
    return -(-n_bytes // block) * block


def size_text(n_bytes: int) -> str:
    """A number of bytes for people: "12.3 MB"."""
    return next((f"{n_bytes / unit:,.1f} {name}" for unit, name in _UNITS if n_bytes >= unit), f"{n_bytes} bytes")
