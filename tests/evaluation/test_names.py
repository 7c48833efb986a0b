"""AUROC of names against scikit-learn, and what names fit, by hand."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.metrics import roc_auc_score

from index_build.evaluation.names import NameQuality, fitting_items, name_quality, parts_of
from index_build.indexing.naming import name_latents, names_from_labels
from index_build.indexing.statistics import corpus_facts
from sparc_core.bundle.codes import Codes, pack_codes
from sparc_core.bundle.tables import LatentTable

LABELS = ["car", "red", "fire engine", "snow"]
NOTHING = np.array([], np.int64)


def latents_named(names: Sequence[tuple[str, str]]) -> LatentTable:
    """A table that says nothing but names and their sources."""
    n = len(names)
    unknown = np.full(n, np.nan, np.float32)
    return LatentTable(
        name=[name for name, _ in names],
        name_source=[source for _, source in names],
        alive=["all"] * n,
        n_alive_streams=np.zeros(n, np.int32),
        alignment=unknown,
        pair_alignment={},
        purity=unknown,
        label=[None] * n,
        top_labels=[[]] * n,
        map_x=unknown,
        map_y=unknown,
        nearest=np.zeros((n, 0), np.int32),
        **{name: {} for name in ("density", "density_local", "mean", "max", "stream_purity", "stream_label")},
    )


def packed(dense: np.ndarray) -> Codes:
    """Codes of dense rows [n, l]."""
    return pack_codes(np.tile(np.arange(dense.shape[1]), (len(dense), 1)), dense, dense.shape[1])


def quality(
    names: Sequence[tuple[str, str]],
    activations: dict[str, np.ndarray],
    carries: np.ndarray,
    captions: Sequence[str] | None = None,
    left_out: Sequence[np.ndarray] | None = None,
) -> NameQuality:
    return name_quality(
        latents_named(names),
        {stream: packed(dense) for stream, dense in activations.items()},
        captions or [""] * len(carries),
        sparse.csr_array(carries.astype(np.int32)),
        LABELS,
        left_out or [NOTHING] * len(names),
    )


@pytest.mark.parametrize(
    ("name", "source", "parts"),
    [
        ("car", "labels", ("car",)),
        ("car (2)", "labels", ("car",)),
        ("red car", "labels", ("red", "car")),
        ("red car (13)", "labels", ("red", "car")),
        ("fire engine", "labels", ("fire engine",)),
        ("red fire engine (2)", "labels", ("red", "fire engine")),
        ("white car", "labels", ()),
        ("car red snow", "labels", ()),
        ("red car (2)", "caption words", ("red", "car")),
        ("jack-o’-lantern", "caption words", ("jack-o’-lantern",)),
        ("latent 7", "none", ()),
    ],
)
def test_names_are_taken_apart(name: str, source: str, parts: tuple[str, ...]) -> None:
    assert parts_of(name, source, LABELS) == parts


def test_a_label_that_looks_like_a_number_or_a_pair_is_one_label() -> None:
    assert parts_of("car (2)", "labels", ["car", "car (2)"]) == ("car (2)",)
    assert parts_of("red car", "labels", ["red", "car", "red car"]) == ("red car",)


def test_items_carry_all_labels_or_have_all_words() -> None:
    carries = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 0, 1], [0, 1, 1, 0]])
    captions = ["A RED car.", "a redcar, a bus", "car! The car is red", ""]
    names = [
        ("red car", "labels"),
        ("car (2)", "labels"),
        ("blue car", "labels"),
        ("car red", "caption words"),
        ("car (2)", "caption words"),
        ("boat", "caption words"),
        ("car", "none"),
    ]
    found = fitting_items(latents_named(names), captions, sparse.csr_array(carries), LABELS)
    assert [items.tolist() for items in found] == [[0, 2], [0, 1, 2], [], [0, 2], [0, 2], [], []]


def test_names_of_a_build_are_taken_apart_as_they_were_put_together() -> None:
    kinds = {"car": "object", "red": "colour", "fire engine": "object", "snow": "place"}
    facts = corpus_facts([""] * 8, [[label] for label in LABELS] * 2, kinds)
    shared = [
        ("car",),
        ("red",),
        ("red", "car"),
        ("red", "fire engine"),
        ("fire engine",),
        ("red", "snow"),
        ("red", "car"),
    ]
    shares = np.array([[float(label in parts) for label in LABELS] for parts in shared])
    no_items = [[NOTHING] * len(shared)]
    names = name_latents(names_from_labels(shares, facts), facts, no_items, np.zeros(len(shared)))
    assert [parts_of(*name, LABELS) for name in names] == shared


def test_quality_by_hand() -> None:
    carries = np.array([[1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]])
    # Of six pairs of an item with a car and one without: 3 > 1, 3 > 0, 1 = 1, 1 > 0, 0 < 1, 0 = 0.
    dense = np.array([[3.0], [1.0], [1.0], [0.0], [0.0]])
    found = quality([("car", "labels")], {"a": dense, "b": np.zeros((5, 1))}, carries)
    first, second = found.tables
    assert (first.stream, first.source, first.n_latents, first.share_above_09) == ("a", "labels", 1, 0)
    assert first.auroc == pytest.approx(4 / 6, abs=1e-6)
    assert first.weakest[0].model_dump() == {"latent": 0, "name": "car", "auroc": first.auroc}
    assert (second.stream, second.auroc) == ("b", 0.5)
    assert found.by_latent == pytest.approx([(4 / 6 + 0.5) / 2])


def test_items_that_made_the_name_do_not_count() -> None:
    carries = np.array([[1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    dense = np.array([[9.0, 9.0, 9.0], [1.0, 1.0, 1.0], [2.0, 2.0, 2.0], [0.0, 0.0, 0.0]])
    left_out = [np.array([0]), np.array([0, 2]), np.array([0, 1])]
    found = quality(
        [("car", "labels"), ("car (2)", "labels"), ("car (3)", "labels")], {"a": dense}, carries, left_out=left_out
    )
    assert np.array_equal(found.by_latent, [0.5, 1, np.nan], equal_nan=True)
    assert found.tables[0].n_latents == 2


def test_names_that_fit_all_or_no_items_are_not_judged() -> None:
    carries = np.array([[1, 0, 0, 0], [1, 0, 0, 0]])
    names = [("car", "labels"), ("snow", "labels"), ("boat", "caption words"), ("latent 3", "none")]
    found = quality(names, {"a": np.ones((2, 4))}, carries)
    assert np.isnan(found.by_latent).all()
    assert found.tables == []


def test_tables_are_by_stream_and_source_and_list_the_weakest() -> None:
    carries = np.tile([[1, 0, 0, 0], [0, 0, 0, 0]], (20, 1))
    captions = ["a car", "a bus"] * 20
    sources = ["labels", "caption words"] * 13
    # On so many of the items without a car, each latent is active; on all with one, less.
    n_wrong = np.array([3, 3, 20, 20, 0, 0, 1, 1, 2, 2, *range(4, 20)])
    dense = np.ones((40, 26))
    dense[1::2] = np.where(np.arange(20)[:, None] < n_wrong, 2.0, 0.0)
    found = quality([("car", source) for source in sources], {"a": dense, "b": dense}, carries, captions)
    assert [(table.stream, table.source) for table in found.tables] == [
        (stream, source) for stream in "ab" for source in ("labels", "caption words")
    ]
    assert found.by_latent == pytest.approx(1 - n_wrong / 20)
    for table in found.tables:
        mine = [latent for latent in range(26) if sources[latent] == table.source]
        order = sorted(mine, key=lambda latent: (-n_wrong[latent], latent))
        assert [named.latent for named in table.weakest] == order[:10]
        assert table.n_latents == 13
        assert table.auroc == pytest.approx(np.mean(1 - n_wrong[mine] / 20), abs=1e-6)
        # 0, 1 and 2 wrong: 0.9 itself reaches 0.9.
        assert table.share_above_09 == pytest.approx(3 / 13, abs=1e-6)


def expected_auroc(fits: np.ndarray, activations: np.ndarray, left_out: np.ndarray) -> float:
    counts = np.array([item not in left_out for item in range(len(fits))], bool)
    if len(set(fits[counts].tolist())) < 2:
        return np.nan
    return float(roc_auc_score(fits[counts], activations[counts]))


@given(st.integers(0, 2**32 - 1), st.integers(2, 40))
def test_quality_is_scikit_learns(seed: int, n_items: int) -> None:
    rng = np.random.default_rng(seed)
    names = [("car", "labels"), ("red snow (2)", "labels"), ("big bus", "caption words"), ("car (3)", "labels")]
    carries = rng.random((n_items, len(LABELS))) < rng.random()
    words = rng.random((n_items, 2)) < 0.7
    captions = [f"{'a big' if big else 'no'} {'bus' if bus else 'boat'}" for big, bus in words]
    # Few values, so that many tie.
    dense = {s: rng.integers(0, rng.integers(2, 6), (n_items, 4)) * (rng.random((n_items, 4)) < 0.7) for s in "abc"}
    left_out = [rng.integers(0, n_items, rng.integers(0, 6)) for _ in names]
    fits = [carries[:, 0], carries[:, 1] & carries[:, 3], words[:, 0] & words[:, 1], carries[:, 0]]
    expected = {
        stream: [expected_auroc(fits[x], activations[:, x], left_out[x]) for x in range(4)]
        for stream, activations in dense.items()
    }
    found = quality(names, dense, carries, captions, left_out)
    np.testing.assert_allclose(found.by_latent, np.mean(list(expected.values()), axis=0), rtol=1e-12)
    for table in found.tables:
        mine = [x for x in range(4) if names[x][1] == table.source and not np.isnan(expected[table.stream][x])]
        assert table.auroc == pytest.approx(np.mean([expected[table.stream][x] for x in mine]), abs=1e-6)
        assert {named.latent: named.auroc for named in table.weakest} == pytest.approx(
            {x: expected[table.stream][x] for x in mine}, abs=1e-6
        )


@given(st.integers(0, 2**32 - 1))
def test_the_order_of_items_means_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    carries, dense = rng.random((15, len(LABELS))) < 0.5, rng.integers(0, 4, (15, 2))
    left_out, order = [rng.permutation(15)[:4] for _ in range(2)], rng.permutation(15)
    names = [("car", "labels"), ("red snow", "labels")]
    straight = quality(names, {"a": dense}, carries, left_out=left_out)
    moved = [np.flatnonzero(np.isin(order, items)) for items in left_out]
    shuffled = quality(names, {"a": dense[order]}, carries[order], left_out=moved)
    np.testing.assert_array_equal(straight.by_latent, shuffled.by_latent)
    assert straight.tables == shuffled.tables


def test_no_items_and_no_labels() -> None:
    latents = latents_named([("car", "labels"), ("car", "caption words")])
    empty = sparse.csr_array((0, 0), dtype=np.int32)
    found = name_quality(latents, {"a": packed(np.zeros((0, 2)))}, [], empty, [], [NOTHING] * 2)
    assert found.tables == []
    assert np.isnan(found.by_latent).all()
