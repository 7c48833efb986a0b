"""`sparc-build doctor`: what is off, in plain words; exit code 0 if a build would make sense, 1 if not."""

from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table

from index_build.commands.errors import one_line_errors
from index_build.commands.run import ConfigPath

if TYPE_CHECKING:
    from index_build.doctor.examine import Finding

_console = Console()
_STYLES = {"ok": "green", "odd": "yellow", "wrong": "red"}


def doctor(config: ConfigPath) -> None:
    """Check, before building, that backbones, features, model and items fit together. Exits with 1 if they do not."""
    with one_line_errors("run the same command again"):
        from index_build.config.tables import read_config
        from index_build.doctor.examine import examine
        from sparc_core.backbones import load_backbone

        opened = read_config(config)
        recipe = opened.recipe()
        with _console.status("looking at a sample"):
            findings = list(examine(opened.corpus(), recipe, load_backbone))
        show_findings(findings)
    if any(finding.level == "wrong" for finding in findings):
        raise typer.Exit(1)


def show_findings(findings: "list[Finding]") -> None:
    """Print findings as a table and a verdict."""
    table = Table("", "about", "found")
    for finding in findings:
        table.add_row(f"[{_STYLES[finding.level]}]{finding.level}[/]", finding.about, _plain(finding.text))
    _console.print(table)
    wrong, odd = (sum(f.level == level for f in findings) for level in ("wrong", "odd"))
    if wrong:
        _console.print(f"{wrong} wrong: a build would fail or mean nothing until that is mended", style="red")
    else:
        _console.print("ready to build" + (f", {odd} odd: read on above" if odd else ""), style="green")


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
