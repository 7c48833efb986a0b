"""API keys: who may ask. A file holds the keys' hashes, never a key; it is read once, when the service starts.

`server/middleware/access.py` asks for every request; `docs/operating.md` says how to use keys.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from starlette.datastructures import Headers

from sparc_core.errors import InputError

# Keys are 32 random bytes: nobody guesses one from its hash, so a fast hash does, and a slow one would only cost time.
_KEY_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LINE = re.compile(rf"(?P<name>{_NAME.pattern})\s+(?P<digest>[0-9a-fA-F]{{64}})(?P<admin>\s+admin)?")


@dataclass(frozen=True)
class Client:
    """Who asks.

    Attributes:
        name: Of the key; of the address where the service has no keys.
        is_admin: May ask for what changes the service.
    """

    name: str
    is_admin: bool = False


class NewKey(NamedTuple):
    """A key that was just made; `line` belongs in the keys file, `key` to its user."""

    key: str
    line: str


class _KnownKey(NamedTuple):
    digest: bytes
    client: Client


class ApiKeys:
    """The keys that are accepted."""

    def __init__(self, known: list[_KnownKey]) -> None:
        """Args: the keys of a file; see `read`."""
        self._known = known

    @classmethod
    def read(cls, path: Path) -> "ApiKeys":
        """The keys of a file: a line each, `NAME SHA256HEX [admin]`; `#` begins a comment.

        Raises:
            InputError: The file cannot be read, a line is malformed, or there is no key in it.
        """
        try:
            lines = path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not text"
            raise InputError(f"cannot read the keys file {path} (setting api_keys): {why}") from None
        read = [_read_line(line, f"line {number} of {path}") for number, line in enumerate(lines, 1)]
        known = [key for key in read if key is not None]
        if not known:
            raise InputError(f"the keys file {path} holds no key: make one with sparc-serve --new-key NAME")
        return cls(known)

    def client_of(self, headers: Headers) -> Client | None:
        """Who sent these headers; None without a key that is known."""
        clients = [self._client_with(key) for key in presented_keys(headers)]
        return next((client for client in clients if client is not None), None)

    def _client_with(self, key: bytes) -> Client | None:
        digest, found = hashlib.sha256(key).digest(), None
        for known in self._known:  # all of them: how long it takes must not say which one matched
            if hmac.compare_digest(known.digest, digest):
                found = known.client
        return found


def new_key(name: str, is_admin: bool) -> NewKey:
    """Make a key.

    Raises:
        InputError: The name cannot stand in the file.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f'"{name}" cannot name a key: use 1 to 64 letters, digits, dots, dashes and underscores')
    key = secrets.token_urlsafe(_KEY_BYTES)
    digest = hashlib.sha256(key.encode()).hexdigest()
    return NewKey(key, f"{name} {digest}{' admin' if is_admin else ''}")


def presented_keys(headers: Headers) -> list[bytes]:
    """What a request offers as key: a bearer token, the password of HTTP Basic, or `X-API-Key`."""
    scheme, _, credentials = headers.get("authorization", "").strip().partition(" ")
    keys = []
    if scheme.lower() == "bearer":
        keys.append(credentials.strip().encode("latin-1"))
    elif scheme.lower() == "basic":
        keys.append(_password(credentials.strip()))
    keys.append(headers.get("x-api-key", "").encode("latin-1"))
    return [key for key in keys if key]


def _password(credentials: str) -> bytes:
    """The password of Basic credentials; empty where they are malformed."""
    try:
        return base64.b64decode(credentials, validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""


def _read_line(line: str, place: str) -> _KnownKey | None:
    entry = line.partition("#")[0].strip()
    if not entry:
        return None
    match = _LINE.fullmatch(entry)
    if match is None:
        # The line itself is not shown: someone may have put a key there instead of its hash.
        raise InputError(
            f'{place} is no key: write "NAME SHA256HEX" or "NAME SHA256HEX admin", as sparc-serve --new-key prints it'
        )
    client = Client(match["name"], is_admin=match["admin"] is not None)
    return _KnownKey(bytes.fromhex(match["digest"]), client)
