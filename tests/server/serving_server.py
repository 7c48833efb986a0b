"""A real server of the tests' own, in a process of its own, over loopback."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
_START_S = 90


@dataclass
class RunningServer:
    """A server that answers."""

    address: str
    process: subprocess.Popen[str]
    log: Path

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.process.pid, number)


@contextmanager
def serving(bundle: Path, folder: Path, **settings: str) -> Iterator[RunningServer]:
    """Serve a bundle until the end of the block; settings as SPARC_... without the prefix."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, **{f"SPARC_{name.upper()}": value for name, value in settings.items()}}
    log = folder / "server.log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "server.cli", "--bundle", str(bundle), "--port", str(port)],
            cwd=ROOT,
            env={**environment, "SPARC_DEVICE": "cpu", "SPARC_THREADS": "1"},
            stderr=stderr,
            text=True,
        )
    server = RunningServer(f"http://127.0.0.1:{port}", process, log)
    try:
        _wait(server)
        yield server
    finally:
        process.terminate()
        process.wait(30)


def _wait(server: RunningServer) -> None:
    begun = time.monotonic()
    while time.monotonic() - begun < _START_S:
        assert server.process.poll() is None, server.log.read_text()
        try:
            if httpx.get(f"{server.address}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"not ready after {_START_S} s: {server.log.read_text()}")
