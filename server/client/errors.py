"""The client's one exception, and what becomes one: arguments, answers with an error, connections that fail."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from pydantic import ValidationError

from server.schemas import ErrorBody, ErrorDetail
from sparc_core.errors import SparcError

_LONGEST_SEEN = 80  # characters of a wrong value in a message


class ApiError(SparcError):
    """A question got no answer.

    Attributes:
        status: The HTTP status (200 where lines had come before); None if nothing was sent, or nothing came back.
        code: Stable, for programs: the server's own ("latent_not_found"), or the client's: "invalid_request" (also the
            server's; with status None nothing was sent), "unreachable", "timed_out", "not_ready", "unexpected_answer".
        message: One sentence for people.
        detail: Facts for programs.
        request_id: Names the request in the server's logs.
    """

    def __init__(
        self,
        status: int | None,
        code: str,
        message: str,
        detail: dict[str, object] | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.detail, self.request_id = detail or {}, request_id

    def __reduce__(self) -> tuple[type["ApiError"], tuple[object, ...]]:
        """Errors of worker processes come back pickled; the default would forget all but the message."""
        return ApiError, (self.status, self.code, self.message, self.detail, self.request_id)


def invalid(field: str, message: str) -> ApiError:
    """An argument cannot be used; nothing was sent."""
    return ApiError(None, "invalid_request", message, {"field": field})


def invalid_arguments(error: ValidationError) -> ApiError:
    """The first problem that a schema has with the arguments, in one sentence."""
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    problem = first["msg"].removeprefix("Value error, ")
    if not field:  # of the arguments together: the schema's own sentence
        return invalid("", problem)
    seen = repr(first["input"])
    seen = seen if len(seen) <= _LONGEST_SEEN else f"{seen[: _LONGEST_SEEN - 3]}..."
    return invalid(field, f"{field}: {problem[:1].lower()}{problem[1:]}, and this is {seen}")


def error_of(response: httpx.Response) -> ApiError:
    """What an answer without success says."""
    try:
        said = ErrorBody.model_validate_json(response.content, extra="ignore").error
    except ValidationError:
        return unexpected(response, f"has status {response.status_code} and is no error of SPARC Explorer's")
    return said_error(response, said)


def said_error(response: httpx.Response, said: ErrorDetail) -> ApiError:
    """The server's own words."""
    return ApiError(response.status_code, said.code, said.message, said.detail, _request_id(response))


def unexpected(response: httpx.Response, problem: str) -> ApiError:
    """An answer that the contract doesn't know; `problem` goes on after "the answer"."""
    request = response.request
    message = (
        f"the answer to {request.method} {request.url.path} {problem}: is it SPARC Explorer that answers at "
        f"{address_of(request.url)}, in the version of this client?"
    )
    return ApiError(response.status_code, "unexpected_answer", message, request_id=_request_id(response))


def address_of(url: httpx.URL) -> str:
    """Scheme, host and port, without a user's name and password."""
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


@contextmanager
def failures_named(url: httpx.URL) -> Iterator[None]:
    """Turn failed connections into `ApiError`s that name the address."""
    try:
        yield
    except httpx.ConnectTimeout as error:
        raise _unreachable(url, "it takes too long to connect") from error
    except httpx.TimeoutException as error:
        raise ApiError(
            None, "timed_out", f"{address_of(url)} did not answer in time: give the client a greater timeout_s"
        ) from error
    except httpx.DecodingError as error:
        raise ApiError(None, "unexpected_answer", f"what {address_of(url)} answers cannot be unpacked") from error
    except httpx.TransportError as error:
        raise _unreachable(url, str(error) or "the connection broke off") from error


def _unreachable(url: httpx.URL, why: str) -> ApiError:
    return ApiError(None, "unreachable", f"{address_of(url)} cannot be reached ({why}): is sparc-serve running there?")


def _request_id(response: httpx.Response) -> str | None:
    return response.headers.get("x-request-id")
