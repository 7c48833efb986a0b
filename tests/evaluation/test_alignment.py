"""Agreement of streams, by hand and against loops over latents, items and labels."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from index_build.evaluation.alignment import Profiles, item_alignment, profile_alignment
from index_build.evaluation.hierarchy import Hierarchy
from index_build.indexing import statistics
from sparc_core.bundle.codes import Codes, pack_codes
from sparc_core.bundle.manifest import LabelManifest

N_LATENTS = 7
PARENTS = {"animal": "", "cat": "animal", "tabby": "cat", "dog": "animal", "car": ""}
HIERARCHY = Hierarchy([LabelManifest(name=name, kind="object", parent=above) for name, above in PARENTS.items()])
LABELS = ["tabby", "dog", "car", "snow"]
"""Those that items carry; the hierarchy does not know snow."""
CLASSES = (
    {"tabby": "animal", "dog": "animal", "car": "car", "snow": "snow"},
    {"tabby": "cat", "dog": "dog", "car": "car", "snow": "snow"},
    {"tabby": "tabby", "dog": "dog", "car": "car", "snow": "snow"},
)
"""By depth."""


def codes_of(rows: list[dict[int, float]], k: int = 4) -> Codes:
    latents, activations = np.zeros((len(rows), k), np.int64), np.zeros((len(rows), k))
    for item, row in enumerate(rows):
        latents[item, : len(row)], activations[item, : len(row)] = list(row), list(row.values())
    return pack_codes(latents, activations, N_LATENTS)


def profiles_of(codes: dict[str, Codes], carries: np.ndarray) -> Profiles:
    return profile_alignment(codes, sparse.csr_array(carries), LABELS, HIERARCHY, N_LATENTS, "local")


def random_world(seed: int, n_items: int = 12, n_streams: int = 3) -> tuple[dict[str, Codes], np.ndarray]:
    """Codes of streams that use 0 to 4 latents per item, of few, so that some are not active everywhere."""
    rng = np.random.default_rng(seed)
    n_used = rng.integers(1, N_LATENTS + 1, n_streams)
    rows = [
        [{int(x): float(rng.uniform(0.1, 9)) for x in rng.permutation(n)[: rng.integers(0, 5)]} for _ in range(n_items)]
        for n in n_used
    ]
    carries = (rng.random((n_items, len(LABELS))) < 0.4).astype(np.int32)
    return {f"stream{number}": codes_of(of_stream) for number, of_stream in enumerate(rows)}, carries


def active_items(codes: Codes) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for item, (latents, activations) in enumerate(zip(codes.latents, codes.activations, strict=True)):
        for latent, activation in zip(latents.tolist(), activations, strict=True):
            if activation > 0:
                found.setdefault(latent, set()).add(item)
    return found


def compare(first: Counter[str], second: Counter[str]) -> tuple[float, float]:
    greater, lesser = sum((first | second).values()), sum((first & second).values())
    total = sum(first.values()) + sum(second.values())
    return (lesser / greater if greater else 0.0), (2 * lesser / total if total else 0.0)


def plain_profiles(codes: dict[str, Codes], carries: np.ndarray, depth: int) -> dict[int, dict[tuple[str, str], tuple]]:
    """Jaccard and Dice by latent and pair."""
    profiles: dict[str, dict[int, Counter[str]]] = {}
    for stream, of_stream in codes.items():
        for latent, items in active_items(of_stream).items():
            profile = profiles.setdefault(stream, {}).setdefault(latent, Counter())
            for item in items:
                profile.update(CLASSES[depth][name] for name, has in zip(LABELS, carries[item], strict=True) if has)
    found: dict[int, dict[tuple[str, str], tuple]] = {latent: {} for latent in range(N_LATENTS)}
    for first, second in combinations(codes, 2):
        for latent in set(profiles.get(first, {})) & set(profiles.get(second, {})):
            found[latent][first, second] = compare(profiles[first][latent], profiles[second][latent])
    return found


def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def test_profiles_by_hand() -> None:
    carries = np.array([[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]])
    codes = {
        # Latent 0: tabby 1, dog 2; latent 1: car 1; latent 2 is active here only.
        "a": codes_of([{0: 1.0}, {0: 2.0, 2: 1.0}, {1: 3.0}, {}]),
        # Latent 0: tabby 1, dog 1, car 1; latent 1: no label.
        "b": codes_of([{0: 5.0}, {}, {0: 0.5}, {1: 1.0}]),
    }
    roots, middle, deepest = profiles_of(codes, carries).depths
    # Animals 3 and cars 0 with animals 2 and cars 1: an item that is tabby and dog counts twice.
    assert (roots.depth, roots.n_classes, roots.selection) == (0, 3, "local")
    assert roots.pairs[0].jaccard == pytest.approx((2 / 4 + 0) / 2)
    assert roots.pairs[0].dice == pytest.approx((4 / 6 + 0) / 2, abs=1e-6)
    assert (roots.pairs[0].first, roots.pairs[0].second, roots.pairs[0].n_latents) == ("a", "b", 2)
    # Tabby (a cat) 1, dog 2 with tabby 1, dog 1, car 1.
    for depth, found in enumerate((middle, deepest), 1):
        assert (found.depth, found.n_classes) == (depth, 4)
        assert found.jaccard == pytest.approx((2 / 4 + 0) / 2)
        assert found.dice == pytest.approx((4 / 6 + 0) / 2, abs=1e-6)
        assert found.jaccard_of_all == pytest.approx(0.5 / N_LATENTS, abs=1e-6)
        assert found.dice_of_all == pytest.approx(4 / 6 / N_LATENTS, abs=1e-6)


def test_depth_tells_cats_from_dogs() -> None:
    codes = {"a": codes_of([{0: 1.0}, {}]), "b": codes_of([{}, {0: 1.0}])}
    found = profiles_of(codes, np.array([[1, 0, 0, 0], [0, 1, 0, 0]]))
    assert [depth.jaccard for depth in found.depths] == [1, 0, 0]


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.sampled_from([1, 3, 1 << 23]))
def test_profiles_are_those_of_loops(seed: int, n_streams: int, block: int) -> None:
    codes, carries = random_world(seed, n_streams=n_streams)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statistics, "_MOST_SHARES", block * len(LABELS))
        found = profiles_of(codes, carries)
    assert len(found.depths) == 3
    for depth, measured in enumerate(found.depths):
        plain = plain_profiles(codes, carries, depth)
        for number, (published, ours) in enumerate([("jaccard_of_all", "jaccard"), ("dice_of_all", "dice")]):
            per_latent = [mean([values[number] for values in pairs.values()]) for pairs in plain.values()]
            aligned = [value for value, pairs in zip(per_latent, plain.values(), strict=True) if pairs]
            assert getattr(measured, published) == pytest.approx(mean(per_latent), abs=1e-6)
            assert getattr(measured, ours) == pytest.approx(mean(aligned), abs=1e-6)
        assert [(pair.first, pair.second) for pair in measured.pairs] == list(combinations(codes, 2))
        for pair in measured.pairs:
            values = [pairs[pair.first, pair.second] for pairs in plain.values() if (pair.first, pair.second) in pairs]
            assert pair.n_latents == len(values)
            assert pair.jaccard == pytest.approx(mean([jaccard for jaccard, _ in values]), abs=1e-6)
            assert pair.dice == pytest.approx(mean([dice for _, dice in values]), abs=1e-6)


@given(st.integers(0, 2**32 - 1))
def test_latents_have_the_values_of_the_deepest_depth(seed: int) -> None:
    codes, carries = random_world(seed)
    found, plain = profiles_of(codes, carries), plain_profiles(codes, carries, 2)
    for pair, values in found.by_latent.items():
        expected = [pairs[pair][0] if pair in pairs else np.nan for pairs in plain.values()]
        np.testing.assert_allclose(values, expected, rtol=1e-12)
    means = [mean([jaccard for jaccard, _ in pairs.values()]) if pairs else np.nan for pairs in plain.values()]
    np.testing.assert_allclose(found.mean_by_latent, means, rtol=1e-12)


@given(st.integers(0, 2**32 - 1))
def test_sets_of_items_are_those_of_loops(seed: int) -> None:
    codes, _ = random_world(seed)
    found = item_alignment(codes, N_LATENTS, "own")
    assert found.selection == "own"
    active = {stream: active_items(of_stream) for stream, of_stream in codes.items()}
    for pair, (first, second) in zip(found.pairs, combinations(codes, 2), strict=True):
        both = [(active[first][latent], active[second][latent]) for latent in active[first] if latent in active[second]]
        assert (pair.first, pair.second, pair.n_latents) == (first, second, len(both))
        assert pair.jaccard == pytest.approx(mean([len(a & b) / len(a | b) for a, b in both]), abs=1e-6)
        assert pair.dice == pytest.approx(mean([2 * len(a & b) / (len(a) + len(b)) for a, b in both]), abs=1e-6)


@given(st.integers(0, 2**32 - 1))
def test_the_order_of_items_and_of_streams_means_nothing(seed: int) -> None:
    codes, carries = random_world(seed)
    order = np.random.default_rng(seed).permutation(len(carries))
    shuffled = {s: Codes(c.latents[order], c.activations[order]) for s, c in reversed(codes.items())}
    straight, other = profiles_of(codes, carries), profiles_of(shuffled, carries[order])
    for here, there in zip(straight.depths, other.depths, strict=True):
        assert (here.jaccard, here.dice_of_all) == pytest.approx((there.jaccard, there.dice_of_all), abs=2e-6)
        mirrored = {(pair.second, pair.first): (pair.jaccard, pair.dice, pair.n_latents) for pair in there.pairs}
        assert {(p.first, p.second): (p.jaccard, p.dice, p.n_latents) for p in here.pairs} == mirrored
    for (first, second), values in straight.by_latent.items():
        np.testing.assert_array_equal(values, other.by_latent[second, first])
    sets, shuffled_sets = item_alignment(codes, N_LATENTS, "own"), item_alignment(shuffled, N_LATENTS, "own")
    assert sorted(pair.jaccard for pair in sets.pairs) == sorted(pair.jaccard for pair in shuffled_sets.pairs)


@given(st.integers(0, 2**32 - 1))
def test_a_stream_agrees_with_itself(seed: int) -> None:
    codes, carries = random_world(seed, n_streams=1)
    twins = {"one": codes["stream0"], "two": codes["stream0"]}
    active = active_items(codes["stream0"])
    labelled = {latent for latent, items in active.items() if carries[sorted(items)].any()}
    found = profiles_of(twins, carries)
    expected = [float(x in labelled) if x in active else np.nan for x in range(N_LATENTS)]
    assert np.array_equal(found.by_latent["one", "two"], expected, equal_nan=True)
    assert item_alignment(twins, N_LATENTS, "own").pairs[0].jaccard == (1 if active else 0)


@given(st.integers(0, 2**32 - 1))
def test_dice_is_never_below_jaccard(seed: int) -> None:
    codes, carries = random_world(seed)
    for found in profiles_of(codes, carries).depths:
        assert 0 <= found.jaccard <= found.dice <= 1
        assert 0 <= found.jaccard_of_all <= found.dice_of_all <= 1
        assert all(0 <= pair.jaccard <= pair.dice <= 1 for pair in found.pairs)
        assert found.jaccard_of_all <= found.jaccard
    for pair in item_alignment(codes, N_LATENTS, "own").pairs:
        assert 0 <= pair.jaccard <= pair.dice <= 1


def test_without_labels_there_is_nothing_to_say() -> None:
    codes, _ = random_world(3)
    found = profile_alignment(codes, sparse.csr_array((12, 0), dtype=np.int32), [], HIERARCHY, N_LATENTS, "local")
    assert found.depths == []
    assert len(found.by_latent) == 3
    assert all(np.isnan(values).all() and values.shape == (N_LATENTS,) for values in found.by_latent.values())
    assert np.isnan(found.mean_by_latent).all()


def test_one_stream_has_no_pairs() -> None:
    codes, carries = random_world(4, n_streams=1)
    found = profiles_of(codes, carries)
    assert [(depth.jaccard, depth.jaccard_of_all, depth.pairs) for depth in found.depths] == [(0, 0, ())] * 3
    assert found.by_latent == {}
    assert np.isnan(found.mean_by_latent).all()
    assert item_alignment(codes, N_LATENTS, "own").pairs == ()


def test_no_items_agree_on_nothing() -> None:
    codes = dict.fromkeys(("a", "b"), codes_of([]))
    found = profiles_of(codes, np.zeros((0, len(LABELS)), np.int32))
    assert [(depth.jaccard, depth.pairs[0].n_latents) for depth in found.depths] == [(0, 0)] * 3
    assert item_alignment(codes, N_LATENTS, "own").pairs[0].n_latents == 0
