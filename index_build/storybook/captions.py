"""Captions of scenes, and what each caption claims, so that training never treats a true caption as a wrong one."""

import random
from typing import NamedTuple

from index_build.storybook.scene import Scene, SceneObject
from index_build.storybook.world import COLOUR_NAMES, OBJECTS, PLACES, REALMS

Fact = tuple[str, int | str] | tuple[str, int, int]

_JOINTS = ("next to", "beside", "and", "with", "near")
_OPENINGS = ("a picture of", "a drawing of", "an image of", "a photo of")
_SMALL, _BIG = ("small", "little"), ("big", "large")
# Words that people type and that say nothing about a scene: mixed in while training, so that they change nothing.
FILLERS = (
    "the my your our this that one some very really nice cute funny beautiful old new happy sad here there please "
    "show me find look at see where is are can you i want to two three standing sitting lying flying driving "
    "running growing in on of for from it its scene cartoon illustration photo image children's book page"
).split()


class Caption(NamedTuple):
    """A caption and the facts that it claims (see `scene_facts`)."""

    text: str
    facts: frozenset[Fact]


def scene_facts(scene: Scene) -> frozenset[Fact]:
    """Everything true that a caption may claim of a scene: its place, objects, groups, painted objects."""
    facts: set[Fact] = {("place", scene.place_id)}
    for item in scene.objects:
        facts |= {("object", item.object_id), ("group", OBJECTS[item.object_id].group)}
        facts |= {("realm", REALMS[OBJECTS[item.object_id].group])}
        if item.colour_id >= 0:
            facts.add(("painted", item.object_id, item.colour_id))
    return frozenset(facts)


def full_caption(scene: Scene, rng: random.Random) -> str:
    """A caption that names every object with its colour, and the place."""
    return caption(scene, rng, all_objects=1, with_place=1, with_colour=1, with_group=0).text


def caption(
    scene: Scene,
    rng: random.Random,
    all_objects: float = 0.75,
    with_place: float = 0.5,
    with_colour: float = 0.9,
    with_group: float = 0.0,
) -> Caption:
    """Describe a scene in one of the grammar's ways.

    Args:
        scene: What to describe.
        rng: The only source of chance.
        all_objects: Probability that every object is named rather than some.
        with_place: Probability that the place is named.
        with_colour: Probability that a painted object's colour is named.
        with_group: Probability that an object is called by its group ("an animal").
    """
    objects = list(scene.objects)
    rng.shuffle(objects)
    if len(objects) > 1 and rng.random() > all_objects:
        objects = objects[: rng.randint(1, len(objects) - 1)]
    nouns = [_noun(item, rng, with_colour, with_group) for item in objects]
    facts = frozenset[Fact]().union(*(noun.facts for noun in nouns))
    place = ""
    if rng.random() < with_place:
        place = rng.choice(PLACES[scene.place_id].phrases)
        facts |= {("place", scene.place_id)}
    return Caption(_sentence([noun.text for noun in nouns], place, rng), facts)


def with_fillers(text: str, rng: random.Random) -> str:
    """The caption with a few words in it that mean nothing here, as people type them."""
    words = text.split()
    for _ in range(rng.randint(1, 3)):
        words.insert(rng.randint(0, len(words)), rng.choice(FILLERS) if rng.random() < 0.7 else _gibberish(rng))
    return " ".join(words)


def grammar_words() -> list[str]:
    """Every word that a caption can contain, sorted; the towers' vocabulary is made of these."""
    texts = [*FILLERS, *_JOINTS, *_OPENINGS, *_SMALL, *_BIG, "a an there is ,", *COLOUR_NAMES]
    texts += [noun for o in OBJECTS for noun in (*o.nouns, o.group)]
    texts += list(REALMS.values()) + [phrase for place in PLACES for phrase in place.phrases]
    return sorted({word for text in texts for word in text.split()})


def article(noun: str) -> str:
    """The noun with "a" or "an" before it."""
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def _noun(item: SceneObject, rng: random.Random, with_colour: float, with_group: float) -> Caption:
    story_object = OBJECTS[item.object_id]
    words, facts = [], set[Fact]()
    if rng.random() < 0.15:
        words += [rng.choice(_SMALL)] if item.size <= 46 else [rng.choice(_BIG)] if item.size >= 72 else []
    painted = item.colour_id >= 0 and rng.random() < with_colour
    if painted:
        words.append(COLOUR_NAMES[item.colour_id])
    if with_group and rng.random() < with_group and not painted:
        words.append(story_object.group)
        facts.add(("group", story_object.group))
    else:
        # The usual noun half of the time, so that it is learnt best.
        words.append(story_object.nouns[0] if rng.random() < 0.5 else rng.choice(story_object.nouns))
        facts.add(("object", item.object_id))
        if painted:
            facts.add(("painted", item.object_id, item.colour_id))
    return Caption(article(" ".join(words)), frozenset(facts))


def _sentence(nouns: list[str], place: str, rng: random.Random) -> str:
    joint = f" {rng.choice(_JOINTS)} "
    text = joint.join(nouns) if len(nouns) <= 2 else ", ".join(nouns[:-1]) + " and " + nouns[-1]
    form = rng.random()
    if form < 0.15 and place:
        return f"{place}, {text}"
    if form < 0.3:
        text = f"there is {text}"
    elif form < 0.45:
        text = f"{rng.choice(_OPENINGS)} {text}"
    return f"{text} {place}".strip()


def _gibberish(rng: random.Random) -> str:
    return "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(2, 8)))
