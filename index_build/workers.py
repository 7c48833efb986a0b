"""Worker processes for steps that have many independent tasks: one per core, one thread each.

Workers are spawned, not forked (they may load torch), and end by themselves when the builder is killed.
"""

import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

ProgressReport = Callable[[int, int], None]
"""Called with (done, total)."""


def n_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_tasks(
    function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], n_workers: int, report: ProgressReport
) -> None:
    """Call `function(*task)` for every task, in any order, and report after each.

    Args:
        function: A module-level function; it leaves its result in a file.
        tasks: Arguments that pickle.
        n_workers: Processes; 0 runs the tasks here, one by one.
        report: Told how many are done.

    Raises:
        Exception: Whatever the first failing task raised; tasks not yet begun are dropped.
    """
    report(0, len(tasks))
    if n_workers == 0 or len(tasks) == 1:
        for done, task in enumerate(tasks, 1):
            function(*task)
            report(done, len(tasks))
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(n_workers, len(tasks)), context, _start_worker) as pool:
        try:
            futures = [pool.submit(function, *task) for task in tasks]
            for done, future in enumerate(as_completed(futures), 1):
                future.result()
                report(done, len(tasks))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _start_worker() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is first imported
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "this runs in worker processes only"
    parent.join()
    os._exit(1)
