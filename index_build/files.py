"""Files written whole or not at all."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def own_name() -> str:
    """A part for names of temporary files that no other process has, on whatever machine it is."""
    return f"{socket.gethostname()}-{os.getpid()}"


def write_text(path: Path, text: str) -> None:
    """Replace a file's text; a reader, or a crash, sees the old text or the new."""
    temporary = path.with_name(f".{path.name}.tmp")
    with removed_on_failure(temporary):
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Where to write a file, which gets its name when the block ends: a killed writer leaves no half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    with removed_on_failure(temporary):
        yield temporary
        temporary.replace(path)


@contextmanager
def removed_on_failure(path: Path) -> Iterator[None]:
    """Give back the room of what could not be finished, say on a full disk."""
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise
