"""Who may ask, and how often; decided before the body of a request is read."""

from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from server.errors import error_body
from server.keys import ApiKeys, Client
from server.rate_limits import RateLimits
from server.settings import Settings

_OPEN = frozenset({"/healthz", "/readyz"})  # orchestrators ask these, without a key
_UNLIMITED_PREFIX, _UNLIMITED = "/static/", _OPEN | {"/metrics"}
_CHALLENGES = ('Basic realm="SPARC Explorer", charset="UTF-8"', 'Bearer realm="SPARC Explorer"')


class Rules(NamedTuple):
    """Whom the service answers: clients with one of these keys (None: everybody), within limits (None: any number)."""

    keys: ApiKeys | None
    limits: RateLimits | None


def access_rules(settings: Settings) -> Rules:
    """The rules that the settings name; the keys file is read now, and later changes of it are not seen.

    Raises:
        InputError: The keys file or the notation of the limits is malformed.
    """
    return Rules(
        ApiKeys.read(settings.api_keys) if settings.api_keys else None,
        RateLimits(settings.rate_limit) if settings.rate_limit.strip() else None,
    )


class Access:
    """Refuses clients without a known key with 401, those who ask too often with 429.

    Who asks is in `scope["state"]["client"]` afterwards.
    """

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        """Args: the application; `rules` that requests must keep to reach it."""
        self._app, self._keys, self._limits = app, rules.keys, rules.limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":  # the service has no web sockets
            await self._app(scope, receive, send)
            return
        client = self._client(scope)
        if client is None:
            await _unauthorized()(scope, receive, send)
            return
        scope.setdefault("state", {})["client"] = client
        if _is_foreign(scope):
            await _foreign()(scope, receive, send)
            return
        refusal = self._limits.refusal(client.name) if self._limits and _is_limited(scope["path"]) else None
        if refusal is None:
            await self._app(scope, receive, send)
            return
        headers = {"Retry-After": str(refusal.retry_after_s)}
        await JSONResponse(error_body("rate_limited", refusal.message), 429, headers)(scope, receive, send)

    def _client(self, scope: Scope) -> Client | None:
        if self._keys is None or scope["path"] in _OPEN:
            return Client(client_address(scope))
        return self._keys.client_of(Headers(scope=scope))


def client_address(scope: Scope) -> str:
    """The address that a request came from; behind a trusted proxy, the one that the proxy names."""
    return scope["client"][0] if scope.get("client") else "unknown"


def _is_limited(path: str) -> bool:
    return path not in _UNLIMITED and not path.startswith(_UNLIMITED_PREFIX)


def _is_foreign(scope: Scope) -> bool:
    """Whether another site's page sends this through a browser, which adds the key that it was given for us."""
    return scope["method"] == "POST" and Headers(scope=scope).get("sec-fetch-site") == "cross-site"


def _foreign() -> JSONResponse:
    message = "another site's page may not send this: ask from a page of this service, or from a program"
    return JSONResponse(error_body("cross_site", message), 403)


def _unauthorized() -> JSONResponse:
    message = "this service needs an API key, and the request has none that it knows: send it as a bearer token"
    answer = JSONResponse(error_body("unauthorized", message), 401)
    for challenge in _CHALLENGES:
        answer.headers.append("WWW-Authenticate", challenge)
    return answer
