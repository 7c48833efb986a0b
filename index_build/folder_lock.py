"""One process at a time in a folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sparc_core.errors import InputError
from sparc_core.full_disk import full_disk_said


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for this process; the system lets go of it when the process ends, however it ends.

    Raises:
        InputError: Another process holds it, or the folder cannot be written.
        DiskFullError: There is no room.
    """
    try:
        with full_disk_said(f"folder {folder}", folder):
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise InputError(f"folder {folder} cannot be written: {error.strerror}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"folder {folder} is in use by another process: wait until it ends, or choose another folder"
            ) from None
        yield
    finally:
        os.close(descriptor)
