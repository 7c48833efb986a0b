"""What happens around every request: it gets an id and a deadline, and leaves its times, metrics and a log line."""

import re
import time
from collections.abc import Mapping
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.errors import LOGGED, error_body
from server.logs import AccessLine, log_access
from server.metrics import Metrics
from server.middleware.access import client_address
from server.middleware.answer_headers import AnswerHeaders
from server.request_context import RequestContext, answering
from sparc_core.errors import InputError

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MILLISECONDS = re.compile(r"0*[1-9][0-9]{0,14}")
_NOT_IN_TOKENS = re.compile(r"[^A-Za-z0-9_.-]+")


class Observing:
    """Outermost: makes the request's context current, and reports once the answer has ended."""

    def __init__(self, app: ASGIApp, metrics: Metrics, deadline_s: float) -> None:
        """Args: the application; where its requests are counted; seconds that a request may take at most."""
        self._app, self._metrics, self._deadline_s = app, metrics, deadline_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on inside its context."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 0
        headers, app = Headers(scope=scope), self._app
        context = RequestContext(request_id_of(headers))
        try:
            context.deadline = deadline_of(headers, time.monotonic(), self._deadline_s)
            context.patience_s = 0.0 if "x-deadline-ms" in headers else self._deadline_s
        except InputError as error:
            app = _invalid_deadline(error)

        async def with_times(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                answer = MutableHeaders(scope=message)
                answer["X-Request-Id"] = context.request_id
                answer["Server-Timing"] = server_timing(context.milliseconds, 1000 * (time.perf_counter() - begun))
            await send(message)

        with answering(context):
            try:
                await app(scope, receive, with_times)
            except Exception as error:
                # The framework passes errors on even where they were answered, and the web server would log them anew.
                if scope.get(LOGGED) is not error:
                    raise
            finally:
                self._report(scope, context, status, time.perf_counter() - begun)

    def _report(self, scope: Scope, context: RequestContext, status: int, seconds: float) -> None:
        route = route_of(scope)
        self._metrics.observe_request(route, scope["method"], str(status), seconds)
        self._metrics.observe_steps(route, dict(context.milliseconds))
        client = scope.get("state", {}).get("client")
        name = client.name if client else client_address(scope)
        log_access(AccessLine(scope["method"], scope["path"], route, status, 1000 * seconds, name))


def request_id_of(headers: Headers) -> str:
    """The id that the client gave, where it is a plain one; else a new one."""
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid4().hex


def deadline_of(headers: Headers, now: float, longest_s: float) -> float:
    """When the request's work is of no use any more: after `longest_s`, or sooner where `X-Deadline-Ms` says so.

    Raises:
        InputError: The header is no positive whole number.
    """
    given = headers.get("x-deadline-ms")
    if given is None:
        return now + longest_s
    if not _MILLISECONDS.fullmatch(given):
        raise InputError(f'X-Deadline-Ms is "{given[:40]}": send a whole number of milliseconds, at least 1')
    return now + min(longest_s, int(given) / 1000)


def server_timing(milliseconds: Mapping[str, float], total: float) -> str:
    """The `Server-Timing` header: every step so far, and the time from the request to the answer's beginning."""
    steps = {**milliseconds, "total": total}
    return ", ".join(f"{_NOT_IN_TOKENS.sub('_', name) or '_'};dur={took:.1f}" for name, took in steps.items())


def route_of(scope: Scope) -> str:
    """The template of the route that answered; of files "static", where none matched "unknown"."""
    if isinstance(scope.get("endpoint"), StaticFiles):
        return "static"
    return str(getattr(scope.get("route"), "path", "unknown"))


def _invalid_deadline(error: InputError) -> ASGIApp:
    body = error_body("invalid_request", str(error), {"field": "X-Deadline-Ms"})
    return AnswerHeaders(JSONResponse(body, 422))
