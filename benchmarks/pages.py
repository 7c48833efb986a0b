"""How soon do pages come? `python -m benchmarks.pages [--bundle PATH] [--quick]`

Starts the real server on a free port, waits until it is ready, and asks for pages over loopback. Times are the
server's own, from its Server-Timing header; what a client waits is beside them.
"""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import httpx
import numpy as np
import typer

from benchmarks.report import Figure, report

START_LIMIT_S = 120


@contextmanager
def serving(bundle: Path) -> Iterator[tuple[str, float]]:
    """A server over the bundle: its address, and the seconds from its start until it was ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address, begun = f"http://127.0.0.1:{port}", time.perf_counter()
    command = [sys.executable, "-m", "server.cli", "--bundle", str(bundle), "--port", str(port)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        while time.perf_counter() - begun < START_LIMIT_S:
            assert process.poll() is None, "the server ended: is the bundle there?"
            try:
                if httpx.get(f"{address}/readyz").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        yield address, time.perf_counter() - begun
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def times(client: httpx.Client, paths: list[str]) -> tuple[float, float]:
    """Median milliseconds of the server and of the client over these paths."""
    server, waited = [], []
    for path in paths:
        begun = time.perf_counter()
        answer = client.get(path, headers={"accept": "text/html"})
        waited.append(1000 * (time.perf_counter() - begun))
        answer.raise_for_status()
        server.append(float(answer.headers["server-timing"].partition("dur=")[2]))
    return float(np.median(server)), float(np.median(waited))


def main(
    bundle: Annotated[Path, typer.Option(help="A bundle.")] = Path("bundles/storybook"),
    quick: Annotated[bool, typer.Option(help="Fewer requests.")] = False,
) -> None:
    """Start time, page times, and retrieval."""
    n = 20 if quick else 100
    with serving(bundle) as (address, start_s), httpx.Client(base_url=address, timeout=30) as client:
        info = client.get("/api/v1/info").json()
        rng = random.Random(0)
        latents = [f"/latents/{rng.randrange(info['n_latents'])}" for _ in range(n)]
        gallery = [f"/?sort={rng.choice(('alignment', 'density', 'purity', 'id'))}" for _ in range(n)]
        pictures = [f"/api/v1/items/s{rng.randrange(info['n_items']):06d}/image?size=112" for _ in range(n)]
        gallery_ms, gallery_client_ms = times(client, gallery)
        latent_ms, latent_client_ms = times(client, latents)
        picture_ms, _ = times(client, pictures)
        retrieval = []
        for i in range(n):
            begun = time.perf_counter()
            client.post("/api/v1/retrieve", json={"text": f"a red car and {i} cats in the snow"}).raise_for_status()
            retrieval.append(1000 * (time.perf_counter() - begun))
    report(
        f"pages over {info['n_items']} items, {info['n_latents']} latents",
        {
            "start_s": Figure("start of the server until ready", start_s, "<= 15 s", "s"),
            "gallery_ms": Figure("gallery page, server time (median)", gallery_ms, "<= 200 ms", "ms"),
            "latent_ms": Figure("latent page, server time (median)", latent_ms, "<= 200 ms", "ms"),
            "gallery_client_ms": Figure("gallery page, as a client waits", gallery_client_ms, "", "ms"),
            "latent_client_ms": Figure("latent page, as a client waits", latent_client_ms, "", "ms"),
            "picture_ms": Figure("one thumbnail, server time", picture_ms, "", "ms"),
            "retrieval_ms": Figure(
                "text retrieval of a new text, as a client waits", float(np.median(retrieval)), "", "ms"
            ),
        },
    )


if __name__ == "__main__":
    typer.run(main)
