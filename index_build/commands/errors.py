"""How commands end when something is wrong: one line on stderr and exit code 2, or 130 after Ctrl-C."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from sparc_core.errors import SparcError
from sparc_core.full_disk import is_full

_errors = Console(stderr=True)


@contextmanager
def one_line_errors(after_interruption: str) -> Iterator[None]:
    """Turn errors of the user's or the disk's making into one line; Ctrl-C into what to do afterwards.

    Under torchrun, every process but the first says which it is.
    """
    try:
        yield
    except SparcError as error:
        _say(f"error: {error}")
        raise typer.Exit(2) from None
    except OSError as error:
        place = f": {error.filename}" if error.filename else ""
        todo = f": make room, then {after_interruption}" if is_full(error) else ""
        _say(f"error: {error.strerror or error}{place}{todo}")
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        _say(f"interrupted: {after_interruption}")
        raise typer.Exit(130) from None


def _say(line: str) -> None:
    rank = os.environ.get("RANK", "0")
    _errors.print(line if rank == "0" else f"process {rank}: {line}", highlight=False, markup=False, soft_wrap=True)
