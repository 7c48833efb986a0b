"""What a soak found: answers and footprints become figures, and promises that were kept or not."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from benchmarks.process_watch import Footprint, Moment
from benchmarks.soak_clients import LEFT, Record

MOST_GROWTH = 0.03  # of memory that no file backs
MOST_MORE = 5  # handles or threads
_BUSY = 503


class Times(NamedTuple):
    """Milliseconds within which so many of 100 answers came."""

    n: int
    p50: float
    p95: float
    p99: float


class Change(NamedTuple):
    """What there was at first and at last; of moments, medians over the first and the last fifth of the time."""

    first: float
    last: float

    @property
    def more(self) -> float:
        """By how much it grew."""
        return self.last - self.first

    @property
    def share(self) -> float:
        """The same as a share of what it was."""
        return self.more / self.first


@dataclass(frozen=True)
class Findings:
    """Of one run, after the warm-up.

    Attributes:
        records: Every answer.
        surprises: Answers that no honest service gives, with their requests; the first of them.
        moments: What the service held, every second.
        tells_growth: Whether it was long enough for promises about growth; before, connections and threads come.
        before: What it held at rest, before anybody came.
        after: What it held at rest, once all had gone.
        log_errors: Lines of its log that tell of an error.
    """

    records: Sequence[Record]
    surprises: Sequence[str]
    moments: Sequence[Moment]
    tells_growth: bool
    before: Footprint
    after: Footprint
    log_errors: Sequence[str]

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return len(self.records) / max(record.at_s for record in self.records)

    def times(self, kind: str | None = None) -> Times:
        """Of one kind of requests, or of all that were answered."""
        took = [record.milliseconds for record in self.records if record.status != LEFT and kind in (None, record.kind)]
        return Times(len(took), *np.percentile(took, (50, 95, 99))) if took else Times(0, *[float("nan")] * 3)

    def statuses(self, kind: str | None = None) -> Counter[int]:
        """How often which."""
        return Counter(record.status for record in self.records if kind in (None, record.kind))

    @property
    def kinds(self) -> list[str]:
        """Of requests, the most frequent first."""
        return [kind for kind, _ in Counter(record.kind for record in self.records).most_common()]

    def change(self, field: str) -> Change:
        """Of a field of the footprints."""
        values = [getattr(moment.footprint, field) for moment in self.moments]
        fifth = max(1, len(values) // 5)
        return Change(float(np.median(values[:fifth])), float(np.median(values[-fifth:])))

    @property
    def memory(self) -> Change:
        """Of own memory at rest: what is under way takes some, more when more wait, and that is no growth."""
        return Change(self.before.own, self.after.own)

    @property
    def n_unavailable(self) -> int:
        """Honest refusals: 503 with all that belongs to it."""
        return self.statuses()[_BUSY] - self.n_dishonest_503

    @property
    def n_dishonest_503(self) -> int:
        """503 without a reason, or without a time to come again."""
        return sum(": HTTP/1.1 503" in surprise for surprise in self.surprises)

    @property
    def n_5xx(self) -> int:
        """Answers that say that the service failed, and those that broke off."""
        counts = self.statuses()
        failed = sum(n for status, n in counts.items() if status >= 500 and status != _BUSY)
        return failed + counts[0] + self.n_dishonest_503

    def broken_promises(self) -> list[str]:
        """What was promised and not kept, each in a sentence."""
        memory, handles, threads = self.memory, self.change("handles"), self.change("threads")
        promises = {
            f"{self.n_5xx} answers failed": self.n_5xx == 0,
            f"{len(self.surprises)} answers or more were not those expected": not self.surprises,
            f"memory grew by {memory.share:.1%}, from {memory.first:.0f} to {memory.last:.0f} MB": self._is_steady(),
            f"open handles grew from {handles.first:.0f} to {handles.last:.0f}": not self.tells_growth
            or handles.more <= MOST_MORE,
            f"threads grew from {threads.first:.0f} to {threads.last:.0f}": not self.tells_growth
            or threads.more <= MOST_MORE,
            f"{self.after.handles} handles stayed open of {self.before.handles} before": self._are_closed(),
            f"the log tells of {len(self.log_errors)} errors": not self.log_errors,
        }
        return [sentence for sentence, is_kept in promises.items() if not is_kept]

    def _is_steady(self) -> bool:
        return not self.tells_growth or self.memory.share < MOST_GROWTH

    def _are_closed(self) -> bool:
        return self.after.handles - self.before.handles <= MOST_MORE
