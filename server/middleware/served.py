"""Which bundle answers a request, held for as long as that takes; and whether the client has the answer already."""

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.serving import Serving
from sparc_core import __version__

_API = "/api/v1/"
# Uploads are not the bundle's: they stay when another one is served, and their addresses name their content.
_OTHERS = ("/api/v1/uploads/",)
_REVALIDATE = "private, no-cache"


class Served:
    """Lends the explorer to the request (`scope["state"]["explorer"]`), and tags what depends on the bundle alone.

    Every GET below /api/v1 says the same until another bundle or version is served, so one tag serves all of those that
    ask for the same bundle.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Args: the application; its state has a `serving` once the bundle is open."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with an explorer, or answer that nothing changed."""
        serving: Serving | None = getattr(scope["app"].state, "serving", None) if scope["type"] == "http" else None
        if serving is None:
            await self._app(scope, receive, send)
            return
        with serving.lend() as explorer:
            scope.setdefault("state", {})["explorer"] = explorer
            tag = _tag(scope, list(explorer.served)) if _is_tagged(scope) else None
            if tag is None:
                await self._app(scope, receive, send)
                return
            if tag in _known_tags(Headers(scope=scope)):
                await Response(status_code=304, headers={"ETag": tag, "Cache-Control": _REVALIDATE})(
                    scope, receive, send
                )
                return

            async def with_tag(message: Message) -> None:
                if message["type"] == "http.response.start" and message["status"] == 200:
                    headers = MutableHeaders(scope=message)
                    headers["ETag"] = tag
                    headers.setdefault("Cache-Control", _REVALIDATE)
                await send(message)

            await self._app(scope, receive, with_tag)


def _is_tagged(scope: Scope) -> bool:
    path = scope["path"]
    return scope["method"] == "GET" and path.startswith(_API) and not path.startswith(_OTHERS)


def _tag(scope: Scope, served: list[str]) -> str | None:
    """Of the bundle that the address names, else of the main one; None where what it names is not served."""
    asked = QueryParams(scope["query_string"]).get("bundle", served[0])
    return f'W/"{asked}-{__version__}"' if asked in served else None


def _known_tags(headers: Headers) -> set[str]:
    return {tag.strip() for tag in headers.get("if-none-match", "").split(",")}
