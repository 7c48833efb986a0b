"""The image's packages: from the lock, or torch without CUDA and the rest of the lock."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCK = """\
torch==2.15.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via
    #   sparc-explorer (pyproject.toml)
nvidia-cublas==13.4 ; sys_platform == 'linux' \\
    --hash=sha256:cc
    # via torch
torchvision==0.29.2 \\
    --hash=sha256:dd
tqdm==4.1 \\
    --hash=sha256:ee \\
    --hash=sha256:ff
triton==3.9.0 ; python_full_version < '3.16'
typer==0.15
"""


@pytest.fixture(scope="module")
def install() -> ModuleType:
    spec = importlib.util.spec_from_file_location("install", ROOT / "docker" / "install.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def installed(install: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What pip is asked for; the lock is in `tmp_path`."""
    asked: list[list[str]] = []
    monkeypatch.setattr(install.subprocess, "run", lambda command, check: asked.append(command))
    (tmp_path / "a.lock").write_text(LOCK)
    return asked


def names(lock: str) -> list[str]:
    return re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE)


def test_without_cuda_keeps_everything_else_with_its_hashes(install: ModuleType) -> None:
    kept = install.without_cuda(LOCK)
    assert names(kept) == ["tqdm", "typer"]
    assert re.findall(r"sha256:(..)", kept) == ["ee", "ff"]


def test_of_the_real_lock_only_cuda_and_torch_go(install: ModuleType) -> None:
    lock = (ROOT / "requirements-runtime.lock").read_text()
    gone = set(names(lock)) - set(names(install.without_cuda(lock)))
    assert {"torch", "torchvision", "triton"} < gone
    assert all(name.startswith(("torch", "triton", "nvidia-", "cuda-")) for name in gone)


def test_where_the_index_answers_torch_comes_from_it(
    install: ModuleType, installed: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "answers", lambda index: True)
    install.main(tmp_path / "a.lock", "python", "cpu", "https://index.example/cpu")
    torch, rest = installed
    assert torch[-4:] == ["--index-url", "https://index.example/cpu", "torch==2.15.0+cpu", "torchvision==0.29.2+cpu"]
    assert names(Path(rest[-1]).read_text()) == ["tqdm", "typer"]


@pytest.mark.parametrize(("torch", "answers"), [("cpu", False), ("cuda", True)])
def test_otherwise_everything_comes_from_the_lock(
    install: ModuleType,
    installed: list[list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    torch: str,
    answers: bool,
) -> None:
    monkeypatch.setattr(install, "answers", lambda index: answers)
    install.main(tmp_path / "a.lock", "python", torch, "https://index.example/cpu")
    assert [command[-2:] for command in installed] == [["--requirement", str(tmp_path / "a.lock")]]


def test_another_torch_is_refused() -> None:
    command = [sys.executable, ROOT / "docker" / "install.py", "a.lock", "python", "rocm", "https://index.example"]
    refused = subprocess.run(command, capture_output=True, text=True)
    assert refused.returncode == 2
    assert refused.stderr == 'build argument TORCH is "rocm": choose cpu or cuda\n'


def test_no_answer_is_no_error(install: ModuleType) -> None:
    assert not install.answers("http://127.0.0.1:9/whl")
