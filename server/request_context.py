"""What belongs to one request wherever its work is done: its id, its deadline, how long each step took.

A context variable carries it: the event loop's tasks and threads started with a copied context see the same object.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

NEVER = float("inf")


@dataclass
class RequestContext:
    """One request.

    Attributes:
        request_id: Names it in answers and logs.
        deadline: When its work is of no use any more, on `time.monotonic`'s clock.
        milliseconds: What each step took, in the order in which steps ended.
        patience_s: A streamed answer may take so long for every line; 0 where the client set the deadline, which holds.
    """

    request_id: str = ""
    deadline: float = NEVER
    milliseconds: dict[str, float] = field(default_factory=dict)
    patience_s: float = 0.0

    def renew(self) -> None:
        """Begin a line of a streamed answer."""
        if self.patience_s:
            self.deadline = time.monotonic() + self.patience_s

    def add(self, name: str, milliseconds: float) -> None:
        """Count time for a step; a step may come several times."""
        self.milliseconds[name] = self.milliseconds.get(name, 0.0) + milliseconds


_current: ContextVar[RequestContext | None] = ContextVar("request", default=None)


def current() -> RequestContext:
    """The request that is being answered; outside of one, an object that nobody reads."""
    return _current.get() or RequestContext()


@contextmanager
def answering(request: RequestContext) -> Iterator[None]:
    """Make it the current one."""
    token = _current.set(request)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Time a step of the current request."""
    begun = time.perf_counter()
    try:
        yield
    finally:
        current().add(name, 1000 * (time.perf_counter() - begun))
