"""`pip install | download | wheel`, `uv pip compile`: what can be seen without an index (flags, files, our extras)."""

import argparse
import re
import sys
import tomllib
from pathlib import Path

_FLAGS = (
    *("--no-index", "--no-deps", "--quiet", "--editable"),
    *("--universal", "--no-emit-index-url", "--no-header", "--generate-hashes"),
)
_ROOT = Path(__file__).parents[4]


def main(arguments: list[str]) -> None:
    """Look at a command; download and wheel leave what the next command looks for."""
    asked = _parser().parse_intermixed_args(arguments)
    for path in asked.requirement:
        if not path.is_file():
            sys.exit(f"pip: there is no {path}")
    for name in asked.what:
        _check(name, asked.find_links)
    _check_extras(asked.extra)
    if asked.dest:
        asked.dest.mkdir(exist_ok=True)
    if asked.wheel_dir:
        asked.wheel_dir.mkdir(exist_ok=True)
        (asked.wheel_dir / "sparc_explorer-0-py3-none-any.whl").touch()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("pip")
    parser.add_argument("command", choices=("install", "download", "wheel", "compile"))
    parser.add_argument("what", nargs="*")
    parser.add_argument("-r", "--requirement", type=Path, action="append", default=[])
    for flag in ("--dest", "--wheel-dir", "--find-links"):
        parser.add_argument(flag, type=Path)
    parser.add_argument("--extra", action="append", default=[])
    parser.add_argument("--python-version")
    parser.add_argument("-o", "--output-file")
    for flag in _FLAGS:
        parser.add_argument(flag, action="store_true")
    return parser


def _check(name: str, find_links: Path | None) -> None:
    if Path(name).exists() or name == ".":
        if not Path("pyproject.toml").is_file():
            sys.exit("pip: there is no pyproject.toml here")
        return
    named = re.fullmatch(r"([\w-]+)(?:\[([\w,]+)\])?", name)
    if named is None:
        sys.exit(f"pip: {name} names no package")
    if named[1] == "sparc-explorer":
        _check_extras((named[2] or "").split(","))
        if find_links and not any(find_links.glob("sparc_explorer-*.whl")):
            sys.exit(f"pip: there is no wheel of sparc-explorer in {find_links}")


def _check_extras(names: list[str]) -> None:
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    unknown = set(names) - {"", *project["optional-dependencies"]}
    if unknown:
        sys.exit(f"pip: sparc-explorer has no extra {', '.join(sorted(unknown))}")


if __name__ == "__main__":
    main(sys.argv[1:])
