"""The locks name one version of every package, and the hash of every file that may be installed for it."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_ENTRY = re.compile(r"([a-z0-9._-]+)==(\S+)(?: ; [^\\\n]+?)?(?: \\\n    --hash=sha256:[0-9a-f]{64})+\n")


def entries(text: str) -> list[str]:
    """A lock's entries, each with the lines that belong to it, without comments."""
    lines = [line for line in text.splitlines(keepends=True) if not line.lstrip().startswith("#")]
    return [one for one in re.split(r"(?m)^(?=\S)", "".join(lines)) if one.strip()]


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-runtime.lock"])
def test_every_package_is_pinned_with_hashes(lock: str) -> None:
    found = entries((ROOT / lock).read_text("utf-8"))
    assert len(found) > 100
    assert [one.splitlines()[0] for one in found if not _ENTRY.fullmatch(one)] == []


def test_every_npm_package_is_pinned_with_its_hash() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text("utf-8"))["packages"]
    ours = {name: package for name, package in packages.items() if name}
    assert ours
    assert [name for name, package in ours.items() if not package.get("integrity", "").startswith("sha512-")] == []


def test_an_entry_without_hash_is_seen() -> None:
    hashed = "a==1.0 \\\n    --hash=sha256:" + "0" * 64 + "\n"
    assert all(_ENTRY.fullmatch(one) for one in entries(hashed + "    # via b\n" + hashed))
    assert not any(_ENTRY.fullmatch(one) for one in entries("a==1.0\n    # via b\n" + "b>=1\n"))
