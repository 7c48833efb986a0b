"""The device worker: one thread that runs the models, so that the event loop never waits and torch is never shared."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sparc_core.errors import SparcError

T = TypeVar("T")


class BusyError(SparcError):
    """Too many jobs wait, or one waited too long; trying again later helps."""

    code = "busy"


class DeviceWorker:
    """Runs jobs one after another; refuses when more than `queue` wait."""

    def __init__(self, queue: int, deadline_s: float) -> None:
        """Args: `queue` waiting jobs at most; a caller waits at most `deadline_s` seconds for its job."""
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="device")
        self._queue, self._deadline_s, self._waiting = queue, deadline_s, 0

    async def run(self, job: Callable[[], T]) -> T:
        """The job's result.

        Raises:
            BusyError: The queue is full, or the deadline passed.
        """
        if self._waiting >= self._queue:
            raise BusyError(f"{self._waiting} requests wait for the models already: try again in a few seconds")
        self._waiting += 1
        try:
            future = asyncio.get_running_loop().run_in_executor(self._executor, job)
            return await asyncio.wait_for(future, self._deadline_s)
        except TimeoutError:
            raise BusyError(f"the models did not answer within {self._deadline_s:g} s: try again later") from None
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Drop waiting jobs and wait for the one that runs."""
        self._executor.shutdown(wait=True, cancel_futures=True)
