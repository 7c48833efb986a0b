"""A real server on a free port, and Debian's Chromium driven by Playwright."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ANSWER_MS = 60_000  # generous: the machine may be busy, and a hang still ends
SERVER_DEADLINE_S = 300  # as generous: an answer that comes late is no error of the page


@contextmanager
def listening(app: Any) -> Iterator[str]:
    """Where an application listens."""
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started:
        assert thread.is_alive(), "the service did not start"
        assert time.monotonic() < deadline, "the service did not start in time"
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=20)


@pytest.fixture(scope="session")
def address(tiny_bundle: Path, twin_bundle: Path) -> Iterator[str]:
    """Where the service listens: the tiny bundle, and its twin beside it."""
    from server.app import create_app
    from server.settings import Settings

    settings = Settings(
        bundle=tiny_bundle, beside=(twin_bundle,), device="cpu", threads=1, deadline_s=SERVER_DEADLINE_S
    )
    with listening(create_app(settings)) as address:
        yield address


@pytest.fixture
def page(chromium: Any, address: str) -> Iterator[Any]:
    """A fresh page of 1280 pixels; the test fails where the page's console reports an error."""
    context = chromium.new_context(base_url=address, viewport={"width": 1280, "height": 860})
    page = context.new_page()
    page.set_default_timeout(ANSWER_MS)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    assert not errors, errors
