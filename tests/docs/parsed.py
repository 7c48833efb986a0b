"""Commands that are only looked at: their flags and values are parsed as the real command parses them."""

import ast
import sys
from pathlib import Path
from typing import Any

import typer
from typer.main import get_command

_ROOT = Path(__file__).parents[2]


def parse(app: typer.Typer, arguments: list[str]) -> dict[str, Any]:
    """What a command of an application would be called with; ends the process as it would where flags are wrong."""
    command: Any = get_command(app)
    command = command.commands[arguments[0]]
    with command.make_context(command.name, arguments[1:]) as context:
        return dict(context.params)


def check_module(module: str, arguments: list[str]) -> None:
    """Compare flags with the `main` of a module that typer runs, without the seconds that its imports take."""
    source = (_ROOT / module.replace(".", "/")).with_suffix(".py").read_text(encoding="utf-8")
    main = next(node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == "main")
    names = [f"--{argument.arg.replace('_', '-')}" for argument in main.args.args]
    needed = names[: len(names) - len(main.args.defaults)]
    given = arguments[::2]
    if unknown := [flag for flag in given if flag not in names]:
        sys.exit(f"python -m {module}: there is no flag {unknown[0]}")
    if missing := [flag for flag in needed if flag not in given]:
        sys.exit(f"python -m {module}: {missing[0]} is missing")


if __name__ == "__main__":
    check_module(sys.argv[1], sys.argv[2:])
