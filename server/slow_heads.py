"""The web server's protocol, with bounds on the time in which the head of a request comes, and on its size: uvicorn has
none.

`middleware/body_deadline` does the same for bodies.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_S = 20.0
MOST_HEAD_BYTES = 64 * 1024


class TimedHeads(HttpToolsProtocol):
    """Closes connections on which no head comes in time, or only a part of one; refuses heads that are too large."""

    head_s = HEAD_S
    _head_bytes = 0
    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody came: from now on the first head is waited for."""
        super().connection_made(transport)
        self._wait()

    def on_message_begin(self) -> None:
        """The first byte of a request, of whatever number."""
        super().on_message_begin()
        self._head_bytes = 0
        self._wait()

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; what is raised here is answered 400, as everything that is no HTTP."""
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > MOST_HEAD_BYTES:
            raise ValueError(f"a request's head is larger than {MOST_HEAD_BYTES} bytes")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._stop_waiting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._stop_waiting()
        self._waiting = self.loop.call_later(self.head_s, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
