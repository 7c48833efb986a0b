"""The Python client: how it reads answers, what it says when something goes wrong, when it asks again."""

import asyncio
import pickle
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest

from server import schemas
from server.client import ApiError, AsyncSparcClient, HeatmapArray, SparcClient
from tests.server import asking
from tests.server.asking import (
    BUSY,
    DONE,
    INFO,
    PICTURE,
    READING,
    Handler,
    answering,
    busy,
    error_of,
    lines,
    ok,
    run,
)

ask, pauses = asking.ask, asking.pauses  # fixtures

# How answers are read


def test_answers_of_a_newer_service_are_read(ask: Callable[..., Any]) -> None:
    newer = {**INFO.model_dump(), "mood": "sunny"}
    assert ask(answering(httpx.Response(200, json=newer))[0], "info") == INFO


def test_pages_are_followed_with_the_same_filter(ask: Callable[..., Any]) -> None:
    def item(name: str) -> schemas.ItemSummary:
        return schemas.ItemSummary(item_id=name, caption="a cat", labels=[], width=1, height=1, split="test")

    first = schemas.ItemPage(items=[item("s1"), item("s2")], total=3, next_cursor="b1-2")
    handler, seen = answering(ok(first), ok(schemas.ItemPage(items=[item("s3")], total=3, next_cursor=None)))
    found = ask(handler, "every_item", split="test", limit=2)
    assert [one.item_id for one in found] == ["s1", "s2", "s3"]
    assert [dict(request.url.params) for request in seen] == [
        {"split": "test", "limit": "2"},
        {"split": "test", "limit": "2", "cursor": "b1-2"},
    ]


def test_pages_are_asked_for_when_they_are_needed() -> None:
    page = schemas.ItemPage(
        items=[schemas.ItemSummary(item_id="s1", caption="", labels=[], width=1, height=1, split="test")],
        total=2,
        next_cursor="b1-1",
    )
    handler, seen = answering(ok(page))
    entries = SparcClient(transport=httpx.MockTransport(handler)).every_item()
    assert not seen
    next(entries)
    assert len(seen) == 1


RAW_HEADERS = {
    "content-type": "application/octet-stream", "x-rows": "2", "x-columns": "3",
    "x-window": "0.000000 -0.125000 1.000000 1.125000", "x-score": "0.750000",
}  # fmt: skip


def test_one_heatmap_as_numbers(ask: Callable[..., Any]) -> None:
    values = [0.0, 0.25, 0.5, 0.0, 0.0, 0.0]
    handler, seen = answering(httpx.Response(200, content=struct.pack("<6f", *values), headers=RAW_HEADERS))
    heatmap = ask(handler, "heatmap_array", "a cat", item_ids=["s1"], streams=["dino"])
    assert isinstance(heatmap, HeatmapArray)
    assert (heatmap.rows, heatmap.columns, heatmap.score, list(heatmap.values)) == (2, 3, 0.75, values)
    assert heatmap.window == schemas.Window(left=0, top=-0.125, right=1, bottom=1.125)
    assert seen[0].headers["accept"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (bytes(24), {**RAW_HEADERS, "x-rows": "3"}),
        (bytes(23), RAW_HEADERS),
        (bytes(24), {**RAW_HEADERS, "x-window": "0 0 1"}),
        (bytes(24), {"content-type": "application/octet-stream"}),
        (bytes(24), {**RAW_HEADERS, "content-type": "text/html"}),
    ],
)
def test_numbers_that_are_no_heatmap(ask: Callable[..., Any], content: bytes, headers: dict[str, str]) -> None:
    handler, _ = answering(httpx.Response(200, content=content, headers=headers))
    assert error_of(ask, handler, "heatmap_array", "a cat", item_ids=["s1"]).code == "unexpected_answer"


def test_pictures_are_bytes(ask: Callable[..., Any]) -> None:
    png = httpx.Response(200, content=b"\x89PNG", headers={"content-type": "image/png"})
    webp = httpx.Response(200, content=b"RIFF", headers={"content-type": "image/webp"})
    handler, seen = answering(png)
    assert ask(handler, "heatmap_png", "a cat", item_ids=["s1"]) == b"\x89PNG"
    assert seen[0].headers["accept"] == "image/png"
    assert ask(answering(webp)[0], "image", "s1") == b"RIFF"
    assert ask(answering(webp)[0], "upload_image", "u1") == b"RIFF"
    assert error_of(ask, answering(webp)[0], "heatmap_png", "a cat").code == "unexpected_answer"


# Lines


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    """An answer that comes piece by piece, and knows whether the connection was given up."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces, self.is_closed, self.n_sent = pieces, False, 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            self.n_sent += 1
            yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece

    def close(self) -> None:
        self.is_closed = True

    async def aclose(self) -> None:
        self.is_closed = True


def streaming(*pieces: bytes) -> tuple[Handler, Pieces]:
    stream = Pieces(list(pieces))
    return lambda _: httpx.Response(200, stream=stream), stream


@pytest.mark.parametrize("size", [1, 2, 7, 100, 10_000])
def test_pieces_may_end_anywhere(ask: Callable[..., Any], size: int) -> None:
    content = lines(READING, PICTURE, DONE)
    assert "\u2028".encode() in content, "a line separator that is part of a string"
    handler, stream = streaming(*(content[i : i + size] for i in range(0, len(content), size)))
    assert ask(handler, "heatmaps", "a cat") == [READING, PICTURE, DONE]
    assert stream.is_closed


def test_the_last_line_may_lack_its_end(ask: Callable[..., Any]) -> None:
    assert ask(streaming(lines(READING, DONE)[:-1])[0], "heatmaps", "a cat") == [READING, DONE]


def test_an_error_line_ends_the_answer_after_the_lines_before() -> None:
    handler, stream = streaming(lines(READING, PICTURE, BUSY))
    client, seen = SparcClient(transport=httpx.MockTransport(handler)), []
    with pytest.raises(ApiError) as caught:
        seen.extend(line for line in client.heatmaps("a cat") if seen.append(line))  # type: ignore[func-returns-value]
    assert seen == [READING, PICTURE]
    assert (caught.value.status, caught.value.code, caught.value.detail) == (200, "busy", {"n": 32})
    assert stream.is_closed


@pytest.mark.parametrize(
    "content", [lines(READING, PICTURE), lines(READING) + b'{"kind":"pic', b"", b"<html>\n", b'{"kind":"song"}\n']
)
def test_an_answer_that_breaks_off_or_is_not_ours(ask: Callable[..., Any], content: bytes) -> None:
    error = error_of(ask, streaming(content)[0], "heatmaps", "a cat")
    assert error.code == "unexpected_answer"
    assert "POST /api/v1/heatmaps" in error.message


def test_who_stops_reading_gives_the_connection_up() -> None:
    handler, stream = streaming(lines(READING), lines(PICTURE), lines(DONE))
    for line in SparcClient(transport=httpx.MockTransport(handler)).heatmaps("a cat"):
        assert line == READING
        break
    assert stream.is_closed
    assert stream.n_sent == 1


def test_who_stops_reading_gives_the_connection_up_in_event_loops_too() -> None:
    handler, stream = streaming(lines(READING), lines(PICTURE), lines(DONE))

    async def scenario() -> None:
        client = AsyncSparcClient(transport=httpx.MockTransport(handler))
        async for line in client.heatmaps("a cat"):
            assert line == READING
            break
        for _ in range(10):  # the loop closes forgotten iterators soon
            await asyncio.sleep(0)

    run(scenario())
    assert stream.is_closed
    assert stream.n_sent == 1


# Errors


def test_the_server_s_errors_come_as_it_said_them(ask: Callable[..., Any]) -> None:
    body = {"error": {"code": "latent_not_found", "message": "there is no latent 99", "detail": {"n_latents": 64}}}
    answer = httpx.Response(404, json=body, headers={"X-Request-Id": "r1"})
    for method in ("latent", "heatmaps"):
        argument = {"latent": 99, "heatmaps": "a cat"}[method]
        error = error_of(ask, answering(answer)[0], method, argument)
        assert (error.status, error.code, str(error)) == (404, "latent_not_found", "there is no latent 99")
        assert (error.detail, error.request_id) == ({"n_latents": 64}, "r1")
    again = pickle.loads(pickle.dumps(error))
    assert (again.status, again.code, str(again), again.detail, again.request_id) == (
        404, "latent_not_found", "there is no latent 99", {"n_latents": 64}, "r1",
    )  # fmt: skip


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, content=b"<html>Sign in</html>"),
        httpx.Response(200, json={"bundle_id": 3}),
        httpx.Response(200, content=b""),
        httpx.Response(502, content=b"<html>Bad gateway</html>"),
        httpx.Response(404, json={"detail": "Not Found"}),
        httpx.Response(302, headers={"location": "https://elsewhere.example/"}),
        httpx.Response(200, content=b"no gzip", headers={"content-encoding": "identity"}),
    ],
)
def test_a_body_that_is_not_ours(ask: Callable[..., Any], answer: httpx.Response) -> None:
    error = error_of(ask, answering(answer)[0], "info")
    assert (error.status, error.code) == (answer.status_code, "unexpected_answer")
    assert error.message.startswith("the answer to GET /api/v1/info ")
    assert "http://127.0.0.1:8000" in error.message


@pytest.mark.parametrize("method", ["info", "heatmaps"])
@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (httpx.ConnectError("[Errno 111] Connection refused"), "unreachable"),
        (httpx.ConnectTimeout(""), "unreachable"),
        (httpx.RemoteProtocolError("Server disconnected"), "unreachable"),
        (httpx.ReadTimeout(""), "timed_out"),
    ],
)
def test_connections_that_fail_name_the_address(
    ask: Callable[..., Any], pauses: list[float], method: str, failure: Exception, code: str
) -> None:
    handler, seen = answering(failure)
    error = error_of(ask, handler, method, *(["a cat"] if method == "heatmaps" else []))
    assert (error.status, error.code) == (None, code)
    assert "http://127.0.0.1:8000 " in error.message
    assert len(seen) == 1


def test_messages_tell_no_password() -> None:
    handler, _ = answering(httpx.ConnectError("refused"))
    client = SparcClient("http://me:s3cret@localhost:1", transport=httpx.MockTransport(handler))
    with pytest.raises(ApiError) as caught:
        client.info()
    assert "s3cret" not in str(caught.value) + repr(client)
    assert "http://localhost:1 " in str(caught.value)


def test_a_connection_that_breaks_between_lines(ask: Callable[..., Any]) -> None:
    class Breaking(Pieces):
        def __iter__(self) -> Iterator[bytes]:
            yield from self.pieces
            raise httpx.ReadError("")

    stream = Breaking([lines(READING)])
    error = error_of(ask, lambda _: httpx.Response(200, stream=stream), "heatmaps", "a cat")
    assert error.code == "unreachable"
    assert "the connection broke off" in error.message
    assert stream.is_closed


# Trying again


@pytest.mark.parametrize("status", [429, 503])
def test_busy_services_are_asked_again(ask: Callable[..., Any], pauses: list[float], status: int) -> None:
    handler, seen = answering(busy("2", status), busy(None, status), ok(INFO))
    assert ask(handler, "info") == INFO
    assert (len(seen), pauses) == (3, [2, 1])


def test_so_are_lines(ask: Callable[..., Any], pauses: list[float]) -> None:
    handler, seen = answering(busy("3"), httpx.Response(200, content=lines(READING, DONE)))
    assert ask(handler, "heatmaps", "a cat") == [READING, DONE]
    assert (len(seen), pauses) == (2, [3])


@pytest.mark.parametrize(
    ("advice", "expected"),
    [("2", [2, 2]), ("10", [10]), ("11", []), ("6", [6]), ("0", [0, 0]), ("Wed, 21 Oct 2026 07:28:00 GMT", [1, 1])],
)
def test_patience_ends(ask: Callable[..., Any], pauses: list[float], advice: str, expected: list[float]) -> None:
    handler, seen = answering(busy(advice))
    error = error_of(ask, handler, "info")
    assert (error.status, error.code, error.message) == (503, "busy", BUSY["error"]["message"])
    assert (len(seen), pauses) == (1 + len(expected), expected)


@pytest.mark.parametrize("status", [400, 404, 422, 500, 502])
def test_other_errors_are_final(ask: Callable[..., Any], pauses: list[float], status: int) -> None:
    handler, seen = answering(httpx.Response(status, json=BUSY))
    error_of(ask, handler, "info")
    assert (len(seen), pauses) == (1, [])


def test_retries_are_the_caller_s_choice(pauses: list[float]) -> None:
    handler, seen = answering(busy("0"))
    with pytest.raises(ApiError):
        SparcClient(retries=0, transport=httpx.MockTransport(handler)).info()
    assert len(seen) == 1


# Waiting for a service


def test_waiting_until_a_service_is_ready(ask: Callable[..., Any], pauses: list[float]) -> None:
    handler, seen = answering(
        httpx.ConnectError("refused"), busy("60"), httpx.Response(502), httpx.Response(200, json={"status": "ready"})
    )
    assert ask(handler, "wait_until_ready") is None
    assert [request.url.path for request in seen] == ["/readyz"] * 4
    assert len(pauses) == 3


def test_a_service_that_is_never_ready(ask: Callable[..., Any]) -> None:
    error = error_of(ask, answering(httpx.ConnectError("refused"))[0], "wait_until_ready", timeout_s=0.1)
    assert (error.code, error.status) == ("not_ready", None)
    assert error.message.startswith("http://127.0.0.1:8000 was not ready within 0.1 s; last seen: ")


def test_waiting_does_not_help_against_another_service(ask: Callable[..., Any], pauses: list[float]) -> None:
    handler, seen = answering(httpx.Response(404))
    assert error_of(ask, handler, "wait_until_ready").code == "unexpected_answer"
    assert (len(seen), pauses) == (1, [])
