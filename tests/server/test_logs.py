"""Log lines: one format, the request's id, no query and no key."""

import json
import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from server.logs import AccessLine, configure_logs, log_access
from server.request_context import RequestContext, answering
from server.settings import Settings
from tests.server.small_app import small_client

OURS = ("server", "sparc_core", "uvicorn")


@pytest.fixture
def stderr(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """What was written to stderr since the last call; the tests' own logging comes back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()  # they would be closed otherwise
    # A server of another test may have configured the web server's loggers.
    others = [logging.getLogger(name) for name in ("uvicorn", "uvicorn.error", "uvicorn.access")]
    before = [(logger, logger.handlers[:], logger.level, logger.propagate) for logger in others]
    for logger in others:
        logger.handlers.clear()
        logger.setLevel(logging.NOTSET)
        logger.propagate = True
    yield lambda: capsys.readouterr().err
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in OURS:
        logging.getLogger(name).setLevel(logging.NOTSET)
    for logger, its_handlers, its_level, propagate in before:
        logger.handlers[:] = its_handlers
        logger.setLevel(its_level)
        logger.propagate = propagate


def objects(lines: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in lines.splitlines()]


def test_an_access_line_in_json(stderr: Callable[[], str]) -> None:
    configure_logs("json", "info")
    client = small_client()
    client.get("/api/v1/things/3?caption=private", headers={"X-Request-Id": "r-1", "X-API-Key": "secret"})
    written = stderr()
    (line,) = [one for one in objects(written) if one["logger"] == "server.access"]
    milliseconds = line.pop("milliseconds")
    assert isinstance(milliseconds, float)
    assert str(line.pop("time")).endswith("+00:00")
    assert str(line.pop("message")).startswith("GET /api/v1/things/3 200 in ")
    assert line == {
        "level": "info",
        "logger": "server.access",
        "request_id": "r-1",
        "method": "GET",
        "path": "/api/v1/things/3",
        "route": "/api/v1/things/{thing_id}",
        "status": 200,
        "client": "testclient",
    }
    assert "private" not in written
    assert "secret" not in written


@pytest.mark.parametrize("headers", [{"Authorization": "Bearer secret"}, {"Authorization": "Basic eDpzZWNyZXQ="}])
def test_keys_are_never_logged(stderr: Callable[[], str], tmp_path: Path, headers: dict[str, str]) -> None:
    configure_logs("json", "debug")
    (tmp_path / "keys").write_text(f"ann {'0' * 64}\n")
    small_client(api_keys=tmp_path / "keys").get("/api/v1/me", headers=headers)
    written = stderr()
    assert '"status": 401' in written
    assert "secret" not in written
    assert "eDpzZWNyZXQ=" not in written


def test_exceptions_stay_in_the_log(stderr: Callable[[], str]) -> None:
    configure_logs("json", "warning")
    answer = small_client().get("/api/v1/explode", headers={"X-Request-Id": "r-2"})
    assert "a secret" not in answer.text
    (line,) = objects(stderr())
    assert (line["level"], line["request_id"]) == ("error", "r-2")
    assert "RuntimeError: a secret" in str(line["exception"])


def test_every_library_writes_json_lines(stderr: Callable[[], str]) -> None:
    configure_logs("json", "info")
    logging.getLogger("uvicorn.error").info("started\nsecond line")
    logging.getLogger("elsewhere").warning("said %s", "something")
    logging.getLogger("elsewhere").info("not said")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old ways", stacklevel=1)
    first, second, third = objects(stderr())
    assert (first["logger"], first["message"]) == ("uvicorn.error", "started\nsecond line")
    assert (second["logger"], second["message"]) == ("elsewhere", "said something")
    assert third["logger"] == "py.warnings"
    assert "old ways" in str(third["message"])


def test_text_lines_name_the_request_and_cannot_be_forged(stderr: Callable[[], str]) -> None:
    configure_logs("text", "info")
    with answering(RequestContext("r-3")):
        log_access(AccessLine("GET", "/a\n2030 ERROR b", "unknown", 404, 1.26, "2001:db8::1"))
    logging.getLogger("server").warning("outside of a request")
    first, second = stderr().splitlines()
    assert first.endswith(" INFO server.access r-3 GET /a%0A2030%20ERROR%20b 404 in 1.3 ms for 2001:db8::1")
    assert second.endswith(" WARNING server - outside of a request")


def test_access_lines_need_level_info(stderr: Callable[[], str]) -> None:
    configure_logs("text", "warning")
    small_client().get("/healthz")
    assert stderr() == ""


def test_the_web_server_logs_through_us_and_believes_named_proxies_only(stderr: Callable[[], str]) -> None:
    from server.cli import _uvicorn_config

    for proxies, believed in (("", False), ("10.0.0.1,10.0.0.2", True)):
        settings = Settings(_env_file=None, trusted_proxies=proxies)  # type: ignore[call-arg]
        configure_logs("json", "info")
        config = _uvicorn_config(small_client(rate_limit="1/hour").app, settings)  # type: ignore[arg-type]
        config.load()
        assert not logging.getLogger("uvicorn.access").hasHandlers()
        assert not logging.getLogger("uvicorn").handlers + logging.getLogger("uvicorn.error").handlers
        hosts = []
        for forwarded in ("192.0.2.1", "192.0.2.2"):
            client = TestClient(config.loaded_app, client=("10.0.0.1", 1))
            hosts.append(client.get("/api/v1/me", headers={"X-Forwarded-For": forwarded}).json().get("name"))
        assert hosts == (["192.0.2.1", "192.0.2.2"] if believed else ["10.0.0.1", None])
