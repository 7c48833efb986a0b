"""Sparse retrieval against dense arithmetic, and explanations that add up."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparc_core.bundle.codes import Codes, pack_codes
from sparc_core.bundle.postings import Postings, read_postings
from sparc_core.retrieval import QueryCode, code_norms, cosine_scores, query_code, shared_latents, strongest
from tests.bundle.plain_postings import write_inverted

N_ITEMS, N_LATENTS, K = 40, 16, 5


def random_codes(seed: int) -> Codes:
    rng = np.random.default_rng(seed)
    latents = np.stack([rng.choice(N_LATENTS, K, replace=False) for _ in range(N_ITEMS)])
    return pack_codes(latents, np.maximum(rng.normal(0.5, 1, (N_ITEMS, K)), 0), N_LATENTS)


def dense(codes: Codes) -> np.ndarray:
    out = np.zeros((len(codes.latents), N_LATENTS))
    np.add.at(out, (np.arange(len(out))[:, None], codes.latents.astype(int)), codes.activations.astype(float))
    return out


def postings_of(codes: Codes, folder: Path) -> Postings:
    write_inverted(codes, N_LATENTS, folder / "p.faiss")
    return read_postings(folder / "p.faiss", N_LATENTS)


@pytest.mark.parametrize("seed", range(5))
def test_cosine_over_posting_lists_equals_dense_arithmetic(seed: int, tmp_path: Path) -> None:
    codes, queries = random_codes(seed), random_codes(seed + 100)
    postings, norms = postings_of(codes, tmp_path), code_norms(codes)
    rows = dense(codes)
    for row in range(5):
        query = query_code(queries.latents[row], queries.activations[row])
        wanted = dense(queries)[row]
        scale = np.linalg.norm(rows, axis=1) * np.linalg.norm(wanted)
        expected = np.divide(rows @ wanted, scale, out=np.zeros(N_ITEMS), where=scale > 0)
        scores = cosine_scores(query, postings, norms)
        np.testing.assert_allclose(scores, expected, atol=1e-5)
        ranking = strongest(scores, 10)
        reference = sorted((r for r in range(N_ITEMS) if scores[r] > 0), key=lambda r: (-scores[r], r))[:10]
        assert ranking.rows.tolist() == reference


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=30), st.integers(1, 40), st.data())
@settings(deadline=None)
def test_strongest_orders_breaks_ties_by_row_and_leaves_out(
    scores: list[float], limit: int, data: st.DataObject
) -> None:
    without = data.draw(st.one_of(st.none(), st.integers(0, len(scores) - 1)))
    ranking = strongest(np.array(scores, np.float32), limit, without)
    candidates = [row for row, score in enumerate(scores) if score > 0 and row != without]
    assert ranking.rows.tolist() == sorted(candidates, key=lambda row: (-scores[row], row))[:limit]


def test_shares_of_shared_latents_by_hand() -> None:
    query = QueryCode(np.array([3, 1, 9]), np.array([2.0, 1.0, 5.0], np.float32))
    item = QueryCode(np.array([1, 3, 4]), np.array([6.0, 1.0, 7.0], np.float32))
    shared = shared_latents(query, item)
    assert [(s.latent, s.share) for s in shared] == [(1, 0.75), (3, 0.25)]
    assert (shared[0].query_activation, shared[0].item_activation) == (1.0, 6.0)
    assert shared_latents(query, QueryCode(np.array([7]), np.array([1.0], np.float32))) == []
