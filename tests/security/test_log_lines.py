"""What a client sends cannot make up a log line, nor move a terminal's cursor."""

import json
import logging
from collections.abc import Callable

import pytest

from server.logs import configure_logs
from tests.server.small_app import small_client
from tests.server.test_logs import stderr

__all__ = ["stderr"]

FORGED = "2030-01-01 00:00:00,000 ERROR server - all keys were stolen"
ODD = f"a\r\n{FORGED}\n{FORGED}\x1b[2Jb\x9b2Jc\u2028{FORGED}\u202ed\x00"


def test_text_lines_begin_with_our_time_alone(stderr: Callable[[], str]) -> None:
    configure_logs("text", "info")
    log = logging.getLogger("server")
    log.warning("unexpected error at %s", ODD)
    try:
        raise RuntimeError(ODD)
    except RuntimeError:
        log.exception("it failed")
    written = stderr()
    assert not {c for c in written if not (c.isprintable() or c in "\n")}
    assert not [line for line in written.split("\n") if line.startswith("2030")]
    unindented = [line for line in written.rstrip("\n").split("\n") if not line.startswith("  ")]
    assert [line.partition(" server - ")[2][:10] for line in unindented] == ["unexpected", "it failed"]
    assert "\\x1b[2Jb\\x9b2Jc\\u2028" in written


@pytest.mark.parametrize("format_", ["text", "json"])
def test_a_path_cannot_forge_lines(stderr: Callable[[], str], format_: str) -> None:
    configure_logs(format_, "info")  # type: ignore[arg-type]
    small_client().get("/a%0D%0A2030-01-01%1B%5B2J", headers={"X-Request-Id": "r\x1b[2J"})
    (line,) = stderr().splitlines()
    assert line.isprintable()
    if format_ == "json":
        assert json.loads(line)["path"] == "/a\r\n2030-01-01\x1b[2J"
