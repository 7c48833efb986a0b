"""The terminal that runs documents: what a reader's shell remembers, and that nothing wrong goes unseen."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import Block
from tests.docs.stand_ins import COMMANDS
from tests.docs.terminal import Terminal

_BIN = Path(__file__).parent / "bin"


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return Terminal(tmp_path)


def python(text: str) -> Block:
    return Block("docs/x.md", 12, "python", text)


def test_variables_and_the_folder_last_and_comments_do_not_matter(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "in here").mkdir()
    assert terminal.type("NAME='a b' # a comment\ncd 'in here'\n# the last line") == ""
    assert terminal.type('test "$NAME" = "a b" && test "$(basename "$PWD")" = "in here"') == ""


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("echo before; exit 3", "exit code 3\nbefore"),
        ("false\ntrue", "exit code 1"),
        ("echo $NOBODY_SET_THIS", "NOBODY_SET_THIS"),
        ("sparc-biuld run", "not found"),
        ("if", "exit code 2"),
    ],
)
def test_commands_that_fail_are_seen_with_what_they_said(terminal: Terminal, text: str, seen: str) -> None:
    assert seen in terminal.type(text)


def test_python_blocks_share_a_session_and_say_where_they_fail(terminal: Terminal) -> None:
    assert terminal.run(python("x = 1\n")) == ""
    assert terminal.run(python("assert x == 1\n")) == ""
    problem = terminal.run(python("x = 2\nassert x == 1\n"))
    assert 'File "docs/x.md", line 13' in problem
    assert "AssertionError" in problem


@pytest.mark.parametrize(
    ("module", "arguments", "said"),
    [
        ("parsed", "index_build.towers.export --clip a --dino b", ""),
        ("parsed", "index_build.towers.export --clip a", "--dino is missing"),
        ("parsed", "index_build.towers.train_clip --out a --stpes 3", "no flag --stpes"),
        ("stand_in_docker", "compose up", ""),
        ("stand_in_docker", "compose run sreve", "names no service"),
        ("stand_in_docker", "compose --profile nothing up", "no profile nothing"),
        ("stand_in_docker", "run --rm sparc-explorer sparc-build demo --ot x", "No such option"),
        ("packages.pip.__main__", "install sparc-explorer[ray]", ""),
        ("packages.pip.__main__", "install sparc-explorer[rye]", "no extra rye"),
        ("packages.pip.__main__", "install --requirement nowhere.txt", "no nowhere.txt"),
    ],
)
def test_what_is_only_looked_at_is_looked_at(module: str, arguments: str, said: str) -> None:
    command = [sys.executable, "-m", f"tests.docs.{module}", *arguments.split()]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (said in ended.stderr) if said else (ended.returncode == 0), ended.stderr
    assert bool(ended.returncode) == bool(said)


def test_every_command_that_stands_in_is_in_the_table() -> None:
    assert {path.name for path in _BIN.iterdir()} == COMMANDS.keys()
