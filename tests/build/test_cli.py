"""`sparc-build` as a user runs it: what it prints, and that every failure is one line and exit code 2."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sparc_core import __version__
from sparc_core.bundle import Bundle


def _run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "index_build.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_verify_and_info_describe_a_bundle(tiny_bundle: Path) -> None:
    bundle_id = Bundle.open(tiny_bundle).manifest.bundle_id
    verified, described = _run("verify", tiny_bundle), _run("info", tiny_bundle)
    assert (verified.returncode, described.returncode) == (0, 0)
    assert verified.stdout == f"bundle {bundle_id} at {tiny_bundle} is whole\n"
    assert bundle_id in described.stdout
    assert "200 items" in described.stdout
    assert "64 latents" in described.stdout


def test_the_version() -> None:
    said = _run("--version")
    assert (said.returncode, said.stdout) == (0, f"sparc-build {__version__}\n")


def test_the_tiny_bundle_holds_what_tests_need(tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle, verify=True)
    assert len(bundle.items) == 200
    assert len(bundle.latents) == 64
    assert [stream.name for stream in bundle.manifest.streams] == ["dino", "clip_img", "clip_txt"]
    assert bundle.latents.alive.count("all") > 32
    assert "labels" in bundle.latents.name_source


@pytest.mark.parametrize("command", ["verify", "info"])
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "there is no such folder"),
        (lambda path: path.mkdir(), "it has no manifest.json"),
        (lambda path: path.write_text("x"), "it is a file"),
        (lambda path: (path.mkdir(), (path / "manifest.json").write_text("{")), "is damaged, not JSON"),
        (lambda path: (path.mkdir(), (path / "manifest.json").write_text('{"schema_version": 9}')), "has schema 9"),
    ],
)
def test_a_bad_bundle_is_one_line_and_exit_code_2(tmp_path: Path, command: str, make, message: str) -> None:
    make(tmp_path / "bundle")
    done = _run(command, tmp_path / "bundle")
    assert done.returncode == 2
    assert done.stdout == ""
    assert message in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_a_bad_size_or_a_bad_place_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    none = _run("demo", "--train-items", "0", "--work", tmp_path / "work", "--out", tmp_path / "out")
    assert none.returncode == 2
    assert none.stderr.count("\n") == 1
    assert "0 train items" in none.stderr
    (tmp_path / "file").write_text("x")
    place = _run("demo", "--work", tmp_path / "file" / "work", "--out", tmp_path / "out")
    assert place.returncode == 2
    assert place.stderr.count("\n") == 1
    assert "cannot be written" in place.stderr
    other = _run("demo", "--work", tmp_path / "work", "--out", tmp_path / "file")
    assert other.returncode == 2
    assert other.stderr.count("\n") == 1
    assert "is no bundle" in other.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_help_and_info_are_light(tiny_bundle: Path) -> None:
    script = (
        "import sys; from index_build.cli import app\n"
        "app(['info', sys.argv[1]], standalone_mode=False)\n"
        "print(json.dumps([name for name in ('torch', 'faiss', 'transformers') if name in sys.modules]))"
    )
    command = [sys.executable, "-c", "import json\n" + script, str(tiny_bundle)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == []
