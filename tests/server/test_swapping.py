"""How one explorer replaces another, without models: who gets which, and when the old one is closed."""

from typing import Any

import pytest

from server.refusals import BundleRefusedError, BusyError
from server.serving import Serving
from tests.server.test_worker import run


class Explorer:
    """As much of an explorer as serving looks at."""

    def __init__(
        self, bundle_id: str, n_busy: int = 0, problem: Exception | None = None, beside: tuple[str, ...] = ()
    ) -> None:
        self.served = dict.fromkeys((bundle_id, *beside), self)
        self.n_busy, self.problem, self.is_closed = n_busy, problem, False

    async def warm_up(self) -> None:
        if self.n_busy:
            self.n_busy -= 1
            raise BusyError("too much to do")
        if self.problem:
            raise self.problem

    def close(self) -> None:
        self.is_closed = True


def serving_of(first: Explorer, *later: Explorer) -> Any:
    waiting = iter(later)
    return Serving(first, lambda: next(waiting))  # type: ignore[arg-type, return-value]


def test_a_request_keeps_the_explorer_that_it_began_with_until_its_end() -> None:
    first, second = Explorer("one"), Explorer("two")

    async def scenario() -> None:
        serving = serving_of(first, second)
        with serving.lend() as old:
            assert (await serving.reload()).changed
            with serving.lend() as new:
                assert (old, new) == (first, second)
            assert not first.is_closed
        assert first.is_closed
        assert not second.is_closed

    run(scenario())


def test_an_unused_explorer_is_closed_at_once_and_the_same_bundle_changes_nothing() -> None:
    first, second, same = Explorer("one"), Explorer("two"), Explorer("two")

    async def scenario() -> None:
        serving = serving_of(first, second, same)
        await serving.reload()
        assert first.is_closed
        assert not (await serving.reload()).changed
        assert serving.explorer is second
        assert same.is_closed

    run(scenario())


def test_another_bundle_beside_the_same_one_is_a_change() -> None:
    first, second, same = (Explorer("one", beside=(beside,)) for beside in ("two", "three", "three"))

    async def scenario() -> None:
        serving = serving_of(first, second, same)
        answer = await serving.reload()
        assert (answer.bundle_id, answer.previous_id, answer.changed) == ("one", "one", True)
        assert (serving.explorer, first.is_closed) == (second, True)
        assert not (await serving.reload()).changed

    run(scenario())


def test_a_bundle_that_answers_nothing_is_refused_and_says_nothing_of_the_inside() -> None:
    first, bad = Explorer("one"), Explorer("two", problem=RuntimeError("secret path"))

    async def scenario() -> None:
        serving = serving_of(first, bad)
        with pytest.raises(BundleRefusedError, match="the old one stays") as raised:
            await serving.reload()
        assert "secret" not in str(raised.value)
        assert serving.explorer is first

    run(scenario())


def test_a_busy_service_warms_up_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.serving._BETWEEN_ATTEMPTS_S", 0.0)
    first, patient, hopeless = Explorer("one"), Explorer("two", n_busy=5), Explorer("three", n_busy=1000)

    async def scenario() -> None:
        serving = serving_of(first, patient, hopeless)
        assert (await serving.reload()).changed
        with pytest.raises(BundleRefusedError):
            await serving.reload()
        assert serving.explorer is patient

    run(scenario())
