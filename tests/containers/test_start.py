"""`sparc-start`: what the two services of docker-compose.yml run. The commands are recorded, not run."""

import subprocess
from pathlib import Path

import pytest

START = Path(__file__).resolve().parents[2] / "docker" / "start.sh"


class Started:
    """Runs the script with programs that say how they were called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("sparc-build", "sparc-serve"):
            program = folder / name
            program.write_text(f'#!/bin/sh\necho {name} "$@" beside="${{SPARC_BESIDE:-}}"\n')
            program.chmod(0o755)

    def __call__(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": f"{self.folder}:/usr/bin:/bin"} | environment
        return subprocess.run(["sh", START, *arguments], env=environment, capture_output=True, text=True)


@pytest.fixture
def started(tmp_path: Path) -> Started:
    return Started(tmp_path)


def test_the_demo_is_built_by_default(started: Started) -> None:
    done = started("build", SPARC_BUNDLE="/data/bundles/storybook")
    assert done.stdout == "sparc-build demo --out /data/bundles/storybook --work /data/steps/storybook beside=\n"


def test_a_configuration_is_built_where_the_server_looks(started: Started) -> None:
    done = started("build", SPARC_BUNDLE="/data/bundles/photos", SPARC_CONFIG="/own/sparc.toml")
    assert done.stdout.startswith("sparc-build run /own/sparc.toml --out /data/bundles/photos --work /data/steps/own ")


def test_a_bundle_that_is_there_is_looked_at(started: Started) -> None:
    assert started("build", SPARC_BUNDLE="/own/photos").stdout.startswith("sparc-build info /own/photos ")


def test_the_twin_is_served_beside_the_demo_where_there_is_one(started: Started, tmp_path: Path) -> None:
    bundle = f"{tmp_path}/storybook"
    assert started("serve", SPARC_BUNDLE=bundle).stdout == "sparc-serve beside=\n"
    (tmp_path / "storybook-local").mkdir()
    (tmp_path / "storybook-local" / "manifest.json").write_text("{}")
    assert started("serve", SPARC_BUNDLE=bundle).stdout == f"sparc-serve beside={bundle}-local\n"
    assert started("serve", SPARC_BUNDLE=bundle, SPARC_BESIDE="/own/b").stdout == "sparc-serve beside=/own/b\n"


@pytest.mark.parametrize("arguments", [(), ("server",)])
def test_anything_else_is_refused(started: Started, arguments: tuple[str, ...]) -> None:
    done = started(*arguments, SPARC_BUNDLE="/own/photos")
    assert done.returncode == 2
    assert done.stderr == f'sparc-start: build or serve, not "{"".join(arguments)}"\n'
