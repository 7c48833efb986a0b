"""What Prometheus reads: every metric, under names and labels of a bounded number."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from server.metrics import WATCHED, Metrics, Reading
from tests.server.small_app import observed, small_app, small_client

ROOT = Path(__file__).parents[2]
READINGS = [
    Reading("sparc_queue_depth", {"worker": "device"}, 3),
    Reading("sparc_queue_depth", {"worker": "cpu"}, 0),
    Reading("sparc_busy_seconds", {"worker": "device"}, 1.5),
    Reading("sparc_cache_hits_total", {"cache": "looks"}, 7),
    Reading("sparc_cache_misses_total", {"cache": "looks"}, 2),
    Reading("sparc_cache_bytes", {"cache": "looks"}, 4096),
    Reading("sparc_device_memory_bytes", {"device": "cuda:0"}, 2**30),
    Reading("sparc_bundle_info", {"corpus": 'a "corpus"', "bundle_id": "b1"}, 1),
]


class Shown:
    """Something that is watched."""

    def __init__(self, readings: list[Reading]) -> None:
        self._readings = readings

    def readings(self) -> list[Reading]:
        return self._readings


def samples(text: str, name: str) -> dict[tuple[str, ...], float]:
    """The samples of a name, by the values of their labels in alphabetical order of the labels."""
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


def test_requests_are_counted_by_route_and_not_by_path() -> None:
    client = small_client()
    for path in ("/api/v1/things/1", "/api/v1/things/2", "/api/v1/things/x", "/nowhere/1", "/nowhere/2"):
        client.get(path)
    client.get("/static/small_app.py")
    client.get("/static/nothing.js")
    client.put("/api/v1/things/1")
    client.request("BREW", "/nowhere")
    client.get("/api/v1/things/1", headers={"X-Deadline-Ms": "x"})
    text = client.get("/metrics").text
    assert samples(text, "sparc_request_seconds_count") == {
        ("GET", "/api/v1/things/{thing_id}", "200"): 2,
        ("GET", "/api/v1/things/{thing_id}", "422"): 1,
        ("PUT", "/api/v1/things/{thing_id}", "405"): 1,
        ("GET", "static", "200"): 1,
        ("GET", "static", "404"): 1,
        ("GET", "unknown", "404"): 2,
        ("other", "unknown", "404"): 1,
        ("GET", "unknown", "422"): 1,
    }
    assert all(0 < seconds < 10 for seconds in samples(text, "sparc_request_seconds_sum").values())
    route = "/api/v1/things/{thing_id}"
    assert samples(text, "sparc_step_seconds_count") == {(route, "encode"): 2, (route, "look up; in all"): 2}


def test_refused_requests_are_counted(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"ann {'0' * 64}\n")
    app = small_app(api_keys=tmp_path / "keys")
    TestClient(observed(app)).get("/api/v1/me")
    assert samples(app.state.metrics.exposition().decode(), "sparc_request_seconds_count") == {
        ("GET", "unknown", "401"): 1
    }


def test_what_is_watched_is_read_when_somebody_looks() -> None:
    app = small_app()
    client = TestClient(observed(app))
    assert "sparc_queue_depth" not in client.get("/metrics").text
    app.state.watched = [Shown(READINGS[:3]), Shown(READINGS[3:])]
    answer = client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    text = answer.text
    assert {name for name in WATCHED if samples(text, name)} == set(WATCHED)
    assert samples(text, "sparc_queue_depth") == {("device",): 3, ("cpu",): 0}
    assert samples(text, "sparc_cache_hits_total") == {("looks",): 7}
    assert samples(text, "sparc_device_memory_bytes") == {("cuda:0",): 2**30}
    assert samples(text, "sparc_bundle_info") == {("b1", 'a "corpus"'): 1}
    app.state.watched = [Shown([Reading("sparc_queue_depth", {"worker": "device"}, 4)])]
    assert samples(client.get("/metrics").text, "sparc_queue_depth") == {("device",): 4}


def test_readings_must_be_of_a_known_metric() -> None:
    for reading, said in (
        (Reading("sparc_mood", {}, 1), "sparc_mood is no watched metric"),
        (Reading("sparc_cache_bytes", {"worker": "x"}, 1), "sparc_cache_bytes has labels"),
    ):
        with pytest.raises(AssertionError, match=said):
            Metrics(lambda reading=reading: [Shown([reading])]).exposition()  # type: ignore[misc]


def test_batches_are_counted_by_size() -> None:
    metrics = Metrics()
    for size in (1, 3, 3, 200):
        metrics.observe_batch("texts", size)
    text = metrics.exposition().decode()
    assert samples(text, "sparc_batch_size_sum") == {("texts",): 207}
    buckets = samples(text, "sparc_batch_size_bucket")
    assert [buckets["texts", edge] for edge in ("1.0", "2.0", "4.0", "128.0", "+Inf")] == [1, 1, 3, 3, 4]


def test_applications_count_for_themselves_and_tell_of_the_process() -> None:
    first, second = Metrics(), Metrics()
    first.observe_request("/", "GET", "200", 0.1)
    text = second.exposition().decode()
    assert not samples(text, "sparc_request_seconds_count")
    for name in ("process_resident_memory_bytes", "python_info", "python_gc_collections_total"):
        assert samples(text, name)


def test_every_metric_is_documented() -> None:
    metrics = Metrics(lambda: [Shown(READINGS)])
    metrics.observe_request("/", "GET", "200", 0.1)
    metrics.observe_steps("/", {"encode": 1.0})
    metrics.observe_batch("texts", 1)
    families = text_string_to_metric_families(metrics.exposition().decode())
    ours = {f.name + ("_total" if f.type == "counter" else "") for f in families if f.name.startswith("sparc_")}
    ours = {name for name in ours if not name.endswith("_created")}  # the library's own, one beside each histogram
    assert set(WATCHED) < ours
    text = (ROOT / "docs" / "operating.md").read_text()
    assert not [name for name in ours if f"`{name}`" not in text and f"`{name}{{" not in text]
