"""A real server in a process of its own, for benchmarks that ask it over loopback."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np

START_LIMIT_S = 300
_HOST = "127.0.0.1"


class Answers(NamedTuple):
    """How a load was answered."""

    seconds: float
    milliseconds: np.ndarray
    n_bytes: int
    statuses: Counter[str]

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return len(self.milliseconds) / self.seconds

    def within(self, percent: float) -> float:
        """Milliseconds within which so many of 100 answers came."""
        return float(np.percentile(self.milliseconds, percent))


class Server:
    """A server that is ready."""

    def __init__(self, port: int, process: subprocess.Popen[bytes], start_s: float) -> None:
        """Args: where it listens, its process, and the seconds from its start until it was ready."""
        self.port, self.process, self.start_s = port, process, start_s

    @property
    def address(self) -> str:
        """Its address."""
        return f"http://{_HOST}:{self.port}"

    def load(self, requests: Sequence[str], n: int, n_connections: int) -> Answers:
        """Send requests in turns, n in all, from another process."""
        wanted = {"host": _HOST, "port": self.port, "requests": requests, "n": n, "n_connections": n_connections}
        command = [sys.executable, "-m", "benchmarks.http_load"]
        out = subprocess.run(command, input=json.dumps(wanted), stdout=subprocess.PIPE, text=True, check=True).stdout
        found = json.loads(out)
        times = np.array(found["milliseconds"])
        return Answers(found["seconds"], times, found["n_bytes"], Counter(found["statuses"]))

    def own_memory_mb(self) -> float:
        """Memory that no file backs."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return float(status.partition("RssAnon:")[2].split()[0]) / 1e3


@contextmanager
def serving(bundle: Path, log: Path = Path(os.devnull), **settings: str) -> Iterator[Server]:
    """A server over the bundle.

    Args:
        bundle: What it serves.
        log: Where its log goes.
        settings: SPARC_... without the prefix.
    """
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port = probe.getsockname()[1]
    begun = time.perf_counter()
    command = [sys.executable, "-m", "server.cli", "--bundle", str(bundle), "--port", str(port)]
    environment = {**os.environ, **{f"SPARC_{name.upper()}": value for name, value in settings.items()}}
    with log.open("wb") as stderr:
        process = subprocess.Popen(command, stderr=stderr, env=environment)
    try:
        while time.perf_counter() - begun < START_LIMIT_S:
            assert process.poll() is None, "the server ended: is the bundle there?"
            try:
                if httpx.get(f"http://{_HOST}:{port}/readyz").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        else:
            raise AssertionError(f"the server was not ready within {START_LIMIT_S} s: is the machine busy?")
        yield Server(port, process, time.perf_counter() - begun)
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def get(path: str) -> str:
    """A GET request, as `Server.load` sends it."""
    return f"GET {path} HTTP/1.1\r\nHost: {_HOST}\r\n\r\n"


def post(path: str, body: object) -> str:
    """A POST of JSON, as `Server.load` sends it."""
    text = json.dumps(body)
    head = f"POST {path} HTTP/1.1\r\nHost: {_HOST}\r\nContent-Type: application/json\r\nContent-Length: {len(text)}"
    return f"{head}\r\n\r\n{text}"
