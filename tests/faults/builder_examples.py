"""A build of a second, for tests that run `sparc-build` itself, and small disks for tests that fill them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from index_build.cli import app

ROOT = Path(__file__).parents[2]
N_ITEMS, N_WORDS = 24, 5
WIDTHS = {"eye": 6, "text": 5}
_CONFIG = """
[bundle]
out = "{out}"
work = "{work}"

[corpus]
kind = "folder"
path = "{corpus}"

[streams.eye]
features = "{corpus}/features/eye.npy"
modality = "image"

[streams.text]
features = "{corpus}/features/text.npy"
modality = "text"

[training]
n_latents = 16
k = 3
auxk = 3
num_epochs = 2
batch_size = 8

[engine]
workers = {workers}
device = "cpu"
"""


def write_corpus(folder: Path) -> Path:
    """Pictures of one colour, their captions, and features of both streams."""
    rng = np.random.default_rng(0)
    (folder / "features").mkdir(parents=True)
    for number in range(N_ITEMS):
        Image.new("RGB", (40, 32), tuple(rng.integers(0, 255, 3))).save(folder / f"{number:02d}.png")
        (folder / f"{number:02d}.txt").write_text(f"word{number % N_WORDS} of {number}")
    for stream, d in WIDTHS.items():
        np.save(folder / "features" / f"{stream}.npy", rng.standard_normal((N_ITEMS, d)).astype(np.float32))
    return folder


def write_config(path: Path, corpus: Path, out: Path, work: Path, workers: int = 0) -> Path:
    """A `sparc.toml` over that corpus."""
    path.write_text(_CONFIG.format(out=out, work=work, corpus=corpus, workers=workers))
    return path


def sparc_build(*arguments: str | Path) -> Any:
    """`sparc-build` in this process, and without workers, which take seconds to start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("index_build.config.tables.n_cores", lambda: 0)
        patch.setattr("index_build.workers.n_cores", lambda: 0)
        return CliRunner().invoke(app, list(map(str, arguments)))


def started(*arguments: str | Path, **environment: str) -> "subprocess.Popen[str]":
    """`sparc-build` in a process, and process group, of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "index_build.cli", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def sentence(done: Any) -> str:
    """The one line that a command ended with, and exit code 2."""
    assert done.exit_code == 2, (done.exit_code, done.output, done.exception)
    lines: list[str] = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    return lines[0].removeprefix("error: ")


class SmallDisk:
    """A disk of a few megabytes, and a file on it that takes all of the room but a little."""

    def __init__(self, path: Path) -> None:
        self.path, self._ballast = path, path / "ballast"

    def fill(self, left: int = 0) -> None:
        """Leave so many bytes."""
        self.free()
        with self._ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, self.left() - left))

    def free(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)

    def left(self) -> int:
        """How many bytes may be written."""
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize


@contextmanager
def small_disk(path: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Mount one; skips where mounting is not allowed."""
    path.mkdir()
    mounting = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)], capture_output=True, text=True
    )
    if mounting.returncode:
        pytest.skip(f"a small disk cannot be mounted: {mounting.stderr.strip()}")
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)
