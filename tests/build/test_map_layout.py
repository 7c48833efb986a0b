"""The map: latents that are alike lie together, the same dictionaries have the same map, few or many lie on a plane."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from index_build.indexing import layout
from index_build.indexing.layout import places, plane

N_CONCEPTS, N_OF_EACH = 15, 6


def concepts(seed: int = 0, noise: float = 0.15) -> list[np.ndarray]:
    """Dictionaries of two streams: rows around a direction for each concept, in the concepts' order."""
    rng = np.random.default_rng(seed)
    found = []
    for d in (24, 32):
        centres = rng.normal(size=(N_CONCEPTS, d)).repeat(N_OF_EACH, 0)
        found.append(centres + noise * np.sqrt(d) * rng.normal(size=centres.shape))
    return found


def share_of_kin(x: np.ndarray, y: np.ndarray) -> float:
    """Of the 5 latents nearest to each on the map, the share that are of its concept."""
    concept = np.arange(len(x)) // N_OF_EACH
    shares = []
    for latent in range(len(x)):
        distances = np.hypot(x - x[latent], y - y[latent])
        near = [other for other in np.argsort(distances) if other != latent][:5]
        shares.append(np.mean(concept[near] == concept[latent]))
    return float(np.mean(shares))


def test_latents_of_one_concept_lie_together() -> None:
    rows, alive = concepts(), np.ones(N_CONCEPTS * N_OF_EACH, bool)
    assert share_of_kin(*plane(rows, alive)) < 0.7, "a plane is too small for so many concepts"
    assert share_of_kin(*places(rows, alive)) > 0.95


def test_the_same_dictionaries_have_the_same_map_however_many_threads_there_may_be() -> None:
    rows, alive = concepts(), np.arange(N_CONCEPTS * N_OF_EACH) % 7 != 3
    first = places(rows, alive)
    for n_threads in (1, 4):
        with threadpool_limits(n_threads):
            np.testing.assert_array_equal(places(rows, alive), first)


def test_one_thread_does_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    allowed: set[int] = set()

    def looking(rows: np.ndarray, start: np.ndarray) -> np.ndarray:
        allowed.update(pool["num_threads"] for pool in threadpool_info())
        return start

    monkeypatch.setattr(layout, "_neighbourhoods", looking)
    with threadpool_limits(4):
        places(concepts(), np.ones(N_CONCEPTS * N_OF_EACH, bool))
    assert allowed == {1}


def test_the_map_fills_its_square_and_dead_latents_have_no_place() -> None:
    rows, alive = concepts(), np.arange(N_CONCEPTS * N_OF_EACH) % 7 != 3
    x, y = places(rows, alive)
    assert (x.dtype, y.dtype) == (np.float32, np.float32)
    np.testing.assert_array_equal(np.isnan(x), ~alive)
    np.testing.assert_array_equal(np.isnan(y), ~alive)
    ends = np.array([[axis[alive].min(), axis[alive].max()] for axis in (x, y)])
    np.testing.assert_allclose(ends.sum(1), 0, atol=1e-6)
    assert ends.max() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("n_alive", [0, 1, 2, 9, 90])
def test_few_and_very_many_latents_lie_on_the_plane(monkeypatch: pytest.MonkeyPatch, n_alive: int) -> None:
    rows, alive = concepts(), np.arange(N_CONCEPTS * N_OF_EACH) < n_alive
    monkeypatch.setattr(layout, "_MOST_PLACED", 89)
    np.testing.assert_array_equal(places(rows, alive), plane(rows, alive))


@pytest.mark.parametrize("n_alive", [10, 11, 89])
def test_from_ten_latents_on_they_are_placed_by_their_neighbours(monkeypatch: pytest.MonkeyPatch, n_alive: int) -> None:
    rows, alive = concepts(), np.arange(N_CONCEPTS * N_OF_EACH) < n_alive
    monkeypatch.setattr(layout, "_MOST_PLACED", 89)
    x, y = places(rows, alive)
    assert np.isfinite(x[alive]).all()
    assert np.abs(x[alive] - plane(rows, alive)[0][alive]).max() > 0.1
    assert np.isfinite(y[alive]).all()


@pytest.mark.parametrize("d", [1, 2, 3])
def test_rows_may_be_short(d: int) -> None:
    rows = np.random.default_rng(0).normal(size=(30, d))
    x, y = places([rows], np.ones(30, bool))
    assert np.isfinite([x, y]).all()


def test_rows_may_be_the_same() -> None:
    x, y = places([np.ones((30, 8))], np.ones(30, bool))
    assert np.isfinite([x, y]).all()
    assert np.abs([x, y]).max() <= 1
