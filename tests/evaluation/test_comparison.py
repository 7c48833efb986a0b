"""Evaluations side by side."""

from hypothesis import given
from hypothesis import strategies as st

from sparc_core.evaluation.comparison import compare, unique
from sparc_core.evaluation.published import MAIN, PUBLISHED
from sparc_core.evaluation.results import Evaluation, ItemAlignment, PairAlignment, ProbeMean
from sparc_core.evaluation.table import Table
from tests.evaluation.evaluation_examples import example_evaluation, profile


def _figures(tables: list[Table], name: str) -> dict[object, tuple[object, ...]]:
    (table,) = (table for table in tables if table.name == name)
    return {row[0]: row[1:] for row in table.rows}


def test_a_column_each_and_none_where_one_lacks_a_figure() -> None:
    ours = Evaluation(probe_means=(ProbeMean(stream="eye", n_classes=2, cross_entropy=0.3),))
    theirs = Evaluation(
        probe_means=(
            ProbeMean(stream="text", n_classes=2, cross_entropy=0.5),
            ProbeMean(stream="eye", n_classes=2, cross_entropy=0.4, accuracy=0.8),
        )
    )
    (table,) = compare({"A b": ours, "c": theirs})
    assert [(column.name, column.title) for column in table.columns] == [
        ("figure", "Figure"), ("a_b", "A b"), ("c", "c")
    ]  # fmt: skip
    assert table.rows == (
        ("eye, cross-entropy", 0.3, 0.4),
        ("eye, accuracy", None, 0.8),
        ("text, cross-entropy", None, 0.5),
    )  # and none for the accuracy of text, which neither has


def test_figures_are_those_of_the_evaluation() -> None:
    tables = compare({"ours": example_evaluation(), "published": PUBLISHED[MAIN]})
    assert [table.name for table in tables] == [
        "profiles", "active-items", "dead-latents", "probes", "classification", "retrieval", "retrieval-ranks",
        "reconstruction", "sparsity", "segmentation", "names", "pure-objects", "stability",
    ]  # fmt: skip
    profiles = _figures(tables, "profiles")
    assert profiles["depth 0, all latents"] == (0.4, 0.8118)
    assert profiles["depth 0, latents active in two streams"] == (0.5, None)
    assert profiles["depth 5, all latents"] == (None, 0.8018)
    dead = _figures(tables, "dead-latents")
    assert dead["alive in every stream"] == (0.5, 0.84375)
    assert dead["dead in clip_img"] == (4 / 12, 0.15625)
    assert _figures(tables, "probes")["dino, cross-entropy"] == (0.3, 0.540910)
    assert _figures(tables, "classification") == {"dino, codes": (0.55, None), "dino, features": (0.55, None)}
    recalls = _figures(tables, "retrieval")
    assert recalls["own corpus, latent, dino to clip_txt, R@1"] == (0.125, None)
    assert recalls["own corpus, backbone, clip_img to clip_txt, R@10"] == (0.5, 0.269497)
    assert recalls["coco, backbone, clip_img to clip_txt, R@10"] == (0.5, None)
    assert _figures(tables, "retrieval-ranks")["own corpus, backbone, clip_img to clip_txt"] == (11, 79)
    assert _figures(tables, "reconstruction") == {
        "clip_img from dino, own selection, normalised squared error": (0.3, None),
        "clip_img from dino, own selection, explained variance": (-0.0001, None),
    }
    assert _figures(tables, "sparsity") == {"dino, own selection": (3.5, None)}
    heatmaps = _figures(tables, "segmentation")
    assert heatmaps["dino_sparc_sum, last block, mean IoU"] == (0.2, 0.1368)
    assert heatmaps["dino_sparc_sum, all blocks, pointing"] == (0.7, None)
    assert _figures(tables, "names")["dino, labels, AUROC"] == (0.9, None)
    assert _figures(tables, "pure-objects") == {"in every stream at once": (0.25, None), "in dino": (0.75, None)}
    assert _figures(tables, "stability")["with 0123456789abcdef, dino, mean cosine"] == (0.7, None)


def test_profiles_are_those_of_the_models_own_selection() -> None:
    both = Evaluation(
        profiles=(profile(0), profile(0, "local").model_copy(update={"jaccard_of_all": 0.9, "jaccard": 0.95}))
    )
    (table,) = compare({"a": both})
    assert table.rows == (("depth 0, all latents", 0.4), ("depth 0, latents active in two streams", 0.5))


def test_pairs_of_streams_are_the_same_in_any_order() -> None:
    one = PairAlignment(first="a", second="b", jaccard=0.5, dice=0.6, n_latents=7)
    other = PairAlignment(first="b", second="a", jaccard=0.25, dice=0.3, n_latents=7)
    evaluations = [Evaluation(active_items=(ItemAlignment(selection="own", pairs=(pair,)),)) for pair in (one, other)]
    (table,) = compare(dict(zip("xy", evaluations, strict=True)))
    assert table.rows == (("a and b, own selection", 0.5, 0.25),)


def test_published_columns_are_marked() -> None:
    tables = compare({"ours": example_evaluation(), **PUBLISHED})
    for table in tables:
        assert [column.published for column in table.columns] == [False, False, True, True, True, True]


def test_nothing_measured_is_no_table() -> None:
    assert compare({"a": Evaluation(), "b": Evaluation()}) == []
    assert compare({}) == []


@given(st.lists(st.text("aB1-_ λ/", max_size=4), unique=True, min_size=1, max_size=6))
def test_columns_are_unique_whatever_the_titles(titles: list[str]) -> None:
    for table in compare(dict.fromkeys(titles, example_evaluation())):
        names = [column.name for column in table.columns]
        assert len(set(names)) == len(names)
        assert [column.title for column in table.columns[1:]] == titles
        assert all(len(row) == len(names) for row in table.rows)


@given(st.lists(st.sampled_from(["a", "a_2", "a_3", "b", "figure"]), max_size=8))
def test_unique_names_stay_where_they_can(names: list[str]) -> None:
    found = unique(names, ["figure"])
    assert len({*found, "figure"}) == len(names) + 1
    assert [new.startswith(name) for new, name in zip(found, names, strict=True)] == [True] * len(names)
    if names:
        assert found[0] == (names[0] if names[0] != "figure" else "figure_2")
