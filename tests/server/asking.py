"""Either Python client, asked one question, against a service whose answers are made by hand."""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from server import schemas
from server.client import ApiError, AsyncSparcClient, SparcClient
from sparc_core.heatmap_method import Method

Handler = Callable[[httpx.Request], httpx.Response]

INFO = schemas.Info(
    bundle_id="b1", title="global selection", created_at="2026-01-01", corpus="storybook", licence="CC0", n_items=200,
    n_latents=64, k=6, selection="global", cross_loss_coef=1, streams=[], similarity_streams=[], metrics={},
    device="cpu", version="0.1.0", beside=[],
)  # fmt: skip
READING = schemas.CaptionReading(
    words=[schemas.Word(text="über\u2028cat\x85", known=True, relevance=1)], words_cut=0, code=[], item_ids=["s1"],
    streams=["dino"], target=schemas.HeatmapTarget.match, method=Method.glances,
)  # fmt: skip
PICTURE = schemas.PictureHeatmaps(item_id="s1", caption="a cat", heatmaps=[])
DONE = schemas.HeatmapsDone(milliseconds={"caption": 1.5}, scale={"dino": 0.5})
BUSY = {"error": {"code": "busy", "message": "32 jobs wait: try again in a few seconds", "detail": {"n": 32}}}


def run(scenario: Coroutine[Any, Any, Any]) -> Any:
    """Run to the end on a thread of its own: Playwright leaves a running loop on the tests' thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, scenario).result()


def ask_sync(handler: Handler, method: str, /, *args: Any, **kwargs: Any) -> Any:
    with SparcClient(transport=httpx.MockTransport(handler)) as client:
        answer = getattr(client, method)(*args, **kwargs)
        return list(answer) if isinstance(answer, Iterator) else answer


def ask_async(handler: Handler, method: str, /, *args: Any, **kwargs: Any) -> Any:
    async def scenario() -> Any:
        async with AsyncSparcClient(transport=httpx.MockTransport(handler)) as client:
            answer = getattr(client, method)(*args, **kwargs)
            return [one async for one in answer] if hasattr(answer, "__aiter__") else await answer

    return run(scenario())


@pytest.fixture(params=[ask_sync, ask_async])
def ask(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Either client, asked one question."""
    return request.param


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the clients would have slept."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    # The modules' names, not the functions: a server of other tests may run in this process, and sleep.
    monkeypatch.setattr("server.client.sync_client.time", SimpleNamespace(sleep=slept.append, monotonic=time.monotonic))
    monkeypatch.setattr("server.client.async_client.asyncio", SimpleNamespace(sleep=sleep))
    return slept


def answering(*answers: httpx.Response | Exception) -> tuple[Handler, list[httpx.Request]]:
    """A service that gives one answer after the other, and what it was sent; the last answer stays."""
    left, seen = list(answers), []

    def handler(request: httpx.Request) -> httpx.Response:
        request.read()
        seen.append(request)
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    return handler, seen


def ok(answer: schemas.Wire) -> httpx.Response:
    return httpx.Response(200, content=answer.model_dump_json(), headers={"content-type": "application/json"})


def busy(retry_after: str | None = "2", status: int = 503) -> httpx.Response:
    return httpx.Response(status, json=BUSY, headers={"retry-after": retry_after} if retry_after else {})


def lines(*answers: schemas.Wire | dict[str, object]) -> bytes:
    text = [json.dumps(one) if isinstance(one, dict) else one.model_dump_json() for one in answers]
    return "".join(f"{line}\n" for line in text).encode()


def nothing_is_sent(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"{request.url} was asked")


def error_of(ask: Callable[..., Any], handler: Handler, method: str, /, *args: Any, **kwargs: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        ask(handler, method, *args, **kwargs)
    return caught.value
