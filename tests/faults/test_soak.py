"""The soak of `benchmarks/soak.py` in small, so that it cannot rot; and its judgement over findings made by hand."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.process_watch import Footprint, Moment
from benchmarks.soak import CACHES, soak
from benchmarks.soak_clients import LEFT, Record, is_right, status_of
from benchmarks.soak_findings import Findings
from benchmarks.soak_requests import Ask
from tests.faults.server_process import Start

_CLIENTS, _SECONDS, _PAUSE_S, _SETTLING_S = 16, 3.0, 0.3, 2.0
# The first visits of 16 clients are of 16 kinds.
_EVERY_KIND = set("page latents picture retrieve search heatmaps file unchanged hurried left upload metrics".split())

WELL = Footprint(rss=900, pss=900, own=600, handles=40, threads=20)
STILL = Footprint(0, 0, 0, 0, 0)


def findings(
    statuses: Sequence[int] = (200,),
    growing: Footprint = STILL,
    surprises: Sequence[str] = (),
    log_errors: Sequence[str] = (),
) -> Findings:
    """Ten minutes of a service that answers with these statuses in turns, and gains so much in every second."""
    moments = [Moment(s, Footprint(*(a + s * b for a, b in zip(WELL, growing, strict=True)))) for s in range(600)]
    records = [Record("page", statuses[s % len(statuses)], 10.0 + s % 100, float(s)) for s in range(600)]
    after = moments[-1].footprint._replace(threads=WELL.threads)
    return Findings(records, surprises, moments, True, WELL, after, log_errors)


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="memory is read from Linux's /proc")
def test_a_small_crowd_is_answered_honestly_and_leaves_nothing_behind(start_server: Start) -> None:
    server = start_server(**CACHES)
    found = soak(server.address, server.pid, server.log, _CLIENTS, _SECONDS, _PAUSE_S, _SETTLING_S)
    assert not found.surprises, "\n".join(found.surprises)
    assert found.n_5xx == 0
    assert not found.log_errors
    assert set(found.kinds) >= _EVERY_KIND
    assert found.statuses("unchanged")[304] == found.statuses("unchanged")[200]
    assert set(found.statuses("left")) == {LEFT}
    # Of memory, seconds tell nothing: caches fill, and threads start.
    assert found.after.handles - found.before.handles <= 2


def test_a_service_that_stays_as_it_is_keeps_every_promise() -> None:
    well = findings()
    assert well.broken_promises() == []
    assert well.per_second == pytest.approx(600 / 599)
    assert well.times() == pytest.approx((600, 59.5, 104.05, 108.01))  # of 10 to 109, each six times


@pytest.mark.parametrize(
    ("broken", "what"),
    [
        (findings((200, 200, 500)), "200 answers failed"),
        (findings((200, 0)), "300 answers failed"),  # connections that the service broke off
        (findings((200, 503), surprises=["GET /: HTTP/1.1 503 Service Unavailable"]), "1 answers failed"),
        (findings(surprises=["GET /: HTTP/1.1 404 Not Found"]), "1 answers or more were not those expected"),
        (findings(growing=Footprint(9, 9, 0.04, 0, 0)), "memory grew by 4.0%, from 600 to 624 MB"),
        # Medians of seconds 0 to 119 and 480 to 599: 59.5 and 539.5.
        (findings(growing=Footprint(0, 0, 0, 1, 0)), "open handles grew from 100 to 580"),
        (findings(growing=Footprint(0, 0, 0, 0, 1)), "threads grew from 80 to 560"),
        (findings(log_errors=["ERROR"]), "the log tells of 1 errors"),
    ],
)
def test_what_is_broken_is_named(broken: Findings, what: str) -> None:
    assert what in broken.broken_promises()


def test_mapped_pages_and_honest_refusals_break_no_promise() -> None:
    fine = findings((200, 503, 404, LEFT), growing=Footprint(9, 9, 0.03, 0, 0))
    assert fine.broken_promises() == []
    assert fine.n_unavailable == 150


_JSON = b"Content-Type: application/json\r\n"
_REASON = b'{"error": {"code": "busy", "message": "later", "detail": {}}}'


@pytest.mark.parametrize(
    ("head", "body", "is_honest"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"{}", True),
        (b"HTTP/1.1 503 X\r\nretry-after: 2\r\n" + _JSON, _REASON, True),
        (b"HTTP/1.1 503 X\r\n" + _JSON, _REASON, False),
        (b"HTTP/1.1 503 X\r\nretry-after: 2\r\n" + _JSON, b'{"detail": "later"}', False),
        (b"HTTP/1.1 500 X\r\n" + _JSON, _REASON, False),
        (b"HTTP/1.1 404 X\r\n" + _JSON, _REASON, False),
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n",
            b'{"kind": "caption"}\n' + _REASON + b"\n",
            True,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n",
            b'{"kind": "caption"}\n{"error": {"code": "internal_error"}}\n',
            False,
        ),
    ],
)
def test_only_honest_answers_are_right(head: bytes, body: bytes, is_honest: bool) -> None:
    head += b"\r\n"
    assert is_right(Ask("", "GET", "/"), status_of(head, body), head, body) is is_honest
