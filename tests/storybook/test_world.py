"""The storybook world: what exists, that scenes are sound, that drawings and masks agree, that captions are true."""

import hashlib
import json
import random
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index_build.storybook.captions import caption, full_caption, grammar_words, scene_facts, with_fillers
from index_build.storybook.drawing import camera, draw, draw_masks
from index_build.storybook.scene import PAGE, random_scene
from index_build.storybook.world import COLOUR_NAMES, OBJECTS, PLACES, REALMS, SPRITES_PATH, label_hierarchy

seeds = st.integers(0, 2**32)


def test_the_world_is_as_large_as_promised() -> None:
    groups = Counter(o.group for o in OBJECTS)
    assert len(OBJECTS) >= 36
    assert len(groups) == 9
    assert min(groups.values()) >= 4
    assert len(PLACES) == 6
    assert sum(o.paintable for o in OBJECTS) == 8
    assert set(REALMS) == set(groups)


def test_every_object_has_a_sprite_of_its_own_and_only_paintable_ones_take_paint() -> None:
    assert {path.stem for path in SPRITES_PATH.glob("*.svg")} == {o.name for o in OBJECTS}
    for story_object in OBJECTS:
        source = (SPRITES_PATH / f"{story_object.name}.svg").read_text()
        root = ET.fromstring(source)
        assert root.get("viewBox") == "0 0 64 64"
        assert ("<style>" in source) == story_object.paintable, story_object.name
        assert "href" not in source
        assert "<script" not in source


def test_labels_form_a_hierarchy_of_at_least_three_levels() -> None:
    parents = {label.name: label.parent for label in label_hierarchy()}
    assert len(parents) == len(label_hierarchy()), "names are unique"

    def chain(name: str) -> list[str]:
        return [name, *chain(parents[name])] if name else []

    assert chain("cat") == ["cat", "animal", "living thing", "thing"]
    assert chain("red") == ["red", "colour"]
    assert all(len(chain(o.nouns[0])) == 4 for o in OBJECTS)
    assert all(parent in parents for parent in parents.values() if parent)


@given(seeds, st.sampled_from([1, 2, 3]))
@settings(deadline=None)
def test_scenes_have_different_objects_inside_the_page(seed: int, n: int) -> None:
    scene = random_scene(random.Random(seed), n_objects=n)
    assert len({item.object_id for item in scene.objects}) == n
    for item in scene.objects:
        assert 0 <= item.x <= PAGE - item.size
        assert 0 <= item.y <= PAGE - item.size
        assert (item.colour_id >= 0) == OBJECTS[item.object_id].paintable


def test_scenes_are_as_crowded_as_asked() -> None:
    rng = random.Random(9)
    counts = Counter(len(random_scene(rng, weights=(0.2, 0.3, 0.5)).objects) for _ in range(2000))
    assert [counts[n] / 2000 for n in (1, 2, 3)] == pytest.approx([0.2, 0.3, 0.5], abs=0.04)


def test_the_same_seed_gives_the_same_scenes_and_captions_on_any_machine() -> None:
    rng = random.Random(42)
    scenes = [random_scene(rng) for _ in range(50)]
    told = [(asdict(scene), full_caption(scene, rng), caption(scene, rng).text) for scene in scenes]
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    assert digest[:16] == "21a2ced77a46d6f8", "the world changed: towers and bundles made from it no longer match it"


def test_drawings_of_a_scene_agree_at_every_size() -> None:
    rng = random.Random(3)
    for _ in range(6):
        scene = random_scene(rng)
        small = draw(scene, 112).astype(float)
        large = draw(scene, 448).astype(float).reshape(112, 4, 112, 4, 3).mean((1, 3))
        assert np.abs(small - large).mean() < 4, "the same page, sharper"
        assert np.array_equal(draw(scene, 112), draw(scene, 112))


def test_masks_are_exact() -> None:
    rng = random.Random(5)
    for _ in range(8):
        scene = random_scene(rng)
        masks = draw_masks(scene, 224)
        assert masks.shape == (len(scene.objects), 224, 224)
        assert masks.sum(0).max() <= 1, "no pixel belongs to two objects"
        empty = type(scene)(scene.place_id, (), scene.seed)
        changed = np.abs(draw(scene, 224).astype(int) - draw(empty, 224).astype(int)).max(-1) > 40
        assert (changed & ~masks.any(0)).mean() < 0.01, "what differs from the empty page lies under a mask"
        for item, mask in zip(scene.objects, masks, strict=True):
            ys, xs = np.nonzero(mask)
            assert 2 * item.x - 2 <= xs.min() <= xs.max() <= 2 * (item.x + item.size) + 2
            assert 2 * item.y - 2 <= ys.min() <= ys.max() <= 2 * (item.y + item.size) + 2
            assert mask.sum() > 0.12 * (2 * item.size) ** 2, OBJECTS[item.object_id].name


def test_paint_colours_the_object() -> None:
    rng = random.Random(1)
    balloon = next(i for i, o in enumerate(OBJECTS) if o.name == "balloon")
    scene = random_scene(rng, object_ids=(balloon,), place_id=0)
    item = scene.objects[0]
    mask = draw_masks(scene)[0]
    seen = {}
    for name in ("red", "blue"):
        painted = type(item)(
            *(getattr(item, f) if f != "colour_id" else COLOUR_NAMES.index(name) for f in item.__slots__)
        )
        seen[name] = draw(type(scene)(0, (painted,), scene.seed))[mask].mean(0)
    assert seen["red"][0] > seen["red"][2] + 60
    assert seen["blue"][2] > seen["blue"][0] + 60


def test_the_camera_only_adds_a_little() -> None:
    picture = draw(random_scene(random.Random(8)))
    taken = camera(picture, random.Random(1))
    assert taken.shape == picture.shape
    assert np.abs(taken.astype(int) - picture.astype(int)).mean() < 12


@given(seeds)
@settings(deadline=None, max_examples=50)
def test_captions_claim_only_what_is_true_and_use_only_known_words(seed: int) -> None:
    rng = random.Random(seed)
    scene = random_scene(rng)
    said = caption(scene, rng, with_group=0.3)
    assert said.facts <= scene_facts(scene)
    assert said.facts
    known = set(grammar_words())
    assert {word.strip(",") for word in said.text.split()} <= known
    assert set(said.text.split()) <= set(with_fillers(said.text, rng).split())
    full = full_caption(scene, rng)
    for item in scene.objects:
        assert any(noun in full for noun in OBJECTS[item.object_id].nouns)


@pytest.mark.parametrize("place", PLACES)
def test_places_can_be_told_apart(place: object) -> None:
    index = PLACES.index(place)  # type: ignore[arg-type]
    empties = {i: draw(type(random_scene(random.Random(0)))(i, (), 9)).astype(float) for i in range(len(PLACES))}
    nearest = min(np.abs(empties[index] - empties[i]).mean() for i in empties if i != index)
    assert nearest > 5
