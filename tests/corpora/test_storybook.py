"""The storybook corpus."""

import pickle

import numpy as np
import pytest
from PIL import Image

from index_build.corpora import MaskedCorpus, StorybookCorpus
from index_build.storybook.drawing import draw
from index_build.storybook.world import OBJECTS, label_hierarchy
from sparc_core.errors import InputError

FIRST = ("a ladybug with a pink kite on the grass", ("ladybug", "kite", "pink", "meadow"))
HELD_OUT = ("there is a plane in the desert", ("plane", "beach"))


def test_the_same_settings_are_the_same_corpus() -> None:
    corpus = StorybookCorpus(20, 10)
    items = list(corpus.items())
    assert items == list(StorybookCorpus(20, 10).items()) == list(pickle.loads(pickle.dumps(corpus)).items())
    assert items != list(StorybookCorpus(20, 10, seed=1).items())
    assert len({item.item_id for item in items}) == 30


def test_items_are_those_of_earlier_versions() -> None:
    items = list(StorybookCorpus().items())
    first, held_out = items[0], items[6000]
    assert (first.item_id, first.picture, first.split) == ("s000000", "s000000", "train")
    assert (held_out.item_id, held_out.picture, held_out.split) == ("s006000", "s006000", "test")
    assert (first.caption, first.labels) == FIRST
    assert (held_out.caption, held_out.labels) == HELD_OUT


def test_a_larger_corpus_begins_with_the_smaller_ones_scenes() -> None:
    small, large = StorybookCorpus(5, 3), StorybookCorpus(9, 4)
    assert [large.scene(row) for row in range(5)] == [small.scene(row) for row in range(5)]
    assert [large.scene(row) for row in range(9, 12)] == [small.scene(row) for row in range(5, 8)]
    captions = [[item.caption for item in corpus.items()] for corpus in (small, large)]
    assert captions[1][9:12] == captions[0][5:8]


def test_splits_are_disjoint_and_labels_are_leaves() -> None:
    corpus = StorybookCorpus(300, 100)
    items = list(corpus.items())
    assert [item.split for item in items] == ["train"] * 300 + ["test"] * 100
    assert len({corpus.scene(row) for row in range(400)}) == 400
    hierarchy = {label.name: label for label in label_hierarchy()}
    parents = {label.parent for label in corpus.labels}
    for item in items:
        assert item.caption
        assert item.labels
        assert all(label in hierarchy and label not in parents for label in item.labels)


def test_held_out_captions_name_every_object() -> None:
    corpus = StorybookCorpus(1, 100)
    for row, item in list(enumerate(corpus.items()))[1:]:
        for placed in corpus.scene(row).objects:
            assert any(noun in item.caption for noun in OBJECTS[placed.object_id].nouns)


@pytest.mark.parametrize(("n_train", "n_test"), [(0, 5), (5, 0), (10**7, 5)])
def test_sizes_out_of_range_are_refused(n_train: int, n_test: int) -> None:
    with pytest.raises(InputError, match="choose from 1 to 1000000"):
        StorybookCorpus(n_train, n_test)


def test_the_reader_draws_the_scene() -> None:
    corpus = StorybookCorpus(3, 1, picture_size=64)
    reader = pickle.loads(pickle.dumps(corpus.reader))
    picture = reader.read("s000003")
    assert isinstance(picture, Image.Image)
    assert np.array_equal(np.asarray(picture), draw(corpus.scene(3), 64))


@pytest.mark.parametrize("picture", ["s000004", "s4", "cat", ""])
def test_other_pictures_are_not_there(picture: str) -> None:
    with pytest.raises(FileNotFoundError):
        StorybookCorpus(3, 1).reader.read(picture)


def test_masks_show_each_object_where_it_alone_changes_the_page() -> None:
    corpus = StorybookCorpus(20, 1, picture_size=112)
    assert isinstance(corpus, MaskedCorpus)
    for item in corpus.items():
        scene, masks = corpus.scene_of(item.picture), corpus.masks(item.picture)
        assert [mask.label for mask in masks] == [OBJECTS[placed.object_id].nouns[0] for placed in scene.objects]
        for placed, mask in zip(scene.objects, masks, strict=True):
            assert (mask.pixels.dtype, mask.pixels.shape) == (bool, (112, 112))
            rows, columns = np.nonzero(mask.pixels)
            assert placed.y <= rows.min() <= rows.max() < placed.y + placed.size
            assert placed.x <= columns.min() <= columns.max() < placed.x + placed.size
