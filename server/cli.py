"""`sparc-serve`: open a bundle and serve it."""

import asyncio
import errno
import logging
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sparc_core import __version__
from sparc_core.errors import InputError, SparcError

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

    from server.settings import Settings

log = logging.getLogger("server.cli")  # this module may be called __main__


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"sparc-serve {__version__}")
        raise typer.Exit


def main(
    bundle: Annotated[Path | None, typer.Option(help="Folder of the bundle.")] = None,
    beside: Annotated[
        list[Path] | None, typer.Option(help="Another bundle to serve beside it; may be given several times.")
    ] = None,
    verify: Annotated[
        bool | None, typer.Option("--verify/--no-verify", help="Hash every file of the bundles before they are served.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    new_key: Annotated[str | None, typer.Option(metavar="NAME", help="Make an API key, and do not serve.")] = None,
    admin: Annotated[bool, typer.Option("--admin", help="With --new-key: for an administrator.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say the version, and do not serve.")
    ] = False,
) -> None:
    """Serve a bundle at http://HOST:PORT. Every setting can also be given as SPARC_BUNDLE, SPARC_HOST, ..."""
    from pydantic import ValidationError

    from server.settings import Settings

    given: dict[str, Any] = {"bundle": bundle, "verify": verify, "host": host, "port": port, "device": device}
    if beside:  # without the flag it may be an empty list, which would win over the environment
        given["beside"] = tuple(beside)
    try:
        if new_key is not None:
            make_key(new_key, admin)
            return
        if admin:
            raise InputError("--admin says what a new key may do: add --new-key NAME")
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
        serve(settings)
    except ValidationError as error:
        first = error.errors()[0]
        _fail(f"setting {'.'.join(map(str, first['loc']))} is {first['input']!r}: {first['msg']}")
    except SparcError as error:
        _fail(str(error))


def serve(settings: "Settings") -> None:
    """Take the port, open the bundle and warm up first, so that each problem ends in one line; then serve."""
    from server.allocator import bound_heaps, giving_back
    from server.stopping import BoundedServer, stop_on_signals

    stop_on_signals()
    bound_heaps()
    from server.app import create_app, open_all
    from server.logs import configure_logs
    from server.middleware import access_rules
    from server.watchdog import watching

    configure_logs(settings.log_format, settings.log_level)
    access_rules(settings)  # mistakes in them are said before the models are loaded, which takes seconds
    listening = _listen(settings.host, settings.port)
    resources, explorer = open_all(settings)
    server = BoundedServer(_uvicorn_config(create_app(settings, (resources, explorer)), settings), resources)
    port = listening.getsockname()[1]
    with watching(resources.workers, settings.stuck_s), giving_back():
        asyncio.run(explorer.warm_up())
        _announce(f"serving bundle {' beside '.join(explorer.served)} at http://{settings.host}:{port}", settings)
        server.run(sockets=[listening])


def make_key(name: str, is_admin: bool) -> None:
    """Print a new API key and the line for the keys file, on stdout and in this order; nothing keeps the key."""
    from server.keys import new_key

    made = new_key(name, is_admin)
    typer.echo(f"{made.key}\n{made.line}")
    typer.echo(f"first the key of {name}, shown only now; then its line for the file of SPARC_API_KEYS", err=True)


def _announce(line: str, settings: "Settings") -> None:
    """Say that the service is there; where stderr is JSON, as a log line of level info."""
    if settings.log_format == "json":
        log.info(line)
    else:
        typer.echo(line, err=True)


def _uvicorn_config(app: "FastAPI", settings: "Settings") -> "uvicorn.Config":
    """Our logs instead of uvicorn's, whose access lines tell queries; only the proxies that are named are believed."""
    import uvicorn

    from server.slow_heads import TimedHeads
    from server.stopping import GRACE_S

    return uvicorn.Config(
        app,
        http=TimedHeads,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S + 1,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
    )


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
