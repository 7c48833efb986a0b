"""What routes share: work of clients who went away is given up."""

import asyncio

import pytest
from starlette.requests import Request

from server.refusals import ClientGoneError
from server.routes.common import unless_gone
from tests.server.test_worker import run


def request_of(*messages: str, wait_s: float = 0) -> Request:
    """A request whose client does these things, one after another."""
    left = list(messages)

    async def receive() -> dict[str, str]:
        await asyncio.sleep(wait_s)
        if left:
            return {"type": left.pop(0)}
        await asyncio.sleep(60)
        raise AssertionError("nobody should wait that long")

    return Request({"type": "http", "headers": []}, receive)


def test_work_is_cancelled_when_its_client_goes_away() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    async def scenario() -> None:
        with pytest.raises(ClientGoneError):
            await unless_gone(request_of("http.request", "http.disconnect", wait_s=0.01), work())
        await asyncio.sleep(0)

    run(scenario())
    assert ended == ["cancelled"]


def test_work_whose_client_stays_is_answered_and_its_errors_are_its_own() -> None:
    async def fail() -> None:
        raise KeyError("own")

    async def scenario() -> str:
        with pytest.raises(KeyError, match="own"):
            await unless_gone(request_of(), fail())
        return await unless_gone(request_of(), asyncio.sleep(0.01, "done"))

    assert run(scenario()) == "done"
