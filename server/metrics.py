"""What the service counts, for Prometheus to fetch at `/metrics`; `docs/operating.md` explains every metric.

Requests, steps and batches are observed as they happen. Queues, caches, memory and the bundle are read when somebody
looks: objects that know them (`Watched`) stand in `app.state.watched`.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, Protocol

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
# Anybody can make up a method, and every one would be a series of its own.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Reading(NamedTuple):
    """A value of one of the `WATCHED` metrics; no two readings may have the same metric and labels."""

    metric: str
    labels: dict[str, str]
    value: float


class Watched(Protocol):
    """Something whose state is worth a metric."""

    def readings(self) -> list[Reading]:
        """Its values now; asked on a thread of its own, several times a minute, so quick and safe."""


class WatchedMetric(NamedTuple):
    """A metric that is read from outside."""

    family: type[GaugeMetricFamily] | type[CounterMetricFamily]
    meaning: str
    labels: tuple[str, ...]


WATCHED: dict[str, WatchedMetric] = {
    "sparc_queue_depth": WatchedMetric(GaugeMetricFamily, "Jobs that wait or run", ("worker",)),
    "sparc_busy_seconds": WatchedMetric(GaugeMetricFamily, "How long the oldest running job has run", ("worker",)),
    "sparc_cache_hits_total": WatchedMetric(CounterMetricFamily, "Look-ups that a cache answered", ("cache",)),
    "sparc_cache_misses_total": WatchedMetric(CounterMetricFamily, "Look-ups that it could not", ("cache",)),
    "sparc_cache_bytes": WatchedMetric(GaugeMetricFamily, "Bytes that a cache holds", ("cache",)),
    "sparc_device_memory_bytes": WatchedMetric(GaugeMetricFamily, "GPU memory in use", ("device",)),
    "sparc_bundle_info": WatchedMetric(GaugeMetricFamily, "1, for each bundle being served", ("bundle_id", "corpus")),
}


class Metrics:
    """The metrics of one application."""

    def __init__(self, watched: Callable[[], Iterable[Watched]] = tuple) -> None:
        """Args: `watched` says what to read when somebody looks."""
        self._registry = CollectorRegistry()
        self._requests = Histogram(
            "sparc_request_seconds",
            "From the request's head to the answer's end",
            ("route", "method", "status"),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._steps = Histogram(
            "sparc_step_seconds",
            "Steps of a request, as in Server-Timing",
            ("route", "step"),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._batches = Histogram(
            "sparc_batch_size", "Payloads computed together", ("kind",), buckets=_SIZES, registry=self._registry
        )
        self._registry.register(_WatchedCollector(watched))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def observe_request(self, route: str, method: str, status: str, seconds: float) -> None:
        """Count an answered request; `route` must be one of a bounded number, never a path."""
        method = method if method in _METHODS else "other"
        self._requests.labels(route, method, status).observe(seconds)

    def observe_steps(self, route: str, milliseconds: Mapping[str, float]) -> None:
        """Count what the steps of a request took."""
        for step, took in milliseconds.items():
            self._steps.labels(route, step).observe(took / 1000)

    def observe_batch(self, kind: str, size: int) -> None:
        """Count a batch; from any thread."""
        self._batches.labels(kind).observe(size)

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format, of type `CONTENT_TYPE`."""
        return generate_latest(self._registry)


class _WatchedCollector(Collector):
    """Reads what is watched, when it is asked."""

    def __init__(self, watched: Callable[[], Iterable[Watched]]) -> None:
        self._watched = watched

    def collect(self) -> Iterable[Metric]:
        """The families that have a value."""
        families: dict[str, GaugeMetricFamily | CounterMetricFamily] = {}
        for reading in [reading for watched in self._watched() for reading in watched.readings()]:
            known = WATCHED.get(reading.metric)
            assert known is not None, f"{reading.metric} is no watched metric: {', '.join(WATCHED)} are"
            assert set(reading.labels) == set(known.labels), f"{reading.metric} has labels {known.labels}"
            if reading.metric not in families:
                families[reading.metric] = known.family(reading.metric, known.meaning, labels=known.labels)
            families[reading.metric].add_metric([reading.labels[label] for label in known.labels], reading.value)
        return families.values()
