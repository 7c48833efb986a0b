"""Where a step's independent tasks run: here, in processes of this machine, or (`index_build.ray_engine`) on Ray.

A task is a call of a module-level function that leaves its result in a file and can be called again: after an
interruption it finds what is there. Workers are spawned, not forked (they may load torch), use one thread each, and end
by themselves when the builder is killed.
"""

import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol, Self

from sparc_core.errors import SparcError

ProgressReport = Callable[[int, int], None]
"""Called with (done, total)."""


class WorkerError(SparcError):
    """A worker process ended before its task did."""

    code = "worker_ended"


class TaskRunner(Protocol):
    """Runs independent tasks, in any order and anywhere."""

    def run(
        self,
        function: Callable[..., Any],
        tasks: Sequence[tuple[Any, ...]],
        report: ProgressReport,
        sizes: Sequence[int] | None = None,
    ) -> None:
        """Call `function(*task)` for every task.

        Args:
            function: A module-level function; it leaves its result in a file.
            tasks: Arguments that pickle.
            report: Told how much is done.
            sizes: How much each task counts in the report, say its items; 1 each by default.

        Raises:
            Exception: Whatever the first failing task raised; tasks not yet begun are dropped.
            WorkerError: The system, or somebody, ended a worker.
        """
        ...


class LocalTasks:
    """Tasks in processes of this machine; within a `with` block, the same processes for every run."""

    def __init__(self, n_workers: int) -> None:
        """Args: `n_workers` is how many processes; 0 runs the tasks here, one by one."""
        self.n_workers = n_workers
        self._kept: ProcessPoolExecutor | None = None
        self._keeps = False

    def __enter__(self) -> Self:
        """Keep processes from the first run on."""
        self._keeps = True
        return self

    def __exit__(self, *error: object) -> None:
        """End them."""
        self._keeps = False
        self._end()

    def run(
        self,
        function: Callable[..., Any],
        tasks: Sequence[tuple[Any, ...]],
        report: ProgressReport,
        sizes: Sequence[int] | None = None,
    ) -> None:
        """See `TaskRunner`."""
        counted = Counted(report, sizes or [1] * len(tasks))
        if self.n_workers == 0 or len(tasks) <= 1:
            for number, task in enumerate(tasks):
                function(*task)
                counted.finished(number)
            return
        try:
            pool = self._pool()
            futures = {pool.submit(function, *task): number for number, task in enumerate(tasks)}
            for future in as_completed(futures):
                future.result()
                counted.finished(futures[future])
        except BrokenProcessPool:
            self._end()
            raise WorkerError(
                "a worker process was ended from outside, perhaps for want of memory: run the same command again to go "
                'on from here, with fewer "workers" in [engine] if it happens again'
            ) from None
        except BaseException:
            self._end()
            raise
        if not self._keeps:
            self._end()

    def _pool(self) -> ProcessPoolExecutor:
        if self._kept is None:
            self._kept = ProcessPoolExecutor(self.n_workers, multiprocessing.get_context("spawn"), _start_worker)
        return self._kept

    def _end(self) -> None:
        if self._kept is not None:
            self._kept.shutdown(wait=True, cancel_futures=True)
            self._kept = None


class Counted:
    """Turns finished tasks into a report of what is done."""

    def __init__(self, report: ProgressReport, sizes: Sequence[int]) -> None:
        """Args: whom to tell, and how much each task counts; says at once that nothing is done."""
        self._report, self._sizes, self._done, self._total = report, sizes, 0, sum(sizes)
        report(0, self._total)

    def finished(self, number: int) -> None:
        """Count a task."""
        self._done += self._sizes[number]
        self._report(self._done, self._total)


def n_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start_worker() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is first imported
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "this runs in worker processes only"
    parent.join()
    os._exit(1)
