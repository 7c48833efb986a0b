"""`sparc-build demo` without its minutes: flags are parsed by the real command, then the tests' bundles are copied."""

import os
import shutil
import sys
from pathlib import Path

from index_build.cli import app
from index_build.commands.demo import twin_place
from tests.docs.parsed import parse


def main(arguments: list[str]) -> None:
    """Put the tests' bundle, and its twin if asked, where the demo would build them."""
    asked, home = parse(app, arguments), Path(os.environ["HOME"])
    places = {"storybook": asked["out"]} | ({"storybook-local": twin_place(asked["out"])} if asked["twin"] else {})
    for name, place in places.items():
        if not place.exists():
            shutil.copytree((home / "shelf" / name).resolve(), place)


if __name__ == "__main__":
    main(sys.argv[1:])
