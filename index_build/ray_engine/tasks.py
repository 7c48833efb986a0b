"""Independent tasks on a cluster."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import ray

from index_build.ray_engine.errors import unwrapped
from index_build.ray_engine.shared_folder import SharedFolder
from index_build.threads import one_thread
from index_build.workers import Counted, ProgressReport

_TASKS_PER_CPU = 4
_DEATHS_PER_TASK = 10
_LOOK_SECONDS = 0.2
_CANCEL_SECONDS = 60


@dataclass(frozen=True)
class RayTasks:
    """Tasks on all nodes; those of a node that dies are run again elsewhere.

    Attributes:
        shared: Where tasks read and write.
    """

    shared: SharedFolder

    def run(
        self,
        function: Callable[..., Any],
        tasks: Sequence[tuple[Any, ...]],
        report: ProgressReport,
        sizes: Sequence[int] | None = None,
    ) -> None:
        """See `index_build.workers.TaskRunner`; a few tasks per core are handed out at a time, however many there are.

        Raises:
            ClusterError: The nodes or processes that ran a task died ten times.
        """
        counted = Counted(report, sizes or [1] * len(tasks))
        on_worker = ray.remote(num_cpus=1, max_retries=_DEATHS_PER_TASK, scheduling_strategy="SPREAD")(_run_one)
        waiting, running = enumerate(tasks), dict[Any, int]()
        try:
            while True:
                for number, task in islice(waiting, max(0, _most_at_a_time() - len(running))):
                    running[on_worker.remote(self.shared, function, task)] = number
                if not running:
                    return
                done, _ = ray.wait(list(running), num_returns=len(running), timeout=_LOOK_SECONDS)
                for answer in done:
                    number = running.pop(answer)
                    unwrapped(f"a task of {function.__name__}", partial(ray.get, answer))
                    counted.finished(number)
        finally:
            _cancel(list(running))


def _run_one(shared: SharedFolder, function: Callable[..., Any], task: tuple[Any, ...]) -> None:
    shared.require()
    with one_thread():
        function(*task)


def _most_at_a_time() -> int:
    """Enough to keep nodes that are there busy; asked again and again, for nodes come and go."""
    return _TASKS_PER_CPU * max(1, int(ray.cluster_resources().get("CPU", 1)))


def _cancel(running: list[Any]) -> None:
    """Stop tasks and wait until they write no more."""
    for answer in running:
        ray.cancel(answer)
    if running:
        ray.wait(running, num_returns=len(running), timeout=_CANCEL_SECONDS)
