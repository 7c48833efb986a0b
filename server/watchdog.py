"""A process whose models hang gives up: a thread that hangs, in a driver say, cannot be killed, but a process can."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread

from server.worker import Worker

EXIT_CODE = 70
"""EX_SOFTWARE of sysexits.h: an error inside; a supervisor that restarts what fails starts a new process."""

log = logging.getLogger(__name__)


def _exit() -> None:
    """End the process now, whatever its threads do: an orderly end would wait for them."""
    os._exit(EXIT_CODE)


@contextmanager
def watching(workers: Sequence[Worker], stuck_s: float, give_up: Callable[[], None] = _exit) -> Iterator[None]:
    """Give up as soon as a worker has been busy with one job for `stuck_s` seconds; 0 waits for ever.

    It looks from a thread, because a job that hangs may keep the event loop from running as well.
    """
    ended = Event()

    def watch() -> None:
        while not ended.wait(min(1.0, stuck_s / 4)):
            for worker in workers:
                if worker.busy_s > stuck_s:
                    log.critical(
                        "the %s worker has been busy with one job for %.0f s, longer than SPARC_STUCK_S allows: the "
                        "process ends with exit code %d, for its supervisor to start a new one",
                        worker.name,
                        worker.busy_s,
                        EXIT_CODE,
                    )
                    give_up()
                    return

    if stuck_s > 0:
        Thread(target=watch, name="watchdog", daemon=True).start()
    try:
        yield
    finally:
        ended.set()
