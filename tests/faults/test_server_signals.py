"""How the process ends: when it is told to, and by itself when it hangs."""

import signal
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.faults.server_process import ServerProcess, Start

pytestmark = pytest.mark.xdist_group("server faults")

DOCKER_KILLS_AFTER_S = 10


class Asked(threading.Thread):
    """A text that is being read."""

    def __init__(self, server: ServerProcess, text: str) -> None:
        super().__init__()
        self._server, self._text = server, text
        self.answer: httpx.Response | None = None
        self.start()
        server.wait_for(lambda: server.metric("sparc_busy_seconds", worker="device") > 0)

    def run(self) -> None:
        url = f"{self._server.address}/api/v1/encode"
        self.answer = httpx.post(url, json={"text": self._text}, timeout=60)

    def answered(self) -> httpx.Response:
        self.join(60)
        assert self.answer is not None
        return self.answer


def test_requests_under_way_are_answered_and_new_ones_refused(start_server: Start, tmp_path: Path) -> None:
    server = start_server(faults=tmp_path)
    asked = Asked(server, "hang a-while")
    server.signal(signal.SIGTERM)
    server.wait_for(lambda: server.status("/healthz") == 0)
    (tmp_path / "a-while").touch()
    assert asked.answered().status_code == 200
    assert server.exit_code(DOCKER_KILLS_AFTER_S) == 0
    assert "Traceback" not in server.said()


def test_a_job_that_hangs_does_not_keep_the_process(start_server: Start, tmp_path: Path) -> None:
    server = start_server(faults=tmp_path)
    asked = Asked(server, "hang for-ever")
    begun = time.monotonic()
    server.signal(signal.SIGTERM)
    answer = asked.answered()
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "stopping")
    assert server.exit_code(DOCKER_KILLS_AFTER_S) == 0
    assert time.monotonic() - begun < DOCKER_KILLS_AFTER_S
    assert "Traceback" not in server.said()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_warm_up_can_be_ended(start_server: Start, tmp_path: Path, number: signal.Signals, code: int) -> None:
    server = start_server(faults=tmp_path, ready=False, HANG_WARM_UP="1")
    server.wait_for((tmp_path / "warming").exists, 60)
    server.signal(number)
    assert server.exit_code(DOCKER_KILLS_AFTER_S) == code, server.said()
    assert server.said() == ""


@pytest.mark.parametrize("when", ["later", "in the warm-up"])
def test_a_process_that_hangs_ends_itself(start_server: Start, tmp_path: Path, when: str) -> None:
    at_start = when != "later"
    more = {"HANG_WARM_UP": "1"} if at_start else {}
    # Long enough for the warm-up of a busy machine, where that is not what hangs.
    stuck_s = "1" if at_start else "6"
    server = start_server(faults=tmp_path, ready=not at_start, deadline_s="2", stuck_s=stuck_s, **more)
    if not at_start:
        assert Asked(server, "hang for-ever").answered().status_code == 503
    assert server.exit_code(30) == 70, server.said()
    last = server.said().splitlines()[-1]
    assert " CRITICAL server.watchdog " in last
    assert "the device worker has been busy with one job for" in last
    assert "exit code 70" in last
    assert "Traceback" not in server.said()
