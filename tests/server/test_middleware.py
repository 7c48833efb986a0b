"""Ids, deadlines, times and headers: what every answer carries, errors too."""

import re
import time

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from server.middleware.observing import deadline_of, request_id_of, server_timing
from server.schemas import ErrorBody
from server.settings import Settings
from sparc_core.errors import InputError
from tests.server.small_app import DEADLINE_S, explode, small_client

THING = "/api/v1/things/3"
latin_1 = st.text(st.characters(max_codepoint=255), max_size=80)


@pytest.fixture(scope="module")
def small() -> TestClient:
    return small_client(max_upload_bytes=1000)


def headers_with(name: str, value: str) -> Headers:
    return Headers(raw=[(name.encode(), value.encode("latin-1"))])


def test_a_given_request_id_is_kept_and_known_inside(small: TestClient) -> None:
    answer = small.get(THING, headers={"X-Request-Id": "job-7.a_B"})
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == "job-7.a_B"


@pytest.mark.parametrize("given_id", [None, "", "a b", "x" * 65, "<script>", "ü"])
def test_other_requests_get_a_new_id(small: TestClient, given_id: str | None) -> None:
    headers = {} if given_id is None else {"X-Request-Id": given_id.encode("latin-1")}
    ids = {small.get(THING, headers=headers).headers["x-request-id"] for _ in range(2)}
    assert len(ids) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in ids)


@given(latin_1)
def test_ids_are_always_safe_in_a_header(text: str) -> None:
    found = request_id_of(headers_with("x-request-id", text))
    plain = 1 <= len(text) <= 64 and all(c.isascii() and (c.isalnum() or c in "._-") for c in text)
    assert (found == text) == plain
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", found)


def test_the_deadline_is_the_setting_or_sooner(small: TestClient) -> None:
    for sent, expected_s in ((None, DEADLINE_S), ("2500", 2.5), ("0001", 0.001), ("999999999999", DEADLINE_S)):
        before = time.monotonic()
        headers = {} if sent is None else {"X-Deadline-Ms": sent}
        deadline = small.get(THING, headers=headers).json()["deadline"]
        assert before + expected_s <= deadline <= time.monotonic() + expected_s


@pytest.mark.parametrize("sent", ["", "0", "-5", "1.5", "1e3", "soon", "10 s", "9" * 5000])
def test_a_malformed_deadline_is_refused(small: TestClient, sent: str) -> None:
    answer = small.get(THING, headers={"X-Deadline-Ms": sent})
    error = ErrorBody.model_validate(answer.json()).error
    assert (answer.status_code, error.code) == (422, "invalid_request")
    assert error.detail == {"field": "X-Deadline-Ms"}
    assert f'is "{sent[:40]}": send a whole number of milliseconds, at least 1' in error.message
    assert answer.headers["x-request-id"]
    assert answer.headers["x-frame-options"] == "DENY"


@given(st.integers(1, 10**15 - 1))
def test_every_whole_number_is_a_deadline(milliseconds: int) -> None:
    deadline = deadline_of(headers_with("x-deadline-ms", str(milliseconds)), 100.0, 30.0)
    assert deadline == 100 + min(30, milliseconds / 1000)


@given(latin_1)
def test_other_deadlines_are_input_errors(text: str) -> None:
    if re.fullmatch("[0-9]+", text) and int(text) > 0:
        return
    with pytest.raises(InputError):
        deadline_of(headers_with("x-deadline-ms", text), 0.0, 30.0)


def test_server_timing_names_the_steps_and_ends_with_the_total(small: TestClient) -> None:
    values = small.get(THING).headers.get_list("server-timing")
    assert len(values) == 1
    names = re.fullmatch(r"(\S+);dur=\d+\.\d, (\S+);dur=\d+\.\d, total;dur=\d+\.\d", values[0])
    assert names is not None, values
    assert names.groups() == ("encode", "look_up_in_all")


@given(st.dictionaries(st.text(max_size=20), st.floats(0, 1e6)))
def test_step_names_become_tokens(milliseconds: dict[str, float]) -> None:
    for metric in server_timing(milliseconds, 5.0).split(", "):
        assert re.fullmatch(r"[A-Za-z0-9_.-]+;dur=[0-9.]+", metric)


def test_steps_are_those_of_one_request(small: TestClient) -> None:
    small.get(THING)
    assert small.get("/healthz").headers["server-timing"].startswith("total;dur=")


@pytest.mark.parametrize("path", [THING, "/nowhere", "/static/small_app.py", "/healthz", "/metrics"])
def test_every_answer_carries_security_headers(small: TestClient, path: str) -> None:
    headers = small.get(path).headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"


def test_no_other_origin_is_ever_let_in(small: TestClient) -> None:
    origin = {"Origin": "https://elsewhere.example"}
    preflight = {**origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
    answers = [small.get(THING, headers=origin), small.options(THING, headers=preflight)]
    assert answers[1].status_code == 405
    for answer in answers:
        assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_pages_of_other_sites_may_not_post(small: TestClient) -> None:
    answers = {
        site: small.post("/api/v1/uploads", headers={"Sec-Fetch-Site": site}).status_code
        for site in ("cross-site", "same-origin", "none")
    }
    assert answers["cross-site"] == 403
    assert 403 not in (answers["same-origin"], answers["none"])
    assert small.get(THING, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200, "links lead here"


def test_large_bodies_are_refused_by_announcement_and_by_count(small: TestClient) -> None:
    def pieces() -> object:
        for _ in range(20):
            yield bytes(10_000)

    assert small.post("/api/v1/size", content=bytes(1000)).json() == 1000
    for content in (bytes(100_000), pieces()):
        answer = small.post("/api/v1/size", content=content)  # type: ignore[arg-type]
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "upload_too_large")
        assert answer.headers["x-request-id"]


def test_unexpected_errors_carry_id_times_and_headers_too(caplog: pytest.LogCaptureFixture) -> None:
    from server.app import create_app

    app = create_app(Settings(_env_file=None))  # type: ignore[call-arg]
    app.add_api_route("/explode", explode)
    answer = TestClient(app, raise_server_exceptions=False).get("/explode", headers={"X-Request-Id": "broken-1"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert answer.headers["x-request-id"] == "broken-1"
    assert "total;dur=" in answer.headers["server-timing"]
    assert answer.headers["x-frame-options"] == "DENY"
    assert "a secret" not in answer.text
    assert "unexpected error at /explode" in caplog.text
    counted = app.state.metrics.exposition().decode()
    assert 'sparc_request_seconds_count{method="GET",route="/explode",status="500"} 1.0' in counted


def test_the_real_application_has_it_all(client: TestClient) -> None:
    answer = client.get("/api/v1/info", headers={"X-Request-Id": "real-1", "X-Deadline-Ms": "20000"})
    assert answer.status_code == 200
    assert answer.headers["x-request-id"] == "real-1"
    assert answer.headers["server-timing"].count("total;dur=") == 1
    assert client.get("/", headers={"X-Deadline-Ms": "x"}).status_code == 422
    text = client.get("/metrics").text
    assert 'sparc_request_seconds_count{method="GET",route="/api/v1/info",status="200"}' in text
    assert "/metrics" not in client.get("/openapi.json").json()["paths"]
