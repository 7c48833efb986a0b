"""Matching dictionaries: against every possible matching, and against permutations."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index_build.evaluation import stability as module
from index_build.evaluation.stability import matched_cosines, stability
from sparc_core.errors import ShapeError

_SEEDS = st.integers(0, 2**32 - 1)


def _rows(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    return _unit(rng.normal(size=(n, d)))


def _unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def _noisy_copy(rng: np.random.Generator, rows: np.ndarray) -> np.ndarray:
    """The same directions in another order, the later ones less and less so."""
    noise = rng.normal(size=rows.shape) * np.linspace(0, 0.2, len(rows))[:, None]
    return _unit(rows + noise)[rng.permutation(len(rows))]


@given(_SEEDS, st.integers(1, 40), st.integers(2, 12), st.sampled_from([1, 9, 400, 10**6]))
def test_a_permuted_dictionary_is_the_same(seed: int, n: int, d: int, most_cells: int) -> None:
    rng = np.random.default_rng(seed)
    ours = _rows(rng, n, d)
    theirs = ours[rng.permutation(n)]
    found = stability(ours, theirs, "eye", "other")
    assert (found.cosine, found.share_above_09, found.n_matched) == (1, 1, n)
    assert (found.stream, found.other) == ("eye", "other")
    np.testing.assert_allclose(matched_cosines(ours, theirs, most_cells), 1, rtol=1e-5)


@given(_SEEDS, st.integers(1, 5), st.integers(0, 2))
def test_no_matching_has_a_greater_sum(seed: int, n: int, more: int) -> None:
    rng = np.random.default_rng(seed)
    ours, theirs = _rows(rng, n, 3), _rows(rng, n + more, 3)
    best = max(
        sum(float(ours[row] @ theirs[column]) for row, column in enumerate(columns))
        for columns in permutations(range(n + more), n)
    )
    assert matched_cosines(ours, theirs).sum() == pytest.approx(best, abs=1e-5)
    assert matched_cosines(theirs, ours).sum() == pytest.approx(best, abs=1e-5)


def test_figures_by_hand() -> None:
    # Matched by 0.9 and 0.6 (sum 1.5), not by the other way round.
    ours = np.array([[1, 0, 0], [0, 1, 0]], np.float32)
    theirs = np.array([[0, 0.6, 0.8], [0.9, 0, 0.19**0.5]], np.float32)
    found = stability(ours, theirs, "eye", "0123456789abcdef")
    assert (found.cosine, found.share_above_09, found.n_matched) == (0.75, 0.5, 2)


def _greedy(ours: np.ndarray, theirs: np.ndarray) -> list[float]:
    """The greatest cosine again and again."""
    cosines = {(i, j): float(a @ b) for i, a in enumerate(ours) for j, b in enumerate(theirs)}
    found = []
    while cosines:
        i, j = max(cosines, key=lambda pair: cosines[pair])
        found.append(cosines[i, j])
        cosines = {pair: value for pair, value in cosines.items() if pair[0] != i and pair[1] != j}
    return found


@pytest.mark.parametrize("block_cells", [1, 70, 1 << 25])
def test_rounds_match_as_the_greedy_way_does(monkeypatch: pytest.MonkeyPatch, block_cells: int) -> None:
    monkeypatch.setattr(module, "_BLOCK_CELLS", block_cells)
    rng = np.random.default_rng(1)
    ours, theirs = _rows(rng, 30, 6), _rows(rng, 25, 6)
    found = matched_cosines(ours, theirs, most_cells=1)
    np.testing.assert_allclose(sorted(found), sorted(_greedy(ours, theirs)), rtol=1e-5)


@given(_SEEDS)
def test_rounds_come_close_to_the_best(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ours = _rows(rng, 80, 16)
    theirs = _noisy_copy(rng, ours)
    exact, rounds = matched_cosines(ours, theirs), matched_cosines(ours, theirs, most_cells=100)
    assert len(rounds) == len(exact) == 80
    assert exact.mean() - 0.02 < rounds.mean() <= exact.mean() + 1e-6


@pytest.mark.parametrize(("n", "m"), [(100, 100), (100, 64), (64, 100), (37, 100)])
def test_rows_that_are_all_alike_end_in_blocks(n: int, m: int) -> None:
    # One round matches one pair of these, and there are only so many rounds.
    ours, theirs = np.tile(_unit(np.ones((1, 4))), (n, 1)), np.tile(_unit(np.ones((1, 4))), (m, 1))
    found = matched_cosines(ours, theirs, most_cells=36)
    assert len(found) == min(n, m)
    np.testing.assert_allclose(found, 1, rtol=1e-5)


def test_no_exact_matching_is_larger_than_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    exact = module.linear_sum_assignment

    def watched(cosines: np.ndarray, maximize: bool) -> object:
        sizes.append(cosines.size)
        return exact(cosines, maximize=maximize)

    monkeypatch.setattr(module, "linear_sum_assignment", watched)
    alike = np.tile(_unit(np.ones((1, 4))), (100, 1))
    matched_cosines(alike, alike, most_cells=36)
    assert max(sizes) <= 36


def test_other_widths_cannot_be_matched() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ShapeError, match="stream eye are 3 and 4 wide"):
        stability(_rows(rng, 5, 3), _rows(rng, 5, 4), "eye", "other")
