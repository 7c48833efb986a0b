"""How commands end when something is wrong: one line on stderr and exit code 2, or 130 after Ctrl-C."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from sparc_core.errors import SparcError

_errors = Console(stderr=True)


@contextmanager
def one_line_errors(after_interruption: str) -> Iterator[None]:
    """Turn errors of the user's or the disk's making into one line; Ctrl-C into what to do afterwards."""
    try:
        yield
    except SparcError as error:
        _errors.print(f"error: {error}", highlight=False, markup=False, soft_wrap=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        _errors.print(f"interrupted: {after_interruption}", highlight=False, soft_wrap=True)
        raise typer.Exit(130) from None
