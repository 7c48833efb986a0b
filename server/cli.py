"""`sparc-serve`: open a bundle and serve it."""

import errno
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sparc_core.errors import InputError, SparcError

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
    """Take the port and open the bundle first, so that either problem ends in one line; then serve."""
    import uvicorn

    from server.app import create_app
    from server.explorer import Explorer

    listening = _listen(settings.host, settings.port)
    explorer = Explorer(settings)
    server = uvicorn.Server(uvicorn.Config(create_app(settings, explorer), log_level="warning"))
    port = listening.getsockname()[1]
    typer.echo(f"serving bundle {explorer.info().bundle_id} at http://{settings.host}:{port}", err=True)
    server.run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 is any free one.

    Raises:
        InputError: The port is taken or the address is not one of this machine.
    """
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen()
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise InputError(f"port {port} is in use: choose another with --port") from None
        raise InputError(f"cannot listen on {host}, port {port}: {error.strerror}") from None
    return listening


def _fail(message: str) -> None:
    typer.echo(f"sparc-serve: {message}", err=True)
    sys.exit(2)


def run() -> None:
    """Entry point."""
    typer.run(main)


if __name__ == "__main__":
    run()
