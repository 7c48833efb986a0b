"""How the command line shows a training run: two lines that move, and one per validation that stays."""

from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from index_build.training.progress import TrainingProgress


class TrainingDisplay:
    """Progress on a terminal; where the output is no terminal, a plain line now and then."""

    def __init__(self, console: Console) -> None:
        """Args: where to print."""
        self._console = console
        self._bar = Progress(BarColumn(20), MofNCompleteColumn(), TextColumn("{task.description}"), console=console)
        self._task = self._bar.add_task("starting", total=None)
        self._errors = Text()
        # Two lines: one would not fit a terminal of 80 columns.
        self._live = Live(Group(self._bar, self._errors), console=console, transient=True)

    def __enter__(self) -> "TrainingDisplay":
        """Begin to draw."""
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop drawing."""
        self._live.stop()

    def __call__(self, progress: TrainingProgress) -> None:
        """Show a report."""
        errors, pace = _errors(progress), _pace(progress)
        self._bar.update(self._task, completed=progress.step, total=progress.n_steps, description=pace)
        self._errors.plain = errors
        if progress.validation is not None:
            self._print(f"epoch {progress.epoch}: {_validation(progress)}")
        if progress.step == progress.n_steps or not self._console.is_terminal:
            self._print(f"step {progress.step}/{progress.n_steps}: {errors}, {pace}")

    def _print(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)


def _errors(progress: TrainingProgress) -> str:
    errors = " ".join(f"{stream} {error:.3f}" for stream, error in progress.nmse.items())
    text = f"loss {progress.loss:.4f}, NMSE {errors}"
    return text if len(progress.nmse) == 1 else f"{text}, cross {progress.mean_cross_nmse:.3f}"


def _pace(progress: TrainingProgress) -> str:
    text = f"dead {progress.dead_share:.1%}, {progress.rows_per_second:,.0f} rows/s"
    text += f", {_clock(progress.seconds_left)} left"
    return text + (f", {progress.n_skipped} batches skipped" if progress.n_skipped else "")


def _validation(progress: TrainingProgress) -> str:
    assert progress.validation is not None, "only reports with validation are shown so"
    errors = " ".join(f"{stream} {error:.4f}" for stream, error in progress.validation.nmse.items())
    text = f"validation NMSE {errors}"
    return text if len(progress.nmse) == 1 else f"{text}, cross {progress.validation.mean_cross_nmse:.4f}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
