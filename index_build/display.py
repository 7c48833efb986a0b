"""How the command line shows a build: a progress bar per step while it runs, and the seconds of each at the end."""

from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from index_build.steps import StepResult

if TYPE_CHECKING:
    from index_build.pipeline import BuildReport


class RichDisplay:
    """A `Display` on a terminal; plain lines where the output is no terminal."""

    def __init__(self, console: Console) -> None:
        """Args: where to print."""
        columns = (TextColumn("{task.description:<11}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._console = console
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task: TaskID | None = None

    def __enter__(self) -> "RichDisplay":
        """Begin to draw."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop drawing."""
        self._progress.stop()

    def started(self, step: str) -> None:
        """Show a bar for the step."""
        self._task = self._progress.add_task(step, total=None)

    def progress(self, step: str, done: int, total: int) -> None:
        """Move the bar."""
        assert self._task is not None, "a step reports progress after it started"
        self._progress.update(self._task, completed=done, total=total)

    def finished(self, result: StepResult) -> None:
        """Replace the bar by a line."""
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None
        took = "already done" if result.cached else f"{result.seconds:.1f} s"
        self._console.print(f"{result.name:<11} {took}", highlight=False)


def times_table(report: "BuildReport") -> Table:
    """Seconds per step."""
    table = Table("step", "seconds", title="build times")
    for step in report.steps:
        table.add_row(step.name, "already done" if step.cached else f"{step.seconds:.1f}")
    table.add_row("publish", f"{report.publish_seconds:.1f}")
    total = sum(step.seconds for step in report.steps) + report.publish_seconds
    table.add_row("total", f"{total:.1f}", style="bold")
    return table
