"""Evaluation against plain loops, of any number of held-out items."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from index_build.indexing import evaluation
from index_build.indexing.evaluation import Evaluation, evaluate, evenly_spaced
from index_build.indexing.statistics import corpus_facts
from sparc_core import metrics
from sparc_core.bundle.codes import Codes
from sparc_core.bundle.postings import Postings, read_postings
from sparc_core.losses import nmse
from sparc_core.model import Sparc
from sparc_core.selection import Selection
from tests.build.test_codes import N_ITEMS, N_LATENTS, K, make_features, make_model, plain_codes
from tests.bundle.plain_postings import write_inverted

KINDS = {"cat": "object", "dog": "object", "red": "colour"}


class Inputs:
    """Everything that is measured on."""

    def __init__(self, folder: Path, selection: Selection = "global") -> None:
        self.folder = folder
        self.model: Sparc = make_model(selection)
        self.features = make_features()
        self.own_codes = plain_codes(self.model, self.features, None)
        self.local = plain_codes(self.model, self.features, "local")
        rng = np.random.default_rng(0)
        labels = [[name for name in KINDS if rng.random() < 0.7] for _ in range(N_ITEMS)]
        self.facts = corpus_facts([""] * N_ITEMS, labels, KINDS)

    def own(self) -> dict[str, Postings]:
        for stream, codes in self.own_codes.items():
            write_inverted(codes, N_LATENTS, self.folder / f"{stream}.faiss")
        return {stream: read_postings(self.folder / f"{stream}.faiss", N_LATENTS) for stream in self.own_codes}

    def evaluate(self, rows: np.ndarray) -> Evaluation:
        spaces = [("text", "text"), ("eye", "eye")]
        return evaluate(self.model, self.features, self.own(), self.local, self.facts, rows, spaces)


def _dense(codes: Codes, rows: np.ndarray) -> np.ndarray:
    dense = np.zeros((len(rows), N_LATENTS))
    for place, row in enumerate(rows):
        for latent, activation in zip(codes.latents[row], codes.activations[row], strict=True):
            dense[place, latent] += float(activation)
    return dense / np.linalg.norm(dense, axis=1, keepdims=True)


@pytest.mark.parametrize("dense_at_a_time", [1 << 26, 7 * N_LATENTS])
@pytest.mark.parametrize("selection", ["global", "local"])
def test_everything_is_what_plain_arithmetic_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dense_at_a_time: int, selection: Selection
) -> None:
    monkeypatch.setattr(evaluation, "_MOST_DENSE", dense_at_a_time)
    monkeypatch.setattr(evaluation, "_BATCH", 16)
    inputs, rows = Inputs(tmp_path, selection), np.arange(100, 170)
    found = inputs.evaluate(rows)
    assert (found.n_test_items, found.n_latents) == (70, N_LATENTS)
    for recall in found.recalls[:6]:
        scores = _dense(inputs.local[recall.query], rows) @ _dense(inputs.local[recall.target], rows).T
        for at, k in ((recall.at_1, 1), (recall.at_5, 5), (recall.at_10, 10)):
            assert at == pytest.approx(np.mean([(row >= row[i]).sum() <= k for i, row in enumerate(scores)]), abs=1e-6)
    assert [(r.query, r.target, r.via, r.at_1) for r in found.recalls[6:]] == [
        ("text", "text", "features", 1.0), ("eye", "eye", "features", 1.0)
    ]  # fmt: skip
    batch = {stream: torch.from_numpy(x[rows]) for stream, x in inputs.features.items()}
    for error in found.reconstructions:
        for value, wanted in ((error.own, None), (error.local, "local")):
            with torch.inference_mode():
                decoded = inputs.model.decode(error.stream, inputs.model.encode(batch, wanted)[error.stream])
            assert value == pytest.approx(float(nmse(decoded, batch[error.stream])), abs=2e-6)
    counts = {s: metrics.active_counts(*codes, N_LATENTS) for s, codes in inputs.own_codes.items()}
    assert found.liveness == metrics.liveness(counts)


@pytest.mark.parametrize("shares_at_a_time", [1 << 23, 20])
def test_pure_objects_are_those_of_the_dense_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shares_at_a_time: int
) -> None:
    from index_build.indexing import statistics

    monkeypatch.setattr(statistics, "_MOST_SHARES", shares_at_a_time)
    inputs = Inputs(tmp_path)
    found = inputs.evaluate(np.arange(5))
    carries = inputs.facts.carries.toarray().astype(bool)[:, :2]
    shares = {
        stream: metrics.label_shares(metrics.top_items(*codes, N_LATENTS, 5), carries, 5)
        for stream, codes in inputs.own_codes.items()
    }
    pure = metrics.labels_with_pure_latent(shares)
    assert found.n_objects == 2
    assert found.n_objects_with_pure_latent == pure.sum()
    by_stream = {stream: int(metrics.labels_with_pure_latent({stream: s}).sum()) for stream, s in shares.items()}
    assert found.pure_objects_by_stream == by_stream


def test_without_held_out_items_there_is_nothing_to_retrieve(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = Inputs(tmp_path).evaluate(np.array([], np.int64))
    assert (found.n_test_items, found.recalls, found.reconstructions) == (0, [], [])
    assert {"latents_dead", "latents_alive_in_some", "objects_with_pure_latent"} == found.headline().keys()
    found.write(tmp_path / "evaluation.json")
    assert "NaN" not in (tmp_path / "evaluation.json").read_text()


def test_of_many_held_out_items_some_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "MOST_TEST_ITEMS", 20)
    inputs = Inputs(tmp_path)
    some, all_of_them = inputs.evaluate(np.arange(30, 230)), inputs.evaluate(np.arange(30, 230, 10))
    assert some.n_test_items == 20
    assert some == all_of_them


def test_rows_are_spread_evenly() -> None:
    rows = np.arange(100, 200)
    assert np.array_equal(evenly_spaced(rows, 100), rows)
    assert evenly_spaced(rows, 4).tolist() == [100, 125, 150, 175]
    assert len(set(evenly_spaced(rows, 99).tolist())) == 99


def test_mapped_features_and_codes_give_the_same(tmp_path: Path) -> None:
    inputs, rows = Inputs(tmp_path), np.arange(0, N_ITEMS, 3)
    expected = inputs.evaluate(rows)
    for stream, x in inputs.features.items():
        np.save(tmp_path / f"{stream}.npy", x)
        inputs.features[stream] = np.load(tmp_path / f"{stream}.npy", mmap_mode="r")
    assert inputs.evaluate(rows) == expected
    assert inputs.local["eye"].latents.shape == (N_ITEMS, K)
