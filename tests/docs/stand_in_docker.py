"""`docker`, looked at: services and profiles are those of the compose file here, images are those that it names, and
what is to run in a container is parsed.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

_IMAGE = "sparc-explorer"
_COMPOSE = ("build", "up", "down", "run", "pull", "push", "logs", "exec", "ps", "kill", "config")
_PROGRAM = "sparc-build"


def main(arguments: list[str]) -> None:
    """Look at a command."""
    match arguments:
        case ["compose", *rest]:
            _compose(rest)
        case ["load"]:
            pass
        case ["run" | "save" | "build" | "pull" | "push" | "tag", *rest]:
            if not any(word.split(":")[0].rpartition("/")[2] == _IMAGE for word in rest):
                sys.exit(f"docker {arguments[0]}: {_IMAGE} is not named")
            _inside(rest)
            sys.stdout.write("an image\n")
        case _:
            sys.exit(f"docker {' '.join(arguments)}: tests/docs/stand_in_docker.py does not know this")


def _compose(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser("docker compose")
    parser.add_argument("--profile", action="append", default=[])
    parser.add_argument("--file", "-f", type=Path, action="append", default=[])
    parser.add_argument("command", choices=_COMPOSE)
    asked, rest = parser.parse_known_args(arguments)
    services: dict[str, Any] = {}
    for path in asked.file or [Path("docker-compose.yml")]:
        services |= yaml.safe_load(path.read_text(encoding="utf-8"))["services"]
    profiles = {profile for service in services.values() for profile in service.get("profiles", [])}
    if unknown := set(asked.profile) - profiles:
        sys.exit(f"docker compose: there is no profile {', '.join(unknown)} in the file")
    if asked.command in ("run", "exec", "logs", "kill") and not services.keys() & set(rest):
        sys.exit(f"docker compose {asked.command} {' '.join(rest)}: names no service of {', '.join(services)}")
    _inside(rest)


def _inside(words: list[str]) -> None:
    """Parse what runs in the container, where it is the builder."""
    if _PROGRAM in words:
        from index_build.cli import app
        from tests.docs.parsed import parse

        parse(app, words[words.index(_PROGRAM) + 1 :])


if __name__ == "__main__":
    main(sys.argv[1:])
