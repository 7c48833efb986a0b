"""An operation of the API, and a call of it: what is sent and how the answer is read, without sending anything."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, Protocol, TypeVar
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from server.client.answers import NDJSON, Reader
from server.client.errors import invalid, invalid_arguments
from server.schemas import Wire

T = TypeVar("T")
S = TypeVar("S")

PREFIX = "/api/v1"


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request and how to read its answer.

    Attributes:
        method: GET or POST.
        path: From the root, quoted.
        read: Reads the answer, or raises its error.
        params: The query.
        body: Sent as JSON.
        files: Sent as a form.
        accept: The media type that is wanted.
    """

    method: str
    path: str
    read: Reader[T]
    params: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, object] | None = None
    files: Mapping[str, tuple[str, bytes]] | None = None
    accept: str = "application/json"

    def request(self, http: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        """As httpx sends it."""
        headers = {"Accept": self.accept}
        wait_s = http.timeout.read
        if wait_s is not None and self.accept != NDJSON:  # lines may go on for longer than the wait for one of them
            headers["X-Deadline-Ms"] = str(max(1, round(1000 * wait_s)))
        return http.build_request(
            self.method,
            self.path,
            params=self.params,
            json=self.body,
            files=self.files,
            headers=headers,
        )

    def at(self, cursor: str) -> "Call[T]":
        """The same question for another page, wherever the first one began."""
        asked = {name: value for name, value in self.params.items() if name != "start"}
        return replace(self, params={**asked, "cursor": cursor})

    def accepting(self, media_type: str, read: Reader[S]) -> "Call[S]":
        """The same question, answered in another form."""
        return Call(self.method, self.path, read, self.params, self.body, self.files, media_type)


class _HasCursor(Protocol):
    @property
    def next_cursor(self) -> str | None: ...


Page = TypeVar("Page", bound=_HasCursor)


@dataclass(frozen=True)
class Pages(Generic[Page, T]):
    """A list that is too long for one answer.

    Attributes:
        first: Asks for its first page.
        entries: What is on a page.
    """

    first: Call[Page]
    entries: Callable[[Page], Sequence[T]]

    def after(self, page: Page) -> Call[Page] | None:
        """Asks for the page after this one; None if this was the last."""
        return None if page.next_cursor is None else self.first.at(page.next_cursor)


@dataclass(frozen=True)
class Operation(Generic[T]):
    """One operation of the API, as OpenAPI lists it.

    Attributes:
        method: GET or POST.
        path: Below the prefix; `{names}` stand for what a call fills in.
        read: Reads its answers.
        query: The schema of its query.
        body: The schema of its body.
        file: The field of its form that holds a file.
    """

    method: Literal["GET", "POST"]
    path: str
    read: Reader[T]
    query: type[Wire] | None = None
    body: type[Wire] | None = None
    file: str | None = None

    def call(self, names: Mapping[str, int | str] | None = None, /, **arguments: object) -> Call[T]:
        """A call with arguments, which its schemas check first.

        Args:
            names: What stands for the names in the path.
            **arguments: Fields of its query and body.

        Raises:
            ApiError: An argument cannot be used.
        """
        if self.body is None:
            return self.sending(None, names, **arguments)
        of_body = {name: value for name, value in arguments.items() if name in self.body.model_fields}
        rest = {name: value for name, value in arguments.items() if name not in of_body}
        return self.sending(_checked(self.body, of_body), names, **rest)

    def sending(
        self, body: Wire | None, names: Mapping[str, int | str] | None = None, /, **arguments: object
    ) -> Call[T]:
        """A call with a body that was checked, and fields of its query. What equals a default is left to the server."""
        path = PREFIX + self.path.format_map({name: _quoted(name, value) for name, value in (names or {}).items()})
        query = _checked(self.query, arguments)
        fields, params = (one.model_dump(mode="json", exclude_defaults=True) if one else {} for one in (body, query))
        return Call(self.method, path, self.read, params, None if body is None else fields)

    def sending_file(self, name: str, content: bytes) -> Call[T]:
        """A call that sends a file."""
        assert self.file is not None, f"{self.method} {self.path} takes no file"
        return replace(self.call(), files={self.file: (name, content)})


def _checked(schema: type[Wire] | None, arguments: Mapping[str, object]) -> Wire | None:
    if schema is None:
        assert not arguments, f"there is nothing to take {', '.join(arguments)}"
        return None
    try:
        return schema.model_validate(arguments)
    except ValidationError as error:
        raise invalid_arguments(error) from error


def _quoted(name: str, value: int | str) -> str:
    if value == "":  # the path would be another operation's
        raise invalid(name, f"{name} is empty: name one")
    return quote(str(value), safe="")
