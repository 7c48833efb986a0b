"""An evaluation as tables: which there are, in which order, and what stands in them."""

import pytest

from sparc_core.evaluation.class_tables import MOST_CLASSES
from sparc_core.evaluation.published import MAIN, PUBLISHED
from sparc_core.evaluation.results import Evaluation, PairAlignment, ProbeMean, PureObjects
from sparc_core.evaluation.table import Table
from sparc_core.evaluation.tables import tables_of
from tests.evaluation.evaluation_examples import example_evaluation, probe, profile, retrieval

_ORDER = (
    "profiles active-items dead-latents probes probe-classes classification classification-classes retrieval "
    "vector-recall reconstruction sparsity segmentation names weakest-names pure-objects stability"
).split()


def _table(name: str, evaluation: Evaluation | None = None) -> Table:
    return next(table for table in tables_of(evaluation or example_evaluation()) if table.name == name)


def _names(table: Table) -> list[str]:
    return [column.name for column in table.columns]


def _column(table: Table, name: str) -> list[object]:
    place = _names(table).index(name)
    return [row[place] for row in table.rows]


def test_tables_come_in_their_order() -> None:
    assert [table.name for table in tables_of(example_evaluation())] == _ORDER


def test_what_was_not_measured_has_no_table() -> None:
    assert tables_of(Evaluation()) == []
    only = Evaluation(probe_means=(ProbeMean(stream="dino", n_classes=2, cross_entropy=0.3),))
    assert [table.name for table in tables_of(only)] == ["probes"]


@pytest.mark.parametrize("evaluation", [example_evaluation(), *PUBLISHED.values()])
def test_every_table_is_whole(evaluation: Evaluation) -> None:
    for table in tables_of(evaluation):
        names = _names(table)
        assert len(set(names)) == len(names)
        assert all(name == name.lower() and " " not in name for name in names)
        assert all(len(row) == len(names) for row in table.rows)
        assert table.title[-1] != "."
        assert table.note[-1] == "."
        for place, column in enumerate(table.columns):
            cells = [row[place] for row in table.rows]
            assert any(cell is not None for cell in cells)
            allowed = {"count": int, "latent": int, "share": float, "number": float}.get(column.kind, str)
            assert all(cell is None or isinstance(cell, allowed) for cell in cells), (table.name, column.name)


def test_profiles_have_a_column_for_each_pair_and_the_published_figure_of_the_same_depth() -> None:
    table = _table("profiles")
    assert _names(table) == [
        "depth", "classes", "selection", "jaccard", "dice", "jaccard.dino.clip_img", "jaccard.dino.clip_txt",
        "jaccard.clip_img.clip_txt", "jaccard_of_all", "published_jaccard_of_all",
    ]  # fmt: skip
    assert table.rows[0] == (0, 3, "own", 0.5, 0.6, 0.5, 0.25, 0.75, 0.4, 0.8118)
    # No other depth than 0 to 5 was published, and no other selection than the model's own.
    assert _column(table, "published_jaccard_of_all") == [0.8118, 0.8056, None, None]
    assert [column.name for column in table.columns if column.published] == ["published_jaccard_of_all"]


def test_published_figures_are_absent_where_streams_are_others() -> None:
    pair = PairAlignment(first="eye", second="clip_txt", jaccard=0.5, dice=0.6, n_latents=7)
    eyes = Evaluation(
        profiles=(profile(0, pairs=(pair,)),),
        probe_means=(ProbeMean(stream="eye", n_classes=2, cross_entropy=0.3),),
        retrieval=(retrieval("backbone", "eye", "clip_txt"),),
    )
    assert [column for table in tables_of(eyes) for column in table.columns if column.published] == []


def test_patterns_are_said_in_words() -> None:
    assert _table("dead-latents").rows == (
        ("alive in every stream", 6, 0.5),
        ("alive in clip_txt only", 1, 1 / 12),
        ("alive in dino + clip_img only", 2, 2 / 12),
        ("dead in every stream", 3, 0.25),
        ("dead in dino", 5, 5 / 12),
        ("dead in clip_img", 4, 4 / 12),
        ("dead in clip_txt", 5, 5 / 12),
    )


def test_probes_stand_beside_the_published_ones_of_the_same_stream() -> None:
    assert _table("probes").rows == (("dino", 2, 0.3, 0.9, 0.540910), ("clip_txt", 1, 0.4, None, 0.564620))


def test_classes_have_cells_for_each_stream() -> None:
    table = _table("probe-classes")
    assert _names(table)[:5] == ["label", "n_positive", "cross_entropy.dino", "accuracy.dino", "latent.dino"]
    assert table.rows == (
        ("cat", 9, 0.3, 0.9, 3, 0.3, 0.9, 5),
        ("bee", 9, 0.3, 0.9, 4, None, None, None),
    )
    assert _table("classification-classes").rows == (("cat", 4, 0.8, 0.9), ("bee", 4, 0.3, None))


def test_of_too_many_classes_those_with_the_most_items_are_shown() -> None:
    many = Evaluation(probes=tuple(probe("dino", f"c{i}", 0, n_positive=i) for i in range(MOST_CLASSES + 2)))
    table = _table("probe-classes", many)
    assert _column(table, "n_positive") == list(range(MOST_CLASSES + 1, 1, -1))
    assert "1,000 of 1,002 classes" in table.note
    few = _table("probe-classes", Evaluation(probes=many.probes[:MOST_CLASSES]))
    assert _column(few, "n_positive") == list(range(MOST_CLASSES))
    assert "Shown" not in few.note


def test_retrieval_has_a_published_figure_inside_and_by_features_only() -> None:
    table = _table("retrieval")
    assert _column(table, "where") == ["inside", "inside", "outside"]
    assert _column(table, "published_at_10") == [None, 0.269497, None]
    assert table.rows[0][:-1] == (
        "inside", "storybook", "latent", "dino", "clip_txt", 0.125, 0.25, 0.5, 11, 0.2, 40, 1200
    )  # fmt: skip


def test_published_segmentation_is_of_the_last_block() -> None:
    table = _table("segmentation")
    assert _column(table, "published_iou") == [0.1368, None]
    assert _column(table, "published_average_precision") == [0.2218, None]


def test_weakest_names_are_latents_by_stream() -> None:
    assert _table("weakest-names").rows == (("dino", 11, "cat", 0.45), ("dino", 2, "bee", 0.6))


def test_pure_objects_name_those_that_have_none() -> None:
    table = _table("pure-objects")
    assert table.rows == (("in every stream at once", 1, 4, 0.25), ("in dino", 3, 4, 0.75))
    assert table.note.endswith("Without one: bee, pig.")
    some = PureObjects(n_objects=20, n_with_pure_latent=6, without=tuple(f"o{i}" for i in range(14)))
    assert _table("pure-objects", Evaluation(pure_objects=some)).note.endswith("o11 and 2 more.")
    every = PureObjects(n_objects=1, n_with_pure_latent=1)
    assert _table("pure-objects", Evaluation(pure_objects=every)).note.endswith("No object is without one.")


def test_the_rest_says_what_was_measured() -> None:
    assert _table("active-items").rows[1] == ("own", "dino", "clip_txt", 0.25, 0.4, 6)
    assert _table("classification").rows[0] == ("dino", "codes", 0.55, 0.65, 0.7, 0.6, 0.95, 10)
    assert _table("vector-recall").rows == (("dino", "clip_img", "features", "hnsw", 0.97),)
    assert _table("reconstruction").rows == (("dino", "clip_img", "own", 0.3, -0.0001),)
    assert _table("sparsity").rows == (("dino", "own", 3.5, 1),)
    assert _table("names").rows == (("dino", "labels", 8, 0.9, 0.625),)
    assert _table("stability").rows == (("0123456789abcdef", "dino", 0.7, 0.25, 12),)


def test_a_published_evaluation_has_tables_too() -> None:
    assert [table.name for table in tables_of(PUBLISHED[MAIN])] == [
        "profiles", "dead-latents", "probes", "retrieval", "segmentation"
    ]  # fmt: skip
