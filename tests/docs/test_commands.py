"""Every command in the documents is run: a document at a time, top to bottom, by its reader (`readers`)."""

import json
import os
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest

from tests.docs.belongings import Shelf
from tests.docs.blocks import ROOT, commands_of, documents
from tests.docs.readers import READERS, Reader

_BIN, _PACKAGES = Path(__file__).parent / "bin", Path(__file__).parent / "packages"
_VENV_BIN = Path(sys.executable).parent
_LONGEST_S = 900


@lru_cache
def _alone() -> list[str] | None:
    """The command before a command that leaves it alone on the machine; None where there is no such thing.

    Alone with its network (port 8000 is free, nothing but loopback answers) and its processes (none outlives it, and
    commands that end all of a kind, such as "ray stop", find no others).
    """
    ends_with_us = ["setpriv", "--pdeathsig", "KILL"]
    command = [*ends_with_us, "unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    for more in ([], ["--map-root-user"]):
        if shutil.which("setpriv") and not subprocess.run([*command, *more, "true"], capture_output=True).returncode:
            return command + more
    return None


def _environment(home: Path, reader: Reader, shelf: Shelf) -> dict[str, str]:
    """A reader's, who has this project installed, and nothing of this machine's."""
    return {
        "PATH": os.pathsep.join([str(_BIN), str(_VENV_BIN), os.environ["PATH"]]),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "DOCS_HUB": str(shelf.hub),
        "PYTHONPATH": os.pathsep.join([str(_PACKAGES), str(shelf.packages), str(ROOT)]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "SPARC_THREADS": "1",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "DOCS_CORE": "" if pytest.mark.ray in reader.marks else os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:],
        "DOCS_ROOT": str(ROOT),
        "DOCS_BIN": str(_VENV_BIN),
        "DOCS_MAKE": shutil.which("make") or "make",
    }


def _prepare(folder: Path, reader: Reader, shelf: Shelf) -> tuple[Path, Path]:
    """The reader's home and current folder, with what they have."""
    home, here = folder / "home", folder / "here"
    home.mkdir()
    here.mkdir()
    (home / ".curlrc").write_text("fail-with-body\nshow-error\nnoproxy = *\n")
    (home / "shelf").mkdir()
    (home / "shelf" / "storybook").symlink_to(shelf.storybook)
    (home / "shelf" / "storybook-local").symlink_to(shelf.storybook_local)
    for put in reader.has:
        put(here, shelf)
    return home, here


def _readers() -> list:
    return [pytest.param(reader, id=" ".join(reader.reads), marks=reader.marks) for reader in READERS]


def test_every_document_with_commands_has_a_reader() -> None:
    with_commands = {document for document in documents() if commands_of(document)}
    read = {document for reader in READERS for document in reader.reads}
    unread = with_commands - read
    assert not unread, f"{', '.join(sorted(unread))} has commands that no test runs: describe its reader in readers.py"
    assert read <= with_commands, "readers.py describes readers of documents without commands"


@pytest.mark.slow
@pytest.mark.parametrize("reader", _readers())
def test_commands_do_what_the_documents_say(reader: Reader, shelf: Shelf, tmp_path: Path) -> None:
    if (alone := _alone()) is None:
        pytest.skip("commands use port 8000 and end processes: this needs namespaces (unshare), as on Linux")
    home, here = _prepare(tmp_path, reader, shelf)
    environment = _environment(home, reader, shelf)
    if missing := [program for program in reader.needs if not shutil.which(program, path=environment["PATH"])]:
        pytest.skip(f"{missing[0]} is not installed")
    command = [*alone, sys.executable, "-W", "error", "-m", "tests.docs.terminal", json.dumps(reader.reads)]
    with (tmp_path / "output").open("w+") as output:
        process = subprocess.Popen(command, cwd=here, env=environment, stdout=output, stderr=output)
        try:
            code = process.wait(_LONGEST_S)
        finally:
            process.kill()  # and all that it started, for it began their namespace
            process.wait()
        output.seek(0)
        said = output.read()
    assert code == 0, said
