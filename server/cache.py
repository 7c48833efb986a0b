"""What was computed once and may be asked for again: bounded in bytes, least recently used out first."""

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

from cachetools import LRUCache

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedCache(Generic[K, V]):
    """A cache that counts its hits; safe for any number of threads."""

    def __init__(self, name: str, n_bytes: int, size_of: Callable[[V], int]) -> None:
        """Keep nothing yet.

        Args:
            name: In the metrics.
            n_bytes: Of all values together, at most; larger single values are not kept.
            size_of: Bytes of a value, its key included.
        """
        self.name, self._size_of, self._lock = name, size_of, Lock()
        self._kept: LRUCache[K, V] = LRUCache(n_bytes, size_of)
        self.hits = self.misses = 0

    @property
    def n_bytes(self) -> int:
        """Of all kept values."""
        with self._lock:
            return int(self._kept.currsize)

    def get(self, key: K) -> V | None:
        """The value, or None."""
        with self._lock:
            value = self._kept.get(key)
            if value is None:
                self.misses += 1
            else:
                self.hits += 1
            return value

    def put(self, key: K, value: V) -> None:
        """Keep a value, and forget what was not used for longest."""
        if self._size_of(value) <= self._kept.maxsize:
            with self._lock:
                self._kept[key] = value

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()

    def __len__(self) -> int:
        """How many values are kept."""
        with self._lock:
            return len(self._kept)
