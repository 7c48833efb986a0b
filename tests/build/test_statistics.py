"""Latent statistics, names and layout against plain loops and hand-made cases."""

from itertools import combinations

import numpy as np
import pytest

from index_build.layout import nearest_latents, plane
from index_build.naming import name_latents, names_from_words
from index_build.statistics import CorpusFacts, alignment, corpus_facts, latent_table, mean_over, occurrence, top_labels
from sparc_core.bundle.codes import Codes, pack_codes

N_ITEMS, N_LATENTS, K = 120, 10, 4


def _codes(seed: int) -> Codes:
    """Random codes; latent 9 is never active."""
    rng = np.random.default_rng(seed)
    latents = np.stack([rng.permutation(N_LATENTS - 1)[:K] for _ in range(N_ITEMS)])
    return pack_codes(latents, np.maximum(rng.normal(1, 1, (N_ITEMS, K)), 0), N_LATENTS)


def _active(codes: Codes, latent: int) -> dict[int, float]:
    pairs = zip(codes.latents.tolist(), codes.activations.tolist(), strict=True)
    return {
        row: a for row, (ls, acts) in enumerate(pairs) for i, a in zip(ls, acts, strict=True) if i == latent and a > 0
    }


def test_occurrence_is_what_a_loop_counts() -> None:
    codes = _codes(0)
    found = occurrence(codes, N_LATENTS)
    for latent in range(N_LATENTS - 1):
        values = list(_active(codes, latent).values())
        assert found.density[latent] == pytest.approx(len(values) / N_ITEMS)
        assert found.mean[latent] == pytest.approx(np.mean(values), rel=1e-5)
        assert found.max[latent] == max(values)
    assert found.density[9] == 0
    assert np.isnan(found.mean[9])
    assert np.isnan(found.max[9])


def test_alignment_is_the_mean_jaccard_of_pairs() -> None:
    codes = {name: _codes(seed) for seed, name in enumerate("abc")}
    found = alignment(codes, N_LATENTS)
    for latent in range(N_LATENTS - 1):
        sets = [set(_active(c, latent)) for c in codes.values()]
        expected = np.mean([len(x & y) / len(x | y) for x, y in combinations(sets, 2)])
        assert found[latent] == pytest.approx(expected, rel=1e-5)
    assert np.isnan(found[9])


def test_alignment_leaves_out_streams_in_which_the_latent_is_never_active() -> None:
    one, none = (
        pack_codes(np.array([[0], [0]]), np.array([[1.0], [1.0]]), 2),
        pack_codes(np.array([[1], [1]]), np.ones((2, 1)), 2),
    )
    assert alignment({"a": one, "b": one, "c": none}, 2)[0] == 1
    assert np.isnan(alignment({"a": one, "c": none}, 2)).all()


def test_shares_are_averaged_over_streams_that_have_enough_items() -> None:
    shares = {"a": np.array([[1.0], [0.5]]), "b": np.array([[0.0], [1.0]])}
    measured = {"a": np.array([True, True]), "b": np.array([False, True])}
    assert mean_over(shares, measured).tolist() == [[1.0], [0.75]]
    assert mean_over(shares, {"a": np.array([False] * 2), "b": np.array([False] * 2)}).tolist() == [[0.0], [0.0]]


def test_top_labels_are_sorted_and_carried() -> None:
    assert top_labels(np.array([[0.25, 0.0, 0.75]]), ["cat", "pig", "snow"]) == [[("snow", 0.75), ("cat", 0.25)]]


def _facts() -> CorpusFacts:
    labels = [["cat"], ["car", "red"], ["car", "blue"], ["cat", "snow"]] * 30
    captions = ["a cat", "a red car", "a blue car", "a cat in the snow"] * 30
    kinds = {"cat": "object", "car": "object", "red": "colour", "blue": "colour", "snow": "place", "pig": "object"}
    return corpus_facts(captions, labels, kinds)


def test_facts_keep_labels_that_some_item_carries() -> None:
    facts = _facts()
    assert facts.label_names == ["cat", "car", "red", "blue", "snow"]
    assert facts.carries.sum(0).tolist() == [60, 60, 30, 30, 30]


def test_names_come_from_labels_then_words_then_nothing() -> None:
    facts = _facts()
    shares = np.zeros((6, 5))
    shares[0] = [1, 0, 0, 0, 0.5]  # cat
    shares[1] = [0, 1, 0.9, 0.1, 0]  # red car
    shares[2] = [0.7, 0, 0, 0, 0.7]  # snow is rarer than cat, so it says more
    shares[3] = [0.5, 0.5, 0, 0, 0]  # nothing shared: words
    shares[5] = [0.9, 0.1, 0, 0, 0]  # cat again, denser
    blue = np.arange(2, 82, 4)
    top = [[np.arange(3)] * 3 + [blue, np.array([], int), np.arange(3)]]
    names = name_latents(shares, facts, top, np.array([0.1, 0.1, 0.1, 0.1, 0.0, 0.5]))
    assert [name.text for name in names] == ["cat (2)", "red car", "snow", "blue car", "latent 4", "cat"]
    assert [name.source for name in names] == ["labels"] * 3 + ["caption words", "none", "labels"]


def test_words_that_are_everywhere_name_nothing() -> None:
    captions = ["the cat sat"] * 50
    assert names_from_words(captions, [np.arange(20), np.array([], int)]) == ["", ""]
    assert names_from_words(["", ""], [np.arange(2)]) == [""]


def test_neighbours_are_the_most_alike_alive_latents() -> None:
    angles = np.deg2rad([0, 10, 25, 90, 12])
    rows = np.stack([np.cos(angles), np.sin(angles)], 1)
    near = nearest_latents([rows, 3 * rows], np.array([True, True, True, True, False]))
    assert near.tolist() == [[1, 2, 3, 4], [0, 2, 3, 4], [1, 0, 3, 4], [2, 1, 0, 4], [1, 0, 2, 3]]


def test_the_map_keeps_distances_that_fit_a_plane_and_leaves_out_the_dead() -> None:
    angles = np.deg2rad([0, 40, 90, 200, 300])
    rows = np.stack([np.cos(angles), np.sin(angles)], 1)
    x, y = plane([rows], np.array([True] * 4 + [False]))
    assert np.isnan(x[4])
    assert np.isnan(y[4])
    assert max(np.abs(x[:4]).max(), np.abs(y[:4]).max()) == pytest.approx(1)
    ratio = [
        np.hypot(x[i] - x[j], y[i] - y[j]) / np.linalg.norm(rows[i] - rows[j]) for i, j in combinations(range(4), 2)
    ]
    assert max(ratio) == pytest.approx(min(ratio), rel=1e-4)


def test_the_table_has_a_row_per_latent_and_marks_the_dead() -> None:
    facts = _facts()
    own, local = ({s: _codes(seed + shift) for seed, s in enumerate(("eye", "text"))} for shift in (0, 5))
    silent = Codes(
        own["text"].latents, np.where(own["text"].latents == 3, 0, own["text"].activations).astype(np.float16)
    )
    rng = np.random.default_rng(0)
    dictionaries = {stream: rng.normal(size=(N_LATENTS, 6)) for stream in own}
    table = latent_table({**own, "text": silent}, local, dictionaries, facts, ["text"])
    assert len(table) == N_LATENTS == len(set(table.name))
    assert table.alive[9] == "none"
    assert table.n_alive_streams[9] == 0
    assert table.name_source[9] == "none"
    assert table.alive[3] == "some"
    assert table.alive[0] == "all"
    assert np.isnan(table.purity[9])
    assert np.isnan(table.stream_purity["text"][3])
    assert table.label[9] is None
    assert table.nearest.shape == (N_LATENTS, 8)
    for latent in range(9):
        top = sorted(_active(own["eye"], latent).items(), key=lambda pair: (-pair[1], pair[0]))[:5]
        column = facts.label_names.index(table.stream_label["eye"][latent] or "")
        share = np.mean([facts.carries[row, column] for row, _ in top])
        assert table.stream_purity["eye"][latent] == pytest.approx(share)
