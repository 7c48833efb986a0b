"""Scenes: which objects stand where, in which colour and place. Pure descriptions; `drawing` makes the pixels.

Coordinates are units of a 112 x 112 page, so a scene can be drawn at any size. All choices come from
`random.Random`, whose stream is the same on every machine and Python version.
"""

import random
from dataclasses import dataclass, replace

from index_build.storybook.world import COLOUR_NAMES, N_COLOURS, N_OBJECTS, N_PLACES, OBJECTS, PLACES

PAGE = 112
SIZES = (40, 46, 52, 60, 66, 72, 80, 88)
ANGLES = (-16, -8, 0, 8, 16)
# Which of SIZES fit, by the number of objects: a lone object may be large, three must share the page.
_SIZE_RANGE = {1: (1, 8), 2: (1, 5), 3: (0, 4)}
_N_OBJECTS_WEIGHTS = (0.35, 0.35, 0.3)
# Sprites leave a margin in their box, so boxes may overlap by this much before the drawings touch.
_SLACK = 11
_PLACEMENT_TRIES = 30


@dataclass(frozen=True, slots=True)
class SceneObject:
    """One object on the page: indices into the world's tuples, the box's upper left corner, and its pose."""

    object_id: int
    colour_id: int  # -1 where the object is not paintable
    size_id: int
    x: int
    y: int
    angle_id: int
    flipped: bool

    @property
    def size(self) -> int:
        """Side of the object's square box in page units."""
        return SIZES[self.size_id]


@dataclass(frozen=True, slots=True)
class Scene:
    """A page: its place, its objects (painted in this order), and the seed of its small variations."""

    place_id: int
    objects: tuple[SceneObject, ...]
    seed: int

    @property
    def labels(self) -> tuple[str, ...]:
        """Leaf labels of the scene: objects, then paint colours, then the place; no repeats."""
        objects = [OBJECTS[o.object_id].nouns[0] for o in self.objects]
        colours = [COLOUR_NAMES[o.colour_id] for o in self.objects if o.colour_id >= 0]
        return tuple(dict.fromkeys([*objects, *colours, PLACES[self.place_id].name]))


def random_scene(
    rng: random.Random,
    n_objects: int | None = None,
    object_ids: tuple[int, ...] | None = None,
    place_id: int | None = None,
    like: Scene | None = None,
    weights: tuple[float, float, float] = _N_OBJECTS_WEIGHTS,
) -> Scene:
    """Draw one scene of 1 to 3 different objects.

    Args:
        rng: The only source of chance.
        n_objects: 1 to 3; by default chosen with `weights`.
        object_ids: Exactly these objects, in this order; overrides `n_objects`.
        place_id: This place; by default any.
        like: Stay close to this scene's sizes and positions (object by object), as hard negatives do.
        weights: Probabilities of one, two and three objects.

    Returns:
        A scene whose objects do not cover each other.
    """
    # Chosen once: a crowded scene that finds no room is drawn again as crowded, or such scenes would grow rare.
    n = n_objects or rng.choices((1, 2, 3), weights)[0]
    while True:
        ids = object_ids or tuple(rng.sample(range(N_OBJECTS), n))
        placed = _place(rng, ids, like)
        if placed is not None:
            place = rng.randrange(N_PLACES) if place_id is None else place_id
            return Scene(place, placed, rng.getrandbits(31))


def repaint(rng: random.Random, scene: Scene, colours_of: Scene) -> Scene:
    """The same scene with the paint colours of another scene of the same objects."""
    objects = (replace(o, colour_id=c.colour_id) for o, c in zip(scene.objects, colours_of.objects, strict=True))
    return Scene(scene.place_id, tuple(objects), rng.getrandbits(31))


def _place(rng: random.Random, ids: tuple[int, ...], like: Scene | None) -> tuple[SceneObject, ...] | None:
    """Place the objects one by one; None when one found no free spot (the caller starts over)."""
    low, high = _SIZE_RANGE[len(ids)]
    placed: list[SceneObject] = []
    for position, object_id in enumerate(ids):
        model = like.objects[position] if like is not None else None
        size_id = rng.randrange(low, high)
        if model is not None:
            size_id = min(max(model.size_id + rng.randint(-1, 1), low), high - 1)
        spot = _free_spot(rng, SIZES[size_id], placed, model)
        if spot is None:
            return None
        colour_id = rng.randrange(N_COLOURS) if OBJECTS[object_id].paintable else -1
        angle_id, flipped = rng.randrange(len(ANGLES)), rng.random() < 0.5
        placed.append(SceneObject(object_id, colour_id, size_id, *spot, angle_id, flipped))
    return tuple(placed)


def _free_spot(
    rng: random.Random, size: int, placed: list[SceneObject], model: SceneObject | None
) -> tuple[int, int] | None:
    room = PAGE - size
    for attempt in range(_PLACEMENT_TRIES):
        if model is not None and attempt < 5:
            x = min(max(model.x + rng.randint(-8, 8), 0), room)
            y = min(max(model.y + rng.randint(-8, 8), 0), room)
        else:
            x, y = rng.randint(0, room), rng.randint(0, room)
        if all(_apart(x, y, size, other) for other in placed):
            return x, y
    return None


def _apart(x: int, y: int, size: int, other: SceneObject) -> bool:
    return (
        x + size - _SLACK <= other.x
        or other.x + other.size - _SLACK <= x
        or y + size - _SLACK <= other.y
        or other.y + other.size - _SLACK <= y
    )
