"""Load from a process of its own: `python -m benchmarks.http_load < requests`, over keep-alive connections.

Reads JSON from stdin: host, port, a list of requests (raw HTTP as text), how many to send and over how many
connections; the requests are sent in turns. Prints JSON: seconds, milliseconds of every answer, bytes, statuses. Plain
sockets and a few lines of HTTP, so that the load takes as little as it can of the processors that it measures.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from itertools import cycle, islice
from typing import Any


class Load:
    """Sends requests over some connections until enough were answered."""

    def __init__(self, host: str, port: int, requests: list[bytes], n: int, n_connections: int) -> None:
        """Args: where, what (in turns), how often in all, and over how many connections at once."""
        self._host, self._port, self._n_connections = host, port, n_connections
        self._next = islice(cycle(requests), n)
        self.milliseconds: list[float] = []
        self.statuses: Counter[str] = Counter()
        self.n_bytes = 0

    async def run(self) -> float:
        """Send all; seconds that it took."""
        begun = time.perf_counter()
        await asyncio.gather(*(self._connection() for _ in range(self._n_connections)))
        return time.perf_counter() - begun

    async def _connection(self) -> None:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        for request in self._next:
            begun = time.perf_counter()
            writer.write(request)
            head, body = await read_answer(reader)
            self.n_bytes += len(body)
            self.milliseconds.append(1000 * (time.perf_counter() - begun))
            self.statuses[head[9:12].decode()] += 1
        writer.close()


async def read_answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """The head and the body of the next answer on a connection; not of a HEAD request."""
    head = await reader.readuntil(b"\r\n\r\n")
    lower = head.lower()
    if head[9:12] in (b"204", b"304"):
        return head, b""
    if b"transfer-encoding: chunked" in lower:
        pieces = []
        while size := int((await reader.readline()).strip(), 16):
            pieces.append((await reader.readexactly(size + 2))[:-2])
        await reader.readline()
        return head, b"".join(pieces)
    length = int(lower.partition(b"content-length: ")[2].split(b"\r\n", 1)[0])
    return head, await reader.readexactly(length)


def main() -> None:
    """Read what to do, do it, say how it went."""
    wanted: dict[str, Any] = json.load(sys.stdin)
    requests = [request.encode("latin-1") for request in wanted["requests"]]
    load = Load(wanted["host"], wanted["port"], requests, wanted["n"], wanted["n_connections"])
    seconds = asyncio.run(load.run())
    found = {"seconds": seconds, "milliseconds": load.milliseconds, "n_bytes": load.n_bytes, "statuses": load.statuses}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
