"""`kill -9` at random moments: the builder goes on, does nothing twice, leaves nothing behind, ends with the same id.

Most builds are forked from a process that has imported everything, which makes a run a second instead of many; the
kill is the same. The last ones are `sparc-build run` itself, with workers.
"""

import logging
import multiprocessing
import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from index_build.engine import LocalEngine
from index_build.pipeline import BuildReport, build_bundle
from index_build.steps import SilentDisplay, StepResult
from index_build.verification import verify_bundle
from sparc_core.bundle import Bundle
from sparc_core.errors import BundleError
from tests.build.build_fakes import fake_corpus, fake_recipe, load_fake
from tests.build.test_pipeline import STEPS
from tests.bundle.bundle_examples import publish_example
from tests.faults.builder_examples import sparc_build, started, write_config, write_corpus

log = logging.getLogger(__name__)
SEED = 20
PUBLISHING = "publishing"
BETWEEN_RENAMES, AFTER_RENAMES = ("story", ".story.old"), (".story.partial", "story")
N_PUBLISHING, N_REAL = 5, 3
LONGEST_S = 60
FORKS = multiprocessing.get_context("forkserver")


class Telling(SilentDisplay):
    """Tells another process where a build is."""

    def __init__(self, tell: Connection) -> None:
        self._tell = tell

    def started(self, step: str, unit: str) -> None:
        self._tell.send(step)

    def finished(self, result: StepResult) -> None:
        self._tell.send(result.name)
        if result.name == STEPS[-1]:
            self._tell.send(PUBLISHING)


def _build(folder: Path, display: SilentDisplay | None = None) -> BuildReport:
    corpus, recipe, out = fake_corpus(), fake_recipe(), folder / "bundles" / "story"
    return build_bundle(corpus, recipe, folder / "work", out, display, load_fake, LocalEngine(0))


def _build_and_tell(folder: Path, tell: Connection, pause_after: tuple[str, str] | None) -> None:
    """In a process, and process group, of its own."""
    os.setsid()
    if pause_after is not None:
        _pause_after_rename(pause_after)
    _build(folder, Telling(tell))


def _pause_after_rename(names: tuple[str, str]) -> None:
    """A moment of microseconds lasts until the kill."""
    plain = Path.rename

    def rename(self: Path, target: Path) -> Path:
        renamed = plain(self, target)
        if (self.name, target.name) == names:
            time.sleep(LONGEST_S)
        return renamed

    Path.rename = rename  # type: ignore[method-assign]


@pytest.fixture(scope="module", autouse=True)
def _forks() -> Iterator[None]:
    FORKS.set_forkserver_preload([__name__, "index_build.evaluation.measurements"])
    yield
    forkserver._forkserver._stop()  # else it stays until the tests end


@dataclass(frozen=True)
class Moment:
    """When to kill: so long after a step, or publishing, was begun; or while the process pauses between two renames."""

    stage: str
    delay: float
    pause_after: tuple[str, str] | None = None

    def kill(self, folder: Path) -> bool:
        """Start a build, and kill it then; False if it ended before, or had done the step in an earlier run."""
        hear, tell = FORKS.Pipe(duplex=False)
        build = FORKS.Process(target=_build_and_tell, args=(folder, tell, self.pause_after))
        build.start()
        tell.close()
        try:
            while hear.recv() != self.stage:
                pass
        except EOFError:  # it ended without coming there: on a busy machine an earlier kill came late
            build.join()
            assert build.exitcode == 0, "it failed by itself"
            return False
        if self.pause_after is None:
            time.sleep(self.delay)
        else:
            self._wait_for(folder / "bundles")
        with suppress(ProcessLookupError):  # it has ended, and its server knows already
            os.killpg(build.pid, signal.SIGKILL)
        build.join()
        assert build.exitcode in (0, -signal.SIGKILL), "it failed by itself"
        return build.exitcode != 0

    def _wait_for(self, bundles: Path) -> None:
        """The folders are as they are after the rename."""
        until = time.monotonic() + LONGEST_S
        expected = {".story.old", ".story.partial"} if self.pause_after == BETWEEN_RENAMES else {".story.old", "story"}
        while {path.name for path in bundles.iterdir()} != expected | {".story.lock"}:
            assert time.monotonic() < until, "it did not come there"
            time.sleep(0.01)


@dataclass
class Finished:
    """What was seen finished in a work folder, as files that may vanish but not change."""

    seen: dict[str, tuple[int, int]] = field(default_factory=dict)
    steps: set[str] = field(default_factory=set)

    def look(self, work: Path) -> None:
        """Compare with what was seen before, and remember what is new."""
        now = {path.name for path in (work / "steps").iterdir() if path.suffix != ".part"}
        assert self.steps <= now, "a finished step is gone"
        self.steps = now
        for path in (work / "steps").rglob("*"):
            step, *inside = path.relative_to(work / "steps").parts
            pieces = not step.endswith(".part") or inside[:1] in (["outcomes"], ["shards"], ["pieces"], ["runs"])
            if path.is_file() and not path.name.startswith(".") and ".part" not in "".join(inside) and pieces:
                name = "/".join([step.removesuffix(".part"), *inside])
                found = path.stat()
                assert self.seen.setdefault(name, (found.st_ino, found.st_mtime_ns)) == (
                    found.st_ino,
                    found.st_mtime_ns,
                ), f"{name} was made again"


def _moments(seconds: dict[str, float], rng: random.Random) -> list[Moment]:
    """One in every step, in order, then several while publishing: so all of them are met, the shortest too."""
    moments = [Moment(step, rng.uniform(0, seconds[step])) for step in STEPS]
    moments += [Moment(PUBLISHING, rng.uniform(0, seconds[PUBLISHING])) for _ in range(N_PUBLISHING)]
    return [*moments, Moment(PUBLISHING, 0, BETWEEN_RENAMES), Moment(PUBLISHING, 0, AFTER_RENAMES)]


@pytest.mark.slow
def test_a_build_killed_at_random_moments(tmp_path: Path) -> None:
    whole = _build(tmp_path / "uninterrupted")
    seconds = {step.name: step.seconds for step in whole.steps} | {PUBLISHING: whole.publish_seconds}
    folder, finished, rng = tmp_path / "killed", Finished(), random.Random(SEED)
    bundle, old = _an_older_bundle(folder)
    moments = _moments(seconds, rng)
    assert len(moments) + N_REAL == 20
    for number, moment in enumerate(moments):
        log.warning("seed %s, moment %s: %s", SEED, number, moment)  # shown on failure
        while not moment.kill(folder):
            shutil.rmtree(bundle)
            shutil.copytree(folder / "other" / "kept", bundle)  # to be replaced once more
            moment = Moment(PUBLISHING, seconds[PUBLISHING] * rng.random() ** 2, moment.pause_after)
        finished.look(folder / "work")
        if moment.pause_after == BETWEEN_RENAMES:
            with pytest.raises(BundleError, match="its replacement was interrupted; run the same sparc-build command"):
                Bundle.open(bundle)
        else:
            assert Bundle.open(bundle, verify=True).manifest.bundle_id in (old, whole.manifest.bundle_id)
    report = _build(folder)
    finished.look(folder / "work")
    assert report.manifest.bundle_id == whole.manifest.bundle_id
    assert all(step.cached for step in report.steps)
    assert verify_bundle(bundle).manifest == report.manifest
    assert [path.name for path in bundle.parent.iterdir()] == ["story"]


def _an_older_bundle(folder: Path) -> tuple[Path, str]:
    """One that is there already where the build goes, so that it is replaced."""
    (folder / "bundles").mkdir(parents=True)
    path, manifest = publish_example(folder / "other")
    kept = path.rename(folder / "other" / "kept")
    return shutil.copytree(kept, folder / "bundles" / "story"), manifest.bundle_id


@pytest.mark.slow
def test_a_command_killed_at_random_moments(tmp_path: Path) -> None:
    corpus, rng = write_corpus(tmp_path / "corpus"), random.Random(SEED)
    whole = write_config(tmp_path / "whole.toml", corpus, tmp_path / "whole", tmp_path / "work")
    assert sparc_build("run", whole).exit_code == 0
    folder, finished = tmp_path / "killed", Finished()
    config = write_config(tmp_path / "sparc.toml", corpus, folder / "bundles" / "story", folder / "work", workers=2)
    for n_steps in sorted(rng.sample(range(1, len(STEPS)), N_REAL)):
        log.warning("seed %s, killed after %s steps", SEED, n_steps)
        with started("run", config) as build:
            until = time.monotonic() + LONGEST_S
            while len(list((folder / "work" / "steps").glob("*-*[!t]"))) < n_steps and time.monotonic() < until:
                time.sleep(0.01)
            time.sleep(rng.uniform(0, 0.5))
            os.killpg(build.pid, signal.SIGKILL)
        assert build.returncode == -signal.SIGKILL
        finished.look(folder / "work")
    done = sparc_build("run", config)
    assert done.exit_code == 0, done.output
    finished.look(folder / "work")
    ids = [verify_bundle(path).manifest.bundle_id for path in (tmp_path / "whole", folder / "bundles" / "story")]
    assert ids[0] == ids[1]
    assert [path.name for path in (folder / "bundles").iterdir()] == ["story"]
