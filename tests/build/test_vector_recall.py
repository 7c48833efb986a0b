"""Recall of approximate indexes against NumPy's brute force, and the queries that it is measured with."""

from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index_build.indexing import vector_recall
from index_build.indexing.vector_indexes import hnsw_index, ivfpq_index
from index_build.indexing.vector_recall import Direction, query_rows, recall_at_10, search_queries, vector_recalls
from sparc_core.evaluation.headline import headline
from sparc_core.evaluation.results import Evaluation, VectorRecall
from tests.build.test_codes import N_ITEMS, N_LATENTS, make_features, make_model, plain_codes
from tests.build.test_vector_indexes import unit_rows


class Fixed:
    """An index that finds what it is told to."""

    def __init__(self, rows: np.ndarray) -> None:
        self.rows = rows

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        assert len(queries) == len(self.rows)
        return np.zeros((len(queries), k), np.float32), self.rows[:, :k]


def best(queries: np.ndarray, features: np.ndarray, k: int = 10) -> np.ndarray:
    """By sorting all inner products in double precision."""
    return np.argsort(-(queries.astype(float) @ features.T.astype(float)), axis=1, kind="stable")[:, :k]


@pytest.mark.parametrize(("make", "least"), [(hnsw_index, 0.99), (ivfpq_index, 0.4)])
@pytest.mark.parametrize("n_items", [1500, 64])
def test_recall_is_what_brute_force_counts(make, least: float, n_items: int) -> None:
    features, queries = unit_rows(n_items), unit_rows(80, seed=1)
    index = make(features)
    found = index.search(queries, 10)[1]
    both = [len(set(a) & set(b)) / 10 for a, b in zip(found.tolist(), best(queries, features).tolist(), strict=True)]
    assert recall_at_10(index, features, queries) == pytest.approx(np.mean(both))
    assert np.mean(both) > least


def test_of_a_few_items_all_are_looked_for() -> None:
    features = unit_rows(4)
    found = np.array([[3, 1, 0, 2], [0, 1, 2, -1]])
    assert recall_at_10(Fixed(found), features, unit_rows(2, seed=1)) == 7 / 8


def test_what_was_not_found_counts_for_nothing() -> None:
    features = np.tile(unit_rows(1), (12, 1))  # row -1, the last, would be as good as any
    assert recall_at_10(Fixed(np.full((3, 10), -1)), features, unit_rows(3)) == 0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 5))
def test_an_exact_index_finds_all_however_many_items_share_a_picture(seed: int, n_pictures: int, copies: int) -> None:
    rng = np.random.default_rng(seed)
    features = np.repeat(unit_rows(n_pictures, 8, seed), copies, axis=0)
    queries = unit_rows(7, 8, seed + 1)
    index = faiss.IndexFlatIP(8)
    order = rng.permutation(len(features))
    index.add(features[order])  # other rows tie now than in the matrix: copies are as good as one another
    inverse = features[order]
    assert recall_at_10(index, inverse, queries) == 1
    worst = np.argsort(queries @ inverse.T, axis=1)[:, :10]
    tenth = np.sort(queries @ inverse.T, axis=1)[:, -min(10, len(inverse))]
    expected = np.mean(np.take_along_axis(queries @ inverse.T, worst, 1) >= tenth[:, None] - 1e-6)
    assert recall_at_10(Fixed(worst), inverse, queries) == pytest.approx(expected)


def test_queries_are_features_and_what_codes_decode_to() -> None:
    model, features = make_model(), make_features()
    local, rows = plain_codes(model, features, "local"), np.array([5, 17, 200])
    queries = search_queries(model, features, local, rows, [("text", "eye"), ("eye", "text")])
    streams = ["eye", "camera", "text"]
    spaces = {(s, s) for s in streams} | {("text", "eye"), ("eye", "text")}
    assert queries.keys() == {Direction(a, b, "reconstructions") for a in streams for b in streams} | {
        Direction(a, b, "features") for a, b in spaces
    }
    for (source, target, via), found in queries.items():
        if via == "features":
            np.testing.assert_array_equal(found, features[source][rows])
            continue
        dense = np.zeros((len(rows), N_LATENTS))
        np.put_along_axis(dense, local[source].latents[rows].astype(int), local[source].activations[rows], axis=1)
        weights = model.autoencoder(target)
        decoded = dense @ weights.dictionary.detach().numpy() + weights.pre_bias.detach().numpy()
        np.testing.assert_allclose(found, decoded / np.linalg.norm(decoded, axis=1, keepdims=True), atol=1e-5)
        assert found.dtype == np.float32


def test_shared_spaces_are_searched_both_ways() -> None:
    model, features = make_model(), make_features()
    queries = search_queries(model, features, {}, np.array([3]), [("text", "camera")])
    assert {(q.query, q.target) for q in queries} == {
        ("eye", "eye"), ("camera", "camera"), ("text", "text"), ("text", "camera"), ("camera", "text")
    }  # fmt: skip


def test_every_direction_has_its_recall_by_the_targets_index() -> None:
    features = {"eye": unit_rows(300, 16), "text": unit_rows(300, 16, 1)}
    indexes = {"eye": hnsw_index(features["eye"]), "text": ivfpq_index(features["text"])}
    queries = {
        Direction(a, b, "features"): features[a][:50] for a in features for b in features
    } | {Direction("eye", "text", "reconstructions"): unit_rows(40, 16, 2)}  # fmt: skip
    found = vector_recalls("ivfpq", indexes, features, queries)
    assert [(r.query, r.target, r.via, r.index) for r in found] == [(*direction, "ivfpq") for direction in queries]
    for recall in found:
        asked = queries[Direction(recall.query, recall.target, recall.via)]
        rows = indexes[recall.target].search(asked, 10)[1]
        hits = [len(set(a) & set(b)) for a, b in zip(rows, best(asked, features[recall.target]), strict=True)]
        assert recall.at_10 == pytest.approx(np.mean(hits) / 10, abs=1e-6)


def test_mapped_features_are_measured_alike(tmp_path: Path) -> None:
    features, queries = unit_rows(300, 16), unit_rows(20, 16, 1)
    np.save(tmp_path / "rows.npy", features)
    index = ivfpq_index(features)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    assert recall_at_10(index, mapped, queries) == recall_at_10(index, features, queries) < 1


def test_held_out_items_are_asked_for_or_any_where_none_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert query_rows(np.array([4, 7]), N_ITEMS).tolist() == [4, 7]
    assert query_rows(np.array([], np.int64), N_ITEMS).tolist() == list(range(N_ITEMS))
    assert len(query_rows(np.arange(10, 5000), N_ITEMS)) == 1000
    monkeypatch.setattr(vector_recall, "MOST_QUERIES", 3)
    assert query_rows(np.arange(10, 16), N_ITEMS).tolist() == [10, 12, 14]


def test_recalls_are_headlines() -> None:
    recalls = (
        VectorRecall(query="text", target="eye", via="reconstructions", index="hnsw", at_10=0.997),
        VectorRecall(query="eye", target="eye", via="features", index="hnsw", at_10=1.0),
    )
    assert headline(Evaluation(vector_recalls=recalls)) == {
        "vector_recall_at_10.reconstructions.text.eye": 0.997,
        "vector_recall_at_10.features.eye.eye": 1,
    }
