"""When to ask again: after "busy" for a little while, and until a service that is starting is ready."""

import time

import httpx

from server.client.errors import ApiError, address_of

_AGAIN = (429, 503)
_LONGEST_S = 10.0
_WITHOUT_ADVICE_S = 1.0  # where Retry-After is missing, or a date
_POLL_S = 0.25
_STARTING = (429, 502, 503, 504)  # a proxy before it says 502 or 504


class Patience:
    """How often one call is sent again, and after how long."""

    def __init__(self, retries: int) -> None:
        """Args: how often a call is sent again at most."""
        self._left, self._left_s = retries, _LONGEST_S

    def pause_after(self, response: httpx.Response) -> float | None:
        """Seconds to wait before sending again; None if this answer is the last.

        An answer that asks for a longer wait than is left is the last: earlier would be asking for nothing.
        """
        if response.status_code not in _AGAIN or self._left <= 0:
            return None
        advice = response.headers.get("retry-after", "")
        pause = float(advice) if advice.isdecimal() else _WITHOUT_ADVICE_S
        if pause > self._left_s:
            return None
        self._left, self._left_s = self._left - 1, self._left_s - pause
        return pause


class Readiness:
    """A wait for a service that is starting."""

    def __init__(self, url: httpx.URL, timeout_s: float) -> None:
        """Args: `url` of the service, and `timeout_s` from now."""
        self._url, self._timeout_s, self._end = url, timeout_s, time.monotonic() + timeout_s

    def pause_after(self, error: ApiError) -> float:
        """Seconds to wait before looking again. Raises if waiting doesn't help, or the time is over."""
        if error.code not in ("unreachable", "timed_out") and error.status not in _STARTING:
            raise error
        if time.monotonic() + _POLL_S > self._end:
            message = f"{address_of(self._url)} was not ready within {self._timeout_s:g} s; last seen: {error.message}"
            raise ApiError(error.status, "not_ready", message, request_id=error.request_id) from error
        return _POLL_S
