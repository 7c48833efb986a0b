"""The wheel and the source distribution: what is in them, and that they run where nothing else of ours is.

The environment is empty but for what the wheel itself says it needs: those packages are linked from the tests' own
environment, so that gigabytes need not be copied. `make dist` builds the same files.
"""

import os
import re
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

import httpx
import pytest
from packaging.requirements import Requirement

from sparc_core import __version__

ROOT = Path(__file__).resolve().parents[2]
WHEEL, SDIST = f"sparc_explorer-{__version__}-py3-none-any.whl", f"sparc_explorer-{__version__}.tar.gz"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("release"),
    pytest.mark.skipif(not (ROOT / ".git").exists(), reason="what belongs into the packages is known from git"),
]


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both files; the wheel is made from the source distribution, not from the checkout."""
    out = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    assert sorted(path.name for path in out.iterdir()) == [WHEEL, SDIST]
    return out


@pytest.fixture(scope="module")
def environment(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs' folder of an environment that holds the wheel and what it needs."""
    venv = tmp_path_factory.mktemp("empty") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    (site,) = venv.glob("lib/python*/site-packages")
    wheel = dist / WHEEL
    for name in needed(requirements_of(wheel)):
        link(distribution(name), site)
    pip = [venv / "bin" / "python", "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", wheel], check=True)
    checked = subprocess.run([*pip, "check"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
    return venv / "bin"


def requirements_of(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"sparc_explorer-{__version__}.dist-info/METADATA").decode()
    return re.findall(r"^Requires-Dist: (.+)$", metadata, re.MULTILINE)


def needed(requirements: list[str], extras: frozenset[str] = frozenset({""})) -> set[str]:
    """The names of all distributions that these requirements bring, theirs included."""
    found: set[str] = set()
    waiting = [(Requirement(text), extras) for text in requirements]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        requirement, chosen = waiting.pop()
        if requirement.marker and not any(requirement.marker.evaluate({"extra": extra}) for extra in chosen):
            continue
        key = (requirement.name.lower(), frozenset(requirement.extras))
        if key in seen:
            continue
        seen.add(key)
        found.add(requirement.name.lower())
        theirs = frozenset({"", *requirement.extras})
        waiting += [(Requirement(text), theirs) for text in distribution(requirement.name).requires or []]
    return found


def link(package: Distribution, site: Path) -> None:
    """Every file of a distribution, as a hard link (a symbolic one from another file system)."""
    for file in package.files or []:
        source, target = Path(str(package.locate_file(file))), site / file
        if ".." in file.parts or not source.is_file():
            continue  # programs in bin
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            continue
        try:
            os.link(source, target)
        except OSError:
            target.symlink_to(source)


def test_the_wheel_holds_the_programs_and_what_they_read_and_no_more(dist: Path) -> None:
    with zipfile.ZipFile(dist / WHEEL) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"sparc_core", "index_build", "server", "frontend", f"sparc_explorer-{__version__}.dist-info"}
    for folder, endings in {
        "frontend": {".html", ".js", ".css"},
        "index_build": {".py", ".svg"},
        "sparc_core": {".py", ".safetensors", ".json"},
    }.items():
        tracked = subprocess.run(["git", "ls-files", folder], cwd=ROOT, capture_output=True, text=True).stdout.split()
        kept = [name for name in tracked if Path(name).suffix in endings]
        assert kept or not (ROOT / ".git").exists()
        assert set(kept) <= set(names)


def test_the_source_distribution_holds_what_a_packager_needs(dist: Path) -> None:
    with tarfile.open(dist / SDIST) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "CHANGELOG.md", "README.md", "pyproject.toml", "requirements.lock", "docs/index.md"} <= names
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    new = subprocess.run(["git", "ls-files", "-o", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    assert names - {"PKG-INFO", ".gitignore"} <= {*tracked, *new.stdout.split()}, "no caches, bundles or leftovers"


def test_the_version_is_that_of_the_changelogs_first_release() -> None:
    releases = re.findall(r"^## \[(\d[^]]*)\] - (\d{4}-\d\d-\d\d)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert releases[0][0] == __version__


def test_the_demo_builds_and_is_served_from_an_empty_environment(environment: Path, tmp_path: Path) -> None:
    clean = {"PATH": f"{environment}:/usr/bin:/bin", "HOME": str(tmp_path), "SPARC_PORT": "0"}
    script = "sparc-build demo --train-items 36 --test-items 4 --no-twin && exec sparc-serve"
    with (tmp_path / "log").open("w+") as log:
        process = subprocess.Popen(
            ["sh", "-c", script], cwd=tmp_path, env=clean, stderr=log, stdout=log, start_new_session=True
        )
        try:
            address = served_at(process, tmp_path / "log")
            assert httpx.get(f"{address}/readyz").status_code == 200
            assert "<h1" in httpx.get(f"{address}/").text
            assert httpx.get(f"{address}/static/js/api.js").status_code == 200
            assert httpx.get(f"{address}/static/vendor/plotly.min.js").status_code == 200
            assert httpx.get(f"{address}/openapi.json").json()["info"]["version"] == __version__
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            code = process.wait(30)
    assert code == 0, "it ends in order"


def served_at(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """The address that the service says, once it does."""
    until = time.monotonic() + 300
    while time.monotonic() < until and process.poll() is None:
        if found := re.search(r"at (http://\S+)$", log.read_text(), re.MULTILINE):
            return found[1]
        time.sleep(0.2)
    raise AssertionError(log.read_text())
