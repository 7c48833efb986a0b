"""Retrieval against dense arithmetic: sparse and dense paths agree, explanations add up."""

from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sparc_core.bundle.codes import Codes, pack_codes
from sparc_core.bundle.postings import read_postings
from sparc_core.retrieval import (
    QueryCode,
    SparseSearch,
    VectorSearch,
    activations_of,
    explain,
    explain_features,
    query_code,
    strongest,
    weighted_sum,
)
from tests.bundle.plain_postings import write_inverted

N_ITEMS, N_LATENTS, K = 40, 16, 5


def random_codes(seed: int, n_items: int = N_ITEMS) -> Codes:
    rng = np.random.default_rng(seed)
    latents = np.stack([rng.choice(N_LATENTS, K, replace=False) for _ in range(n_items)])
    return pack_codes(latents, np.maximum(rng.normal(0.5, 1, (n_items, K)), 0), N_LATENTS)


def dense(codes: Codes) -> np.ndarray:
    out = np.zeros((len(codes.latents), N_LATENTS))
    np.add.at(out, (np.arange(len(out))[:, None], codes.latents.astype(int)), codes.activations.astype(float))
    return out


def dense_query(query: QueryCode) -> np.ndarray:
    out = np.zeros(N_LATENTS)
    out[query.latents] = query.activations
    return out


def search_of(codes: Codes, folder: Path) -> SparseSearch:
    write_inverted(codes, N_LATENTS, folder / "p.faiss")
    return SparseSearch(read_postings(folder / "p.faiss", N_LATENTS), codes)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Codes, SparseSearch]:
    codes = random_codes(0)
    return codes, search_of(codes, tmp_path_factory.mktemp("postings"))


queries = st.lists(
    st.tuples(st.integers(0, N_LATENTS - 1), st.floats(-2, 2, width=32).filter(lambda a: abs(a) > 1e-3)),
    unique_by=lambda entry: entry[0],
    min_size=1,
    max_size=8,
).map(
    lambda entries: QueryCode(
        np.array([latent for latent, _ in entries], np.int64), np.array([a for _, a in entries], np.float32)
    )
)


@given(queries, st.sampled_from(["cosine", "dot"]))
def test_scores_over_posting_lists_equal_dense_arithmetic(searched, query: QueryCode, measure: str) -> None:  # type: ignore[no-untyped-def]
    codes, search = searched
    rows, wanted = dense(codes), dense_query(query)
    expected = rows @ wanted
    if measure == "cosine":
        scale = np.linalg.norm(rows, axis=1) * np.linalg.norm(wanted)
        expected = np.divide(expected, scale, out=np.zeros(N_ITEMS), where=scale > 0)
    np.testing.assert_allclose(search.scores(query, measure), expected, atol=1e-5)


def test_a_query_without_latents_and_an_item_without_any_score_nothing(tmp_path: Path) -> None:
    codes = pack_codes(np.array([[1, 2], [0, 0]]), np.array([[1.0, 2.0], [0.0, 0.0]]), N_LATENTS)
    search = search_of(codes, tmp_path)
    assert search.scores(QueryCode(np.empty(0, np.int64), np.empty(0, np.float32))).tolist() == [0, 0]
    assert search.scores(QueryCode(np.array([1, 0]), np.array([3.0, 1.0], np.float32)))[1] == 0


@given(queries, queries, st.floats(-3, 3), st.floats(-3, 3))
def test_weighted_sums_equal_dense_arithmetic(first: QueryCode, second: QueryCode, a: float, b: float) -> None:
    query = weighted_sum([first, second], [a, b])
    np.testing.assert_allclose(dense_query(query), a * dense_query(first) + b * dense_query(second), atol=1e-5)
    assert (query.activations != 0).all()
    assert (np.diff(np.abs(query.activations)) <= 0).all(), "strongest first"


def test_what_cancels_out_is_no_part_of_a_sum() -> None:
    query = query_code(np.array([3, 5, 0]), np.array([2.0, 1.0, 0.0]))
    assert query.latents.tolist() == [3, 5]
    assert len(weighted_sum([query, query], [1, -1]).latents) == 0


@given(
    st.lists(st.sampled_from([-0.5, 0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=2000),
    st.integers(1, 40),
    st.data(),
)
def test_strongest_orders_breaks_ties_by_row_and_leaves_out(
    scores: list[float], limit: int, data: st.DataObject
) -> None:
    n = len(scores)
    without = data.draw(st.lists(st.integers(0, n - 1), max_size=3))
    allowed = data.draw(st.one_of(st.none(), arrays.arrays(bool, n)))
    given_scores = np.array(scores, np.float32)
    ranking = strongest(given_scores, limit, without, allowed)
    candidates = [
        row
        for row, score in enumerate(scores)
        if score > 0 and row not in without and (allowed is None or allowed[row])
    ]
    assert ranking.rows.tolist() == sorted(candidates, key=lambda row: (-scores[row], row))[:limit]
    assert ranking.scores.tolist() == [scores[row] for row in ranking.rows]
    assert given_scores.tolist() == scores, "the caller's scores stay as they were"


@given(queries)
def test_parts_of_a_score_add_up_to_it(searched, query: QueryCode) -> None:  # type: ignore[no-untyped-def]
    codes, search = searched
    scores = search.scores(query, "dot")
    rows = np.flatnonzero(scores > 1e-3)
    rows_dense, wanted = dense(codes), dense_query(query)
    for row, why in zip(rows, explain(query, codes, rows, N_LATENTS), strict=True):
        expected = {latent: part for latent, part in enumerate(rows_dense[row] * wanted) if part}
        assert set(why.latents.tolist()) == set(expected)
        total = sum(expected.values())
        for latent, share, asked, active in zip(*why[:4], strict=True):
            assert share == pytest.approx(expected[latent] / total, rel=1e-3, abs=1e-4)
            assert asked == pytest.approx(wanted[latent])
            assert active == pytest.approx(rows_dense[row, latent])
        assert (np.diff(why.shares) <= 1e-6).all(), "largest first"
        assert why.shares.sum() == pytest.approx(1, abs=1e-3)
        assert why.rest == 0


def test_shares_by_hand() -> None:
    codes = pack_codes(np.array([[1, 3, 4]]), np.array([[6.0, 1.0, 7.0]]), N_LATENTS)
    query = QueryCode(np.array([3, 1, 9]), np.array([2.0, 1.0, 5.0], np.float32))
    (why,) = explain(query, codes, np.array([0]), N_LATENTS)
    assert why.latents.tolist() == [1, 3]
    assert why.shares.tolist() == [0.75, 0.25]
    against = QueryCode(np.array([3, 1]), np.array([-2.0, 1.0], np.float32))
    (why,) = explain(against, codes, np.array([0]), N_LATENTS)
    assert dict(zip(why.latents.tolist(), why.shares.tolist(), strict=True)) == {1: 1.5, 3: -0.5}


def test_parts_of_a_cosine_of_features_by_hand() -> None:
    parts = np.array([[3.0, 0.0], [0.0, 2.0]], np.float32)
    vector = np.array([3.0, 4.0], np.float32)  # half of the second direction is no latent's
    query = QueryCode(np.array([7, 8]), np.array([3.0, 2.0], np.float32))
    vectors = np.array([[1.0, 0.0], [0.6, 0.8]], np.float32)
    scores = vectors @ vector / 5
    whys = explain_features(query, parts, 5.0, vectors, scores, np.array([[9, 0], [0, 4]], np.float32))
    assert whys[0].latents.tolist() == [7]
    assert (whys[0].shares.tolist(), whys[0].rest) == ([pytest.approx(1)], pytest.approx(0, abs=1e-6))
    assert dict(zip(whys[1].latents.tolist(), whys[1].shares.tolist(), strict=True)) == {
        7: pytest.approx(1.8 / 5),
        8: pytest.approx(1.6 / 5),
    }
    assert whys[1].rest == pytest.approx(1.6 / 5)
    assert whys[1].item_activations.tolist() == [0, 4]


def test_activations_of_some_latents() -> None:
    codes = random_codes(3)
    rows, latents = np.array([4, 0, 4]), np.array([7, 2, 15])
    np.testing.assert_allclose(activations_of(latents, codes, rows, N_LATENTS), dense(codes)[rows][:, latents])


def unit_rows(seed: int, n: int, d: int) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def index_of(kind: str, vectors: np.ndarray) -> faiss.Index:
    d = vectors.shape[1]
    if kind == "exact":
        index = faiss.IndexFlatIP(d)
    elif kind == "hnsw":
        index = faiss.IndexHNSWFlat(d, 16, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efSearch = 200
    else:
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(d), d, 4, faiss.METRIC_INNER_PRODUCT)
        index.train(vectors)
        index.nprobe = 4
    index.add(vectors)
    return index


@pytest.mark.parametrize("kind", ["exact", "hnsw", "ivf"])
@pytest.mark.parametrize("seed", range(3))
def test_neighbours_among_features_equal_brute_force(kind: str, seed: int) -> None:
    vectors, rng = unit_rows(seed, 120, 8), np.random.default_rng(seed)
    search, query = VectorSearch(index_of(kind, vectors)), unit_rows(seed + 50, 1, 8)[0]
    scores = vectors @ query
    for allowed in (None, rng.random(120) < 0.2):
        for without in ([], [int(scores.argmax()), 3]):
            kept = [r for r in np.argsort(-scores) if (allowed is None or allowed[r]) and r not in without]
            found = search.search(query, 10, without, allowed)
            assert found.rows.tolist() == kept[:10]
            np.testing.assert_allclose(found.scores, scores[kept[:10]], atol=1e-5)
    np.testing.assert_allclose(search.vectors(np.array([5, 1])), vectors[[5, 1]])
    assert len(search.search(query, 5, allowed=np.zeros(120, bool)).rows) == 0
    assert len(search.search(query, 500).rows) == 120
