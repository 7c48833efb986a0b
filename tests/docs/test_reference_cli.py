"""`docs/reference-cli.md` says what the commands say: every command, every flag, its default and its help."""

import re

import pytest
import typer
from typer.testing import CliRunner

from docs.reference_cli import PAGE, commands, refreshed
from index_build.cli import app
from server.cli import main as serve

TEXT = PAGE.read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (sparc-\S+(?: \S+)?)\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S))


def flags_of_help(command: str) -> dict[str, str]:
    """Each flag that `--help` lists, with the rest of its entry, in the shape that a terminal gets."""
    program, *rest = command.split()
    shown = typer.Typer(add_completion=False)
    shown.command()(serve)
    chosen = app if program == "sparc-build" else shown
    done = CliRunner().invoke(chosen, [*rest, "--help"], env={"COLUMNS": "240", "TERM": "dumb"})
    assert done.exit_code == 0, done.output
    found = re.findall(r"^│ [* ]*(--[a-z][a-z-]*)\s*(?:(--no-[a-z-]+)\s)?(.*?)\s*│$", done.output, re.M)
    return {name: rest for flag, other, rest in found for name in (flag, other) if name and name != "--help"}


def test_the_tables_are_as_the_commands_make_them() -> None:
    assert refreshed(TEXT) == TEXT, 'write them anew: "python -m docs.reference_cli"'


def test_every_command_has_a_section_and_no_other() -> None:
    assert list(SECTIONS) == list(commands())


@pytest.mark.parametrize("command", list(SECTIONS))
def test_the_page_and_help_list_the_same_flags(command: str) -> None:
    rows = re.findall(r"^\| (.*?) \| (.*?) \| (.*?) \| (.*) \|$", SECTIONS[command], re.M)
    written = {flag: row for row in rows for flag in re.findall(r"`(--[a-z-]+)`", row[0])}
    helped = flags_of_help(command)
    assert written.keys() == helped.keys()
    for flag, (_, _, default, meaning) in written.items():
        assert meaning in helped[flag]
        if default.startswith("`"):
            assert f"[default: {default.strip('`')}]" in helped[flag]
