"""A bundle that is removed, moved away or replaced under the service."""

import json
import logging
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from server.presence import Presence
from sparc_core.bundle import Bundle
from tests.faults.server_process import ServerProcess, Start
from tests.server.test_serving import other_bundle

pytestmark = pytest.mark.xdist_group("server faults")

PICTURE = "/api/v1/items/{}/image"
FROM_MEMORY = ("/api/v1/info", "/api/v1/latents/3", "/api/v1/items/s000003", "/api/v1/evaluation", "/", "/evaluation")
RETRIEVE = {"query": [{"item_id": "s000003"}], "target": "dino"}


@contextmanager
def moved(bundle: Path) -> Iterator[Path]:
    """Away, until the end of the block."""
    away = bundle.with_name("away")
    bundle.rename(away)
    try:
        yield away
    finally:
        shutil.rmtree(bundle, ignore_errors=True)
        away.rename(bundle)


def is_ready(server: ServerProcess, expected: bool) -> None:
    server.wait_for(lambda: server.status("/readyz") == (200 if expected else 503), 10)


def answers_gone(answer: httpx.Response) -> None:
    """One sentence for people, no place of the machine, and when to ask again."""
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], answer.headers["retry-after"]) == (503, "bundle_gone", "30")
    assert "removed" in error["message"]
    assert "reload" in error["message"]
    assert "/" not in error["message"]


def test_a_bundle_that_is_moved_away_and_back(server: ServerProcess, client: httpx.Client, own_bundle: Path) -> None:
    kept = client.get(PICTURE.format("s000003")).content
    before = len(server.said())
    with moved(own_bundle):
        for path in FROM_MEMORY:
            assert client.get(path).status_code == 200, path
        assert client.post("/api/v1/retrieve", json=RETRIEVE).status_code == 200
        assert client.get(PICTURE.format("s000003")).content == kept, "it was sent before"
        for _ in range(3):
            answers_gone(client.get(PICTURE.format("s000004")))
        body = {"caption": "a cat", "item_ids": ["s000005"]}
        lines = client.post("/api/v1/heatmaps", json=body).text.splitlines()
        assert json.loads(lines[-1])["error"]["code"] == "bundle_gone", "its status was sent already"
        assert client.get("/healthz").status_code == 200
        is_ready(server, False)
        assert client.get("/readyz").json()["error"]["code"] == "bundle_gone"
        assert server.exit_code(0) is None
    is_ready(server, True)
    assert client.get(PICTURE.format("s000004")).status_code == 200
    said = server.said()[before:]
    assert said.count("is no more at") == said.count("again") == 1
    assert "Traceback" not in said


def test_a_bundle_that_is_deleted_and_put_back_from_a_copy(
    server: ServerProcess, client: httpx.Client, own_bundle: Path, tiny_bundle: Path
) -> None:
    shutil.rmtree(own_bundle)
    answers_gone(client.get(PICTURE.format("s000006")))
    is_ready(server, False)
    shutil.copytree(tiny_bundle, own_bundle)
    is_ready(server, True)
    assert client.get(PICTURE.format("s000006")).status_code == 200


def test_another_bundle_in_its_place_needs_a_reload(
    server: ServerProcess, client: httpx.Client, own_bundle: Path
) -> None:
    with moved(own_bundle) as away:
        other = other_bundle(away, own_bundle, "another")
        answers_gone(client.get(PICTURE.format("s000007")))  # another's picture may have this name
        is_ready(server, False)
        server.signal(signal.SIGHUP)
        server.wait_for(lambda: client.get("/readyz").json().get("bundle_id") == other, 60)
        assert client.get(PICTURE.format("s000007")).status_code == 200
    is_ready(server, False)
    server.signal(signal.SIGHUP)
    server.wait_for(lambda: client.get("/readyz").status_code == 200, 60)


def test_what_is_gone_is_said_on_pages_too(start_server: Start, tiny_bundle: Path, tmp_path: Path) -> None:
    lost = tmp_path / "lost"
    shutil.copytree(tiny_bundle, lost)
    evaluation = lost / "evaluation.json"
    evaluation.write_bytes(b"{" + bytes(evaluation.stat().st_size - 1))  # so that it was not read at the start
    server = start_server(lost)
    as_page = {"accept": "text/html"}
    with httpx.Client(base_url=server.address, headers=as_page, timeout=30) as client:
        damaged = client.get("/evaluation")
        assert (damaged.status_code, "is damaged" in damaged.text) == (500, True)
        assert client.get("/").status_code == 200, "it costs one page, not the service"
        shutil.rmtree(lost)
        gone = client.get("/evaluation")
    assert (gone.status_code, gone.headers["retry-after"]) == (503, "30")
    assert "The bundle was removed or replaced under the service" in gone.text
    assert str(tmp_path) not in gone.text


def test_a_look_costs_no_reading_and_says_a_change_once(
    bundle_to_lose: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    presence = Presence(Bundle.open(bundle_to_lose))
    assert presence.look()
    with monkeypatch.context() as without:
        without.setattr("server.presence.read_manifest", None)
        assert presence.look()
    manifest = bundle_to_lose / "manifest.json"
    text = manifest.read_text()
    with caplog.at_level(logging.WARNING):
        for broken in (None, "{", text.replace(presence._bundle_id, "0" * 16), None):
            manifest.unlink(missing_ok=True)
            if broken is not None:
                manifest.write_text(broken)
            assert not presence.look()
            assert not presence.is_there
        manifest.write_text(text)
        assert presence.look()
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


@pytest.fixture
def bundle_to_lose(tiny_bundle: Path, tmp_path: Path) -> Path:
    shutil.copytree(tiny_bundle, tmp_path / "b", ignore=shutil.ignore_patterns("media"))
    return tmp_path / "b"
