"""Uploads that break off, stall or trickle."""

import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
import uvicorn
from PIL import Image

from server.middleware import BodyDeadline
from server.slow_heads import TimedHeads
from tests.faults.raw_http import ask, request
from tests.faults.server_process import HOST, ServerProcess, free_port, wait_for
from tests.server.small_app import observed, small_app

pytestmark = pytest.mark.xdist_group("server faults")

UPLOADS = "/api/v1/uploads"
FORM = "Content-Type: multipart/form-data; boundary=b"


def picture(format: str) -> bytes:
    """A picture of some hundred bytes or more, so that half of it is not enough."""
    out = io.BytesIO()
    noise = Image.effect_noise((96, 96), 90).convert("RGB")
    noise.save(out, format)
    return out.getvalue()


def form(content: bytes) -> bytes:
    """A whole form with a file."""
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    return head + content + b"\r\n--b--\r\n"


def is_quiet_and_whole(server: ServerProcess, before: int, kept: float) -> None:
    """Nothing was logged but requests, and nothing was kept."""
    assert "Traceback" not in server.said()[before:]
    assert server.metric("sparc_cache_bytes", cache="uploads") == kept
    assert server.metric("sparc_queue_depth") == 0
    assert server.status("/readyz") == 200


@pytest.fixture(autouse=True)
def quiet(request: pytest.FixtureRequest) -> Iterator[None]:
    if "server" not in request.fixturenames:
        yield
        return
    server: ServerProcess = request.getfixturevalue("server")
    before, kept = len(server.said()), server.metric("sparc_cache_bytes", cache="uploads")
    yield
    is_quiet_and_whole(server, before, kept)


def test_a_body_that_ends_before_it_was_announced(server: ServerProcess) -> None:
    whole = form(picture("PNG"))
    head = request("POST", UPLOADS, FORM, f"Content-Length: {len(whole)}")
    handles = server.n_handles
    for n_bytes in (0, 1, len(whole) // 2, len(whole) - 1):
        answer = ask(server.port, head + whole[:n_bytes], end=True)
        assert answer.status == 0 or 400 <= answer.status < 500, answer
    server.wait_for(lambda: server.n_handles <= handles)


def test_a_form_that_ends_in_its_middle(server: ServerProcess) -> None:
    whole = form(picture("PNG"))
    for n_bytes in (3, 40, 75, len(whole) // 2):
        answer = ask(server.port, request("POST", UPLOADS, FORM, body=whole[:n_bytes]))
        assert (answer.status, answer.code) == (422, "invalid_request"), whole[:n_bytes]
    # The form's last line is missing, not a byte of the picture: what came can be read, or not; it is no error of ours.
    assert ask(server.port, request("POST", UPLOADS, FORM, body=whole[:-9])).status in (200, 422)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF"])
def test_half_of_a_picture(client: httpx.Client, format: str) -> None:
    content = picture(format)
    answer = client.post(UPLOADS, files={"file": content[: len(content) // 2]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "not_a_picture")


@contextmanager
def small_server(patience_s: float) -> Iterator[int]:
    """The small application on a real socket, with less patience than the service has; its port."""

    class Heads(TimedHeads):
        head_s = patience_s

    app, port = small_app(), free_port()
    app.add_middleware(BodyDeadline, patience_s=patience_s, bytes_per_s=1000.0)
    server = uvicorn.Server(uvicorn.Config(observed(app), host=HOST, port=port, http=Heads, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for(lambda: server.started, 10)
        yield port
    finally:
        server.should_exit = True
        thread.join(10)


def lasts(connection: socket.socket, piece: bytes, every_s: float) -> float:
    """Send a piece again and again, until the other side has had enough; for so many seconds."""
    begun = time.monotonic()
    connection.settimeout(every_s)
    while time.monotonic() - begun < 10:
        try:
            connection.sendall(piece)
            if connection.recv(1000, socket.MSG_PEEK) is not None:
                break
        except TimeoutError:
            continue
        except ConnectionError:
            break
    return time.monotonic() - begun


def test_who_sends_a_byte_at_a_time_is_not_waited_for() -> None:
    with small_server(0.5) as port, socket.create_connection((HOST, port)) as connection:
        connection.sendall(request("POST", "/api/v1/size", "Content-Length: 100000"))
        assert 0.4 < lasts(connection, b"x", 0.05) < 5
        answer = connection.recv(100_000)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b'"upload_too_slow"' in answer
        assert b"connection: close" in answer.lower()
        connection.settimeout(5)
        assert ended(connection)


def test_who_sends_enough_is_waited_for() -> None:
    with small_server(0.5) as port, socket.create_connection((HOST, port)) as connection:
        connection.sendall(request("POST", "/api/v1/size", "Content-Length: 4000"))
        for _ in range(10):  # a second in all, twice the patience, at four times the slowest pace
            connection.sendall(bytes(400))
            time.sleep(0.1)
        connection.settimeout(10)
        assert connection.recv(10_000).endswith(b"4000")


@pytest.mark.parametrize("head", [b"", b"GET /", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: "])
def test_a_head_that_does_not_come_is_not_waited_for(head: bytes) -> None:
    with small_server(0.5) as port, socket.create_connection((HOST, port)) as connection:
        connection.sendall(head)
        assert 0.4 < lasts(connection, b"x" if head else b"", 0.05) < 5


def test_a_second_head_that_trickles_is_not_waited_for_either() -> None:
    with small_server(0.5) as port, socket.create_connection((HOST, port)) as connection:
        connection.sendall(request("GET", "/healthz"))
        seen = b""
        while b'"ok"' not in seen:
            seen += connection.recv(10_000)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nX-Long: ")
        assert 0.4 < lasts(connection, b"x", 0.05) < 5


def ended(connection: socket.socket) -> bool:
    """Whether the other side has closed."""
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True
