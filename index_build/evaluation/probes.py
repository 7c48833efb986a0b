"""1-D probes: how well a single latent of a stream tells the items of a class from others.

Per class, a logistic regression on each of the latents that are active most often on it; the best one is kept.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy import sparse
from scipy.special import expit, log_expit
from sklearn.model_selection import train_test_split

from index_build.evaluation.ranking import sparse_rows
from sparc_core.bundle.codes import Codes
from sparc_core.evaluation.results import Probe, ProbeMean

FEWEST_POSITIVE = 50
"""A class is probed when more items than this carry it."""
N_CANDIDATES = 20
"""Latents that are tried for a class."""
_MOST_STEPS = 100  # of Newton's method; 30 are many
_STILL, _ROUNDING = 1e-10, 1e-12  # changes of log odds that need no further step; of an objective, that mean nothing
_DIGITS = 6


class Split(NamedTuple):
    """Measured items of one class, as many of them with its label as without: 70, 15 and 15 of 100."""

    train: Int64[np.ndarray, "t"]
    validation: Int64[np.ndarray, "v"]
    test: Int64[np.ndarray, "u"]


class Lines(NamedTuple):
    """Logistic regressions on one number each: the log odds of x are `weights * x + intercepts`."""

    weights: Float64[np.ndarray, "c"]
    intercepts: Float64[np.ndarray, "c"]

    def log_odds(self, x: Float64[np.ndarray, "c n"]) -> Float64[np.ndarray, "c n"]:
        """Of being positive, for every row of numbers by its own line."""
        return self.weights[:, None] * x + self.intercepts[:, None]


class _Activity(NamedTuple):
    """Activations of the measured items, to be read by item and by latent."""

    by_item: sparse.csr_array
    by_latent: sparse.csc_array

    @classmethod
    def of(cls, codes: Codes, n_latents: int) -> "_Activity":
        rows = sparse_rows(codes, n_latents)
        return cls(rows, rows.tocsc())

    def n_active(self, items: Int64[np.ndarray, "n"]) -> Int64[np.ndarray, "l"]:
        """On how many of some items each latent is active."""
        return np.bincount(self.by_item[items].indices, minlength=self.by_item.shape[1])

    def of_latents(self, latents: Int64[np.ndarray, "c"]) -> Float64[np.ndarray, "c m"]:
        """Activations of a few latents on all items."""
        return np.ascontiguousarray(self.by_latent[:, latents].toarray().T, np.float64)


def probe_stream(
    stream: str,
    codes: Codes,
    carries: sparse.csr_array,
    label_names: Sequence[str],
    n_latents: int,
    seed: int,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> list[Probe]:
    """Probe every class that enough items carry, and at least as many do not.

    Args:
        stream: Whose codes.
        codes: Of the measured items.
        carries: Ones of an [m, c] matrix: which item carries which label.
        label_names: The c labels.
        n_latents: Size of the dictionary.
        seed: Of the draw of items without the label, and of the splits.
        report: Told how many of the classes are done.

    Returns:
        In the order of the labels. A class on whose training items no latent is active has no probe.
    """
    activity, by_label = _Activity.of(codes, n_latents), carries.tocsc()
    found = []
    for number, label in enumerate(label_names):
        positive = np.zeros(carries.shape[0], bool)
        positive[by_label.indices[by_label.indptr[number] : by_label.indptr[number + 1]]] = True
        split = split_class(positive, seed, number)
        latents = _candidates(activity, positive, split.train) if split else np.empty(0, np.int64)
        if split and len(latents):
            found.append(_probe(stream, label, latents, activity.of_latents(latents), positive, split))
        report(number + 1, len(label_names))
    return found


def probe_mean(stream: str, probes: Sequence[Probe]) -> ProbeMean:
    """Average the probes of a stream, of which there is at least one."""
    return ProbeMean(
        stream=stream,
        n_classes=len(probes),
        cross_entropy=round(float(np.mean([probe.cross_entropy for probe in probes])), _DIGITS),
        accuracy=round(float(np.mean([probe.accuracy for probe in probes])), _DIGITS),
    )


def split_class(positive: Bool[np.ndarray, "m"], seed: int, number: int) -> Split | None:
    """Draw as many items without a label as carry it, and split them so that every part is half and half.

    Args:
        positive: Which items carry the label.
        seed: Of the draw.
        number: Of the class: each has a draw of its own, whatever the others are.

    Returns:
        None where the items that carry the label are too few, or more than those that do not.
    """
    carrying, others = np.flatnonzero(positive), np.flatnonzero(~positive)
    if not FEWEST_POSITIVE < len(carrying) <= len(others):
        return None
    rng = np.random.default_rng([seed, number])
    items = np.concatenate([carrying, rng.choice(others, len(carrying), replace=False)])
    for_train, for_test = rng.integers(2**32, size=2).tolist()
    train, rest = train_test_split(items, test_size=0.3, stratify=positive[items], random_state=for_train)
    validation, test = train_test_split(rest, test_size=0.5, stratify=positive[rest], random_state=for_test)
    return Split(train, validation, test)


def fit_lines(x: Float64[np.ndarray, "c n"], positive: Bool[np.ndarray, "n"]) -> Lines:
    """Fit a logistic regression on each row of numbers, all rows at once: scikit-learn's with C = 1.

    That minimises half the square of the weight plus the items' cross-entropies; the intercept is free. A row that
    separates the classes, or is the same for all items, has a fit too.

    Args:
        x: Finite numbers.
        positive: Which of the n items are positive: some, and not all.
    """
    lines = Lines(*np.zeros((2, len(x))))
    extremes = np.stack([x.min(1), x.max(1)], axis=1)
    for _ in range(_MOST_STEPS):
        step = _newton_step(lines, x, positive)
        change, reached = (np.abs(of.log_odds(extremes)).max(1) for of in (step, lines))
        if (change < _STILL * (1 + reached)).all():
            break
        lines = _downhill(lines, step, x, positive)
    return lines


def cross_entropy(log_odds: Float64[np.ndarray, "*c n"], positive: Bool[np.ndarray, "n"]) -> Float64[np.ndarray, "*c"]:
    """Mean over items, in nats."""
    return -log_expit(np.where(positive, log_odds, -log_odds)).mean(-1)


def _newton_step(lines: Lines, x: Float64[np.ndarray, "c n"], positive: Bool[np.ndarray, "n"]) -> Lines:
    """The undamped step.

    The 2 x 2 systems are solved about the mean of x that the curvature weighs: with x itself, all but equal numbers
    would cancel where activations are large and alike.
    """
    log_odds = lines.log_odds(x)
    # expit(-z) is 1 - expit(z), but does not vanish where that rounds to 0.
    likely, unlikely = expit(log_odds), expit(-log_odds)
    slope, curvature = np.where(positive, -unlikely, likely), likely * unlikely
    total = curvature.sum(1)
    mean = (curvature * x).sum(1) / total
    about_mean = x - mean[:, None]
    steepness = (slope * about_mean).sum(1) + lines.weights
    weights = -steepness / (1 + (curvature * about_mean**2).sum(1))
    return Lines(weights, -slope.sum(1) / total - mean * weights)


def _downhill(lines: Lines, step: Lines, x: Float64[np.ndarray, "c n"], positive: Bool[np.ndarray, "n"]) -> Lines:
    """Take each step, or the half, quarter, ... of it that does not make the objective worse.

    Whole ones nearly always do; but where almost all items are told apart, they can lead further and further away.
    """
    before, share = _objective(lines, x, positive), np.ones(len(x))
    while True:
        after = Lines(lines.weights + share * step.weights, lines.intercepts + share * step.intercepts)
        worse = _objective(after, x, positive) > before + _ROUNDING * (1 + before)
        if not worse.any():
            return after
        share[worse] /= 2


def _objective(
    lines: Lines, x: Float64[np.ndarray, "c n"], positive: Bool[np.ndarray, "n"]
) -> Float64[np.ndarray, "c"]:
    return cross_entropy(lines.log_odds(x), positive) * len(positive) + lines.weights**2 / 2


def _candidates(
    activity: _Activity, positive: Bool[np.ndarray, "m"], train: Int64[np.ndarray, "t"]
) -> Int64[np.ndarray, "c"]:
    """Of the latents active on training items, those most often active on positive ones, equal ones by number."""
    on_positive, on_others = activity.n_active(train[positive[train]]), activity.n_active(train[~positive[train]])
    order = np.argsort(-on_positive, kind="stable")
    return order[(on_positive + on_others)[order] > 0][:N_CANDIDATES]


def _probe(
    stream: str,
    label: str,
    latents: Int64[np.ndarray, "c"],
    x: Float64[np.ndarray, "c m"],
    positive: Bool[np.ndarray, "m"],
    split: Split,
) -> Probe:
    """Fit all candidates, choose by the validation items, judge by the test items."""
    lines = fit_lines(x.take(split.train, axis=1), positive[split.train])
    errors = cross_entropy(lines.log_odds(x.take(split.validation, axis=1)), positive[split.validation])
    best = int(errors.argmin())
    said, truth = lines.log_odds(x.take(split.test, axis=1))[best], positive[split.test]
    return Probe(
        stream=stream,
        label=label,
        n_positive=int(positive.sum()),
        latent=int(latents[best]),
        validation_cross_entropy=round(float(errors[best]), _DIGITS),
        cross_entropy=round(float(cross_entropy(said, truth)), _DIGITS),
        accuracy=round(float(((said > 0) == truth).mean()), _DIGITS),
    )
