"""The device worker: one job at a time, a bounded queue, a deadline."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from server.worker import BusyError, DeviceWorker


def run(scenario: Coroutine[Any, Any, Any]) -> Any:
    """Run to the end on a thread of its own: Playwright leaves a running loop on the tests' thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, scenario).result()


def test_jobs_run_one_at_a_time_on_one_thread() -> None:
    async def scenario() -> list[str]:
        worker = DeviceWorker(queue=8, deadline_s=5)
        names = await asyncio.gather(*(worker.run(lambda: threading.current_thread().name) for _ in range(5)))
        worker.close()
        return names

    assert len(set(run(scenario()))) == 1


def test_a_full_queue_refuses_and_recovers() -> None:
    async def scenario() -> None:
        worker = DeviceWorker(queue=1, deadline_s=5)
        gate = threading.Event()
        first = asyncio.create_task(worker.run(lambda: gate.wait(5)))
        await asyncio.sleep(0)
        with pytest.raises(BusyError, match="try again"):
            await worker.run(lambda: True)
        gate.set()
        assert await first
        assert await worker.run(lambda: 7) == 7
        worker.close()

    run(scenario())


def test_a_job_beyond_its_deadline_is_given_up() -> None:
    async def scenario() -> None:
        worker = DeviceWorker(queue=2, deadline_s=0.05)
        gate = threading.Event()
        with pytest.raises(BusyError, match=r"within 0\.05 s"):
            await worker.run(lambda: gate.wait(5))
        gate.set()
        worker.close()

    run(scenario())
