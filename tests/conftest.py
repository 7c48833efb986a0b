"""Fixtures that several kinds of tests share."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy machine")

N_TINY_TRAIN, N_TINY_TEST = 160, 40


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small storybook bundle made by the real towers, built once per test run, whatever the number of workers.

    160 items to train on, 40 held out, 64 latents, k 6. Do not write into it.
    """
    from index_build.corpora.storybook import StorybookCorpus
    from index_build.pipeline import build_bundle
    from index_build.recipe import Recipe
    from index_build.training.options import TrainingOptions

    base = tmp_path_factory.getbasetemp()
    if base.name.startswith("popen-"):
        base = base.parent  # a worker of pytest-xdist: its parent is the run's own folder
    out = base / "tiny-bundle"
    options = TrainingOptions.storybook(n_latents=64, k=6, num_epochs=40, batch_size=32)
    with _turn(base / "tiny-bundle.lock"):
        if not out.exists():
            build_bundle(StorybookCorpus(N_TINY_TRAIN, N_TINY_TEST), Recipe(options), base / "tiny-work", out)
    return out


@contextmanager
def _turn(path: Path) -> Iterator[None]:
    """Hold the lock file; others wait."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
