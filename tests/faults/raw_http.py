"""HTTP as bytes over a socket of its own, so that nothing mends a malformed request on its way."""

import http.client
import json
import socket
from typing import NamedTuple

HOST = "127.0.0.1"
JSON = "Content-Type: application/json"
_ANSWER_S = 20
CLOSED = 0
"""Status of a connection that was closed without an answer."""


class RawAnswer(NamedTuple):
    """What came back; a status of `CLOSED` where nothing did."""

    status: int
    headers: dict[str, str]  # by lower-case name
    body: bytes

    @property
    def code(self) -> str | None:
        """The code of the one error body, None where the body is not exactly that."""
        try:
            answer = json.loads(self.body)
        except ValueError:
            return None
        if not isinstance(answer, dict) or set(answer) != {"error"}:
            return None
        error = answer["error"]
        if set(error) != {"code", "message", "detail"} or not error["code"] or not error["message"]:
            return None
        return str(error["code"])


def ask(port: int, request: bytes, end: bool = False) -> RawAnswer:
    """Send bytes and read the answer to the first request in them.

    Args:
        port: Where the server listens.
        request: The bytes.
        end: Say then that no more will come, where the server would wait for it.
    """
    with socket.create_connection((HOST, port), timeout=_ANSWER_S) as connection:
        try:
            connection.sendall(request)
            if end:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it was refused before all was sent: the answer may be there
        try:
            answer = http.client.HTTPResponse(connection, method=request.partition(b" ")[0].decode("latin-1"))
            answer.begin()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return RawAnswer(answer.status, headers, answer.read())
        except (http.client.HTTPException, ConnectionError):
            return RawAnswer(CLOSED, {}, b"")


def request(method: str, target: str, *lines: str, body: bytes | None = None, host: str | None = HOST) -> bytes:
    """A request as bytes.

    Args:
        method: Or anything else to begin with.
        target: Path and query, as they are sent.
        lines: Of the head, "Name: value"; characters up to 255 are sent as single bytes.
        body: Adds its Content-Length.
        host: Value of the header Host; None leaves it out.
    """
    head = [f"{method} {target} HTTP/1.1", *([f"Host: {host}"] if host is not None else []), *lines]
    if body is not None:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode("latin-1") + (body or b"")
