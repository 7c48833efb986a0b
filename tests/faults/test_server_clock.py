"""The clock of the machine jumps by a day, back and ahead, while `sparc-serve` runs: nobody notices.

Really: libfaketime stands between the process and the system's clock. Monotonic clocks go on, as they do in such jumps.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest

from tests.faults.server_process import HOST, free_port, wait_for

pytestmark = pytest.mark.xdist_group("server faults")

ROOT = Path(__file__).parents[2]
LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
JUMPS = {"+0": 0, "-1d": -1, "+1d": 1}


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that says by how much the server's clock is wrong."""
    if not LIBRARIES:
        pytest.skip("libfaketime is not installed (Debian: apt install libfaketime)")
    path = tmp_path_factory.mktemp("clock") / "by"
    path.write_text("+0\n")
    return path


@pytest.fixture(scope="module")
def address(clock: Path, tiny_bundle: Path) -> Iterator[str]:
    """A `sparc-serve` of its own, not forked: libraries are preloaded at the start alone."""
    port = free_port()
    environment = {
        **os.environ,
        "LD_PRELOAD": str(LIBRARIES[0]),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_NO_CACHE": "1",
        "SPARC_DEVICE": "cpu",
        "SPARC_THREADS": "1",
        "SPARC_RATE_LIMIT": "1000/hour",
    }
    log = clock.with_name("log")
    command = [sys.executable, "-m", "server.cli", "--bundle", str(tiny_bundle), "--port", str(port)]
    with log.open("w") as stderr:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=stderr)
    address = f"http://{HOST}:{port}"

    def is_ready() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return httpx.get(f"{address}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    try:
        wait_for(is_ready, 120, log.read_text)
        yield address
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0, "stopped in order, whatever the clock"
        assert "Traceback" not in log.read_text()
    finally:
        process.kill()
        process.wait(10)


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=60) as client:
        yield client


def jump(clock: Path, client: httpx.Client, by: str) -> None:
    """Set the clock, and see that the server has it."""
    clock.write_text(f"{by}\n")
    expected = datetime.now(UTC) + timedelta(days=JUMPS[by])

    def has_it() -> bool:
        said = parsedate_to_datetime(client.get("/healthz").headers["date"])
        return abs(said - expected) < timedelta(hours=1)

    wait_for(has_it, 10)


def steps_of(answer: httpx.Response) -> dict[str, float]:
    timing = answer.headers["server-timing"]
    return {name: float(took) for name, took in re.findall(r"(\w+);dur=([-\d.]+)", timing)}


@pytest.mark.parametrize("by", ["-1d", "+1d", "+0"])
def test_requests_and_their_times(clock: Path, client: httpx.Client, by: str) -> None:
    kept = client.get("/api/v1/items/s000003/image?size=64").content
    hits = cache_hits(client)
    jump(clock, client, by)
    begun = time.monotonic()
    body = {"query": [{"text": f"a cat {by}"}]}
    answer = client.post("/api/v1/retrieve", json=body)
    lines = client.post("/api/v1/heatmaps", json={"caption": f"a dog {by}", "n_items": 1}).text.splitlines()
    took = 1000 * (time.monotonic() - begun)
    assert answer.status_code == 200
    assert '"kind":"done"' in lines[-1]
    assert all(0 <= step <= took for step in steps_of(answer).values()), steps_of(answer)
    assert client.get("/api/v1/items/s000003/image?size=64").content == kept
    assert cache_hits(client) > hits, "caches keep what they had"


def cache_hits(client: httpx.Client) -> float:
    text = client.get("/metrics").text
    return float(re.findall(r'sparc_cache_hits_total\{cache="thumbnails"\} (\S+)', text)[0])


def test_a_deadline_that_was_set_before_a_jump(clock: Path, client: httpx.Client) -> None:
    jump(clock, client, "+1d")
    answer = client.post("/api/v1/encode", json={"text": "a boat"}, headers={"X-Deadline-Ms": "20000"})
    assert answer.status_code == 200
    jump(clock, client, "-1d")
    late = client.post("/api/v1/encode", json={"text": "a lake"}, headers={"X-Deadline-Ms": "1"})
    assert (late.status_code, late.json()["error"]["code"]) == (503, "busy")


def test_no_duration_is_negative_or_a_day(client: httpx.Client) -> None:
    text = client.get("/metrics").text
    sums = [float(line.rpartition(" ")[2]) for line in text.splitlines() if re.match(r"sparc_\w+_seconds_sum", line)]
    assert len(sums) > 5
    assert all(0 <= seconds < 3600 for seconds in sums)


def test_no_module_of_the_service_asks_for_the_time_of_day() -> None:
    """Durations, deadlines and limits are measured by monotonic clocks alone."""
    asks = re.compile(r"\btime\.time(_ns)?\(|datetime\.(now|utcnow|today)\(|date\.today\(|\bfrom time import\b")
    found = [str(path) for path in sorted((ROOT / "server").rglob("*.py")) if asks.search(path.read_text())]
    assert found == []
