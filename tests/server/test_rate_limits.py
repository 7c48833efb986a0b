"""So many requests in a stretch of time, for each client, in bounded memory."""

import tracemalloc
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from server.rate_limits import RateLimits
from server.schemas import ErrorBody
from sparc_core.errors import InputError
from tests.server.small_app import small_client
from tests.server.test_keys import digest_of

MAX_BYTES_OF_A_WINDOW = 1500


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_window_begins_with_the_first_request_and_ends_on_time() -> None:
    clock = Clock()
    limits = RateLimits("2/minute", clock=clock)
    assert limits.refusal("ann") is None
    clock.now += 50
    assert limits.refusal("ann") is None
    refusal = limits.refusal("ann")
    assert refusal is not None
    assert refusal.message == "at most 2 requests per minute are answered: try again in 10 s"
    assert refusal.retry_after_s == 10
    assert limits.refusal("bob") is None, "each client has its own"
    clock.now += 9.99
    again = limits.refusal("ann")
    assert again is not None
    assert again.retry_after_s == 1, "whole seconds, never 0"
    clock.now += 0.01
    assert limits.refusal("ann") is None


def test_of_several_limits_each_holds_and_refused_requests_do_not_count() -> None:
    clock = Clock()
    limits = RateLimits("1/second; 3 per 2 minutes", clock=clock)
    answered = []
    for _ in range(12):  # two requests a second, for six seconds
        answered.append(limits.refusal("ann") is None)
        clock.now += 0.5
    assert answered == [True, False, True, False, True, False] + [False] * 6
    refusal = limits.refusal("ann")
    assert refusal is not None
    assert refusal.message == "at most 3 requests per 2 minutes are answered: try again in 114 s"


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 40)), max_size=60), st.integers(1, 4))
def test_it_agrees_with_a_plain_count(requests: list[tuple[str, float]], amount: int) -> None:
    clock = Clock()
    limits = RateLimits(f"{amount}/minute", clock=clock)
    windows: dict[str, tuple[float, int]] = {}
    for client, pause in requests:
        clock.now += pause
        begun, n = windows.get(client, (clock.now, 0))
        if clock.now >= begun + 60:
            begun, n = clock.now, 0
        refusal = limits.refusal(client)
        assert (refusal is None) == (n < amount)
        if refusal is None:
            windows[client] = (begun, n + 1)
        else:
            assert 0 <= refusal.retry_after_s - (begun + 60 - clock.now) < 1.001


@pytest.mark.parametrize("notation", ["600", "minute", "600/fortnight", "0/minute", "-1/minute", "5/second; junk", ";"])
def test_a_malformed_notation_names_the_setting(notation: str) -> None:
    with pytest.raises(InputError, match=r'setting rate_limit is ".*": write .* like "600/minute"'):
        RateLimits(notation)


def test_addresses_come_and_go_in_bounded_memory() -> None:
    clock = Clock()
    limits = RateLimits("5/minute", max_windows=1000, clock=clock)
    for i in range(1000):
        limits.refusal(f"client-{i}")
    tracemalloc.start()
    try:
        for i in range(1000, 6000):
            limits.refusal(f"client-{i}")
            clock.now += 1e-6
        assert tracemalloc.get_traced_memory()[0] < MAX_BYTES_OF_A_WINDOW * 1000
    finally:
        tracemalloc.stop()
    assert len(limits.windows) == 1000
    clock.now += 61
    limits.refusal("one more")
    assert len(limits.windows) == 1, "windows that ended are forgotten"


def test_one_ipv6_subscriber_is_one_client() -> None:
    limits = RateLimits("1/minute")
    assert limits.refusal("2001:db8:1:2::1") is None
    assert limits.refusal("2001:db8:1:2:ffff::9") is not None, "the same /64"
    assert limits.refusal("2001:db8:1:3::1") is None
    assert limits.refusal("192.0.2.1") is None
    assert limits.refusal("192.0.2.2") is None
    assert limits.refusal("::ffff:192.0.2.1") is not None, "an IPv4 address in other words"


def test_refused_requests_say_when_to_come_again() -> None:
    client = small_client(rate_limit="2/hour")
    assert [client.get("/api/v1/me").status_code for _ in range(2)] == [200, 200]
    for path in ("/api/v1/me", "/", "/openapi.json"):
        answer = client.get(path)
        error = ErrorBody.model_validate(answer.json()).error
        assert (answer.status_code, error.code) == (429, "rate_limited")
        assert 3590 <= int(answer.headers["retry-after"]) <= 3600
        assert error.message.startswith("at most 2 requests per hour are answered: try again in ")
        assert answer.headers["x-request-id"]
    for path in ("/healthz", "/metrics", "/static/small_app.py"):
        assert {client.get(path).status_code for _ in range(3)} == {200}, path


def test_clients_are_told_apart_by_key(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"ann {digest_of('a')}\nbob {digest_of('b')}\n")
    client = small_client(rate_limit="1/hour", api_keys=tmp_path / "keys")
    answers = [client.get("/api/v1/me", headers={"X-API-Key": key}).status_code for key in "aabb"]
    assert answers == [200, 429, 200, 429]
    assert client.get("/api/v1/me").status_code == 401


def test_clients_are_told_apart_by_address() -> None:
    app = small_client(rate_limit="1/hour").app
    hosts = ("192.0.2.1", "192.0.2.1", "192.0.2.2")
    answers = [TestClient(app, client=(host, 1)).get("/api/v1/me").status_code for host in hosts]
    assert answers == [200, 429, 200]
    forged = TestClient(app, client=("192.0.2.1", 1)).get("/api/v1/me", headers={"X-Forwarded-For": "192.0.2.9"})
    assert forged.status_code == 429
