"""What both clients tell httpx: the address, the key, the longest wait."""

from typing import TypedDict

import httpx

from server.client.errors import invalid
from sparc_core import __version__

_LONGEST_S = 24 * 60 * 60
LOCAL = "http://127.0.0.1:8000"


class Settings(TypedDict):
    """Arguments of `httpx.Client` and `httpx.AsyncClient`."""

    base_url: httpx.URL
    headers: dict[str, str]
    timeout: float


def settings(address: str, api_key: str | None, timeout_s: float) -> Settings:
    """How to connect.

    Raises:
        ApiError: The address or the key cannot be one, or there is no time to wait.
    """
    if not 0 < timeout_s <= _LONGEST_S:
        raise invalid("timeout_s", f"timeout_s is {timeout_s:g}: give more than 0 and at most {_LONGEST_S:,} seconds")
    headers = {"User-Agent": f"sparc-client/{__version__}"}
    if api_key is not None:
        headers["Authorization"] = f"Bearer {_checked(api_key)}"
    return Settings(base_url=_url(address), headers=headers, timeout=timeout_s)


def _url(address: str) -> httpx.URL:
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL as error:
        raise invalid("address", f'"{address}" is no address ({error}): give one like {LOCAL}') from error
    if url.scheme not in ("http", "https") or not url.host:
        raise invalid("address", f'"{address}" is no address of a service: give one like {LOCAL}')
    return url


def _checked(api_key: str) -> str:
    """A key from a file often ends in a newline, which no header may hold. The message doesn't say the key."""
    key = api_key.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise invalid(
            "api_key", "api_key is empty, or has spaces or characters beyond ASCII, which no header can carry"
        )
    return key
