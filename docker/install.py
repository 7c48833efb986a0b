"""Installs the locked packages into the image's environment: `install.py LOCK PYTHON TORCH INDEX`.

With TORCH "cpu", torch and torchvision come without CUDA from PyTorch's CPU index, where that answers: some 5 GB less.
Otherwise, and with "cuda", everything comes from the lock, which pip checks by its hashes. The lock is complete, so pip
looks nothing up beside it.
"""

import re
import subprocess
import sys
import urllib.request
from pathlib import Path

_FROM_INDEX = ("torch", "torchvision")
_ONLY_WITH_CUDA = re.compile(r"nvidia-|cuda-|triton==")
_ENTRY = re.compile(r"^[a-z0-9](?:.*\\\n)*.*\n?", re.MULTILINE)  # a requirement, with the lines of its hashes


def without_cuda(lock: str) -> str:
    """The lock without torch, torchvision, and what only their CUDA builds need."""
    kept = [entry for entry in _ENTRY.findall(lock) if not _ONLY_WITH_CUDA.match(entry)]
    return "".join(entry for entry in kept if entry.split("==")[0] not in _FROM_INDEX)


def pinned(lock: str, package: str) -> str:
    """The version that the lock names."""
    found = re.search(rf"^{re.escape(package)}==([^ ;\\\n]+)", lock, re.MULTILINE)
    assert found, f"the lock does not name {package}"
    return found[1]


def answers(index: str) -> bool:
    """Whether PyTorch's index can be reached from here."""
    try:
        with urllib.request.urlopen(f"{index}/torch/", timeout=15):
            return True
    except OSError:
        return False


def main(lock_path: Path, python: str, torch: str, index: str) -> None:
    """Install; exit code 2 where TORCH is neither."""
    if torch not in ("cpu", "cuda"):
        print(f'build argument TORCH is "{torch}": choose cpu or cuda', file=sys.stderr)
        raise SystemExit(2)

    def install(*arguments: str) -> None:
        command = ["pip", "--python", python, "install", "--no-cache-dir", "--no-deps", *arguments]
        subprocess.run(command, check=True)

    lock = lock_path.read_text()
    if torch == "cpu" and answers(index):
        install("--index-url", index, *(f"{package}=={pinned(lock, package)}+cpu" for package in _FROM_INDEX))
        lock_path = lock_path.with_name("without-cuda.lock")
        lock_path.write_text(without_cuda(lock))
    elif torch == "cpu":
        print(f"{index} does not answer: installing the builds with CUDA, which run on a CPU as well", file=sys.stderr)
    install("--requirement", str(lock_path))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
