"""What a process holds: memory, open handles, threads, from Linux's /proc; once, or every second in the background."""

import re
import time
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple

_KB = re.compile(r"^(Rss|Pss|Anonymous|Private_Dirty):\s+(\d+) kB$", re.MULTILINE)


class Footprint(NamedTuple):
    """What a process holds at one moment; memory in MB.

    Attributes:
        rss: Resident memory, with the bundle's mapped pages that it has touched.
        pss: The same, pages that several processes share counted in parts.
        own: Memory that no file backs. Mapped pages come and go as the system likes; only this can leak.
    """

    rss: float
    pss: float
    own: float
    handles: int
    threads: int


class Moment(NamedTuple):
    """A footprint, and how many seconds after the watch had begun it was taken."""

    at_s: float
    footprint: Footprint


def footprint(pid: int) -> Footprint:
    """What a process holds now.

    Raises:
        FileNotFoundError: There is no such process, or this is not Linux.
    """
    process = Path(f"/proc/{pid}")
    kilobytes = {name: int(value) / 1e3 for name, value in _KB.findall((process / "smaps_rollup").read_text())}
    return Footprint(
        rss=kilobytes["Rss"],
        pss=kilobytes["Pss"],
        own=kilobytes["Anonymous"],
        handles=len(list((process / "fd").iterdir())),
        threads=len(list((process / "task").iterdir())),
    )


class Watch:
    """Takes a process's footprint every so often, on a thread of its own, between `with` and its end."""

    def __init__(self, pid: int, every_s: float = 1.0) -> None:
        """Args: the process, and seconds between two looks."""
        self._pid, self._every_s, self._ended = pid, every_s, Event()
        self._thread = Thread(target=self._look, daemon=True)
        self.moments: list[Moment] = []

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        begun = time.monotonic()
        while not self._ended.wait(self._every_s):
            try:
                self.moments.append(Moment(time.monotonic() - begun, footprint(self._pid)))
            except FileNotFoundError:  # it ended: whoever asks it will notice
                return
