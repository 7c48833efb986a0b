"""The storybook corpus and its media files."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from index_build.corpus import StorybookCorpus
from index_build.media import media_name, write_media
from index_build.storybook.world import label_hierarchy
from sparc_core.errors import InputError


def test_the_same_settings_are_the_same_corpus() -> None:
    corpus = StorybookCorpus(20, 10)
    assert corpus.items == StorybookCorpus(20, 10).items == pickle.loads(pickle.dumps(corpus)).items
    assert corpus.items != StorybookCorpus(20, 10, seed=1).items
    assert len({item.item_id for item in corpus.items}) == 30


def test_a_larger_corpus_begins_with_the_smaller_ones_scenes() -> None:
    small, large = StorybookCorpus(5, 3), StorybookCorpus(9, 4)
    assert [large.scene(row) for row in range(5)] == [small.scene(row) for row in range(5)]
    assert [large.scene(row) for row in range(9, 12)] == [small.scene(row) for row in range(5, 8)]
    assert [large.items[9 + i].caption for i in range(3)] == [small.items[5 + i].caption for i in range(3)]


def test_splits_are_disjoint_and_labels_are_leaves() -> None:
    corpus = StorybookCorpus(300, 100)
    assert [item.split for item in corpus.items] == ["train"] * 300 + ["test"] * 100
    scenes = {corpus.scene(row) for row in range(400)}
    assert len(scenes) == 400
    hierarchy = {label.name: label for label in label_hierarchy()}
    parents = {label.parent for label in corpus.labels}
    for item in corpus.items:
        assert item.caption
        assert item.labels
        assert all(label in hierarchy and label not in parents for label in item.labels)


def test_held_out_captions_name_every_object() -> None:
    from index_build.storybook.world import OBJECTS

    corpus = StorybookCorpus(1, 100)
    for row in range(1, 101):
        for placed in corpus.scene(row).objects:
            assert any(noun in corpus.items[row].caption for noun in OBJECTS[placed.object_id].nouns)


@pytest.mark.parametrize(("n_train", "n_test"), [(0, 5), (5, 0), (10**7, 5)])
def test_sizes_out_of_range_are_refused(n_train: int, n_test: int) -> None:
    with pytest.raises(InputError, match="choose from 1 to 1000000"):
        StorybookCorpus(n_train, n_test)


def test_media_are_the_pictures_and_are_not_drawn_twice(tmp_path: Path) -> None:
    corpus = StorybookCorpus(3, 1, picture_size=64)
    write_media(corpus, tmp_path, 0, lambda done, total: None)
    paths = [tmp_path / media_name(item.item_id) for item in corpus.items]
    times = [path.stat().st_mtime_ns for path in paths]
    paths[1].unlink()
    write_media(corpus, tmp_path, 0, lambda done, total: None)
    assert [path.stat().st_mtime_ns == before for path, before in zip(paths, times, strict=True)] == [
        True,
        False,
        True,
        True,
    ]
    assert sorted((tmp_path / "media").iterdir()) == paths
    for row, path in enumerate(paths):
        with Image.open(path) as picture:
            assert (picture.format, picture.size, picture.mode) == ("WEBP", (64, 64), "RGB")
            error = np.abs(np.asarray(picture, float) - corpus.picture(row)).mean()
        assert error < 6
