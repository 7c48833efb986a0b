"""The two locks are in step, and name no index. (Versions and hashes: tests/security/test_dependencies.py.)"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEVELOPMENT, RUNTIME = "requirements.lock", "requirements-runtime.lock"
PIN = re.compile(
    r"^([a-z0-9][a-z0-9._-]*)(?:\[.*?\])?==([^ \\\n]+)(.*\\\n(?: +--hash=sha256:[0-9a-f]{64}.*\n)+)?", re.MULTILINE
)


def pins(lock: str) -> dict[tuple[str, str], list[str]]:
    """Hashes by name and version; markers may ask for different versions in different places."""
    found = PIN.findall((ROOT / lock).read_text())
    return {(name, version): re.findall("[0-9a-f]{64}", hashes) for name, version, hashes in found}


@pytest.mark.parametrize("lock", [DEVELOPMENT, RUNTIME])
def test_no_index_and_no_place_is_named(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert not re.search(r"://|^-|^ +# +-", text, re.MULTILINE)


def test_what_runs_is_what_is_tested() -> None:
    development, runtime = pins(DEVELOPMENT), pins(RUNTIME)
    assert {pin: development.get(pin) for pin in runtime} == runtime
    assert not {"ray", "pytest", "mypy", "playwright"} & {name for name, _ in runtime}
