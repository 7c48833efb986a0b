"""Rate limits: how many requests one client may send in a stretch of time.

Windows are fixed: one begins with a client's first request and ends on time, so `Retry-After` is exact, and a client
costs one counter. (The moving window of `limits` keeps a time for every request, and its memory storage never forgets
the name of a client; counting here is bounded whatever the number of addresses.)
"""

import math
import time
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network
from typing import NamedTuple

from cachetools import TLRUCache
from limits import RateLimitItem, parse_many
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

from sparc_core.errors import InputError

# About 30 MB when full. Beyond it the client not seen for longest starts anew, which only helps a client with
# thousands of addresses, and that one no limit per address would stop.
MAX_WINDOWS = 65_536


class Refusal(NamedTuple):
    """Why a request is not answered, and after how many whole seconds (at least 1) it would be."""

    message: str
    retry_after_s: int


class RateLimits:
    """The limits of a service and what its clients have used of them; for one event loop."""

    def __init__(
        self, notation: str, max_windows: int = MAX_WINDOWS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Limits for each client.

        Args:
            notation: As in `limits`: "600/minute", or several: "20/second; 600/minute".
            max_windows: Counters to keep at most, one for each client and limit.
            clock: Seconds.

        Raises:
            InputError: The notation is malformed, or a limit lets nobody in.
        """
        self._limits, self._clock = _parsed(notation), clock
        self.windows = Windows(max_windows, clock)
        self._limiter = FixedWindowRateLimiter(self.windows)

    def refusal(self, client: str) -> Refusal | None:
        """Count a request of a client; or say why it is refused, which does not count."""
        name = _one_subscriber(client)
        exceeded = [limit for limit in self._limits if not self._limiter.test(limit, name)]
        if not exceeded:
            for limit in self._limits:
                self._limiter.hit(limit, name)
            return None
        ends = {limit: self._limiter.get_window_stats(limit, name).reset_time for limit in exceeded}
        limit = max(exceeded, key=lambda limit: ends[limit])
        wait_s = max(1, math.ceil(ends[limit] - self._clock()))
        return Refusal(f"at most {_in_words(limit)} are answered: try again in {wait_s} s", wait_s)


class _Window(NamedTuple):
    n: int
    ends: float


class Windows(Storage):
    """Counters that end by themselves, never more than a given number of them."""

    STORAGE_SCHEME = None  # not to be had by URI

    def __init__(self, max_windows: int, clock: Callable[[], float]) -> None:
        """Args: `max_windows` counters are kept; `clock` gives seconds."""
        super().__init__()
        self._clock = clock
        self._windows: TLRUCache[str, _Window] = TLRUCache(max_windows, lambda _, window, __: window.ends, clock)

    def __len__(self) -> int:
        """Counters that are kept."""
        return len(self._windows)

    @property
    def base_exceptions(self) -> type[Exception]:
        """What can fail: nothing, in memory."""
        return ValueError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count up; a new window ends in `expiry` seconds."""
        window = self._windows.get(key) or _Window(0, self._clock() + expiry)
        self._windows[key] = counted = _Window(window.n + amount, window.ends)
        return counted.n

    def get(self, key: str) -> int:
        """How many were counted in the window that is open."""
        window = self._windows.get(key)
        return window.n if window else 0

    def get_expiry(self, key: str) -> float:
        """When the window ends; now, where none is open."""
        window = self._windows.get(key)
        return window.ends if window else self._clock()

    def check(self) -> bool:
        """Memory is there."""
        return True

    def reset(self) -> int:
        """Forget all windows."""
        n = len(self._windows)
        self._windows.clear()
        return n

    def clear(self, key: str) -> None:
        """Forget one window."""
        self._windows.pop(key, None)


def _parsed(notation: str) -> list[RateLimitItem]:
    try:
        limits = parse_many(notation)
    except ValueError:
        limits = []
    if not limits or any(limit.amount < 1 for limit in limits):
        raise InputError(
            f'setting rate_limit is "{notation}": write a number and a stretch of time, like "600/minute", '
            'or several of them, like "20/second; 600/minute"'
        )
    return limits


def _one_subscriber(client: str) -> str:
    """The client; of an IPv6 address its /64, of which a single host may use any address it likes."""
    try:
        address = ip_address(client)
    except ValueError:
        return client
    if not isinstance(address, IPv6Address):
        return client
    return str(address.ipv4_mapped or ip_network((int(address), 64), strict=False))


def _in_words(limit: RateLimitItem) -> str:
    requests = "1 request" if limit.amount == 1 else f"{limit.amount:,} requests"
    time_name = limit.GRANULARITY.name
    return f"{requests} per " + (time_name if limit.multiples == 1 else f"{limit.multiples} {time_name}s")
