"""The crowd, in a process of its own: `python -m benchmarks.soak_clients < what`, over keep-alive connections.

Reads JSON from stdin: host, port, what is known of the service, clients, seconds, mean pause between visits, seed.
Prints JSON: every answer as [kind, status, milliseconds, second], and what of them was wrong. Plain sockets, as
`http_load`: the crowd shares the processors with the service that it measures.
"""

import asyncio
import json
import sys
import time
from contextlib import suppress
from typing import Any, NamedTuple

from benchmarks.http_load import read_answer
from benchmarks.soak_requests import Ask, Known
from benchmarks.soak_traffic import Visitor

LEFT, BROKEN = -1, 0
"""Statuses of ours: the client hung up; the service did."""
_CUT_IN_STREAM, _BUSY = 500, 503
_MOST_SHOWN = 50


class Record(NamedTuple):
    """One answer: how long it took, and the second of the run in which it was complete."""

    kind: str
    status: int
    milliseconds: float
    at_s: float


class Crowd:
    """Clients that visit a service until their time is over."""

    def __init__(self, host: str, port: int, known: Known, pause_s: float, seed: int) -> None:
        """Args: where, what visitors know, the mean of their pauses, and what their choices follow from."""
        self._host, self._port, self._known, self._pause_s, self._seed = host, port, known, pause_s, seed
        self._begun = time.perf_counter()
        self.records: list[Record] = []
        self.surprises: list[str] = []

    async def run(self, n_clients: int, seconds: float) -> None:
        """Let them come, and wait until all have gone."""
        self._begun = time.perf_counter()
        await asyncio.gather(*(self._client(number, seconds) for number in range(n_clients)))

    async def _client(self, number: int, seconds: float) -> None:
        visitor = Visitor(self._known, 1000 * self._seed + number, number)
        line = _Line(self._host, self._port)
        if self._pause_s:  # they do not all come at once
            await asyncio.sleep(visitor.pause_s(self._pause_s))
        while self._now() < seconds:
            for ask in visitor.visit():
                await self._answer(line, ask)
            if self._pause_s:
                await asyncio.sleep(visitor.pause_s(self._pause_s))
        line.close()

    async def _answer(self, line: "_Line", ask: Ask) -> None:
        begun = time.perf_counter()
        try:
            answered = await line.send(ask)
        except (OSError, EOFError, ValueError) as error:
            line.close()
            self._keep(ask, BROKEN, begun)
            self._wonder(ask, f"broken: {error!r}", b"")
            return
        if answered is None:
            self._keep(ask, LEFT, begun)
            return
        head, body = answered
        status = status_of(head, body)
        self._keep(ask, status, begun)
        if not is_right(ask, status, head, body):
            self._wonder(ask, head.partition(b"\r\n")[0].decode("latin-1"), body)
        elif ask.again and (tag := _header(head, b"etag")):
            tagged = (*ask.headers, ("If-None-Match", tag))
            await self._answer(line, ask._replace(headers=tagged, expected=(304,), again=False))

    def _keep(self, ask: Ask, status: int, begun: float) -> None:
        self.records.append(
            Record(ask.kind, status, round(1000 * (time.perf_counter() - begun), 2), round(self._now(), 2))
        )

    def _wonder(self, ask: Ask, what: str, body: bytes) -> None:
        if len(self.surprises) < _MOST_SHOWN:
            self.surprises.append(f"{ask.method} {ask.target} {ask.body[:200]!r}: {what} {body[-300:]!r}")

    def _now(self) -> float:
        return time.perf_counter() - self._begun


class _Line:
    """A client's connection, opened anew where it has ended."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._open: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, ask: Ask) -> tuple[bytes, bytes] | None:
        """Head and body of the answer; None where the client has left before."""
        was_open = self._open is not None
        try:
            return await self._sent(ask)
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            self.close()
            if not was_open or getattr(error, "partial", b""):
                raise
            return await self._sent(ask)  # the service had closed what was idle for long: browsers ask again, too

    def close(self) -> None:
        """Hang up."""
        if self._open is not None:
            with suppress(OSError):
                self._open[1].transport.abort()
        self._open = None

    async def _sent(self, ask: Ask) -> tuple[bytes, bytes] | None:
        if self._open is None:
            self._open = await asyncio.open_connection(self._host, self._port, limit=2**20)
        reader, writer = self._open
        writer.write(_as_bytes(ask, self._host))
        if ask.leaves_after_s is not None:
            await asyncio.sleep(ask.leaves_after_s)
            self.close()
            return None
        return await read_answer(reader)


def status_of(head: bytes, body: bytes) -> int:
    """The answer's status; of lines whose last one is an error, that error's."""
    status = int(head[9:12])
    if status != 200 or not (_header(head, b"content-type") or "").startswith("application/x-ndjson"):
        return status
    last = json.loads(body.rstrip().rpartition(b"\n")[2])
    if "error" not in last:
        return status
    return _BUSY if last["error"]["code"] == "busy" else _CUT_IN_STREAM


def is_right(ask: Ask, status: int, head: bytes, body: bytes) -> bool:
    """Whether an answer is one of those expected, or an honest refusal: 503, when to come again, and why."""
    if status in ask.expected:
        return True
    if status != _BUSY:
        return False
    if head[9:12] == b"200":  # in the middle of lines
        return True
    is_page = b"text/html" in head
    return bool(_header(head, b"retry-after")) and (is_page or set(json.loads(body)) == {"error"})


def _header(head: bytes, name: bytes) -> str | None:
    for line in head.split(b"\r\n")[1:]:
        found, _, value = line.partition(b":")
        if found.lower() == name:
            return value.strip().decode("latin-1")
    return None


def _as_bytes(ask: Ask, host: str) -> bytes:
    lines = [
        f"{ask.method} {ask.target} HTTP/1.1",
        f"Host: {host}",
        *(f"{name}: {value}" for name, value in ask.headers),
    ]
    if ask.method == "POST":
        lines.append(f"Content-Length: {len(ask.body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + ask.body


def main() -> None:
    """Read what to do, do it, say how it went."""
    wanted: dict[str, Any] = json.load(sys.stdin)
    crowd = Crowd(wanted["host"], wanted["port"], Known.from_json(wanted["known"]), wanted["pause_s"], wanted["seed"])
    asyncio.run(crowd.run(wanted["n_clients"], wanted["seconds"]))
    json.dump({"records": crowd.records, "surprises": crowd.surprises}, sys.stdout)


if __name__ == "__main__":
    main()
