"""A bound on the time in which the body of a request comes."""

import asyncio
import time
from contextlib import suppress

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.errors import error_body

# A phone on a bad line is ten times as fast; who sends a byte a second only holds a place.
PATIENCE_S, BYTES_PER_S = 20.0, 8192.0


class _TooSlow(Exception):
    """Raised inside the application's receive when a body does not come in time."""


class BodyDeadline:
    """Answers 408 where a request's body stalls, or trickles."""

    def __init__(self, app: ASGIApp, patience_s: float = PATIENCE_S, bytes_per_s: float = BYTES_PER_S) -> None:
        """Args: the application; how long it may wait for a body, and how much longer for so many bytes that came."""
        self._app, self._patience_s, self._bytes_per_s = app, patience_s, bytes_per_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, timing how long its body is waited for."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen, waited, is_whole, is_slow, started = 0, 0.0, False, False, False

        async def timed() -> Message:
            nonlocal seen, waited, is_whole, is_slow
            if is_whole:  # what comes now is that the client goes
                return await receive()
            begun = time.monotonic()
            left = self._patience_s + seen / self._bytes_per_s - waited
            try:
                message = await asyncio.wait_for(receive(), max(left, 0.01))
            except TimeoutError:
                is_slow = True
                raise _TooSlow from None
            finally:
                waited += time.monotonic() - begun
            seen += len(message.get("body", b""))
            is_whole = not message.get("more_body", False)
            return message

        async def watched(message: Message) -> None:
            nonlocal started
            # The framework answers a body that broke off with an error of its own; ours says why.
            if not is_slow:
                started = True
                await send(message)

        with suppress(_TooSlow):
            await self._app(scope, timed, watched)
        if is_slow and not started:
            message = f"the body of the request came too slowly, {seen:,} bytes in {waited:.0f} s: send it faster"
            # The rest of it would be taken for the next request.
            headers = {"Connection": "close"}
            await JSONResponse(error_body("upload_too_slow", message), 408, headers)(scope, receive, send)
