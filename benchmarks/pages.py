"""How soon do pages come? `python -m benchmarks.pages [--bundle PATH] [--quick]`

Starts the real server on a free port, waits until it is ready, and asks for pages over loopback. Times are the
server's own, from its Server-Timing header; what a client waits is beside them.
"""

import random
import time
from pathlib import Path
from typing import Annotated

import httpx
import numpy as np
import typer

from benchmarks.report import Figure, report
from benchmarks.serving import serving


def times(client: httpx.Client, paths: list[str]) -> tuple[float, float]:
    """Median milliseconds of the server and of the client over these paths."""
    server, waited = [], []
    for path in paths:
        begun = time.perf_counter()
        answer = client.get(path, headers={"accept": "text/html"})
        waited.append(1000 * (time.perf_counter() - begun))
        answer.raise_for_status()
        server.append(total_milliseconds(answer.headers["server-timing"]))
    return float(np.median(server)), float(np.median(waited))


def total_milliseconds(server_timing: str) -> float:
    """The total of a Server-Timing header; steps stand before it."""
    return float(server_timing.rpartition("total;dur=")[2])


def main(
    bundle: Annotated[Path, typer.Option(help="A bundle.")] = Path("bundles/storybook"),
    quick: Annotated[bool, typer.Option(help="Fewer requests.")] = False,
) -> None:
    """Start time, page times, and retrieval."""
    n = 20 if quick else 100
    with serving(bundle) as server, httpx.Client(base_url=server.address, timeout=30) as client:
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
            body = {"query": [{"text": f"a red car and {i} cats in the snow"}]}
            client.post("/api/v1/retrieve", json=body).raise_for_status()
            retrieval.append(1000 * (time.perf_counter() - begun))
    report(
        f"pages over {info['n_items']} items, {info['n_latents']} latents",
        {
            "start_s": Figure("start of the server until ready", server.start_s, "<= 15 s", "s"),
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
