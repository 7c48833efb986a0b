"""Workers: batches that meet, a bounded queue, deadlines, callers who leave."""

import asyncio
import threading
import time
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from server.refusals import BusyError, StoppingError
from server.request_context import RequestContext, answering
from server.worker import Batched, Worker


def run(scenario: Coroutine[Any, Any, Any]) -> Any:
    """Run to the end on a thread of its own: Playwright leaves a running loop on the tests' thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, scenario).result()


class Gate:
    """A job that says when it began, and ends when it is told to."""

    def __init__(self) -> None:
        self.began, self.may_end = threading.Event(), threading.Event()

    def __call__(self) -> bool:
        self.began.set()
        return self.may_end.wait(10)

    async def beginning(self) -> None:
        await asyncio.to_thread(self.began.wait, 10)


def squares(seen: list[list[int]], limit: int = 4) -> Batched:
    def compute(numbers: Sequence[int]) -> list[int]:
        seen.append(list(numbers))
        return [number**3 // number for number in numbers]  # fails for 0

    return Batched("square", "of integers", compute, limit)


def test_jobs_run_one_at_a_time_on_one_thread() -> None:
    async def scenario() -> list[str]:
        worker = Worker("device", queue=8, deadline_s=5)
        names = await asyncio.gather(*(worker.run(lambda: threading.current_thread().name) for _ in range(5)))
        worker.close()
        return names

    assert set(run(scenario())) == {"device-0"}


def test_several_threads_run_side_by_side() -> None:
    async def scenario() -> None:
        worker, meeting = Worker("search", 8, 5, n_threads=2), threading.Barrier(2, timeout=5)
        await asyncio.gather(worker.run(meeting.wait), worker.run(meeting.wait))
        worker.close()

    run(scenario())


def test_payloads_that_wait_are_computed_together_up_to_the_limit() -> None:
    seen: list[list[int]] = []
    sizes: list[tuple[str, int]] = []

    async def scenario() -> list[int]:
        worker, gate = Worker("device", 32, 5, report=lambda *one: sizes.append(one)), Gate()
        first = asyncio.create_task(worker.run(gate))
        await gate.beginning()
        # Other jobs lie between; they do not part the batch and are not part of it.
        waiting = [asyncio.create_task(worker.run_batched(squares(seen), n)) for n in (1, 2)]
        other = asyncio.create_task(worker.run(lambda: seen.append([-1])))
        waiting += [asyncio.create_task(worker.run_batched(squares(seen), n)) for n in (3, 4, 5)]
        await asyncio.sleep(0)
        gate.may_end.set()
        results = await asyncio.gather(*waiting)
        await asyncio.gather(first, other)
        worker.close()
        return results

    assert run(scenario()) == [1, 4, 9, 16, 25]
    assert seen == [[1, 2, 3, 4], [-1], [5]]
    assert sizes == [("square", 4), ("square", 1)]


def test_one_bad_payload_fails_alone() -> None:
    async def scenario() -> list[object]:
        worker, gate = Worker("device", 32, 5), Gate()
        first = asyncio.create_task(worker.run(gate))
        await gate.beginning()
        waiting = [asyncio.create_task(worker.run_batched(squares([]), n)) for n in (1, 0, 3)]
        await asyncio.sleep(0)
        gate.may_end.set()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        await first
        worker.close()
        return results

    good, bad, also_good = run(scenario())
    assert (good, also_good) == (1, 9)
    assert isinstance(bad, ZeroDivisionError)


def test_a_full_queue_refuses_and_recovers() -> None:
    async def scenario() -> None:
        worker, gate = Worker("device", queue=1, deadline_s=5), Gate()
        first = asyncio.create_task(worker.run(gate))
        await gate.beginning()
        with pytest.raises(BusyError, match="try again"):
            await worker.run(lambda: True)
        gate.may_end.set()
        assert await first
        assert await worker.run(lambda: 7) == 7
        worker.close()

    run(scenario())


def test_who_has_an_answer_finds_his_place_free() -> None:
    async def scenario() -> None:
        worker = Worker("device", queue=1, deadline_s=5)
        for number in range(2000):
            assert await worker.run(lambda number=number: number) == number
        worker.close()

    run(scenario())


def test_a_caller_who_leaves_makes_room_and_his_job_is_not_run() -> None:
    ran: list[str] = []

    async def scenario() -> None:
        worker, gate = Worker("device", queue=2, deadline_s=5), Gate()
        first = asyncio.create_task(worker.run(gate))
        await gate.beginning()
        leaving = asyncio.create_task(worker.run(lambda: ran.append("left")))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.sleep(0)
        staying = asyncio.create_task(worker.run(lambda: ran.append("stayed")))
        await asyncio.sleep(0)
        gate.may_end.set()
        await asyncio.gather(first, staying)
        worker.close()

    run(scenario())
    assert ran == ["stayed"]


def test_a_job_beyond_its_deadline_is_given_up() -> None:
    async def scenario() -> float:
        worker, gate = Worker("device", queue=2, deadline_s=0.05), Gate()
        begun = time.monotonic()
        with pytest.raises(BusyError, match="before the request's deadline"):
            await worker.run(gate)
        waited = time.monotonic() - begun
        gate.may_end.set()
        worker.close()
        return waited

    assert run(scenario()) < 2


def test_a_requests_own_deadline_counts_and_its_late_job_is_not_run() -> None:
    ran: list[int] = []

    async def scenario() -> None:
        worker, gate = Worker("device", queue=4, deadline_s=60), Gate()
        first = asyncio.create_task(worker.run(gate))
        await gate.beginning()
        with answering(RequestContext(deadline=time.monotonic() + 0.05)), pytest.raises(BusyError):
            await worker.run(lambda: ran.append(1))
        gate.may_end.set()
        await first
        worker.close()

    run(scenario())
    assert ran == []


def test_steps_are_counted_for_every_request_of_a_batch() -> None:
    async def ask(worker: Worker, number: int) -> RequestContext:
        context = RequestContext(str(number))
        with answering(context):
            await worker.run_batched(squares([]), number)
        return context

    async def scenario() -> list[RequestContext]:
        worker = Worker("device", queue=8, deadline_s=5)
        contexts = await asyncio.gather(ask(worker, 1), ask(worker, 2))
        worker.close()
        return contexts

    for context in run(scenario()):
        assert set(context.milliseconds) == {"queue", "square"}


def test_a_closed_worker_refuses_and_drops_what_waits() -> None:
    async def scenario() -> None:
        worker, gate = Worker("device", queue=8, deadline_s=5), Gate()
        running = asyncio.create_task(worker.run(gate))
        await gate.beginning()
        waiting = asyncio.create_task(worker.run(lambda: True))
        await asyncio.sleep(0)
        closing = asyncio.create_task(asyncio.to_thread(worker.close))
        with pytest.raises(StoppingError, match="ask again"):
            await waiting
        gate.may_end.set()
        assert await running
        await closing
        with pytest.raises(StoppingError):
            await worker.run(lambda: True)

    run(scenario())


def test_a_batch_that_fails_is_halved_and_errors_are_explained() -> None:
    seen: list[int] = []

    def compute(numbers: Sequence[int]) -> list[int]:
        seen.append(len(numbers))
        if len(numbers) > 2:
            raise MemoryError
        return [number + 1 for number in numbers]

    async def scenario() -> list[int]:
        worker = Worker("device", 32, 5, explain=lambda error: explained.append(type(error)) or error)
        gate = Gate()
        first = asyncio.create_task(worker.run(gate))
        await gate.beginning()
        waiting = [asyncio.create_task(worker.run_batched(Batched("one", 0, compute, 8), n)) for n in range(7)]
        await asyncio.sleep(0)
        gate.may_end.set()
        results = await asyncio.gather(*waiting)
        await first
        worker.close()
        return results

    explained: list[type[BaseException]] = []
    assert run(scenario()) == [1, 2, 3, 4, 5, 6, 7]
    assert seen == [7, 3, 1, 2, 4, 2, 2]
    assert explained == [MemoryError] * 3


def test_a_batch_with_the_wrong_number_of_results_fails_and_the_worker_lives() -> None:
    async def scenario() -> None:
        worker = Worker("device", 8, 5)
        with pytest.raises(AssertionError, match="0 results for 1 payloads"):
            await worker.run_batched(Batched("one", 0, lambda _: [], 8), 1)
        assert await worker.run(lambda: 7) == 7
        worker.close()

    run(scenario())


def test_how_long_a_job_has_been_running_is_known() -> None:
    async def scenario() -> None:
        worker, gate = Worker("device", 8, 5), Gate()
        assert worker.busy_s == 0
        running = asyncio.create_task(worker.run(gate))
        await gate.beginning()
        await asyncio.sleep(0.1)
        assert 0.1 <= worker.busy_s < 5
        gate.may_end.set()
        await running
        assert worker.busy_s == 0
        worker.close()

    run(scenario())


def test_a_closed_worker_leaves_a_job_that_hangs_and_tells_its_caller() -> None:
    async def scenario() -> float:
        worker, gate = Worker("device", 8, 60), Gate()
        hanging = asyncio.create_task(worker.run(gate))
        await gate.beginning()
        begun = time.monotonic()
        assert not await asyncio.to_thread(worker.close, 0.1)
        with pytest.raises(StoppingError):
            await hanging
        took = time.monotonic() - begun
        gate.may_end.set()  # what it gives now is for nobody
        assert await asyncio.to_thread(worker.close, 5)
        return took

    assert run(scenario()) < 5
