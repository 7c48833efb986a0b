"""Functions that are called as another one is: other forms of one answer, and pages one after another."""

from collections.abc import Callable, Sequence
from typing import ParamSpec, TypeVar

from server.client.answers import LineReader
from server.client.call import Call, Page, Pages
from server.client.methods import with_keywords_of

P = ParamSpec("P")
T = TypeVar("T")


def keywords_of(
    build: Callable[P, Call[LineReader]],
) -> Callable[[Callable[[Call[LineReader]], Call[T]]], Callable[P, Call[T]]]:
    """Let a function be called as `build` is, and work on its call."""

    def decorate(form: Callable[[Call[LineReader]], Call[T]]) -> Callable[P, Call[T]]:
        def formed(*args: P.args, **kwargs: P.kwargs) -> Call[T]:
            return form(build(*args, **kwargs))

        return with_keywords_of(build, form, formed)

    return decorate


def pages_of(
    build: Callable[P, Call[Page]],
) -> Callable[[Callable[[Page], Sequence[T]]], Callable[P, Pages[Page, T]]]:
    """Let a function be called as `build` is, and say what is on its pages."""

    def decorate(entries: Callable[[Page], Sequence[T]]) -> Callable[P, Pages[Page, T]]:
        def listed(*args: P.args, **kwargs: P.kwargs) -> Pages[Page, T]:
            return Pages(build(*args, **kwargs), entries)

        return with_keywords_of(build, entries, listed)

    return decorate
