"""A server of the tests' own, seen from outside."""

import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

HOST = "127.0.0.1"
START_S = 90.0


@dataclass
class ServerProcess:
    """A process that serves, or is about to."""

    pid: int
    address: str
    port: int
    log: Path
    ask: Callable[..., Any]
    _code: int | None = field(default=None, init=False)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def exit_code(self, timeout_s: float) -> int | None:
        """None while it runs; remembered, for a process can be asked only once."""
        if self._code is None:
            self._code = self.ask(wait=self.pid, timeout_s=timeout_s)
        return self._code

    def wait_until_ready(self) -> None:
        self.wait_for(lambda: self.exit_code(0) is not None or self.status("/readyz") == 200, START_S)
        assert self.exit_code(0) is None, self.said()

    def status(self, path: str) -> int:
        """Of a GET; 0 where nobody answers."""
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.address}{path}", timeout=10).status_code
        return 0

    def wait_for(self, condition: Callable[[], bool], timeout_s: float = 20) -> None:
        wait_for(condition, timeout_s, self.said)

    def said(self) -> str:
        """Its log."""
        return self.log.read_text() if self.log.exists() else ""

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        lines = httpx.get(f"{self.address}/metrics", timeout=10).text.splitlines()
        found = [
            line for line in lines if line.startswith((f"{name}{{", f"{name} ")) and all(w in line for w in wanted)
        ]
        return sum(float(line.rpartition(" ")[2]) for line in found)

    @property
    def n_handles(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    @property
    def n_threads(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/task"))


Start = Callable[..., ServerProcess]
"""The fixture `start_server`."""


def wait_for(condition: Callable[[], bool], timeout_s: float, said: Callable[[], str] = str) -> None:
    """Ask again and again, until it holds."""
    ends = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < ends, f"not within {timeout_s:g} s: {said()}"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
