"""A classifier of one hidden layer over all classes at once: how much of the labels a stream's codes or features hold.

`learn` trains it and answers for the test items, `classify` measures the answers.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float32, Int64
from scipy import sparse
from sklearn.metrics import average_precision_score, precision_recall_fscore_support
from torch import Tensor, nn

from sparc_core.bundle.codes import Codes
from sparc_core.evaluation.results import Classification, ClassPrecision

FEWEST_POSITIVE, FEWEST_ITEMS = 5, 60
"""A class counts when so many items carry it; with fewer items nothing is measured."""
MOST_EPOCHS, PATIENCE = 60, 6
"""Training stops when so many epochs have not been better than the best one."""
_BATCH, _HIDDEN, _DROPOUT, _LEARNING_RATE = 256, 256, 0.3, 1e-3
_LEAST_WEIGHT, _MOST_WEIGHT = 0.1, 10.0
_DIGITS = 6


class Split(NamedTuple):
    """Items at random: 70, 15 and 15 of 100."""

    train: Int64[np.ndarray, "t"]
    validation: Int64[np.ndarray, "v"]
    test: Int64[np.ndarray, "u"]


class Answers(NamedTuple):
    """What the classifier says of the test items.

    Attributes:
        classes: Columns of the labels that were learned.
        split: Of the items.
        truth: Which test item carries which of the labels.
        probabilities: That it does, as the classifier says.
        n_epochs: Trained for.
    """

    classes: Int64[np.ndarray, "c"]
    split: Split
    truth: Bool[np.ndarray, "u c"]
    probabilities: Float32[np.ndarray, "u c"]
    n_epochs: int


class _OfCodes(nn.Module):
    """The first layer for codes: a sum of k rows of weights, so that a batch costs no more."""

    def __init__(self, codes: Codes, train: Int64[np.ndarray, "t"], n_latents: int) -> None:
        super().__init__()
        activations = codes.activations.astype(np.float32)
        used = activations[train][activations[train] > 0].astype(np.float64)
        scale = np.sqrt(np.square(used).mean()) if len(used) else 1.0
        self._latents = torch.from_numpy(codes.latents.astype(np.int32))
        self._activations = torch.from_numpy(activations / np.float32(scale))
        # As wide as the usual start of a layer with k inputs: an item has no more.
        bound = max(1, activations.shape[1]) ** -0.5
        self.weight = nn.Parameter(torch.empty(n_latents, _HIDDEN).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(_HIDDEN).uniform_(-bound, bound))

    def forward(self, items: Int64[Tensor, " b"]) -> Float[Tensor, "b h"]:
        """Of some items."""
        latents, activations = self._latents[items], self._activations[items]
        return F.embedding_bag(latents, self.weight, mode="sum", per_sample_weights=activations) + self.bias


class _OfFeatures(nn.Module):
    """The first layer for features, each dimension of which has mean 0 and variance 1 over the training items."""

    def __init__(self, features: Float32[np.ndarray, "m d"], train: Int64[np.ndarray, "t"]) -> None:
        super().__init__()
        of_train = features[train]
        # In float32, sums over many rows would give a feature that is always the same a deviation.
        mean, deviation = of_train.mean(0, dtype=np.float64), of_train.std(0, dtype=np.float64)
        scale = np.where(deviation > 0, deviation, 1)
        self._features = torch.from_numpy((features - mean.astype(np.float32)) / scale.astype(np.float32))
        self.layer = nn.Linear(features.shape[1], _HIDDEN)

    def forward(self, items: Int64[Tensor, " b"]) -> Float[Tensor, "b h"]:
        """Of some items."""
        hidden: Float[Tensor, "b h"] = self.layer(self._features[items])
        return hidden


def classify(
    stream: str,
    source: Literal["codes", "features"],
    inputs: Codes | Float32[np.ndarray, "m d"],
    carries: sparse.csr_array,
    label_names: Sequence[str],
    n_latents: int,
    seed: int,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Classification | None:
    """Train and measure; arguments and None as for `learn`, `stream` and `source` being what the result says."""
    answers = learn(inputs, carries, n_latents, seed, report)
    return None if answers is None else measured(stream, source, answers, label_names)


def learn(
    inputs: Codes | Float32[np.ndarray, "m d"],
    carries: sparse.csr_array,
    n_latents: int,
    seed: int,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Answers | None:
    """Train on 70 of 100 items, stop by 15, answer for 15.

    Args:
        inputs: Codes or unit features of the m measured items.
        carries: Ones of an [m, c] matrix: which item carries which label.
        n_latents: Size of the dictionary.
        seed: Of the split and of the training. torch's own random numbers go on as if nothing had been drawn.
        report: Told how many epochs are done, of how many at most.

    Returns:
        The same on every call, if torch uses one thread. None where there are too few items, or no class has enough.
    """
    classes = np.flatnonzero(carries.sum(0) >= FEWEST_POSITIVE)
    if carries.shape[0] < FEWEST_ITEMS or not len(classes):
        return None
    labels = carries[:, classes].toarray() > 0
    split = split_items(len(labels), seed)
    # Dropout and the layers' starts take no generator. Only the CPU's is drawn from.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        if isinstance(inputs, Codes):
            first: nn.Module = _OfCodes(inputs, split.train, n_latents)
        else:
            first = _OfFeatures(inputs, split.train)
        network = nn.Sequential(first, nn.ReLU(), nn.Dropout(_DROPOUT), nn.Linear(_HIDDEN, len(classes)))
        n_epochs = _train(network, labels, split, report)
    return Answers(classes, split, labels[split.test], _probabilities(network, split.test), n_epochs)


def measured(
    stream: str, source: Literal["codes", "features"], answers: Answers, label_names: Sequence[str]
) -> Classification:
    """What the answers are worth; scikit-learn's measures."""
    truth, said = answers.truth, answers.probabilities > 0.5
    # A class that neither occurs nor is said changes nothing; scikit-learn wants at least two.
    two_or_more = [np.pad(array, ((0, 0), (0, 1))) for array in (truth, said)]
    precision, recall, f1, _ = precision_recall_fscore_support(*two_or_more, average="samples", zero_division=0)
    found = _average_precisions(truth, answers.probabilities)
    shares = {"accuracy": (truth == said).mean(), "precision": precision, "recall": recall, "f1": f1}
    return Classification(
        stream=stream,
        source=source,
        n_train=len(answers.split.train),
        n_validation=len(answers.split.validation),
        n_test=len(answers.split.test),
        n_epochs=answers.n_epochs,
        mean_average_precision=round(_mean(list(found.values())), _DIGITS),
        classes=tuple(
            ClassPrecision(
                label=label_names[answers.classes[column]],
                n_positive=int(truth[:, column].sum()),
                average_precision=round(value, _DIGITS),
            )
            for column, value in found.items()
        ),
        **{name: round(float(value), _DIGITS) for name, value in shares.items()},
    )


def split_items(n_items: int, seed: int) -> Split:
    """Split at random, the same way for every input."""
    order = np.random.default_rng(seed).permutation(n_items)
    return Split(*np.split(order, [n_items * 70 // 100, n_items * 85 // 100]))


def positive_weights(labels: Bool[np.ndarray, "t c"]) -> Float32[np.ndarray, "c"]:
    """How much more an item counts for a class that it carries: items without over items with it, within bounds."""
    n_positive = labels.sum(0)
    weights = (len(labels) - n_positive) / np.maximum(n_positive, 1)
    return weights.clip(_LEAST_WEIGHT, _MOST_WEIGHT).astype(np.float32)


def _train(
    network: nn.Module, labels: Bool[np.ndarray, "m c"], split: Split, report: Callable[[int, int], None]
) -> int:
    """Train, leave the network as it was after its best epoch, and return how many epochs there were."""
    train, targets = torch.from_numpy(split.train), torch.from_numpy(labels).float()
    weights = torch.from_numpy(positive_weights(labels[split.train]))
    optimizer = torch.optim.Adam(network.parameters(), lr=_LEARNING_RATE, fused=True)
    best, best_epoch, kept = -1.0, 0, network.state_dict()
    epoch = 0
    while epoch < MOST_EPOCHS and epoch - best_epoch < PATIENCE:
        epoch += 1
        network.train()
        for items in train[torch.randperm(len(train))].split(_BATCH):
            optimizer.zero_grad()
            F.binary_cross_entropy_with_logits(network(items), targets[items], pos_weight=weights).backward()
            optimizer.step()
        found = _average_precisions(labels[split.validation], _probabilities(network, split.validation))
        reached = _mean(list(found.values()))
        if reached > best:
            best, best_epoch, kept = reached, epoch, deepcopy(network.state_dict())
        report(epoch, MOST_EPOCHS)
    network.load_state_dict(kept)
    return epoch


def _probabilities(network: nn.Module, items: Int64[np.ndarray, "n"]) -> Float32[np.ndarray, "n c"]:
    network.eval()
    with torch.no_grad():
        logits = [network(batch) for batch in torch.from_numpy(items).split(_BATCH)]
    found: Float32[np.ndarray, "n c"] = torch.cat(logits).sigmoid().numpy()
    return found


def _average_precisions(truth: Bool[np.ndarray, "n c"], scores: Float32[np.ndarray, "n c"]) -> dict[int, float]:
    """By column, of those that have a positive item."""
    columns = np.flatnonzero(truth.any(0)).tolist()
    return {column: float(average_precision_score(truth[:, column], scores[:, column])) for column in columns}


def _mean(values: Sequence[float]) -> float:
    """0 of nothing."""
    return float(np.mean(values)) if values else 0.0
