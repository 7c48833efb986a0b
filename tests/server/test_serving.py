"""A service under load: bundles change without a failed request, and the event loop never waits for the models."""

import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient

from server.keys import new_key
from sparc_core import __version__
from sparc_core.bundle.manifest import read_manifest
from tests.server.serving_server import RunningServer, serving


def other_bundle(tiny_bundle: Path, out: Path, name: str) -> str:
    """A bundle with the same content and another corpus name, so another id; returns the id."""
    from sparc_core.bundle.manifest import content_id

    shutil.copytree(tiny_bundle, out)
    manifest = read_manifest(out)
    draft = manifest.model_copy(update={"corpus": manifest.corpus.model_copy(update={"name": name})})
    renamed = draft.model_copy(update={"bundle_id": content_id(draft, draft.files)})
    (out / "manifest.json").write_text(renamed.to_json())
    return renamed.bundle_id


def point(link: Path, bundle: Path) -> None:
    """Move a link in one step."""
    fresh = link.with_name("next")
    fresh.symlink_to(bundle)
    fresh.rename(link)


BODIES = [
    ("/api/v1/retrieve", {"query": [{"text": "a cat"}], "target": "dino"}),
    ("/api/v1/retrieve", {"query": [{"item_id": "s000003"}], "way": "reconstruction"}),
    ("/api/v1/latents/search", {"text": "a red car"}),
    ("/api/v1/heatmaps", {"caption": "a dog", "n_items": 2}),
]
PATHS = ["/api/v1/info", "/api/v1/latents/3", "/api/v1/items/s000005/image", "/", "/latents/3"]


@contextmanager
def load(address: str, n_threads: int = 3) -> Iterator[Counter[object]]:
    """Ask all the time; counts statuses, and what else went wrong."""
    seen: Counter[object] = Counter()
    done = threading.Event()

    def ask(number: int) -> None:
        with httpx.Client(base_url=address, timeout=60) as client:
            i = number
            while not done.is_set():
                path, body = BODIES[i % len(BODIES)]
                for answer in (client.post(path, json=body), client.get(PATHS[i % len(PATHS)])):
                    wrong = path.endswith("heatmaps") and '"error"' in answer.text
                    seen[answer.status_code if not wrong else answer.text[-200:]] += 1
                i += 1

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(n_threads)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        done.set()
        for thread in threads:
            thread.join(120)


def state_of(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of the last change of everything in a folder, and of the folder."""
    paths = [folder, *folder.rglob("*")]
    return {str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns) for path in paths}


def served_id(server: RunningServer) -> str:
    return str(httpx.get(f"{server.address}/readyz").json()["bundle_id"])


def wait_for(server: RunningServer, bundle_id: str) -> None:
    begun = time.monotonic()
    while served_id(server) != bundle_id:
        assert time.monotonic() - begun < 60, server.log.read_text()
        time.sleep(0.1)


@pytest.mark.slow
def test_a_new_bundle_is_served_under_load_without_a_failed_request(tiny_bundle: Path, tmp_path: Path) -> None:
    link, second, damaged = tmp_path / "current", tmp_path / "second", tmp_path / "damaged"
    first_id, second_id = read_manifest(tiny_bundle).bundle_id, other_bundle(tiny_bundle, second, "second")
    other_bundle(tiny_bundle, damaged, "damaged")
    (damaged / "sparc.safetensors").write_bytes(bytes((damaged / "sparc.safetensors").stat().st_size))
    made, plain = new_key("boss", True), new_key("guest", False)
    keys = tmp_path / "keys"
    keys.write_text(f"{made.line}\n{plain.line}\n")
    link.symlink_to(tiny_bundle)
    before = state_of(tiny_bundle)
    with serving(link, tmp_path) as server:
        assert served_id(server) == first_id
        assert httpx.post(f"{server.address}/api/v1/admin/reload", json={}).status_code == 403
        with load(server.address) as seen:
            point(link, second)
            server.signal(signal.SIGHUP)
            wait_for(server, second_id)
            point(link, damaged)
            server.signal(signal.SIGHUP)
            time.sleep(4)
            assert served_id(server) == second_id, "a damaged one is refused"
            point(link, tiny_bundle)
            server.signal(signal.SIGHUP)
            wait_for(server, first_id)
            n_before = sum(seen.values())
            while sum(seen.values()) < n_before + 10:
                time.sleep(0.1)
        assert set(seen) == {200}, seen
        log = server.log.read_text()
        assert "new bundle refused" in log
        assert f"bundle {second_id} replaces {first_id}" in log
    assert state_of(tiny_bundle) == before, "the service writes nothing into a bundle"
    with serving(link, tmp_path, api_keys=str(keys)) as server:
        reload = f"{server.address}/api/v1/admin/reload"
        as_boss, as_guest = ({"Authorization": f"Bearer {key.key}"} for key in (made, plain))
        assert httpx.post(reload, json={}).status_code == 401
        assert httpx.post(reload, json={}, headers=as_guest).json()["error"]["code"] == "admin_only"
        answer = httpx.post(reload, json={}, headers=as_boss, timeout=60).json()
        assert answer == {"bundle_id": first_id, "previous_id": first_id, "changed": False}
        point(link, second)
        answer = httpx.post(reload, json={"verify": True}, headers=as_boss, timeout=60).json()
        assert answer == {"bundle_id": second_id, "previous_id": first_id, "changed": True}
        point(link, damaged)
        answer = httpx.post(reload, json={}, headers=as_boss, timeout=60)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "bundle_refused")
        assert str(tmp_path) not in answer.text


@pytest.mark.slow
def test_health_answers_at_once_while_every_worker_is_busy(tiny_bundle: Path, tmp_path: Path) -> None:
    with serving(tiny_bundle, tmp_path) as server, load(server.address, 6) as seen:
        while sum(seen.values()) < 6:
            time.sleep(0.05)
        waits, depths = [], []
        with httpx.Client(base_url=server.address) as client:
            for _ in range(60):
                begun = time.perf_counter()
                assert client.get("/healthz").status_code == 200
                waits.append(time.perf_counter() - begun)
                lines = client.get("/metrics").text.splitlines()
                depths += [float(line.split()[-1]) for line in lines if line.startswith("sparc_queue_depth")]
                time.sleep(0.02)
    assert max(depths) >= 2, "the workers were busy"
    assert np.percentile(waits, 90) < 0.05, sorted(waits)[-10:]
    assert set(seen) == {200}, seen


def test_what_was_answered_is_not_answered_again(client: TestClient, tiny_bundle: Path) -> None:
    tag = f'W/"{read_manifest(tiny_bundle).bundle_id}-{__version__}"'
    paths = (
        "info",
        "labels",
        "evaluation",
        "latents",
        "latents/3",
        "latents/3/items?stream=dino",
        "items",
        "items/s000003",
    )
    for path in (f"/api/v1/{path}" for path in (*paths, "items/s000003/image?size=64")):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["etag"]) == (200, tag), path
        assert answer.headers["cache-control"] == "private, no-cache"
        again = client.get(path, headers={"If-None-Match": f'"other", {tag}'})
        assert (again.status_code, again.content) == (304, b""), path
        assert client.get(path, headers={"If-None-Match": 'W/"other"'}).status_code == 200
    assert "etag" not in client.get("/api/v1/latents/64").headers, "errors are no representation"


def test_a_picture_of_a_named_bundle_may_be_kept_for_ever(client: TestClient, tiny_bundle: Path) -> None:
    bundle_id = read_manifest(tiny_bundle).bundle_id
    answer = client.get("/api/v1/items/s000003/image", params={"bundle": bundle_id, "size": 64})
    assert "immutable" in answer.headers["cache-control"]
    answer = client.get("/api/v1/items/s000003/image", params={"bundle": "0" * 16})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "bundle_not_found")


def test_server_timing_names_every_step(client: TestClient) -> None:
    body = {"query": [{"text": "a boat that nobody asked for"}], "where": {"split": "train"}}
    steps = client.post("/api/v1/retrieve", json=body).headers["server-timing"]
    names = [step.partition(";")[0].strip() for step in steps.split(",")]
    assert set(names) == {"queue", "text", "encode", "filter", "search", "hits", "total"}


def test_an_administrators_route_is_shut_without_keys(client: TestClient) -> None:
    answer = client.post("/api/v1/admin/reload", json={})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "admin_only")
