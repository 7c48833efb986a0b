"""Workers: threads that compute, so that the event loop never waits. One of them runs the models, alone.

Jobs wait in a bounded queue and are dropped there when their caller has gone or their deadline has passed. Payloads of
one kind that wait at the same time are computed together, as one *batch*; one that fails is computed in halves, so that
only what is bad in itself fails.

A job that runs cannot be stopped. `busy_s` says for how long one has been running; `watchdog` gives up on such workers.
"""

import asyncio
import contextvars
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass
from threading import Condition, Thread
from typing import Any, TypeVar

from server.refusals import BusyError, StoppingError
from server.request_context import NEVER, current

T = TypeVar("T")
P = TypeVar("P")

BatchReport = Callable[[str, int], None]
Explain = Callable[[BaseException], BaseException]

_STOPPING = "the service is stopping: ask again in a few seconds"


@dataclass(frozen=True)
class Batched:
    """A kind of job whose payloads are computed together.

    Attributes:
        kind: Its name in the metrics.
        key: Payloads of equal kind and key may meet.
        compute: From payloads to as many results, in order.
        limit: Payloads in one batch at most.
    """

    kind: str
    key: object
    compute: Callable[[Sequence[Any]], Sequence[Any]]
    limit: int


@dataclass(eq=False)
class _Job:
    batched: Batched | None
    payload: Any  # of a batch; or the function to call
    deadline: float
    came: float  # on time.perf_counter's clock
    context: contextvars.Context
    future: "Future[Any]"

    def meets(self, other: "_Job") -> bool:
        """Whether both may be in one batch."""
        if self.batched is None or other.batched is None:
            return False
        return (self.batched.kind, self.batched.key) == (other.batched.kind, other.batched.key)


@dataclass(frozen=True)
class _Answer:
    """What came of a job."""

    result: Any = None
    error: BaseException | None = None

    def give(self, future: "Future[Any]") -> None:
        """To whoever waits for it; a worker that was closed meanwhile has answered for it."""
        with suppress(InvalidStateError):
            if self.error is None:
                future.set_result(self.result)
            else:
                future.set_exception(self.error)


class Worker:
    """Runs jobs on threads of its own, in the order in which they came."""

    def __init__(
        self,
        name: str,
        queue: int,
        deadline_s: float,
        n_threads: int = 1,
        report: BatchReport | None = None,
        explain: Explain = lambda error: error,
    ) -> None:
        """Start the threads.

        Args:
            name: Of the worker, in metrics and threads.
            queue: Jobs that wait or run at most; more are refused.
            deadline_s: A caller without a deadline of its own waits so many seconds.
            n_threads: 1 where jobs must not run side by side.
            report: Told the kind and size of every batch.
            explain: Told every error, before anything is computed again; callers get what it returns.
        """
        self.name, self.report, self._queue, self._deadline_s = name, report, queue, deadline_s
        self._explain = explain
        self._jobs: deque[_Job] = deque()
        self._running: dict[_Job, float] = {}  # and when each began, on time.monotonic's clock
        self._changed, self._closed = Condition(), False
        self._threads = [Thread(target=self._work, name=f"{name}-{i}", daemon=True) for i in range(n_threads)]
        for thread in self._threads:
            thread.start()

    @property
    def depth(self) -> int:
        """Jobs that wait or run."""
        with self._changed:
            return len(self._jobs) + len(self._running)

    @property
    def busy_s(self) -> float:
        """For how many seconds the oldest running job, or the batch that it is in, has been running; 0 without one."""
        with self._changed:
            return time.monotonic() - min(self._running.values()) if self._running else 0.0

    async def run(self, job: Callable[[], T]) -> T:
        """The result of a job that has the worker to itself.

        Raises:
            BusyError: The queue is full, or the deadline passed.
        """
        result: T = await self._result(None, job)
        return result

    async def run_batched(self, batched: Batched, payload: P) -> Any:
        """The result for a payload, computed together with those that wait beside it; errors as `run`."""
        return await self._result(batched, payload)

    def close(self, grace_s: float | None = None) -> bool:
        """Drop what waits, and wait for what runs.

        Args:
            grace_s: For so many seconds; then what still runs is left behind, and its callers are told. None: for ever.

        Returns:
            Whether all threads have ended.
        """
        with self._changed:
            self._closed = True
            dropped, self._jobs = list(self._jobs), deque()
            self._changed.notify_all()
        for job in dropped:
            if job.future.set_running_or_notify_cancel():
                job.future.set_exception(StoppingError(_STOPPING))
        ends = None if grace_s is None else time.monotonic() + grace_s
        for thread in self._threads:
            thread.join(None if ends is None else max(0.0, ends - time.monotonic()))
        with self._changed:
            left = list(self._running)
        for job in left:
            _Answer(error=StoppingError(_STOPPING)).give(job.future)
        return not any(thread.is_alive() for thread in self._threads)

    async def _result(self, batched: Batched | None, payload: Any) -> Any:
        deadline = current().deadline
        if deadline == NEVER:
            deadline = time.monotonic() + self._deadline_s
        job = _Job(batched, payload, deadline, time.perf_counter(), contextvars.copy_context(), Future())
        self._admit(job)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(job.future), max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            raise BusyError("the models did not answer before the request's deadline: try again later") from None

    def _admit(self, job: _Job) -> None:
        with self._changed:
            if self._closed:
                raise StoppingError(_STOPPING)
            if len(self._jobs) + len(self._running) >= self._queue:
                self._jobs = deque(waiting for waiting in self._jobs if not waiting.future.cancelled())
            n = len(self._jobs) + len(self._running)
            if n >= self._queue:
                raise BusyError(f"{n} requests wait already: try again in a few seconds")
            self._jobs.append(job)
            self._changed.notify()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._jobs and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                jobs = [job for job in self._take() if _begin(job)]
                self._running.update(dict.fromkeys(jobs, time.monotonic()))
            if jobs:
                answers = self._compute(jobs)
                with self._changed:
                    for job in jobs:
                        del self._running[job]
                # Only now: who has an answer and asks again must not find the place still taken.
                for job, answer in zip(jobs, answers, strict=True):
                    answer.give(job.future)
                del answers, job, answer
            del jobs  # results and pictures must not live until the next job comes

    def _take(self) -> list[_Job]:
        """The next job, and with it all that may be in its batch."""
        first = self._jobs.popleft()
        limit = first.batched.limit if first.batched else 1
        batch = [first]
        if limit > 1:
            batch += [job for job in self._jobs if job.meets(first)][: limit - 1]
            taken = set(map(id, batch))
            self._jobs = deque(job for job in self._jobs if id(job) not in taken)
        return batch

    def _compute(self, jobs: list[_Job]) -> list["_Answer"]:
        begun = time.perf_counter()
        for job in jobs:
            job.context.run(current).add("queue", 1000 * (begun - job.came))
        return self._answers(jobs)

    def _answers(self, jobs: list[_Job]) -> list["_Answer"]:
        begun = time.perf_counter()
        try:
            results = _results(jobs)
        except BaseException as error:
            explained = self._explain(error)
            if len(jobs) == 1:
                return [_Answer(error=explained)]
            del explained
        else:
            self._tell(jobs, 1000 * (time.perf_counter() - begun))
            return [_Answer(result) for result in results]
        # Outside of the handler: the error held on to what was computed so far.
        half = len(jobs) // 2
        return [*self._answers(jobs[:half]), *self._answers(jobs[half:])]

    def _tell(self, jobs: list[_Job], milliseconds: float) -> None:
        batched = jobs[0].batched
        if batched is None:
            return
        for job in jobs:
            job.context.run(current).add(batched.kind, milliseconds)
        if self.report is not None:
            self.report(batched.kind, len(jobs))


def _results(jobs: list[_Job]) -> list[Any]:
    """What a job, or a batch of them, gives."""
    batched = jobs[0].batched
    if batched is None:
        return [jobs[0].context.run(jobs[0].payload)]
    results = list(batched.compute([job.payload for job in jobs]))
    assert len(results) == len(jobs), f"{batched.kind} gave {len(results)} results for {len(jobs)} payloads"
    return results


def _begin(job: _Job) -> bool:
    """Mark a job as running, unless nobody waits for it any more."""
    if not job.future.set_running_or_notify_cancel():
        return False
    if time.monotonic() < job.deadline:
        return True
    job.future.set_exception(BusyError("the request's deadline passed while it waited: try again later"))
    return False
