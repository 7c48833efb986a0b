"""The classifier on toy data, what it may not look at, and its measures by hand and by scikit-learn's whole tables."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.metrics import average_precision_score, classification_report

from index_build.evaluation import classification
from index_build.evaluation.classification import (
    FEWEST_ITEMS,
    MOST_EPOCHS,
    PATIENCE,
    Answers,
    Split,
    classify,
    learn,
    measured,
    positive_weights,
    split_items,
)
from index_build.threads import one_thread
from sparc_core.bundle.codes import Codes, pack_codes
from sparc_core.evaluation.results import Classification

N_ITEMS, N_LATENTS, N_CLASSES = 600, 40, 5
NAMES = [f"class{number}" for number in range(N_CLASSES)]
SOURCES = ["codes", "features"]
Inputs = Codes | np.ndarray


@pytest.fixture(autouse=True)
def _on_one_thread() -> Iterator[None]:
    with one_thread():
        yield


def inputs_of(dense: np.ndarray, source: str) -> Inputs:
    if source == "features":
        features: np.ndarray = (dense / np.linalg.norm(dense, axis=1, keepdims=True)).astype(np.float32)
        return features
    order = np.argsort(-dense, axis=1, kind="stable")[:, :8]
    return pack_codes(order, np.take_along_axis(dense, order, 1), dense.shape[1])


def replaced(inputs: Inputs, items: np.ndarray, source: np.ndarray) -> Inputs:
    """With some items as others are."""
    rows = np.arange(N_ITEMS)
    rows[items] = source
    return Codes(*(array[rows] for array in inputs)) if isinstance(inputs, Codes) else inputs[rows]


def toy(source: str, seed: int = 0) -> tuple[Inputs, sparse.csr_array]:
    """Two latents of each class are active on its items, and a few others."""
    rng = np.random.default_rng(seed)
    carries = rng.random((N_ITEMS, N_CLASSES)) < 0.2
    dense = rng.random((N_ITEMS, N_LATENTS)) * (rng.random((N_ITEMS, N_LATENTS)) < 0.1)
    dense[:, : 2 * N_CLASSES] = np.repeat(carries, 2, axis=1) * (1 + rng.random((N_ITEMS, 2 * N_CLASSES)))
    dense[:, -1] += 0.1  # no item has nothing
    return inputs_of(dense, source), sparse.csr_array(carries.astype(np.int32))


def answers_of(inputs: Inputs, carries: sparse.csr_array, seed: int = 0) -> Answers:
    answers = learn(inputs, carries, N_LATENTS, seed)
    assert answers is not None
    return answers


def shuffled(carries: sparse.csr_array) -> sparse.csr_array:
    return carries[np.random.default_rng(9).permutation(N_ITEMS)]


@pytest.mark.parametrize("source", SOURCES)
def test_what_can_be_told_is_learned(source: str) -> None:
    inputs, carries = toy(source)
    found = classify("s", source, inputs, carries, NAMES, N_LATENTS, 0)  # type: ignore[arg-type]
    assert found is not None
    assert (found.stream, found.source) == ("s", source)
    assert (found.n_train, found.n_validation, found.n_test) == (420, 90, 90)
    assert found.mean_average_precision > 0.95
    assert found.n_epochs < MOST_EPOCHS  # as good as can be is not better than before
    assert [of_class.label for of_class in found.classes] == NAMES


@pytest.mark.parametrize("source", SOURCES)
def test_shuffled_labels_cannot_be_told(source: str) -> None:
    inputs, carries = toy(source)
    found = [answers_of(inputs, shuffled(carries), seed) for seed in range(3)]
    precision = np.mean([average_precision_score(one.truth, one.probabilities) for one in found])
    # The mean of average precision is a little above the base rate on so few items.
    assert 0.15 < precision < 0.33
    # A class counts as much as all without it: what says nothing says one half, not the base rate of 0.2.
    assert 0.4 < np.mean([one.probabilities.mean() for one in found]) < 0.6


@pytest.mark.parametrize("source", SOURCES)
def test_labels_of_test_items_are_not_looked_at(source: str) -> None:
    inputs, carries = toy(source)
    expected, absurd = answers_of(inputs, carries), carries.toarray()
    absurd[expected.split.test] = 1 - absurd[expected.split.test]
    found = answers_of(inputs, sparse.csr_array(absurd))
    np.testing.assert_array_equal(found.probabilities, expected.probabilities)
    np.testing.assert_array_equal(found.truth, ~expected.truth)


@pytest.mark.parametrize("source", SOURCES)
def test_test_items_are_not_looked_at(source: str) -> None:
    inputs, carries = toy(source)
    expected = answers_of(inputs, carries)
    others, one = expected.split.test[1:], expected.split.test[:1]
    found = answers_of(replaced(inputs, others, np.repeat(one, len(others))), carries)
    # Nothing was learned from the others, and the same input has the same answer: nothing is dropped out.
    np.testing.assert_allclose(found.probabilities, np.tile(expected.probabilities[:1], (90, 1)), rtol=1e-5)
    assert found.n_epochs == expected.n_epochs


@pytest.mark.parametrize("source", SOURCES)
def test_training_and_validation_items_are_looked_at(source: str) -> None:
    inputs, carries = toy(source)
    expected = answers_of(inputs, shuffled(carries))
    for items in (expected.split.train[:100], expected.split.validation):
        changed = shuffled(carries).toarray()
        changed[items] = 1 - changed[items]
        found = answers_of(inputs, sparse.csr_array(changed))
        assert not np.array_equal(found.probabilities, expected.probabilities)


@pytest.mark.parametrize("source", SOURCES)
def test_the_best_epoch_is_kept(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, carries = toy(source)
    stopped = answers_of(inputs, shuffled(carries))
    assert PATIENCE < stopped.n_epochs < MOST_EPOCHS
    monkeypatch.setattr(classification, "MOST_EPOCHS", stopped.n_epochs - PATIENCE)
    found = answers_of(inputs, shuffled(carries))
    assert found.n_epochs == stopped.n_epochs - PATIENCE
    np.testing.assert_array_equal(found.probabilities, stopped.probabilities)
    monkeypatch.setattr(classification, "MOST_EPOCHS", stopped.n_epochs - PATIENCE - 1)
    assert not np.array_equal(answers_of(inputs, shuffled(carries)).probabilities, stopped.probabilities)


def test_training_drops_out(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, carries = toy("codes")
    expected = answers_of(inputs, carries)
    monkeypatch.setattr(classification, "_DROPOUT", 0.0)
    assert not np.array_equal(answers_of(inputs, carries).probabilities, expected.probabilities)


@pytest.mark.parametrize("source", SOURCES)
def test_a_seed_is_all_that_is_random(source: str) -> None:
    inputs, carries = toy(source)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = answers_of(inputs, carries)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    again, other = answers_of(inputs, carries), answers_of(inputs, carries, seed=1)
    np.testing.assert_array_equal(again.probabilities, first.probabilities)
    assert again.n_epochs == first.n_epochs
    assert not np.array_equal(other.split.test, first.split.test)


@pytest.mark.parametrize("source", SOURCES)
def test_the_scale_of_inputs_means_nothing(source: str) -> None:
    inputs, carries = toy(source)
    larger = Codes(inputs.latents, inputs.activations * np.float16(8)) if isinstance(inputs, Codes) else inputs * 8
    np.testing.assert_array_equal(answers_of(larger, carries).probabilities, answers_of(inputs, carries).probabilities)


def test_the_mean_of_features_means_nothing() -> None:
    features, carries = toy("features")
    assert isinstance(features, np.ndarray)
    expected, found = answers_of(features, carries), answers_of(features + np.float32(0.5), carries)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-3)


def test_a_feature_that_is_always_the_same_says_nothing() -> None:
    inputs, carries = toy("features")
    assert isinstance(inputs, np.ndarray)
    inputs[:, 3] = 0.3
    strange = inputs.copy()
    strange[split_items(N_ITEMS, 0).test, 3] += 1e-7
    expected, found = answers_of(inputs, carries), answers_of(strange, carries)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-5)


def test_unused_slots_say_nothing() -> None:
    codes, carries = toy("codes")
    wider = Codes(*(np.pad(array, ((0, 0), (0, 8))) for array in codes))
    elsewhere = Codes(np.where(wider.activations > 0, wider.latents, 7).astype(np.uint8), wider.activations)
    expected, found = answers_of(wider, carries), answers_of(elsewhere, carries)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-5)


@pytest.mark.parametrize("source", SOURCES)
def test_rare_classes_are_left_out(source: str) -> None:
    inputs, carries = toy(source)
    four, five = (np.isin(np.arange(N_ITEMS), 100 * np.arange(1, n + 1))[:, None] for n in (4, 5))
    expected = answers_of(inputs, carries)
    found = answers_of(inputs, sparse.csr_array(np.hstack([four, carries.toarray(), four]).astype(np.int32)))
    assert found.classes.tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(found.probabilities, expected.probabilities)
    wider = answers_of(inputs, sparse.csr_array(np.hstack([five, carries.toarray(), four]).astype(np.int32)))
    assert wider.classes.tolist() == [0, 1, 2, 3, 4, 5]


def test_too_little_to_learn_from() -> None:
    codes, carries = toy("codes")
    few, enough = (Codes(*(array[:n] for array in codes)) for n in (FEWEST_ITEMS - 1, FEWEST_ITEMS))
    assert learn(few, carries[: FEWEST_ITEMS - 1], N_LATENTS, 0) is None
    assert learn(enough, carries[:FEWEST_ITEMS], N_LATENTS, 0) is not None
    nothing = sparse.csr_array((N_ITEMS, N_CLASSES), dtype=np.int32)
    assert classify("s", "codes", codes, nothing, NAMES, N_LATENTS, 0) is None
    assert classify("s", "codes", codes, nothing[:, :0], [], N_LATENTS, 0) is None


def test_codes_without_any_activation() -> None:
    empty = Codes(np.zeros((N_ITEMS, 8), np.uint8), np.zeros((N_ITEMS, 8), np.float16))
    answers = answers_of(empty, toy("codes")[1])
    assert np.isfinite(answers.probabilities).all()
    assert (answers.probabilities == answers.probabilities[:1]).all()


def test_progress_is_reported() -> None:
    said: list[tuple[int, int]] = []
    answers = learn(*toy("features"), N_LATENTS, 0, lambda done, total: said.append((done, total)))
    assert answers is not None
    assert said == [(epoch, MOST_EPOCHS) for epoch in range(1, answers.n_epochs + 1)]


@given(st.integers(FEWEST_ITEMS, 3000), st.integers(0, 2**63))
def test_splits(n_items: int, seed: int) -> None:
    split = split_items(n_items, seed)
    assert sorted(np.concatenate(split).tolist()) == list(range(n_items))
    for items, share in zip(split, (0.7, 0.15, 0.15), strict=True):
        assert len(items) == pytest.approx(n_items * share, abs=1)
    assert all(np.array_equal(*parts) for parts in zip(split, split_items(n_items, seed), strict=True))
    assert not np.array_equal(split.train, np.sort(split.train))


def test_positive_weights_by_hand() -> None:
    labels = np.zeros((100, 6), bool)
    for column, n_positive in enumerate((0, 1, 20, 50, 80, 100)):
        labels[:n_positive, column] = True
    assert positive_weights(labels).tolist() == pytest.approx([10, 10, 4, 1, 0.25, 0.1])


def of_hand(truth: list[list[int]], probabilities: list[list[float]]) -> Answers:
    split = Split(np.arange(7), np.arange(2), np.arange(len(truth)))
    columns = np.array([0, 2, 3])[: len(truth[0])]
    return Answers(columns, split, np.array(truth, bool), np.array(probabilities, np.float32), 4)


def test_measures_by_hand() -> None:
    truth = [[1, 1, 0], [0, 1, 0], [0, 0, 0], [1, 0, 0]]
    found = measured(
        "s",
        "features",
        of_hand(truth, [[0.9, 0.2, 0.6], [0.8, 0.7, 0.1], [0.1, 0.1, 0.1], [0.3, 0.5, 0.4]]),
        ["a", "left out", "b", "never"],
    )
    # Said of the items: a never; a b; nothing; nothing (0.5 is not above).
    assert found.accuracy == pytest.approx(8 / 12, abs=1e-6)
    assert found.precision == pytest.approx((1 / 2 + 1 / 2 + 0 + 0) / 4)
    assert found.recall == pytest.approx((1 / 2 + 1 + 0 + 0) / 4)
    assert found.f1 == pytest.approx((1 / 2 + 2 / 3 + 0 + 0) / 4, abs=1e-6)
    # By falling probability, a is: yes, no, yes, no; and b: yes, no, yes, no.
    assert [(row.label, row.n_positive, row.average_precision) for row in found.classes] == [
        ("a", 2, 0.833333),
        ("b", 2, 0.833333),
    ]
    assert found.mean_average_precision == 0.833333
    assert (found.n_train, found.n_validation, found.n_test, found.n_epochs) == (7, 2, 4, 4)


def test_one_class() -> None:
    found = measured("s", "codes", of_hand([[1], [0], [1], [0]], [[0.9], [0.8], [0.1], [0.2]]), ["a"])
    # Of four items one is said rightly; items without a class and without a claim have nothing to be right in.
    assert (found.precision, found.recall, found.f1, found.accuracy) == (0.25, 0.25, 0.25, 0.5)
    # Yes, no, no, yes: found at the first and at the fourth.
    assert found.mean_average_precision == 0.75
    inputs, carries = toy("codes")
    alone = classify("s", "codes", inputs, carries[:, :1], NAMES[:1], N_LATENTS, 0)
    assert alone is not None
    assert [row.label for row in alone.classes] == NAMES[:1]


def test_no_class_occurs_in_the_test_part() -> None:
    found = measured("s", "codes", of_hand([[0], [0]], [[0.1], [0.9]]), ["a"])
    assert (found.mean_average_precision, found.classes, found.accuracy) == (0, (), 0.5)


@pytest.mark.parametrize("source", SOURCES)
def test_measures_are_those_of_scikit_learn(source: str) -> None:
    inputs, carries = toy(source, seed=3)
    answers = answers_of(inputs, carries)
    found = classify("s", source, inputs, carries, NAMES, N_LATENTS, 0)  # type: ignore[arg-type]
    assert isinstance(found, Classification)
    said = answers.probabilities > 0.5
    report = classification_report(answers.truth, said, output_dict=True, zero_division=0)["samples avg"]
    shares = (found.precision, found.recall, found.f1)
    assert shares == pytest.approx([report[name] for name in ("precision", "recall", "f1-score")], abs=1e-6)
    right = [said[i, c] == answers.truth[i, c] for i in range(len(said)) for c in range(N_CLASSES)]
    assert found.accuracy == pytest.approx(sum(right) / len(right), abs=1e-6)
    every = average_precision_score(answers.truth, answers.probabilities, average=None)
    assert [row.average_precision for row in found.classes] == pytest.approx(every.tolist(), abs=1e-6)
    assert found.mean_average_precision == pytest.approx(every.mean(), abs=1e-6)
    assert [row.n_positive for row in found.classes] == answers.truth.sum(0).tolist()
    np.testing.assert_array_equal(answers.truth, carries.toarray()[split_items(N_ITEMS, 0).test] == 1)
