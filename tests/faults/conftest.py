"""Servers for faults: real processes, forked from one that has imported everything (`server_parent`)."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.faults.server_process import HOST, ServerProcess, Start, free_port

ROOT = Path(__file__).parents[2]


class Parent:
    """The process that servers are forked from."""

    def __init__(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SPARC_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.server_parent"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, **said: Any) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(said) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.communicate(timeout=30)


@pytest.fixture(scope="session")
def server_parent() -> Iterator[Parent]:
    parent = Parent()
    yield parent
    parent.close()


@pytest.fixture(scope="session")
def start_server(server_parent: Parent, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts a server; what the test leaves running is killed at the end of the run.

    Its arguments: the bundle (default: the tiny one), `ready` (wait until it is), `faults` (a folder: the server is
    sabotaged, see `server_parent`), `port_of` (a server whose port it shall take), and settings as SPARC_... without
    the prefix.
    """
    started: list[ServerProcess] = []

    def start(
        bundle: Path = tiny_bundle,
        *,
        ready: bool = True,
        faults: Path | None = None,
        port_of: ServerProcess | None = None,
        **settings: str,
    ) -> ServerProcess:
        port = port_of.port if port_of else free_port()
        env = {f"SPARC_{name.upper()}": value for name, value in settings.items() if name.islower()}
        env |= {"SPARC_DEVICE": "cpu", "SPARC_THREADS": "1"} | ({"FAULTS": str(faults)} if faults else {})
        env |= {name: value for name, value in settings.items() if name.isupper()}
        log = tmp_path_factory.mktemp("server") / "log"
        pid = server_parent.ask(argv=["--bundle", str(bundle), "--port", str(port)], env=env, log=str(log))
        server = ServerProcess(pid, f"http://{HOST}:{port}", port, log, server_parent.ask)
        started.append(server)
        if ready:
            server.wait_until_ready()
        return server

    yield start
    for server in started:
        if server.exit_code(0) is None:
            with suppress(ProcessLookupError):
                server.signal(signal.SIGKILL)
            server.exit_code(10)


@pytest.fixture(scope="session")
def own_bundle(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tiny bundle, that tests may remove as long as they put it back."""
    out = tmp_path_factory.mktemp("own") / "bundle"
    shutil.copytree(tiny_bundle, out)
    return out


@pytest.fixture(scope="session")
def server(start_server: Start, own_bundle: Path) -> ServerProcess:
    """A server that all tests share which leave it whole; over `own_bundle`."""
    return start_server(own_bundle, log_level="info")


@pytest.fixture(scope="session")
def client(server: ServerProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.address, timeout=60) as client:
        yield client
