"""Headers on every answer that keep other sites, the browser's guesses and shared caches away from it.

There are no CORS headers, ever: pages of other origins must not read answers.
"""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SECURITY = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; style-src 'self' 'unsafe-inline'; "
        "object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
# Of the bundle, or for a client alone: a cache on the way must not answer others with it. Static files are everybody's.
_PRIVATE, _STATIC = "private, no-cache", "/static/"


class AnswerHeaders:
    """Adds these headers to every answer that does not have its own."""

    def __init__(self, app: ASGIApp) -> None:
        """Args: the application that answers."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and add the headers to what comes back."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _SECURITY.items():
                    headers.setdefault(name, value)
                if not scope["path"].startswith(_STATIC):
                    headers.setdefault("Cache-Control", _PRIVATE)
            await send(message)

        await self._app(scope, receive, with_headers)
