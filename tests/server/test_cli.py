"""`sparc-serve` with things that cannot be served: one line, exit code 2, no traceback."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from server.settings import Settings
from sparc_core import __version__

ROOT = Path(__file__).parents[2]


def serve(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "server.cli", "--port", "0", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of an answer with exit code 2."""
    assert done.returncode == 2, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_the_version() -> None:
    said = serve("--version")
    assert (said.returncode, said.stdout) == (0, f"sparc-serve {__version__}\n")


def test_no_bundle(tmp_path: Path) -> None:
    line = refused(serve("--bundle", str(tmp_path / "nowhere")))
    assert line.startswith(f"sparc-serve: no bundle at {tmp_path / 'nowhere'}")
    assert "sparc-build" in line, "it says what to do"


@pytest.mark.parametrize("damage", ["schema", "truncated", "missing", "not json"])
def test_a_damaged_bundle_is_refused_by_name(tiny_bundle: Path, tmp_path: Path, damage: str) -> None:
    bundle = tmp_path / "b"
    shutil.copytree(tiny_bundle, bundle, ignore=shutil.ignore_patterns("media"))
    manifest = bundle / "manifest.json"
    if damage == "schema":
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "schema_version": 7}))
        expected = "schema 7"
    elif damage == "truncated":
        path = bundle / "postings" / "dino.faiss"
        path.write_bytes(path.read_bytes()[:-9])
        expected = "postings/dino.faiss is truncated"
    elif damage == "missing":
        (bundle / "sparc.safetensors").unlink()
        expected = "sparc.safetensors is missing"
    else:
        manifest.write_text("{")
        expected = "manifest.json"
    assert expected in refused(serve("--bundle", str(bundle)))


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(f"SPARC_{name.upper()}", "")
    assert Settings(_env_file=None) == Settings.model_construct()


def test_settings_that_cannot_be(tiny_bundle: Path) -> None:
    assert "port" in refused(serve("--bundle", str(tiny_bundle), "--port", "99999"))
    assert 'device "quantum" is unknown' in refused(serve("--bundle", str(tiny_bundle), "--device", "quantum"))
    assert "queue" in refused(serve("--bundle", str(tiny_bundle), SPARC_QUEUE="none"))


def test_a_port_that_is_taken(tiny_bundle: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f"port {port} is in use" in refused(serve("--bundle", str(tiny_bundle), "--port", port))


def test_settings_are_all_documented() -> None:
    from server.settings import Settings

    text = (ROOT / "docs" / "settings.md").read_text()
    missing = [name for name in Settings.model_fields if f"`SPARC_{name.upper()}`" not in text]
    assert not missing
