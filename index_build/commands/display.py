"""How the command line shows a build: a bar per step with its speed and the time left, and the seconds at the end.

Where the output is no terminal (a log file, a CI run), a line every half minute takes the place of the bar.
"""

import time
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from index_build.steps import StepResult

if TYPE_CHECKING:
    from index_build.pipeline import BuildReport

_LINE_EVERY_S = 30.0


class _SpeedColumn(ProgressColumn):
    """How many of the step's units a second."""

    def render(self, task: Task) -> Text:
        """Nothing before there is something to divide, and for steps that count nothing."""
        unit = task.fields.get("unit", "")
        return Text(f"{task.speed:,.0f} {unit}/s" if task.speed and unit else "")


class RichDisplay:
    """A `Display` on a terminal; plain lines where the output is no terminal."""

    def __init__(self, console: Console) -> None:
        """Args: where to print."""
        columns = (
            TextColumn("{task.description:<11}"),
            BarColumn(),
            MofNCompleteColumn(),
            _SpeedColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        self._console = console
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task: TaskID | None = None
        self._lines = _Lines(console)

    def __enter__(self) -> "RichDisplay":
        """Begin to draw."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop drawing."""
        self._progress.stop()

    def started(self, step: str, unit: str) -> None:
        """Show a bar for the step."""
        self._task = self._progress.add_task(step, total=None, unit=unit)
        self._lines.started(step, unit)

    def progress(self, step: str, done: int, total: int) -> None:
        """Move the bar."""
        assert self._task is not None, "a step reports progress after it started"
        self._progress.update(self._task, completed=done, total=total)
        if not self._console.is_terminal:
            self._lines.progress(done, total)

    def finished(self, result: StepResult) -> None:
        """Replace the bar by a line."""
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None
        took = "already done" if result.cached else f"{result.seconds:.1f} s"
        self._console.print(f"{result.name:<11} {took}", highlight=False)


class _Lines:
    """Progress as a line every half minute."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.started("", "")

    def started(self, step: str, unit: str) -> None:
        self._step, self._unit = step, unit
        self._first: tuple[float, int] | None = None
        self._last = time.monotonic()

    def progress(self, done: int, total: int) -> None:
        now = time.monotonic()
        self._first = self._first or (now, done)
        if now - self._last < _LINE_EVERY_S:
            return
        self._last = now
        speed = (done - self._first[1]) / max(now - self._first[0], 1e-9)
        left = f", {speed:,.1f}/s, {(total - done) / speed / 60:,.0f} min left" if speed else ""
        self._console.print(f"{self._step:<11} {done:,} of {total:,} {self._unit}{left}", highlight=False)


def times_table(report: "BuildReport") -> Table:
    """Seconds per step."""
    table = Table("step", "seconds", title="build times")
    for step in report.steps:
        table.add_row(step.name, "already done" if step.cached else f"{step.seconds:.1f}")
    table.add_row("publish", f"{report.publish_seconds:.1f}")
    total = sum(step.seconds for step in report.steps) + report.publish_seconds
    table.add_row("total", f"{total:.1f}", style="bold")
    return table
