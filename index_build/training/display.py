"""How the command line shows a training run: a line that moves, and a line per validation that stays."""

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from index_build.training.progress import TrainingProgress


class TrainingDisplay:
    """Progress on a terminal; where the output is no terminal, a plain line now and then."""

    def __init__(self, console: Console) -> None:
        """Args: where to print."""
        columns = (BarColumn(bar_width=20), MofNCompleteColumn(), TextColumn("{task.description}"))
        self._console = console
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._progress.add_task("starting", total=None)

    def __enter__(self) -> "TrainingDisplay":
        """Begin to draw."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop drawing."""
        self._progress.stop()

    def __call__(self, progress: TrainingProgress) -> None:
        """Show a report."""
        text = _describe(progress)
        self._progress.update(self._task, completed=progress.step, total=progress.n_steps, description=text)
        is_last = progress.step == progress.n_steps
        if progress.validation is not None:
            self._print(f"epoch {progress.step * progress.num_epochs // progress.n_steps}: {_validation(progress)}")
        if is_last or not self._console.is_terminal:
            self._print(f"step {progress.step}/{progress.n_steps}: {text}")

    def _print(self, line: str) -> None:
        self._console.print(line, highlight=False, soft_wrap=True)


def _describe(progress: TrainingProgress) -> str:
    errors = " ".join(f"{stream} {error:.3f}" for stream, error in progress.nmse.items())
    text = f"loss {progress.loss:.4f}, NMSE {errors}, cross {progress.mean_cross_nmse:.3f}"
    text += f", dead {progress.dead_share:.1%}, {progress.rows_per_second:,.0f} rows/s"
    text += f", {_clock(progress.seconds_left)} left"
    return text + (f", {progress.n_skipped} batches skipped" if progress.n_skipped else "")


def _validation(progress: TrainingProgress) -> str:
    assert progress.validation is not None, "only reports with validation are shown so"
    errors = " ".join(f"{stream} {error:.4f}" for stream, error in progress.validation.nmse.items())
    return f"validation NMSE {errors}, cross {progress.validation.mean_cross_nmse:.4f}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
