"""Where workers leave news for the builder: how far they are, and the error that ends the work."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from index_build.workers import ProgressReport


class News(NamedTuple):
    """What there is to know: so much is done, of so much, and the first error."""

    done: int = 0
    total: int = 0
    error: Exception | None = None


class _Actor:
    """Keeps the news."""

    def __init__(self) -> None:
        self._news = News()

    def tell(self, done: int, total: int) -> None:
        self._news = self._news._replace(done=done, total=total)

    def fail(self, error: Exception) -> None:
        if self._news.error is None:
            self._news = self._news._replace(error=error)

    def read(self) -> News:
        return self._news


@dataclass(frozen=True)
class Board:
    """Pickles into workers; gone when nobody holds it.

    Attributes:
        actor: On the builder's node, which outlives all others.
    """

    actor: Any

    @classmethod
    def new(cls) -> "Board":
        """An empty one."""
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        return cls(ray.remote(num_cpus=0, scheduling_strategy=here)(_Actor).remote())

    def read(self) -> News:
        """The news."""
        news: News = ray.get(self.actor.read.remote())
        return news

    def tell(self, done: int, total: int) -> None:
        """Leave how much is done, and go on at once."""
        self.actor.tell.remote(done, total)

    def fail(self, error: Exception) -> None:
        """Leave what ends the work; it is there when this returns."""
        ray.get(self.actor.fail.remote(error))

    def watch(self, ended: Callable[[], bool], report: ProgressReport) -> None:
        """Pass on how much is done until the work has ended; `ended` waits a moment before it says no."""
        told = (0, 0)
        over = False
        while not over:
            over = ended()
            news = self.read()
            if news[:2] != told:
                told = news[:2]
                report(*told)
