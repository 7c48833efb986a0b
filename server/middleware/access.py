"""Who may ask, from where, and how often; decided before the body of a request is read."""

from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from server.errors import error_body
from server.hosts import AllowedHosts, name_of
from server.keys import ApiKeys, Client
from server.rate_limits import RateLimits
from server.settings import Settings

_OPEN = frozenset({"/healthz", "/readyz"})  # orchestrators ask these, without a key
_UNLIMITED_PREFIX, _UNLIMITED = "/static/", _OPEN | {"/metrics"}
_CHALLENGES = ('Basic realm="SPARC Explorer", charset="UTF-8"', 'Bearer realm="SPARC Explorer"')


class Rules(NamedTuple):
    """Whom the service answers: clients with one of these keys (None: everybody), within limits (None: any number), at
    these names.
    """

    keys: ApiKeys | None
    limits: RateLimits | None
    hosts: AllowedHosts


def access_rules(settings: Settings) -> Rules:
    """The rules that the settings name; the keys file is read now, and later changes of it are not seen.

    Raises:
        InputError: The keys file, the notation of the limits or a host's name is malformed.
    """
    return Rules(
        ApiKeys.read(settings.api_keys) if settings.api_keys else None,
        RateLimits(settings.rate_limit) if settings.rate_limit.strip() else None,
        AllowedHosts(settings.allowed_hosts, has_keys=settings.api_keys is not None),
    )


class Access:
    """Refuses names that are not ours and pages of other sites with 403, clients without a known key with 401, and
    those who ask too often with 429.

    Who asks is in `scope["state"]["client"]` afterwards.
    """

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        """Args: the application; `rules` that requests must keep to reach it."""
        self._app, self._rules = app, rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":  # the service has no web sockets
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        await (self._app if refusal is None else refusal)(scope, receive, send)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        """Why the request goes no further; None where it does."""
        headers, path = Headers(scope=scope), scope["path"]
        if path not in _OPEN and not self._rules.hosts.has(headers.get("host", "")):
            return _unknown_host(headers["host"])
        client = self._client(headers, scope)
        if client is None:
            return _unauthorized()
        scope.setdefault("state", {})["client"] = client
        if scope["method"] == "POST" and is_foreign(headers):
            return _foreign()
        limits = self._rules.limits if path not in _UNLIMITED and not path.startswith(_UNLIMITED_PREFIX) else None
        too_many = limits.refusal(client.name) if limits else None
        if too_many is None:
            return None
        return JSONResponse(
            error_body("rate_limited", too_many.message), 429, {"Retry-After": str(too_many.retry_after_s)}
        )

    def _client(self, headers: Headers, scope: Scope) -> Client | None:
        if self._rules.keys is None or scope["path"] in _OPEN:
            return Client(client_address(scope))
        return self._rules.keys.client_of(headers)


def client_address(scope: Scope) -> str:
    """The address that a request came from; behind a trusted proxy, the one that the proxy names."""
    return scope["client"][0] if scope.get("client") else "unknown"


def is_foreign(headers: Headers) -> bool:
    """Whether another site's page sends this through a browser, which adds the key that it was given for us.

    Browsers say so in `Sec-Fetch-Site`, though only at https and on their own machine; `Origin` they always add.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site not in ("same-origin", "none")
    return origin is not None and name_of(origin.rpartition("//")[2]) != name_of(headers.get("host", ""))


def _unknown_host(host: str) -> JSONResponse:
    message = (
        f'this service does not answer at "{host[:80]}": whoever runs it can allow the name with SPARC_ALLOWED_HOSTS'
    )
    return JSONResponse(error_body("unknown_host", message), 403)


def _foreign() -> JSONResponse:
    message = (
        "another site's page may not send this: ask from a page of this service, or from a program; a proxy in front "
        "must pass on the Host of the request"
    )
    return JSONResponse(error_body("cross_site", message), 403)


def _unauthorized() -> JSONResponse:
    message = "this service needs an API key, and the request has none that it knows: send it as a bearer token"
    answer = JSONResponse(error_body("unauthorized", message), 401)
    for challenge in _CHALLENGES:
        answer.headers.append("WWW-Authenticate", challenge)
    return answer
