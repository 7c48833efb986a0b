"""What exists in the storybook world: objects in groups and realms, paint colours, places.

Everything else in this package (scenes, drawings, captions, labels) refers to the tuples below by position,
so their order is part of the world's seed: append, never reorder. Sprites are `sprites/<object>.svg`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from index_build.corpora.base import Label

SPRITES_PATH = Path(__file__).parent / "sprites"


@dataclass(frozen=True)
class StoryObject:
    """One kind of object: its sprite's name, its group and the nouns captions use (the usual one first)."""

    name: str
    group: str
    nouns: tuple[str, ...]
    paintable: bool = False


@dataclass(frozen=True)
class Place:
    """A background: its label and the phrases captions use for it (the usual one first)."""

    name: str
    phrases: tuple[str, ...]


def _group(group: str, *objects: tuple[str, ...], painted: tuple[str, ...] = ()) -> tuple[StoryObject, ...]:
    return tuple(StoryObject(o[0].replace(" ", "_"), group, o, o[0] in painted) for o in objects)


OBJECTS: tuple[StoryObject, ...] = (
    *_group("animal", ("cat", "tabby cat", "kitten"), ("pig", "piglet"), ("penguin",), ("frog",)),
    *_group("sea creature", ("clownfish", "fish"), ("octopus",), ("whale",), ("crab",)),
    *_group("bug", ("ladybug", "ladybird"), ("butterfly",), ("bee", "bumblebee"), ("snail",), painted=("butterfly",)),
    *_group("food", ("banana",), ("watermelon", "slice of watermelon"), ("pizza", "slice of pizza"), ("mushroom",)),
    *_group("plant", ("pine", "pine tree", "fir tree"), ("sunflower",), ("cactus",), ("tulip",), painted=("tulip",)),
    *_group(
        "vehicle",
        ("car",),
        ("fire engine", "fire truck"),
        ("bus", "school bus"),
        ("plane", "airplane"),
        painted=("car",),
    ),
    *_group("building", ("castle",), ("lighthouse",), ("windmill",), ("tent",), painted=("tent",)),
    *_group(
        "belonging",
        ("umbrella",),
        ("shirt", "t-shirt"),
        ("guitar",),
        ("alarm clock", "clock"),
        painted=("umbrella", "shirt"),
    ),
    *_group("sky thing", ("sun",), ("rainbow",), ("balloon",), ("kite",), painted=("balloon", "kite")),
)

REALMS: dict[str, str] = {
    "animal": "living thing",
    "sea creature": "living thing",
    "bug": "living thing",
    "plant": "living thing",
    "food": "small thing",
    "belonging": "small thing",
    "vehicle": "big thing",
    "building": "big thing",
    "sky thing": "high thing",
}

COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0.86, 0.10, 0.12),
    "yellow": (0.98, 0.85, 0.10),
    "green": (0.12, 0.62, 0.20),
    "blue": (0.12, 0.30, 0.88),
    "purple": (0.50, 0.16, 0.70),
    "pink": (1.00, 0.45, 0.70),
}

PLACES: tuple[Place, ...] = (
    Place("sky", ("in the sky", "in the air", "with a blue sky behind")),
    Place("meadow", ("on the grass", "in a green field", "in a meadow")),
    Place("beach", ("on the sand", "at the beach", "in the desert")),
    Place("snow", ("in the snow", "on white snow", "in winter")),
    Place("sunset", ("at sunset", "in the evening", "under a pink sky")),
    Place("night", ("at night", "under the stars", "in the dark")),
)

COLOUR_NAMES: tuple[str, ...] = tuple(COLOURS)
OBJECT_NAMES: tuple[str, ...] = tuple(o.name for o in OBJECTS)
N_OBJECTS, N_COLOURS, N_PLACES = len(OBJECTS), len(COLOUR_NAMES), len(PLACES)


def label_hierarchy() -> "tuple[Label, ...]":
    """Every label, parents before children: thing -> realm -> group -> object, colour -> red, place -> snow."""
    # Here and not above: the corpora's package imports this world.
    from index_build.corpora.base import Label

    roots = [Label(name, "root", "") for name in ("thing", "colour", "place")]
    realms = [Label(realm, "realm", "thing") for realm in dict.fromkeys(REALMS.values())]
    groups = [Label(group, "group", realm) for group, realm in REALMS.items()]
    objects = [Label(o.nouns[0], "object", o.group) for o in OBJECTS]
    colours = [Label(name, "colour", "colour") for name in COLOUR_NAMES]
    places = [Label(place.name, "place", "place") for place in PLACES]
    return (*roots, *realms, *groups, *objects, *colours, *places)
