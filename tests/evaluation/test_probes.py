"""1-D probes, by hand and against scikit-learn, one latent at a time."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from index_build.evaluation.probes import (
    FEWEST_POSITIVE,
    N_CANDIDATES,
    Split,
    fit_lines,
    probe_mean,
    probe_stream,
    split_class,
)
from sparc_core.bundle.codes import Codes, pack_codes
from sparc_core.evaluation.results import Probe

N_LATENTS, N_ITEMS = 60, 260
SEEDS = st.integers(0, 2**32 - 1)
# One positive item, told apart but for one stray: whole Newton steps lead further and further away.
STRAY = [155.625, 112.1875, 65504, *[1000] * 12]


def codes_of(dense: np.ndarray, k: int | None = None) -> Codes:
    """Codes of a dense [n, l] matrix that has at most k in each row."""
    k = k or dense.shape[1]
    order = np.argsort(-dense, axis=1, kind="stable")[:, :k]
    return pack_codes(order, np.take_along_axis(dense, order, 1), dense.shape[1])


def random_world(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Activations of latents, some of which follow a class more or less, and which item is of which class."""
    rng = np.random.default_rng(seed)
    carries = np.stack([rng.permutation(N_ITEMS) < n for n in (80, 51, 50, 120, 131, 130)], axis=1)
    dense = rng.exponential(rng.choice([0.1, 1, 30]), (N_ITEMS, N_LATENTS)) * (rng.random((N_ITEMS, N_LATENTS)) < 0.3)
    for latent in range(0, N_LATENTS, 3):
        of_class = carries[:, rng.integers(carries.shape[1])]
        dense[:, latent] = np.where(of_class, 2, rng.random()) * dense[:, latent] + of_class * rng.integers(0, 2)
    return dense.astype(np.float16).astype(np.float64), carries


def probes_of(dense: np.ndarray, carries: np.ndarray, seed: int = 0) -> list[Probe]:
    names = [f"class{number}" for number in range(carries.shape[1])]
    return probe_stream("s", codes_of(dense), sparse.csr_array(carries.astype(np.int32)), names, dense.shape[1], seed)


def plain_candidates(dense: np.ndarray, positive: np.ndarray, train: np.ndarray) -> list[int]:
    counts: Counter[int] = Counter()
    active = set()
    for item in train:
        for latent in range(dense.shape[1]):
            if dense[item, latent] > 0:
                active.add(latent)
                counts[latent] += int(positive[item])
    return sorted(active, key=lambda latent: (-counts[latent], latent))[:N_CANDIDATES]


def sklearn_fit(x: np.ndarray, positive: np.ndarray) -> LogisticRegression:
    """Raises ConvergenceWarning where scikit-learn gives up, as it does with some classes that are told apart."""
    return LogisticRegression(C=1, solver="newton-cholesky", tol=1e-13, max_iter=10_000).fit(x[:, None], positive)


def plain_losses(x: np.ndarray, positive: np.ndarray, split: Split) -> tuple[float, float, float]:
    """Cross-entropy on validation and test items, accuracy on test items."""
    model = sklearn_fit(x[split.train], positive[split.train])
    validation, test = (
        log_loss(positive[items], model.predict_proba(x[items, None]), labels=[False, True])
        for items in (split.validation, split.test)
    )
    return validation, test, model.score(x[split.test, None], positive[split.test])


@pytest.mark.parametrize("seed", range(4))
def test_probes_are_those_of_scikit_learn(seed: int) -> None:
    dense, carries = random_world(seed)
    found = {probe.label: probe for probe in probes_of(dense, carries, seed)}
    # 50 are too few, and of 131 there are more than of others.
    assert list(found) == ["class0", "class1", "class3", "class5"]
    for label, probe in found.items():
        positive = carries[:, int(label[-1])]
        split = split_class(positive, seed, int(label[-1]))
        assert split is not None
        losses = {x: plain_losses(dense[:, x], positive, split) for x in plain_candidates(dense, positive, split.train)}
        assert len(losses) == N_CANDIDATES
        assert min(losses, key=lambda latent: losses[latent][0]) == probe.latent
        measured = (probe.validation_cross_entropy, probe.cross_entropy, probe.accuracy)
        assert measured == pytest.approx(losses[probe.latent], abs=2e-6)
        assert (probe.stream, probe.n_positive) == ("s", positive.sum())


def random_rows(seed: int, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Activations of six latents, rare or frequent, that follow a class more or less."""
    rng = np.random.default_rng(seed)
    positive = np.arange(80) < rng.integers(20, 60)
    activity = rng.random((6, 1)) > rng.random((6, 80)) * 0.9
    return (rng.random((6, 80)) + positive * rng.random((6, 1))) * activity * scale, positive


@pytest.mark.parametrize("scale", [1e-3, 1, 50, 3000])
def test_lines_are_those_of_scikit_learn(scale: float) -> None:
    n_compared = 0
    for seed in range(60):
        x, positive = random_rows(seed, scale)
        for row, weight, intercept in zip(x, *fit_lines(x, positive), strict=True):
            try:
                model = sklearn_fit(row, positive)
            except ConvergenceWarning:
                continue
            n_compared += 1
            # In log odds, which is what both lead to.
            assert weight * scale == pytest.approx(model.coef_.item() * scale, rel=1e-8, abs=1e-8)
            assert intercept == pytest.approx(model.intercept_.item(), rel=1e-8, abs=1e-8)
    assert n_compared >= 350  # of 360


def check_no_slope(x: np.ndarray, positive: np.ndarray) -> None:
    """The objective is convex: where its derivatives vanish, it is least."""
    for row, weight, intercept in zip(x, *fit_lines(x, positive), strict=True):
        odds = weight * row + intercept
        wrong = np.where(positive, -expit(-odds), expit(odds))
        assert abs(wrong.sum()) <= 1e-8 * np.abs(wrong).sum()
        assert abs((wrong * row).sum() + weight) <= 1e-8 * ((np.abs(wrong) * row).sum() + abs(weight))


@given(SEEDS, st.sampled_from([1e-3, 1, 50, 3000, 30_000]))
def test_lines_leave_no_slope(seed: int, scale: float) -> None:
    check_no_slope(*random_rows(seed, scale))


@pytest.mark.parametrize(
    ("x", "positive"),
    [
        (np.repeat([0.0, 3.0], 40), np.arange(80) >= 40),  # told apart
        (np.repeat([0.0, 65504.0], 40), np.arange(80) >= 40),
        (np.repeat([65000.0, 65032.0], 40), np.arange(80) < 40),
        (np.full(80, 7.0), np.arange(80) < 30),  # all the same
        (np.zeros(80), np.arange(80) < 40),
        (np.r_[65504.0, np.linspace(0, 1, 79)], np.arange(80) % 2 == 0),  # one far away
        (np.r_[65504.0, np.repeat([0.0, 1.0], 40)], np.arange(81) > 40),
        (np.array(STRAY), np.arange(len(STRAY)) == 0),
    ],
)
def test_lines_of_odd_numbers_leave_no_slope(x: np.ndarray, positive: np.ndarray) -> None:
    check_no_slope(x[None], positive)


def test_lines_do_not_depend_on_each_other() -> None:
    rng = np.random.default_rng(0)
    x, positive = rng.exponential(1, (5, 40)) * [[1], [100], [1e-3], [1e4], [0]], np.arange(40) < 15
    x[2, :15] = 7
    together, alone = fit_lines(x, positive), [fit_lines(row[None], positive) for row in x]
    for number, of_row in enumerate(alone):
        line = together.weights[number], together.intercepts[number]
        assert line == pytest.approx((of_row.weights[0], of_row.intercepts[0]), rel=1e-7, abs=1e-9)


@given(st.integers(40, 300), st.integers(40, 600), st.integers(0, 2**63), st.integers(0, 999))
def test_splits(n_positive: int, n_other: int, seed: int, number: int) -> None:
    positive = np.random.default_rng(n_other).permutation(n_positive + n_other) < n_positive
    split = split_class(positive, seed, number)
    if n_positive <= FEWEST_POSITIVE or n_positive > n_other:
        assert split is None
        return
    assert split is not None
    everything = np.concatenate(split)
    assert len(set(everything.tolist())) == len(everything) == 2 * n_positive
    assert set(np.flatnonzero(positive)) <= set(everything.tolist())
    for items, share in zip(split, (0.7, 0.15, 0.15), strict=True):
        assert len(items) == pytest.approx(2 * n_positive * share, abs=1)
        assert abs(positive[items].sum() - (~positive[items]).sum()) <= 1


def test_splits_are_drawn() -> None:
    positive = np.arange(400) < 60
    first, same, of_another_seed, of_another_class = (
        split_class(positive, seed, number) for seed, number in [(1, 2), (1, 2), (2, 2), (1, 3)]
    )
    assert first is not None
    assert of_another_seed is not None
    assert of_another_class is not None
    assert all(np.array_equal(one, other) for one, other in zip(first, same or (), strict=True))
    for other in (of_another_seed, of_another_class):
        assert set(first.test) != set(other.test)
        assert {item for part in first for item in part} != {item for part in other for item in part}


def test_the_latent_that_is_the_label_wins() -> None:
    dense, carries = random_world(5)
    dense[:, 17] = np.where(carries[:, 0], 4, 0)
    probe = probes_of(dense, carries)[0]
    assert (probe.label, probe.latent, probe.accuracy) == ("class0", 17, 1)
    assert max(probe.cross_entropy, probe.validation_cross_entropy) < 0.02


def test_only_those_most_often_active_on_the_class_are_tried() -> None:
    rng, positive = np.random.default_rng(0), np.arange(200) < 60
    dense = np.zeros((200, 30))
    dense[:, 3:23] = rng.random((200, 20)) + 0.5  # always active, and knows nothing
    dense[:, 25] = positive  # as often active on the class, and knows all, but has a higher number
    assert 3 <= probes_of(dense, positive[:, None])[0].latent < 23
    dense[:, 25], dense[:, 2] = 0, positive
    assert probes_of(dense, positive[:, None])[0].latent == 2
    # Never active on the class, but on others: nineteen are better placed, and it is tried.
    dense[:, 2], dense[:, 3], dense[:, 29] = 0, 0, ~positive
    assert probes_of(dense, positive[:, None])[0].latent == 29


def test_random_codes_say_nothing() -> None:
    rng = np.random.default_rng(1)
    dense = rng.random((3000, 40)) * (rng.random((3000, 40)) < 0.2)
    carries = np.stack([rng.permutation(3000) < 700 for _ in range(5)], axis=1)
    mean = probe_mean("s", probes_of(dense, carries))
    assert mean.n_classes == 5
    assert mean.cross_entropy == pytest.approx(np.log(2), abs=0.01)
    assert mean.accuracy == pytest.approx(0.5, abs=0.04)


@given(SEEDS)
def test_other_classes_and_the_order_of_slots_mean_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    dense, carries = random_world(seed % 1000)
    others = carries.copy()
    others[:, 1:] = rng.random((N_ITEMS, carries.shape[1] - 1)) < 0.4
    codes = codes_of(dense)
    order = rng.permuted(np.tile(np.arange(N_LATENTS), (N_ITEMS, 1)), axis=1)
    shuffled = Codes(*(np.take_along_axis(array, order, 1) for array in codes))
    names, matrix = list("abcdefg"), sparse.csr_array(np.column_stack([others, ~carries[:, 0]]).astype(np.int32))
    expected = probes_of(dense, carries, seed)[0]
    assert probe_stream("s", shuffled, matrix, names, N_LATENTS, seed)[0] == expected.model_copy(update={"label": "a"})


@given(SEEDS)
def test_latents_that_are_never_active_mean_nothing(seed: int) -> None:
    dense, carries = random_world(seed % 1000)
    places = np.sort(np.random.default_rng(seed).permutation(500)[:N_LATENTS])
    wider = np.zeros((N_ITEMS, 500))
    wider[:, places] = dense
    names, matrix = [f"class{number}" for number in range(6)], sparse.csr_array(carries.astype(np.int32))
    found = probe_stream("s", codes_of(wider, N_LATENTS), matrix, names, 500, seed)
    expected = probes_of(dense, carries, seed)
    assert found == [probe.model_copy(update={"latent": int(places[probe.latent])}) for probe in expected]


def test_nothing_to_probe() -> None:
    positive = np.arange(200) < 60
    assert probes_of(np.zeros((200, 4)), positive[:, None]) == []
    assert probes_of(np.ones((60, 4)), np.ones((60, 1), bool)) == []
    assert probes_of(np.ones((0, 4)), np.ones((0, 1), bool)) == []
    assert probes_of(np.ones((200, 4)), np.zeros((200, 0), bool)) == []
    assert probes_of(np.ones((200, 4)), np.zeros((200, 2), bool)) == []


def test_progress_is_reported() -> None:
    said: list[tuple[int, int]] = []
    dense, carries = random_world(0)
    matrix, names = sparse.csr_array(carries.astype(np.int32)), list("abcdef")
    probe_stream("s", codes_of(dense), matrix, names, N_LATENTS, 0, lambda done, total: said.append((done, total)))
    assert said == [(done, 6) for done in range(1, 7)]


def test_means_by_hand() -> None:
    blank = Probe(
        stream="s", label="", n_positive=60, latent=1, validation_cross_entropy=0.1, cross_entropy=0, accuracy=0
    )
    probes = [
        blank.model_copy(update={"label": label, "cross_entropy": loss, "accuracy": accuracy})
        for label, loss, accuracy in [("a", 0.25, 1.0), ("b", 0.5, 0.5), ("c", 0.251, 0.5)]
    ]
    found = probe_mean("s", probes)
    assert (found.stream, found.n_classes, found.cross_entropy, found.accuracy) == ("s", 3, 0.333667, 0.666667)
