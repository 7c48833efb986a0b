"""Freed memory goes back to the system: glibc would keep it, in pieces, in as many heaps as threads have come and gone.

Under a crowd of clients the free pieces grew, in five minutes, by a fifth of all that the service held, while what was
in use stayed the same (docs/benchmarks.md, "Load and soak").
"""

import ctypes
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

_EVERY_S = 5.0  # what comes after has to fetch its memory again: 10 ms for 40 MB
_WORTH_S = 0.5  # of processor time: with less work in between there is nothing to give back
_M_ARENA_MAX, _MOST_HEAPS = -8, 2  # glibc's malloc.h; threads hold Python's lock for most of what they allocate


def bound_heaps() -> None:
    """Have threads share a few heaps, where the C library can do that; to be called before there are threads."""
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(ctypes.c_int(_M_ARENA_MAX), ctypes.c_int(_MOST_HEAPS))


def give_back() -> None:
    """Give free pages back to the system, where the C library can do that."""
    if malloc_trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        malloc_trim(ctypes.c_size_t(0))


@contextmanager
def giving_back(every_s: float = _EVERY_S, give: Callable[[], object] = give_back) -> Iterator[None]:
    """Give memory back every so often, from a thread of its own, while there is work."""
    ended = Event()

    def keep_giving() -> None:
        worked_s = time.process_time()
        while not ended.wait(every_s):
            if time.process_time() - worked_s >= _WORTH_S:
                give()
                worked_s = time.process_time()

    thread = Thread(target=keep_giving, name="allocator", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
