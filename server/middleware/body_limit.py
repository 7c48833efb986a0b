"""A bound on the size of requests."""

from contextlib import suppress

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.errors import error_body

_MULTIPART_OVERHEAD = 64 * 1024  # bytes


class _TooManyBytes(Exception):
    """Raised inside the application's receive when a body exceeds the limit."""


class BodyLimit:
    """Refuses request bodies beyond a limit with 413 before they fill memory or disk."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        """Args: `max_bytes` of the file in the body; its multipart envelope may be a little larger."""
        self._app, self._max_bytes = app, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting its bytes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit, seen, started = self._max_bytes + _MULTIPART_OVERHEAD, 0, False
        announced = Headers(scope=scope).get("content-length", "0")
        if announced.isdecimal() and int(announced) > limit:
            await self._refuse(scope, receive, send)
            return

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise _TooManyBytes
            return message

        async def watched(message: Message) -> None:
            nonlocal started
            # The framework answers a body that broke off with an error of its own; ours says why.
            if seen <= limit:
                started = True
                await send(message)

        with suppress(_TooManyBytes):
            await self._app(scope, counted, watched)
        if seen > limit and not started:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit = self._max_bytes / 2**20
        message = f"the request is too large: files of at most {limit:g} MiB are accepted"
        await JSONResponse(error_body("upload_too_large", message), 413)(scope, receive, send)
