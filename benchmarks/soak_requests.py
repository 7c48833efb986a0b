"""Requests of the soak, and what its crowd knows of a service before it comes."""

import json
from dataclasses import asdict, dataclass
from typing import NamedTuple
from urllib.parse import urlencode

API = "/api/v1"
_JSON = ("Content-Type", "application/json")
_FORM_EDGE = "soak"


@dataclass(frozen=True)
class Known:
    """What a crowd knows of a service before it comes: from its API, and from its folder of static files."""

    bundle_ids: tuple[str, ...]  # the main one first
    n_latents: int
    image_streams: tuple[str, ...]
    text_streams: tuple[str, ...]
    items: tuple[str, ...]
    words: tuple[str, ...]  # of captions
    labels: tuple[str, ...]
    tables: tuple[str, ...]  # of the evaluation
    files: tuple[str, ...]  # paths below /static

    def to_json(self) -> str:
        """For another process."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> "Known":
        """The same, there."""
        fields = json.loads(text)
        return Known(**{name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()})

    @property
    def streams(self) -> tuple[str, ...]:
        """All of them."""
        return self.image_streams + self.text_streams


class Ask(NamedTuple):
    """One request.

    Attributes:
        kind: Under which its time is counted.
        expected: Statuses that are right answers; 503 with all that belongs to it always is, too.
        leaves_after_s: The client hangs up then, without an answer.
        again: With the tag of the answer it is then asked once more, and nothing may have changed.
    """

    kind: str
    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    expected: tuple[int, ...] = (200,)
    leaves_after_s: float | None = None
    again: bool = False


def page(path: str, expected: tuple[int, ...] = (200,), **query: object) -> Ask:
    """A page, as a browser asks for it; parameters that are None are left out."""
    return Ask(
        "page", "GET", _address(path, query), (("Accept", "text/html"), ("Accept-Encoding", "gzip")), b"", expected
    )


def get(kind: str, path: str, **query: object) -> Ask:
    """A GET of the API."""
    return Ask(kind, "GET", _address(API + path, query))


def post(kind: str, path: str, body: object, *headers: tuple[str, str]) -> Ask:
    """A POST of JSON to the API."""
    return Ask(kind, "POST", API + path, (_JSON, *headers), json.dumps(body).encode())


def picture_form(content: bytes) -> Ask:
    """A picture that is sent."""
    part = b'Content-Disposition: form-data; name="file"; filename="drawing"\r\n\r\n'
    body = b"--%b\r\n%b%b\r\n--%b--\r\n" % (_FORM_EDGE.encode(), part, content, _FORM_EDGE.encode())
    kind = ("Content-Type", f"multipart/form-data; boundary={_FORM_EDGE}")
    return Ask("upload", "POST", f"{API}/uploads", (kind,), body)


def _address(path: str, query: dict[str, object]) -> str:
    said = urlencode({name: value for name, value in query.items() if value is not None}, doseq=True)
    return f"{path}?{said}" if said else path
