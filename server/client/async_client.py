"""The client for event loops (asyncio). Its methods are `calls`; here they are only sent."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from typing import Any, Concatenate, ParamSpec, TypeVar

import httpx

from server.client import calls
from server.client.answers import HeatmapLine, LineReader
from server.client.call import Call, Page, Pages
from server.client.connection import LOCAL, settings
from server.client.errors import ApiError, address_of, failures_named
from server.client.methods import as_method
from server.client.patience import Patience, Readiness

P = ParamSpec("P")
T = TypeVar("T")


def _method(build: Callable[P, Call[T]]) -> Callable[Concatenate["AsyncSparcClient", P], Coroutine[Any, Any, T]]:
    async def method(client: "AsyncSparcClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await client._send(build(*args, **kwargs))

    return as_method(build, method)


def _every(build: Callable[P, Pages[Page, T]]) -> Callable[Concatenate["AsyncSparcClient", P], AsyncIterator[T]]:
    def method(client: "AsyncSparcClient", /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        return client._send_pages(build(*args, **kwargs))

    return as_method(build, method)


def _lines(
    build: Callable[P, Call[LineReader]],
) -> Callable[Concatenate["AsyncSparcClient", P], AsyncGenerator[HeatmapLine]]:
    def method(client: "AsyncSparcClient", /, *args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[HeatmapLine]:
        return client._send_lines(build(*args, **kwargs))

    return as_method(build, method)


class AsyncSparcClient:
    """A service, asked from an event loop; otherwise as `SparcClient`. Close it, or use it in `async with`.

    Arguments are checked by the API's schemas before anything is sent. Every method raises `ApiError`.
    """

    def __init__(
        self,
        address: str = LOCAL,
        *,
        api_key: str | None = None,
        timeout_s: float = 60.0,
        retries: int = 2,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Nothing is sent yet.

        Args:
            address: Of the service, with a path if a proxy serves it below one.
            api_key: Where the service asks for one.
            timeout_s: Longest wait for an answer, or for the next part of one.
            retries: How often a question is sent again when the service is busy (429, 503): after its `Retry-After`,
                together at most 10 seconds later.
            transport: What sends, instead of the network.
        """
        self._http = httpx.AsyncClient(**settings(address, api_key, timeout_s), transport=transport)
        self._retries = retries

    async def __aenter__(self) -> "AsyncSparcClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncSparcClient({address_of(self._http.base_url)!r})"

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def wait_until_ready(self, timeout_s: float = 60.0) -> None:
        """Return when the service can answer; it may not have been started yet.

        Args:
            timeout_s: Raises an `ApiError` of code "not_ready" after this time.
        """
        readiness = Readiness(self._http.base_url, timeout_s)
        while True:
            try:
                return await self._send(calls.ready(), retries=0)
            except ApiError as error:
                pause = readiness.pause_after(error)
            await asyncio.sleep(pause)

    info = _method(calls.info)
    labels = _method(calls.labels)
    evaluation = _method(calls.evaluation)
    evaluation_tables = _method(calls.evaluation_tables)
    evaluation_table = _method(calls.evaluation_table)
    evaluation_csv = _method(calls.evaluation_csv)
    evaluation_latex = _method(calls.evaluation_latex)
    evaluation_comparison = _method(calls.evaluation_comparison)
    evaluation_comparison_csv = _method(calls.evaluation_comparison_csv)
    latents = _method(calls.latents)
    every_latent = _every(calls.every_latent)
    search_latents = _method(calls.search_latents)
    mismatches = _method(calls.mismatches)
    every_mismatch = _every(calls.every_mismatch)
    latent_counts = _method(calls.latent_counts)
    latent_map = _method(calls.latent_map)
    latent_pairs = _method(calls.latent_pairs)
    latent = _method(calls.latent)
    latent_items = _method(calls.latent_items)
    coactive_latents = _method(calls.coactive_latents)
    latent_activation = _method(calls.latent_activation)
    items = _method(calls.items)
    every_item = _every(calls.every_item)
    item = _method(calls.item)
    image = _method(calls.image)
    upload = _method(calls.upload)
    upload_image = _method(calls.upload_image)
    encode = _method(calls.encode)
    retrieve = _method(calls.retrieve)
    heatmaps = _lines(calls.heatmaps)
    heatmap_png = _method(calls.heatmap_png)
    heatmap_array = _method(calls.heatmap_array)
    reload = _method(calls.reload)

    async def _send(self, call: Call[T], retries: int | None = None) -> T:
        return call.read(await self._answer(call, self._retries if retries is None else retries))

    async def _send_pages(self, pages: Pages[Page, T]) -> AsyncIterator[T]:
        call: Call[Page] | None = pages.first
        while call is not None:
            page = await self._send(call)
            for entry in pages.entries(page):
                yield entry
            call = pages.after(page)

    async def _send_lines(self, call: Call[LineReader]) -> AsyncGenerator[HeatmapLine]:
        response = await self._answer(call, self._retries, stream=True)
        async with aclosing(response):
            with failures_named(response.url):
                reader = call.read(response)
                async for piece in response.aiter_bytes():
                    for line in reader.feed(piece):
                        yield line
                for line in reader.end():
                    yield line

    async def _answer(self, call: Call[Any], retries: int, stream: bool = False) -> httpx.Response:
        patience = Patience(retries)
        while True:
            with failures_named(self._http.base_url):
                response = await self._http.send(call.request(self._http), stream=stream)
                if not response.is_success:
                    await response.aread()
            pause = patience.pause_after(response)
            if pause is None:
                return response
            await asyncio.sleep(pause)
