"""`sparc-serve` in a terminal of its own, for a reader who goes on typing in another.

The command of that name in `bin/` calls `serve`: the real one is started and kept, and the call returns when it is
ready. Starting another on the same port ends the first, as its reader would with Ctrl-C.
"""

import os
import signal
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.docs.warm import run

SERVING = ".serving"  # in the home directory: a folder per port, with "pid" while it runs and "code" afterwards
_PATIENCE_S = 180
_NOT_SERVING = {"--new-key", "--help"}


def serve(arguments: list[str]) -> int:
    """Start the service and wait until it is ready; returns 0, or its exit code if it ended instead."""
    if _NOT_SERVING & {argument.partition("=")[0] for argument in arguments}:
        return run("sparc-serve", arguments)
    port = _port(arguments)
    place = Path(os.environ["HOME"]) / SERVING / port
    if place.exists():
        stop(place)
    place.mkdir(parents=True, exist_ok=True)
    (place / "code").unlink(missing_ok=True)
    if os.fork() == 0:
        _keep(arguments, place)
    return _wait_until_ready(port, place)


def stop(place: Path) -> int:
    """Interrupt the service of a port; returns its exit code."""
    if not (place / "code").exists():
        os.kill(int((place / "pid").read_text()), signal.SIGINT)
    return int(_appears(place / "code"))


def _keep(arguments: list[str], place: Path) -> None:
    """Run the service and write down how it ended; does not return."""
    code = run("sparc-serve", arguments, started=lambda pid: _write(place / "pid", pid))
    _write(place / "code", code)
    os._exit(0)


def _wait_until_ready(port: str, place: Path) -> int:
    _appears(place / "pid")
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        if (place / "code").exists():
            return int((place / "code").read_text())
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz"):
                return 0
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    sys.exit(f"port {port} was not ready in {_PATIENCE_S} s")


def _port(arguments: list[str]) -> str:
    if "--port" in arguments:
        return arguments[arguments.index("--port") + 1]
    return os.environ.get("SPARC_PORT", "8000")


def _appears(path: Path) -> str:
    until = time.monotonic() + _PATIENCE_S
    while not path.exists():
        assert time.monotonic() < until, f"{path} did not appear in {_PATIENCE_S} s"
        time.sleep(0.05)
    return path.read_text()


def _write(path: Path, number: int) -> None:
    """Whole or not at all: somebody waits for it."""
    part = path.with_suffix(".part")
    part.write_text(str(number))
    part.rename(path)
