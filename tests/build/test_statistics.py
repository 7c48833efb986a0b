"""Latent statistics, names and layout against plain loops and hand-made cases."""

import tempfile
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index_build.indexing import layout, statistics
from index_build.indexing.layout import nearest_latents, plane
from index_build.indexing.naming import name_latents, names_from_labels, names_from_words
from index_build.indexing.statistics import (
    CorpusFacts,
    alignment,
    corpus_facts,
    label_shares,
    latent_table,
    mean_over,
    top_labels,
    usage,
)
from sparc_core import metrics
from sparc_core.bundle.codes import Codes, pack_codes
from sparc_core.bundle.postings import Postings, read_postings
from tests.bundle.plain_postings import write_inverted

N_ITEMS, N_LATENTS, K = 120, 10, 4


def _codes(seed: int) -> Codes:
    """Random codes; latent 9 is never active."""
    rng = np.random.default_rng(seed)
    latents = np.stack([rng.permutation(N_LATENTS - 1)[:K] for _ in range(N_ITEMS)])
    return pack_codes(latents, np.maximum(rng.normal(1, 1, (N_ITEMS, K)), 0), N_LATENTS)


@pytest.fixture
def inverted(tmp_path: Path) -> Callable[..., Postings]:
    """Makes posting lists of codes."""
    paths = (tmp_path / f"{number}.faiss" for number in range(99))

    def make(codes: Codes, n_latents: int = N_LATENTS) -> Postings:
        path = next(paths)
        write_inverted(codes, n_latents, path)
        return read_postings(path, n_latents)

    return make


def _active(codes: Codes, latent: int) -> dict[int, float]:
    pairs = zip(codes.latents.tolist(), codes.activations.tolist(), strict=True)
    return {
        row: a for row, (ls, acts) in enumerate(pairs) for i, a in zip(ls, acts, strict=True) if i == latent and a > 0
    }


def test_usage_is_what_a_loop_counts(inverted: Callable[..., Postings]) -> None:
    codes = _codes(0)
    found = usage(inverted(codes), N_ITEMS, 3)
    for latent in range(N_LATENTS - 1):
        values = list(_active(codes, latent).values())
        assert found.density[latent] == pytest.approx(len(values) / N_ITEMS)
        assert found.mean[latent] == pytest.approx(np.mean(values), rel=1e-5)
        assert found.max[latent] == max(values)
        strongest = sorted(_active(codes, latent).items(), key=lambda pair: (-pair[1], pair[0]))
        assert found.top[latent].tolist() == [row for row, _ in strongest[:3]]
    assert found.density[9] == 0
    assert np.isnan(found.mean[9])
    assert np.isnan(found.max[9])
    assert len(found.top[9]) == 0


def test_alignment_is_the_jaccard_of_each_pair_and_their_mean(inverted: Callable[..., Postings]) -> None:
    codes = {name: _codes(seed) for seed, name in enumerate("cab")}
    found = alignment({name: inverted(of_stream) for name, of_stream in codes.items()}, N_ITEMS)
    assert list(found.by_pair) == [("c", "a"), ("c", "b"), ("a", "b")]
    for latent in range(N_LATENTS - 1):
        sets = {name: set(_active(c, latent)) for name, c in codes.items()}
        expected = {(a, b): len(sets[a] & sets[b]) / len(sets[a] | sets[b]) for a, b in found.by_pair}
        for pair, value in expected.items():
            assert found.by_pair[pair][latent] == np.float32(value)
        assert found.mean[latent] == pytest.approx(np.mean(list(expected.values())), rel=1e-6)
    assert np.isnan([found.mean[9], *(values[9] for values in found.by_pair.values())]).all()


def test_alignment_leaves_out_streams_in_which_the_latent_is_never_active(inverted: Callable[..., Postings]) -> None:
    one, none = (inverted(pack_codes(np.array([[latent]] * 2), np.ones((2, 1)), 2), 2) for latent in (0, 1))
    found = alignment({"a": one, "b": one, "c": none}, 2)
    assert found.mean[0] == found.by_pair["a", "b"][0] == 1
    assert np.isnan([found.by_pair["a", "c"], found.by_pair["b", "c"]]).all()
    assert np.isnan(alignment({"a": one, "c": none}, 2).mean).all()


def test_a_stream_alone_agrees_with_nobody(inverted: Callable[..., Postings]) -> None:
    found = alignment({"a": inverted(_codes(0))}, N_ITEMS)
    assert found.by_pair == {}
    assert np.isnan(found.mean).all()
    assert found.mean.shape == (N_LATENTS,)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sets(st.integers(0, 7)), min_size=2, max_size=5))
def test_pairs_average_to_the_mean_whatever_is_active_where(active: list[set[int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        postings = {}
        for number, items in enumerate(active):
            codes = pack_codes(np.zeros((8, 1), int), np.isin(np.arange(8), list(items))[:, None].astype(float), 1)
            write_inverted(codes, 1, Path(folder) / f"{number}.faiss")
            postings[str(number)] = read_postings(Path(folder) / f"{number}.faiss", 1)
        found = alignment(postings, 8)
    jaccards = [len(x & y) / len(x | y) for x, y in combinations(active, 2) if x and y]
    both = {(str(i), str(j)): bool(active[i] and active[j]) for i, j in combinations(range(len(active)), 2)}
    assert {pair: not np.isnan(values[0]) for pair, values in found.by_pair.items()} == both
    assert found.mean[0] == pytest.approx(np.mean(jaccards) if jaccards else np.nan, nan_ok=True)


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
    assert facts.frequency.tolist() == [0.5, 0.5, 0.25, 0.25, 0.25]


def test_a_label_that_an_item_has_twice_counts_once() -> None:
    facts = corpus_facts(["", ""], [["cat", "cat"], []], {"cat": "object"})
    assert facts.frequency.tolist() == [0.5]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 6), st.integers(1, 4))
def test_sparse_label_shares_are_the_dense_ones(seed: int, n_labels: int, enough: int) -> None:
    rng = np.random.default_rng(seed)
    carries = rng.random((30, n_labels)) < 0.4
    names = [str(column) for column in range(n_labels)]
    facts = corpus_facts([""] * 30, [[names[c] for c in np.flatnonzero(row)] for row in carries], dict.fromkeys(names))
    top = [rng.permutation(30)[: rng.integers(0, 9)] for _ in range(12)]
    expected = metrics.label_shares(top, carries[:, carries.any(0)], enough)
    assert np.array_equal(label_shares(top, facts.carries, enough), expected)


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
    names = name_latents(names_from_labels(shares, facts), facts, top, np.array([0.1, 0.1, 0.1, 0.1, 0.0, 0.5]))
    assert [name.text for name in names] == ["cat (2)", "red car", "snow", "blue car", "latent 4", "cat"]
    assert [name.source for name in names] == ["labels"] * 3 + ["caption words", "none", "labels"]


def test_words_that_are_everywhere_name_nothing() -> None:
    captions = ["the cat sat"] * 50
    assert names_from_words(captions, [np.arange(20), np.array([], int)]) == ["", ""]
    assert names_from_words(["", ""], [np.arange(2)]) == [""]


def _name_from_whole_vocabulary(has_word: np.ndarray, words: list[str], top: np.ndarray) -> str:
    """Log-odds of every word of the corpus, as Monroe et al. write them."""
    n_captions, n_top = len(has_word), len(top)
    here, everywhere = has_word[top].sum(0), has_word.sum(0)
    prior = 50 * (everywhere + 0.5) / (n_captions + 1)
    odds_here = (here + prior) / (n_top - here + 50 - prior)
    odds_elsewhere = (everywhere - here + prior) / (n_captions - n_top - everywhere + here + 50 - prior)
    z = np.log(odds_here / odds_elsewhere) / np.sqrt(1 / (here + prior) + 1 / (everywhere - here + prior))
    order = [word for word in np.argsort(-z, kind="stable") if z[word] >= 1.96]
    common = [word for word in order[:2] if here[word] >= 0.6 * n_top]
    return " ".join(words[word] for word in common or order[:1])


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(3, 60))
def test_words_that_no_top_caption_has_need_no_look(seed: int, n_captions: int) -> None:
    rng = np.random.default_rng(seed)
    has_word = rng.random((n_captions, 8)) < rng.random(8) ** 3
    top = np.arange(rng.integers(1, min(n_captions - 1, 20) + 1))
    has_word[top, 0] |= rng.random() < 0.5
    has_word = has_word[:, has_word.any(0)]
    words = [f"w{word}" for word in range(has_word.shape[1])]
    captions = [" ".join(np.array(words)[row]) for row in has_word] if words else [""] * n_captions
    expected = _name_from_whole_vocabulary(has_word.astype(float), words, top) if words else ""
    assert names_from_words(captions, [top]) == [expected]


def test_neighbours_are_the_most_alike_alive_latents() -> None:
    angles = np.deg2rad([0, 10, 25, 90, 12])
    rows = np.stack([np.cos(angles), np.sin(angles)], 1)
    near = nearest_latents([rows, 3 * rows], np.array([True, True, True, True, False]))
    assert near.tolist() == [[1, 2, 3, 4], [0, 2, 3, 4], [1, 0, 3, 4], [2, 1, 0, 4], [1, 0, 2, 3]]


def _near_one_at_a_time(rows: np.ndarray, alive: np.ndarray) -> list[list[int]]:
    near = []
    for latent, row in enumerate(rows):
        others = [other for other in range(len(rows)) if other != latent]
        near.append(sorted(others, key=lambda other: (not alive[other], -float(row @ rows[other]), other))[:8])
    return near


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.sampled_from([1, 3, 7, 100]))
def test_neighbours_do_not_depend_on_blocks_and_ties_go_by_number(seed: int, n_latents: int, block: int) -> None:
    rng = np.random.default_rng(seed)
    # Rows along the axes: cosines are exactly 0 or 1, so most of them tie.
    rows, alive = np.eye(5)[rng.integers(0, 5, n_latents)], rng.random(n_latents) < 0.7
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "_ROWS_AT_A_TIME", block)
        assert nearest_latents([rows], alive).tolist() == _near_one_at_a_time(rows, alive)


def test_the_map_does_not_depend_on_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    rows, alive = [rng.normal(size=(50, d)) for d in (4, 6)], rng.random(50) < 0.8
    whole = plane(rows, alive)
    monkeypatch.setattr(layout, "_ROWS_AT_A_TIME", 7)
    np.testing.assert_allclose(plane(rows, alive), whole, atol=1e-6)


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


@pytest.mark.parametrize("shares_at_a_time", [1 << 23, 15])
def test_the_table_has_a_row_per_latent_and_marks_the_dead(
    inverted: Callable[..., Postings], monkeypatch: pytest.MonkeyPatch, shares_at_a_time: int
) -> None:
    monkeypatch.setattr(statistics, "_MOST_SHARES", shares_at_a_time)
    facts = _facts()
    own, local = ({s: _codes(seed + shift) for seed, s in enumerate(("eye", "text"))} for shift in (0, 5))
    silent = Codes(
        own["text"].latents, np.where(own["text"].latents == 3, 0, own["text"].activations).astype(np.float16)
    )
    rng = np.random.default_rng(0)
    dictionaries = {stream: rng.normal(size=(N_LATENTS, 6)) for stream in own}
    own_lists, local_lists = (
        {stream: inverted(codes) for stream, codes in of.items()} for of in ({**own, "text": silent}, local)
    )
    table = latent_table(own_lists, local_lists, dictionaries, facts, ["text"])
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
    assert list(table.pair_alignment) == [("eye", "text")]
    np.testing.assert_array_equal(table.pair_alignment["eye", "text"], table.alignment)
    for stream, codes in local.items():
        shares = np.array([len(_active(codes, latent)) / N_ITEMS for latent in range(N_LATENTS)], np.float32)
        np.testing.assert_array_equal(table.density_local[stream], shares)
    for latent in range(9):
        top = sorted(_active(own["eye"], latent).items(), key=lambda pair: (-pair[1], pair[0]))[:5]
        column = facts.label_names.index(table.stream_label["eye"][latent] or "")
        share = np.mean([facts.carries[row, column] for row, _ in top])
        assert table.stream_purity["eye"][latent] == pytest.approx(share)
