"""Clients that go away while they are answered: work stops soon, and leaves nothing behind."""

import json
import socket
import time
from pathlib import Path

import httpx
import pytest

from tests.faults.raw_http import request
from tests.faults.server_process import HOST, ServerProcess, Start

pytestmark = pytest.mark.xdist_group("server faults")

JSON = "Content-Type: application/json"


def leave(port: int, asked: bytes, after: bytes = b"") -> None:
    """Ask, read until something came, and go."""
    with socket.create_connection((HOST, port), timeout=60) as connection:
        connection.sendall(asked)
        seen = b""
        while after and after not in seen:
            piece = connection.recv(65_536)
            assert piece, seen[-500:]
            seen += piece
        if not after:
            time.sleep(0.05)


def posted(path: str, *lines: str, **body: object) -> bytes:
    return request("POST", path, JSON, *lines, body=json.dumps(body).encode())


def n_pictures(server: ServerProcess) -> float:
    """Pictures that towers looked at for heatmaps."""
    return server.metric("sparc_cache_misses_total", cache="looks")


def test_heatmaps_that_nobody_reads_are_not_computed(server: ServerProcess) -> None:
    before, handles = len(server.said()), server.n_handles
    looked = n_pictures(server)
    for i in range(3):
        asked = posted("/api/v1/heatmaps", caption=f"a cat and {i} dogs", n_items=24, trust=True)
        leave(server.port, asked, after=b'"kind":"picture"')
        server.wait_for(lambda: server.metric("sparc_queue_depth", worker="device") == 0)
    # Of 24 pictures in two streams each: the first chunk, and the one that ran when the client went.
    assert n_pictures(server) - looked <= 3 * 2 * (1 + 3 + 4)
    server.wait_for(lambda: server.n_handles <= handles)
    assert "Traceback" not in server.said()[before:]


def test_pictures_and_lists_that_nobody_reads(server: ServerProcess) -> None:
    before, handles = len(server.said()), server.n_handles
    png = posted("/api/v1/heatmaps", "Accept: image/png", caption="a dog", item_ids=["s000009"], streams=["dino"])
    for asked in (png, request("GET", "/api/v1/latents/map"), request("GET", "/api/v1/items?limit=100")):
        leave(server.port, asked)
    server.wait_for(lambda: server.metric("sparc_queue_depth") == 0)
    server.wait_for(lambda: server.n_handles <= handles)
    assert "Traceback" not in server.said()[before:]


def test_a_job_whose_client_has_gone_is_not_begun(start_server: Start, tmp_path: Path) -> None:
    server: ServerProcess = start_server(faults=tmp_path)
    png = "Accept: image/png"
    with httpx.Client(base_url=server.address, timeout=30) as client:
        body = {"caption": "a cat", "item_ids": ["s000010"], "streams": ["dino"]}
        assert client.post("/api/v1/heatmaps", json=body, headers={"Accept": "image/png"}).status_code == 200
    looked = n_pictures(server)
    with socket.create_connection((HOST, server.port)) as holding:
        holding.sendall(posted("/api/v1/encode", text="hang gate"))
        server.wait_for(lambda: server.metric("sparc_busy_seconds", worker="device") > 0)
        for item in ("s000011", "s000012"):
            leave(server.port, posted("/api/v1/heatmaps", png, caption="a cat", item_ids=[item], streams=["dino"]))
            leave(server.port, posted("/api/v1/heatmaps", caption="a cat", item_ids=[item]))
        time.sleep(0.3)
        (tmp_path / "gate").touch()
        server.wait_for(lambda: server.metric("sparc_queue_depth", worker="device") == 0)
        assert n_pictures(server) == looked
        holding.settimeout(20)
        assert holding.recv(1000).startswith(b"HTTP/1.1 200"), "who stays is answered"
    assert "Traceback" not in server.said()
