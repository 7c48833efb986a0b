"""Fixtures that several kinds of tests share."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from benchmarks.chromium import FLAGS, MISSING, PROGRAM

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy machine")

N_TINY_TRAIN, N_TINY_TEST = 160, 40
_STEPS_PATH = Path(__file__).resolve().parents[1] / ".pytest_cache" / "tiny-bundles"


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small storybook bundle made by the real towers, built once per test run, whatever the number of workers.

    160 items to train on, 40 held out, 64 latents, k 6. Do not write into it.
    """
    return _built_once(tmp_path_factory, "tiny-bundle")


@pytest.fixture(scope="session")
def twin_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle's corpus and sizes, trained with local selection and no cross loss. Do not write into it."""
    return _built_once(tmp_path_factory, "twin-bundle", selection="local", cross_loss_coef=0.0)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """One browser for all tests of a process: Playwright allows no second, and no asyncio.run beside it."""
    if PROGRAM is None:
        pytest.skip(MISSING)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=FLAGS)
        yield browser
        browser.close()


def _built_once(tmp_path_factory: pytest.TempPathFactory, name: str, **options: Any) -> Path:
    """Build a bundle over the tiny corpus in the run's own folder, or wait until another worker has; returns it.

    Steps whose sources did not change since an earlier run are taken from there.
    """
    from index_build.corpora.storybook import StorybookCorpus
    from index_build.pipeline import build_bundle
    from index_build.recipe import Recipe
    from index_build.training.options import TrainingOptions

    base = tmp_path_factory.getbasetemp()
    if base.name.startswith("popen-"):
        base = base.parent  # a worker of pytest-xdist: its parent is the run's own folder
    out = base / name
    training = TrainingOptions.storybook(n_latents=64, k=6, num_epochs=40, batch_size=32, **options)
    _STEPS_PATH.mkdir(parents=True, exist_ok=True)
    with _turn(_STEPS_PATH / "turn"):
        if not out.exists():
            build_bundle(StorybookCorpus(N_TINY_TRAIN, N_TINY_TEST), Recipe(training), _STEPS_PATH / "work", out)
    return out


@contextmanager
def _turn(path: Path) -> Iterator[None]:
    """Hold the lock file; others wait."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
