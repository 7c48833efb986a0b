"""`sparc-serve`: open a bundle and serve it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sparc_core.errors import SparcError

if TYPE_CHECKING:
    from server.settings import Settings


def main(
    bundle: Annotated[Path | None, typer.Option(help="Folder of the bundle.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
) -> None:
    """Serve a bundle at http://HOST:PORT. Every option can also be set as SPARC_BUNDLE, SPARC_HOST, ..."""
    from pydantic import ValidationError

    from server.settings import Settings

    given: dict[str, Any] = {"bundle": bundle, "host": host, "port": port, "device": device}
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
        serve(settings)
    except ValidationError as error:
        first = error.errors()[0]
        _fail(f"setting {'.'.join(map(str, first['loc']))} is {first['input']!r}: {first['msg']}")
    except SparcError as error:
        _fail(str(error))


def serve(settings: "Settings") -> None:
    """Open the bundle first, so that a bad one ends in one line, then serve until interrupted."""
    import uvicorn

    from server.app import create_app
    from server.explorer import Explorer

    explorer = Explorer(settings)
    app = create_app(settings, explorer)
    typer.echo(f"serving bundle {explorer.info().bundle_id} at http://{settings.host}:{settings.port}", err=True)
    uvicorn.run(app, host=settings.host, port=settings.port, log_level="warning")


def _fail(message: str) -> None:
    typer.echo(f"sparc-serve: {message}", err=True)
    sys.exit(2)


def run() -> None:
    """Entry point."""
    typer.run(main)


if __name__ == "__main__":
    run()
