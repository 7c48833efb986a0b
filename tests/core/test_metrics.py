"""Metrics by hand."""

import numpy as np
import pytest

from sparc_core import metrics
from sparc_core.errors import InputError, ShapeError
from sparc_core.metrics import purity
from sparc_core.selection import Selection
from tests.core.golden import load_retrieval, needs_golden

# Three items; codes of at most two latents out of four. Latent 3 is never active, a 0 marks an unused slot.
LATENTS = np.array([[0, 1], [1, 3], [2, 1]])
ACTIVATIONS = np.array([[2.0, 1.0], [3.0, 0.0], [1.0, 1.0]], np.float32)


def test_ranks_and_recall() -> None:
    scores = np.array([[0.9, 0.1, 0.5], [0.8, 0.3, 0.2], [0.7, 0.7, 0.7]])
    assert metrics.ranks(scores).tolist() == [1, 2, 3]  # ties count against the query
    assert metrics.recall_at_k(scores, 1) == pytest.approx(1 / 3)
    assert metrics.recall_at_k(scores, 2) == pytest.approx(2 / 3)
    assert metrics.recall_at_k(scores, 3) == 1


def test_queries_without_an_item_are_refused() -> None:
    with pytest.raises(ShapeError, match="3 queries for 2 items"):
        metrics.ranks(np.zeros((3, 2)))
    with pytest.raises(InputError, match="k is 0"):
        metrics.recall_at_k(np.zeros((1, 1)), 0)


def test_ties_against_the_query_or_as_they_are_sorted() -> None:
    scores = np.zeros((4, 4), np.float32)
    scores[0, 2], scores[1, 1] = 1, 1
    assert metrics.ranks(scores).tolist() == [4, 1, 4, 4]
    ranks = metrics.ranks(scores, ties="sorted")
    assert (ranks <= [4, 1, 4, 4]).all()
    assert ranks[0] >= 2
    distinct = np.random.default_rng(0).permuted(np.tile(np.arange(50.0), (20, 1)), axis=1)
    assert metrics.ranks(distinct, ties="sorted").tolist() == metrics.ranks(distinct).tolist()


def test_retrieval_metrics_by_hand() -> None:
    scores = -np.abs(np.arange(12.0) - [[0], [3], [10], [7]])  # query i likes item 0, 3, 10, 7 best
    assert metrics.ranks(scores).tolist() == [1, 5, 10, 9]
    found = metrics.retrieval_metrics(scores)
    assert found[:4] == (0.25, 0.5, 1.0, 5)  # of ranks 1, 5, 9, 10 the lower middle one is 5
    assert found.mean_reciprocal_rank == pytest.approx((1 + 1 / 5 + 1 / 10 + 1 / 9) / 4)
    assert metrics.retrieval_metrics(scores[:3]).median_rank == 5
    with pytest.raises(ShapeError, match=r"shape \[0, 12\]: at least one query"):
        metrics.retrieval_metrics(scores[:0])


@pytest.mark.parametrize("ties", ["against", "sorted"])
def test_nan_ranks_nowhere(ties: metrics.Ties) -> None:
    with pytest.raises(InputError, match="a score is NaN"):
        metrics.ranks(np.array([[0.1, np.nan], [0.2, 0.3]]), ties)


def test_code_scores_are_cosines_and_empty_codes_score_nothing() -> None:
    queries = np.array([[1, 0], [0, 1]]), np.array([[3.0, 4.0], [0.0, 0.0]], np.float32)
    scores = metrics.code_scores(*queries, LATENTS, ACTIVATIONS, 4)
    expected = [(3 * 1 + 4 * 2) / (5 * 5**0.5), 3 / 5, 3 * 1 / (5 * 2**0.5)]
    np.testing.assert_allclose(scores, [expected, [0, 0, 0]], rtol=1e-6)


@needs_golden
@pytest.mark.parametrize("selection", ["global", "local"])
def test_recall_of_codes_is_the_published_one(selection: Selection) -> None:
    golden = load_retrieval(selection)
    for (source, target), expected in golden.recall.items():
        scores = metrics.cosine_scores(golden.codes[source].numpy(), golden.codes[target].numpy())
        for k, recall in expected.items():
            assert metrics.recall_at_k(scores, k) == pytest.approx(recall), (source, target, k)


def test_active_counts_and_liveness() -> None:
    counts = metrics.active_counts(LATENTS, ACTIVATIONS, 5)
    assert counts.tolist() == [1, 3, 1, 0, 0]
    found = metrics.liveness({"dino": counts, "clip_txt": np.array([1, 1, 0, 0, 2])})
    assert found == metrics.Liveness(alive_in_all=2, alive_in_some=2, dead_in_all=1)


def test_top_items_strongest_first() -> None:
    assert [items.tolist() for items in metrics.top_items(LATENTS, ACTIVATIONS, 4)] == [[0], [1, 0, 2], [2], []]
    assert [items.tolist() for items in metrics.top_items(LATENTS, ACTIVATIONS, 4, n_top=2)] == [[0], [1, 0], [2], []]


def test_label_shares_and_purity() -> None:
    labels = metrics.label_matrix([["cat", "red"], ["cat", "sea"], ["cat", "red"], ["dog"]], ["cat", "dog", "red"])
    assert labels.tolist() == [[1, 0, 1], [1, 0, 0], [1, 0, 1], [0, 1, 0]]
    top = [np.array([0, 2]), np.array([0, 1]), np.array([1, 3]), np.array([3])]
    shares = metrics.label_shares(top, labels, n_top=2)
    assert shares.tolist() == [[1, 0, 1], [1, 0, 0.5], [0.5, 0.5, 0], [0, 0, 0]]
    found = metrics.purity(shares, labels.mean(0))
    assert found.label.tolist() == [2, 0, 0, -1]  # "red" is rarer than "cat", so it names latent 0
    assert found.share.tolist() == [1, 1, 0.5, 0]


def test_a_label_counts_when_the_same_latent_is_pure_in_every_stream() -> None:
    dino = np.array([[0.9, 0.0], [0.0, 0.9]])
    same, other = np.array([[0.8, 0.0], [0.9, 0.1]]), np.array([[0.1, 0.9], [0.9, 0.1]])
    assert metrics.labels_with_pure_latent({"dino": dino, "clip_img": same}).tolist() == [True, False]
    assert metrics.labels_with_pure_latent({"dino": dino, "clip_img": other}).tolist() == [False, False]


def test_latents_of_a_corpus_without_labels_have_none() -> None:
    found = purity(np.empty((3, 0)), np.empty(0))
    assert found.label.tolist() == [-1, -1, -1]
    assert found.share.tolist() == [0, 0, 0]
