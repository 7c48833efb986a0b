"""Depths and classes of labels, by hand and against walks from parent to parent."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index_build.evaluation.hierarchy import Hierarchy
from sparc_core.bundle.manifest import LabelManifest


def hierarchy_of(parents: dict[str, str]) -> Hierarchy:
    return Hierarchy([LabelManifest(name=name, kind="object", parent=parent) for name, parent in parents.items()])


PARENTS = {"thing": "", "animal": "thing", "cat": "animal", "dog": "animal", "car": "thing", "red": ""}


@pytest.mark.parametrize(("name", "depth"), [("thing", 0), ("animal", 1), ("dog", 2), ("red", 0), ("unheard of", 0)])
def test_depths(name: str, depth: int) -> None:
    assert hierarchy_of(PARENTS).depth_of(name) == depth


@pytest.mark.parametrize(
    ("depth", "numbers", "classes"),
    [
        (0, [0, 1, 0, 0, 2], ["thing", "red", "unheard of"]),
        (1, [0, 1, 2, 0, 3], ["animal", "red", "car", "unheard of"]),
        (2, [0, 1, 2, 3, 4], ["cat", "red", "car", "dog", "unheard of"]),
        (7, [0, 1, 2, 3, 4], ["cat", "red", "car", "dog", "unheard of"]),
    ],
)
def test_labels_become_their_ancestors_and_shallow_ones_stay(
    depth: int, numbers: list[int], classes: list[str]
) -> None:
    found, names = hierarchy_of(PARENTS).lifted(["cat", "red", "car", "dog", "unheard of"], depth)
    assert (found.tolist(), names) == (numbers, classes)


def test_an_inner_label_that_items_carry_shares_a_class_with_those_below() -> None:
    found, names = hierarchy_of(PARENTS).lifted(["animal", "cat"], 1)
    assert (found.tolist(), names) == ([0, 0], ["animal"])


def test_without_labels_there_is_one_depth() -> None:
    empty = Hierarchy([])
    found, names = empty.lifted([], 0)
    assert (empty.n_depths, found.tolist(), names) == (1, [], [])
    assert found.dtype == np.int64
    assert empty.lifted(["cat"], 0)[1] == ["cat"]


def test_the_deepest_depth_counts() -> None:
    assert hierarchy_of(PARENTS).n_depths == 3
    assert hierarchy_of({"thing": ""}).n_depths == 1


@given(st.lists(st.integers(0, 100), min_size=1, max_size=20), st.integers(0, 8))
def test_lifting_is_a_walk_to_the_ancestor(numbers: list[int], depth: int) -> None:
    parents = {str(label): str(number % label) if label and number % 4 else "" for label, number in enumerate(numbers)}
    hierarchy, names = hierarchy_of(parents), list(parents)
    found, classes = hierarchy.lifted(names, depth)
    walks = {name: [name] for name in names}
    for walk in walks.values():
        while parents[walk[-1]]:
            walk.append(parents[walk[-1]])
    assert [hierarchy.depth_of(name) for name in names] == [len(walk) - 1 for walk in walks.values()]
    assert hierarchy.n_depths == max(len(walk) for walk in walks.values())
    expected = [walk[::-1][min(depth, len(walk) - 1)] for walk in walks.values()]
    assert [classes[number] for number in found] == expected
    assert sorted(classes) == sorted(set(expected))
