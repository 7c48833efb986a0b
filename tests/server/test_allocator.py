"""Memory that was freed goes back to the system."""

import platform
import re
import subprocess
import sys
import time
from threading import Event

import pytest

from server.allocator import giving_back

# Blocks of 1,000 bytes on several threads; a few are kept, so that no heap can shrink from its end.
SCATTERED = """
from threading import Barrier, Thread
from benchmarks.process_watch import footprint
from server import allocator
import ctypes, os
{first}
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
all_here = Barrier(12)
def work():
    all_here.wait()
    blocks = [libc.malloc(1000) for _ in range(10_000)]
    for block in blocks:
        ctypes.memset(block, 1, 1000)
    for number, block in enumerate(blocks):
        if number % 1000 != 999:
            libc.free(block)
    all_here.wait()
threads = [Thread(target=work) for _ in range(12)]
before = footprint(os.getpid()).own
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
scattered = footprint(os.getpid()).own
allocator.give_back()
left = footprint(os.getpid()).own
libc.fopen.restype = ctypes.c_void_p
libc.malloc_info.argtypes, libc.fclose.argtypes = [ctypes.c_int, ctypes.c_void_p], [ctypes.c_void_p]
told = libc.fopen(b"/dev/stdout", b"w")
print(scattered - before, left - before, flush=True)
libc.malloc_info(0, told)
libc.fclose(told)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators are left as they are")
@pytest.mark.parametrize(("first", "fewest", "most"), [("", 3, 99), ("allocator.bound_heaps()", 1, 2)])
def test_heaps_are_few_and_what_was_freed_in_pieces_goes_back(first: str, fewest: int, most: int) -> None:
    run = [sys.executable, "-c", SCATTERED.format(first=first)]
    numbers, _, heaps = subprocess.run(run, capture_output=True, text=True, check=True).stdout.partition("\n")
    scattered, left = map(float, numbers.split())
    assert scattered > 90, "it was held"
    assert left < scattered / 10
    assert fewest <= heaps.count("<heap nr=") <= most


def test_it_is_given_back_while_there_is_work() -> None:
    given = Event()
    with giving_back(0.05, given.set):
        assert not given.wait(0.5), "nothing was done"
        until = time.monotonic() + 60
        while not given.is_set() and time.monotonic() < until:
            re.sub("a*b", "", "a" * 2000)  # keeps a processor busy
        assert given.is_set()
