"""The tables of `docs/reference-cli.md`, made from the commands themselves: `python -m docs.reference_cli` writes them.

A table stands between `<!-- NAME -->` and `<!-- end -->`; NAME is a command, or "training options". Everything else on
the page is written by hand. `tests/docs/test_reference_cli.py` keeps page and commands together.
"""

import inspect
import re
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from types import UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import typer
from typer.models import ArgumentInfo, OptionInfo

PAGE = Path(__file__).parent / "reference-cli.md"
_TABLE = re.compile(r"(<!-- ([a-z -]+) -->\n).*?(<!-- end -->)", re.S)
_TAKES = {Path: "PATH", int: "N", float: "NUMBER", str: "TEXT"}


class Parameter(NamedTuple):
    """An argument or an option of a command: as it is written, what it takes, its default and what it means."""

    flag: str
    takes: str
    default: str
    meaning: str


def commands() -> dict[str, Callable[..., None]]:
    """Every command by what a shell calls it."""
    from index_build.cli import app
    from server.cli import main as serve

    built = ((info.name, info.callback) for info in app.registered_commands if info.callback)
    return {f"sparc-build {name or function.__name__}": function for name, function in built} | {"sparc-serve": serve}


def parameters(command: Callable[..., None]) -> Iterator[Parameter]:
    """A command's parameters in their order."""
    defaults = inspect.signature(command).parameters
    for name, hint in get_type_hints(command, include_extras=True).items():
        if name == "return":
            continue
        kind, *described = get_args(hint)
        info = next(one for one in described if isinstance(one, OptionInfo | ArgumentInfo))
        yield _parameter(name, kind, info, defaults[name].default)


def _parameter(name: str, kind: Any, info: OptionInfo | ArgumentInfo, default: Any) -> Parameter:
    kinds = [one for one in get_args(kind) if one is not type(None)] if _is_union(kind) else [kind]
    is_list = get_origin(kinds[0]) is list
    plain = get_args(kinds[0])[0] if is_list else kinds[0]
    if isinstance(info, ArgumentInfo):
        return Parameter(info.metavar or f"{name.upper()} ...", "", _default(default), info.help or "")
    takes = (info.metavar or _takes(plain)) + ("; repeatable" if is_list else "")
    return Parameter(_flag(name, plain, info), takes, _default(default), info.help or "")


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, UnionType)


def _flag(name: str, kind: Any, info: OptionInfo) -> str:
    """As typer makes it from the parameter's name, unless the command says otherwise (inside Annotated, as default)."""
    if isinstance(info.default, str):
        return info.default.replace("/", ", ")
    plain = name.replace("_", "-")
    return f"--{plain}, --no-{plain}" if kind is bool else f"--{plain}"


def _takes(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return ", ".join(get_args(kind))
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return ", ".join(kind)
    return _TAKES.get(kind, "")


def _default(value: Any) -> str:
    if value is inspect.Parameter.empty:
        return "needed"
    if value is None or value == "" or value is False:
        return ""
    return "on" if value is True else str(value)


def command_table(command: Callable[..., None]) -> str:
    """The table of a command's parameters, in Markdown."""
    rows = [("", "takes", "default", "meaning"), ("---",) * 4]
    for flag, takes, default, meaning in parameters(command):
        shown = ", ".join(f"`{part}`" for part in flag.split(", "))
        rows.append((shown, takes, f"`{default}`" if default not in ("", "needed", "on") else default, meaning))
    return _table(rows)


def options_table() -> str:
    """The table of training options: what each recipe has, and what it means, as the dataclass says."""
    from index_build.training.options import TrainingOptions

    ours, published = TrainingOptions().as_dict(), TrainingOptions.published().as_dict()
    lines = inspect.cleandoc(TrainingOptions.__doc__ or "").partition("Attributes:\n")[2].partition("\n\n")[0]
    meanings = dict(re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", lines, re.M))
    rows: list[tuple[str, ...]] = [("option", "`default`", "`published`", "meaning"), ("---",) * 4]
    for name, value in ours.items():
        meaning = re.sub(r"\s+", " ", meanings[name])
        rows.append(
            (f"`{name}`", _number(value), "the same" if published[name] == value else _number(published[name]), meaning)
        )
    return _table(rows)


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _table(rows: list[tuple[str, ...]]) -> str:
    return "".join("| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |\n" for row in rows)


def refreshed(page: str) -> str:
    """The page with its tables made anew."""
    known = commands()

    def renewed(found: re.Match[str]) -> str:
        name = found[2]
        table = options_table() if name == "training options" else command_table(known[name])
        return found[1] + table + found[3]

    return _TABLE.sub(renewed, page)


def main() -> None:
    """Write the tables into the page."""
    PAGE.write_text(refreshed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
