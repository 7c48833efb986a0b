"""One error body for everything that goes wrong: `{"error": {"code", "message", "detail"}}`, as a page for browsers."""

import asyncio
import logging
from typing import TYPE_CHECKING, NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from server.page_rendering import error_page
from server.refusals import (
    BundleGoneError,
    BundleRefusedError,
    BusyError,
    ClientGoneError,
    MemoryFullError,
    NotAdminError,
)
from server.schemas import ErrorBody, ErrorDetail
from sparc_core.errors import BundleError, NotFoundError, SparcError
from sparc_core.picture_files import TooManyPixelsError

if TYPE_CHECKING:
    from server.explorer import Explorer  # which imports much that errors do not need

log = logging.getLogger(__name__)

LOGGED = "sparc.logged"
"""Key of a request's scope: the unexpected error that was logged and answered, for nobody to log it again."""

_STATUS: tuple[tuple[type[SparcError], int], ...] = (
    (NotFoundError, 404),
    (TooManyPixelsError, 413),
    (BusyError, 503),
    (MemoryFullError, 503),
    (BundleGoneError, 503),
    (BundleRefusedError, 409),
    (NotAdminError, 403),
    (ClientGoneError, 499),
)
_HTTP_CODES = {404: "page_not_found", 405: "method_not_allowed"}
_RETRY_AFTER_S = {BundleGoneError.code: 30, MemoryFullError.code: 10}
_RETRY_SOON_S = 2


class Refusal(NamedTuple):
    """The HTTP status, code and sentence of an error."""

    status: int
    code: str
    message: str


def install_error_handlers(app: FastAPI) -> None:
    """Answer every error with the one body; unexpected ones are logged and say nothing of the inside."""
    app.add_exception_handler(SparcError, _domain_error)
    app.add_exception_handler(MemoryError, _out_of_memory)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected)


def error_body(code: str, message: str, detail: dict[str, object] | None = None) -> dict[str, object]:
    """The error body as JSON-ready data."""
    # JSON can ask for halves of characters ("\ud800"), which messages repeat and which no answer can be written in.
    readable = message.encode("utf-8", "replace").decode()
    return ErrorBody(error=ErrorDetail(code=code, message=readable, detail=detail or {})).model_dump()


def status_of(error: SparcError) -> int:
    """The HTTP status of a domain error."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 422)


async def refusal_of(request: Request, error: SparcError) -> Refusal:
    """What a client is told of a domain error. Of a bundle's errors, which name places, only the log says all."""
    if not isinstance(error, BundleError):
        return Refusal(status_of(error), error.code, str(error))
    explorer: "Explorer | None" = getattr(request.state, "explorer", None)
    if explorer is not None and not await asyncio.to_thread(explorer.all_there):
        return Refusal(503, BundleGoneError.code, str(BundleGoneError()))
    log.error("the bundle is damaged, seen at %s", request.url.path, exc_info=error)
    message = "the bundle that is served is damaged, or was changed while it was open; it was logged"
    return Refusal(500, error.code, message)


async def _domain_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, SparcError)
    return _answer(request, *await refusal_of(request, error))


async def _out_of_memory(request: Request, error: Exception) -> Response:
    log.error("out of memory at %s", request.url.path)
    return _answer(request, 503, MemoryFullError.code, str(MemoryFullError()))


async def _invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:])
    problem = str(first["msg"]).removeprefix("Value error, ")
    message = f"{field}: {problem}" if field else problem
    if first["type"] == "json_invalid":
        field, message = "", "the body of the request is not valid JSON"
    elif first["type"] == "extra_forbidden":
        message = f'there is no "{field[:60]}" here: correct its spelling, or leave it out'
    elif first["type"] == "model_attributes_type":
        message = "the body of the request is no JSON object: send one, with content-type application/json"
    elif first["type"] == "string_too_short":
        message = f"{field} is empty: type at least one word"
    elif first["type"] == "string_too_long":
        seen = len(first["input"])
        message = f"{field} has {seen:,} characters, at most {first['ctx']['max_length']} are read: shorten it"
    return _answer(request, 422, "invalid_request", message, {"field": field})


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = _HTTP_CODES.get(error.status_code, "http_error")
    message = str(error.detail)
    if error.status_code == 404:
        message = f'there is nothing at "{request.url.path[:200]}"'
    if error.status_code == 405:
        message = f"{request.method[:20]} is not possible here: use {(error.headers or {}).get('Allow', 'GET or HEAD')}"
    if error.status_code == 400:  # the framework's answer to bytes that are no text, or no multipart form
        return _answer(
            request, 422, "invalid_request", "the body of the request cannot be read: send what its type says"
        )
    answer = _answer(request, error.status_code, code, message)
    answer.headers.update(error.headers or {})  # of 405 which methods there are
    return answer


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("unexpected error at %s", request.url.path, exc_info=error)
    request.scope[LOGGED] = error
    return _answer(request, 500, "internal_error", "something went wrong on the server; it was logged")


def _answer(
    request: Request, status: int, code: str, message: str, detail: dict[str, object] | None = None
) -> Response:
    headers = {"Retry-After": str(_RETRY_AFTER_S.get(code, _RETRY_SOON_S))} if status == 503 else {}
    if not request.url.path.startswith(("/api/", "/static/")) and "text/html" in request.headers.get("accept", ""):
        page = error_page(request, status, ErrorDetail(code=code, message=message, detail=detail or {}))
        page.headers.update(headers)
        return page
    return JSONResponse(error_body(code, message, detail), status, headers)
