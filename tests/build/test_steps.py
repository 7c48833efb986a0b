"""The step engine: caching, resuming, locking."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from index_build.folder_lock import locked
from index_build.steps import SilentDisplay, Step, StepContext, run_steps
from index_build.workers import LocalTasks, WorkerError
from sparc_core.errors import InputError


def _step(name: str, needs: tuple[str, ...], run: Callable[[StepContext], None], **settings: int) -> Step:
    return Step(name, needs, settings, ("index_build.steps",), run)


class Journal:
    """Two steps that write down when they run."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def steps(self, first: int = 0, second: int = 0) -> list[Step]:
        return [_step("one", (), self._one, value=first), _step("two", ("one",), self._two, value=second)]

    def _one(self, step: StepContext) -> None:
        self.ran.append("one")
        (step.folder / "text").write_text("1")

    def _two(self, step: StepContext) -> None:
        self.ran.append("two")
        (step.folder / "text").write_text((step.inputs["one"] / "text").read_text() + "2")


def test_a_step_runs_once(tmp_path: Path) -> None:
    journal = Journal()
    first = run_steps(journal.steps(), tmp_path, SilentDisplay())
    second = run_steps(journal.steps(), tmp_path, SilentDisplay())
    assert journal.ran == ["one", "two"]
    assert (first["two"].folder / "text").read_text() == "12"
    assert first["two"].folder == second["two"].folder
    assert [result.cached for result in second.values()] == [True, True]


def test_a_changed_setting_reruns_the_step_and_what_needs_it(tmp_path: Path) -> None:
    journal = Journal()
    run_steps(journal.steps(), tmp_path, SilentDisplay())
    run_steps(journal.steps(second=1), tmp_path, SilentDisplay())
    assert journal.ran == ["one", "two", "two"]
    run_steps(journal.steps(first=1), tmp_path, SilentDisplay())
    assert journal.ran == ["one", "two", "two", "one", "two"]
    run_steps(journal.steps(), tmp_path, SilentDisplay())
    assert len(journal.ran) == 5


def test_changed_code_reruns_the_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "recipe_of_step.py"
    module.write_text("a = 1")
    monkeypatch.syspath_prepend(str(tmp_path))
    journal = Journal()
    steps = [replace(step, sources=("recipe_of_step",)) for step in journal.steps()]
    run_steps(steps, tmp_path / "work", SilentDisplay())
    module.write_text("a = 2")
    run_steps(steps, tmp_path / "work", SilentDisplay())
    assert journal.ran == ["one", "two", "one", "two"]


def test_a_failed_step_leaves_no_result_and_finds_its_files_again(tmp_path: Path) -> None:
    seen = []

    def fragile(step: StepContext) -> None:
        seen.append((step.folder / "half").exists())
        (step.folder / "half").write_text("done")
        if len(seen) == 1:
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        run_steps([_step("one", (), fragile)], tmp_path, SilentDisplay())
    run_steps([_step("one", (), fragile)], tmp_path, SilentDisplay())
    assert seen == [False, True]


def test_two_builders_do_not_share_a_work_folder(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from index_build.folder_lock import locked\n"
        "with locked(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(InputError, match="in use by another process"), locked(tmp_path):
            pytest.fail("the lock was taken twice")
        holder.kill()
        holder.wait()
        with locked(tmp_path):
            pass


def test_a_work_folder_that_cannot_be_written_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot be written"), locked(tmp_path / "file" / "work"):
        pytest.fail("there is no such folder")


def _write(path: Path, text: str) -> None:
    if text == "bad":
        raise InputError("bad text")
    path.write_text(text)


@pytest.mark.parametrize("n_workers", [0, 2])
def test_every_task_runs(tmp_path: Path, n_workers: int) -> None:
    reports: list[tuple[int, int]] = []
    tasks = [(tmp_path / str(number), str(number)) for number in range(4)]
    LocalTasks(n_workers).run(_write, tasks, lambda done, total: reports.append((done, total)))
    assert reports == [(done, 4) for done in range(5)]
    assert sorted(path.read_text() for path in tmp_path.iterdir()) == list("0123")


def test_a_failing_task_ends_the_run(tmp_path: Path) -> None:
    tasks = [(tmp_path / str(number), "bad") for number in range(3)]
    with pytest.raises(InputError, match="bad text"):
        LocalTasks(2).run(_write, tasks, lambda done, total: None)


def _end_at_once(code: int) -> None:
    os._exit(code)


def test_a_worker_that_is_ended_from_outside_is_a_domain_error() -> None:
    with pytest.raises(WorkerError, match=r"ended from outside.*: run the same command again to go on from here"):
        LocalTasks(2).run(_end_at_once, [(1,), (2,)], lambda done, total: None)


def test_tasks_count_by_their_sizes(tmp_path: Path) -> None:
    reports: list[tuple[int, int]] = []
    tasks = [(tmp_path / str(number), str(number)) for number in range(3)]
    LocalTasks(0).run(_write, tasks, lambda done, total: reports.append((done, total)), [5, 1, 4])
    assert reports == [(0, 10), (5, 10), (6, 10), (10, 10)]
