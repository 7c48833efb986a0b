"""A clock that jumps while a bundle is built: the same id, nothing done again, no absurd times.

The clock is libfaketime's, changed while `sparc-build` runs. Monotonic clocks do not jump, nor do they here.
"""

import os
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from index_build.verification import verify_bundle
from tests.faults.builder_examples import sparc_build, started, write_config, write_corpus

LONGEST_S = 90
LONGEST_STEP_S = 120.0  # a day has 86,400
DAY = timedelta(days=1)


def _faketime() -> str:
    found = sorted(Path("/usr/lib").glob("**/faketime/libfaketime.so.1"))
    if not found:
        pytest.skip("libfaketime is not installed")
    return str(found[0])


def _wait_for_steps(work: Path, n_steps: int) -> None:
    until = time.monotonic() + LONGEST_S
    while len(list((work / "steps").glob("*-*[!t]"))) < n_steps:
        assert time.monotonic() < until, "the build does not come that far"
        time.sleep(0.005)


@pytest.mark.slow
def test_a_clock_that_jumps_back_and_ahead(tmp_path: Path) -> None:
    library, corpus = _faketime(), write_corpus(tmp_path / "corpus")
    whole = write_config(tmp_path / "whole.toml", corpus, tmp_path / "whole", tmp_path / "work")
    assert sparc_build("run", whole).exit_code == 0
    out, work, clock = tmp_path / "jumped", tmp_path / "jumped-work", tmp_path / "clock"
    config = write_config(tmp_path / "sparc.toml", corpus, out, work, workers=1)
    clock.write_text("+0")
    environment = {
        "LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1",
    }  # fmt: skip
    with started("run", config, **environment) as build:
        _wait_for_steps(work, 2)
        clock.write_text("-1d")
        _wait_for_steps(work, 6)
        clock.write_text("+1d")
        said, errors = build.communicate(timeout=LONGEST_S)
    assert build.returncode == 0, errors
    seconds = [float(number) for number in re.findall(r"│ *[a-z]+ *│ *(\S+) *│", said)]
    assert len(seconds) == 12, said  # ten steps, publishing, and all of them
    assert all(0 <= number < LONGEST_STEP_S for number in seconds)
    manifest = verify_bundle(out).manifest
    assert manifest.bundle_id == verify_bundle(tmp_path / "whole").manifest.bundle_id
    ahead = datetime.fromisoformat(manifest.created_at) - datetime.now(UTC)
    assert DAY / 2 < ahead < DAY, "it was built under the other clock"
    assert _all_done(sparc_build("run", config).output), "the clock is back, and nothing is done again"


def test_results_that_come_from_another_time(tmp_path: Path) -> None:
    """A step's folder counts by its name; times of files in the work folder, from whatever clock, do not."""
    config = write_config(tmp_path / "a.toml", write_corpus(tmp_path / "c"), tmp_path / "out", tmp_path / "work")
    assert sparc_build("run", config).exit_code == 0
    before = verify_bundle(tmp_path / "out").manifest
    for shift in (-DAY, DAY):
        moment = (datetime.now(UTC) + shift).timestamp()
        for path in (*(tmp_path / "work").rglob("*"), *(tmp_path / "out").rglob("*")):
            os.utime(path, (moment, moment))
        assert _all_done(sparc_build("run", config).output)
        assert verify_bundle(tmp_path / "out").manifest == before


def _all_done(said: str) -> bool:
    lines = [line for line in said.splitlines() if re.match(r"[a-z]+ +(already done|[\d.]+ s)$", line)]
    return len(lines) == 10 and all(line.endswith("already done") for line in lines)
