"""Ranks against dense cosines, and their laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index_build.evaluation import ranking
from index_build.evaluation.ranking import CodeRanking, feature_ranks, sparse_rows
from sparc_core.bundle.codes import Codes, pack_codes

N_LATENTS = 14


def random_codes(n: int, k: int, seed: int, holes: bool = True) -> Codes:
    rng = np.random.default_rng(seed)
    latents = np.stack([rng.permutation(N_LATENTS)[:k] for _ in range(n)])
    activations = rng.integers(1, 6, (n, k)).astype(np.float32) / 4
    if holes:
        activations[rng.random((n, k)) < 0.3] = 0
    return pack_codes(latents, activations, N_LATENTS)


def dense(codes: Codes) -> np.ndarray:
    rows = np.zeros((len(codes.latents), N_LATENTS))
    for row in range(len(rows)):
        for latent, activation in zip(codes.latents[row], codes.activations[row], strict=True):
            rows[row, latent] += float(activation)
    return rows


def plain_ranks(queries: np.ndarray, items: np.ndarray, own: np.ndarray) -> list[tuple[int, int]]:
    """Better and equal ones, one pair at a time, in exact arithmetic where the entries are quarters."""
    found = []
    for query, mine in zip(queries, own, strict=True):
        # Cosines compare as their signed squares over the item's squares: no root, no rounding.
        scores = [(query @ item) ** 2 / max(item @ item, 1e-9) for item in items]
        better = sum(score > scores[mine] + 1e-9 for score in scores)
        found.append((better, sum(abs(score - scores[mine]) <= 1e-9 for score in scores)))
    return found


@given(seed=st.integers(0, 200), n=st.integers(1, 25), k=st.integers(1, 5))
def test_ranks_of_codes_are_those_of_dense_cosines(seed: int, n: int, k: int) -> None:
    queries, items = random_codes(n, k, seed), random_codes(n, k, seed + 1000)
    own = np.random.default_rng(seed).permutation(n)
    found = CodeRanking(items, N_LATENTS).ranks(queries, own)
    wanted = plain_ranks(dense(queries), dense(items), own)
    # Rows of the same direction and another length score the same but for rounding.
    for (better, equal), ours_better, ours_equal in zip(wanted, *found, strict=True):
        assert better <= ours_better <= better + equal - 1
        assert ours_better + ours_equal <= better + equal


def test_equal_codes_tie_and_an_empty_code_ties_with_everything() -> None:
    items = pack_codes(np.array([[0, 1], [0, 1], [2, 3]]), np.array([[2.0, 1], [2, 1], [1, 1]]), N_LATENTS)
    queries = pack_codes(np.array([[0, 1], [5, 6]]), np.array([[1.0, 3], [0, 0]]), N_LATENTS)
    found = CodeRanking(items, N_LATENTS).ranks(queries, np.array([1, 2]))
    assert found.worst.tolist() == [2, 3]
    assert found.n_better.tolist() == [0, 0]


@pytest.mark.parametrize("most_scores", [1, 40, 1 << 24])
def test_ranks_of_features_are_those_of_all_products(monkeypatch: pytest.MonkeyPatch, most_scores: int) -> None:
    monkeypatch.setattr(ranking, "_MOST_SCORES", most_scores)
    rng = np.random.default_rng(0)
    items, queries = rng.integers(-3, 4, (20, 4)).astype(np.float32), rng.integers(-3, 4, (9, 4)).astype(np.float32)
    own = rng.integers(0, 20, 9)
    found = feature_ranks(queries, items, own)
    for query in range(9):
        scores = [float(np.dot(queries[query], item)) for item in items]
        mine = scores[own[query]]
        assert found.n_better[query] == sum(score > mine for score in scores)
        assert found.worst[query] == sum(score >= mine for score in scores)


@given(seed=st.integers(0, 100))
def test_the_order_of_items_does_not_matter(seed: int) -> None:
    queries, items = random_codes(12, 4, seed), random_codes(12, 4, seed + 1)
    order = np.random.default_rng(seed).permutation(12)
    found = CodeRanking(items, N_LATENTS).ranks(queries, np.arange(12))
    shuffled = Codes(items.latents[order], items.activations[order])
    again = CodeRanking(shuffled, N_LATENTS).ranks(queries, np.argsort(order))
    assert found.worst.tolist() == again.worst.tolist()


def test_a_perfect_model_ranks_first_and_a_random_one_by_chance() -> None:
    n, k = 400, 6
    rng = np.random.default_rng(1)
    latents = np.stack([rng.permutation(64)[:k] for _ in range(n)])
    codes = pack_codes(latents, rng.random((n, k)).astype(np.float32) + 0.1, 64)
    rows = np.arange(n)
    assert CodeRanking(codes, 64).ranks(codes, rows).worst.tolist() == [1] * n
    elsewhere = CodeRanking(codes, 64).ranks(codes, rng.permutation(n))
    assert 0.4 < (elsewhere.worst / n).mean() < 0.9  # ties at 0 count against
    assert (elsewhere.worst <= 10).mean() < 0.1


def test_rows_are_those_of_the_codes() -> None:
    codes = random_codes(7, 4, 3)
    np.testing.assert_array_equal(sparse_rows(codes, N_LATENTS).toarray(), dense(codes))
