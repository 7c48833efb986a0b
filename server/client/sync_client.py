"""The client that waits for each answer. Its methods are `calls`; here they are only sent."""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
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


def _method(build: Callable[P, Call[T]]) -> Callable[Concatenate["SparcClient", P], T]:
    def method(client: "SparcClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return client._send(build(*args, **kwargs))

    return as_method(build, method)


def _every(build: Callable[P, Pages[Page, T]]) -> Callable[Concatenate["SparcClient", P], Iterator[T]]:
    def method(client: "SparcClient", /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        return client._send_pages(build(*args, **kwargs))

    return as_method(build, method)


def _lines(build: Callable[P, Call[LineReader]]) -> Callable[Concatenate["SparcClient", P], Generator[HeatmapLine]]:
    def method(client: "SparcClient", /, *args: P.args, **kwargs: P.kwargs) -> Generator[HeatmapLine]:
        return client._send_lines(build(*args, **kwargs))

    return as_method(build, method)


class SparcClient:
    """A service, asked from Python. Threads may share one; close it, or use it in `with`.

    Arguments are checked by the API's schemas before anything is sent. Every method raises `ApiError`.
    """

    def __init__(
        self,
        address: str = LOCAL,
        *,
        api_key: str | None = None,
        timeout_s: float = 60.0,
        retries: int = 2,
        transport: httpx.BaseTransport | None = None,
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
        self._http = httpx.Client(**settings(address, api_key, timeout_s), transport=transport)
        self._retries = retries

    def __enter__(self) -> "SparcClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"SparcClient({address_of(self._http.base_url)!r})"

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def wait_until_ready(self, timeout_s: float = 60.0) -> None:
        """Return when the service can answer; it may not have been started yet.

        Args:
            timeout_s: Raises an `ApiError` of code "not_ready" after this time.
        """
        readiness = Readiness(self._http.base_url, timeout_s)
        while True:
            try:
                return self._send(calls.ready(), retries=0)
            except ApiError as error:
                pause = readiness.pause_after(error)
            time.sleep(pause)

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

    def _send(self, call: Call[T], retries: int | None = None) -> T:
        return call.read(self._answer(call, self._retries if retries is None else retries))

    def _send_pages(self, pages: Pages[Page, T]) -> Iterator[T]:
        call: Call[Page] | None = pages.first
        while call is not None:
            page = self._send(call)
            yield from pages.entries(page)
            call = pages.after(page)

    def _send_lines(self, call: Call[LineReader]) -> Generator[HeatmapLine]:
        response = self._answer(call, self._retries, stream=True)
        with closing(response), failures_named(response.url):
            reader = call.read(response)
            for piece in response.iter_bytes():
                yield from reader.feed(piece)
            yield from reader.end()

    def _answer(self, call: Call[Any], retries: int, stream: bool = False) -> httpx.Response:
        patience = Patience(retries)
        while True:
            with failures_named(self._http.base_url):
                response = self._http.send(call.request(self._http), stream=stream)
                if not response.is_success:
                    response.read()
            pause = patience.pause_after(response)
            if pause is None:
                return response
            time.sleep(pause)
