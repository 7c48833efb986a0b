"""Pixels and masks of a scene, at any size, and the camera that towers see it through.

A sprite's pixels are affine in its paint colour, so it is rasterised once in black and once in white and then
painted in any colour for the price of a multiplication; rasters are kept, and at 112 px a scene then costs about a
quarter of a millisecond. Shapes, tints and backgrounds follow from the scene alone, so a page drawn large shows
exactly what a tower saw small.
"""

import io
import math
import random
import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
import resvg_py
from jaxtyping import Bool, UInt8
from PIL import Image

from index_build.storybook.scene import ANGLES, PAGE, Scene, SceneObject
from index_build.storybook.world import COLOUR_NAMES, COLOURS, OBJECTS, PLACES, SPRITES_PATH

_N_BACKGROUNDS = 40  # variants of each place
_N_TINTS = 64
_N_KEPT_RASTERS = 4096  # all poses of all objects at one page size: 30 MB at 112 px, 150 MB at 224 px
_COLOURS = np.array([COLOURS[name] for name in COLOUR_NAMES], np.float32)
_STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)
_ROOT = re.compile(r"^.*?<svg[^>]*>(.*)</svg>\s*$", re.DOTALL)
# .paint is the colour c, .paint-dark 0.62 c, .paint-light 0.55 c + 0.45: all affine in c
_BLACK = "<style>.paint{fill:#000}.paint-dark{fill:#000}.paint-light{fill:#737373}</style>"
_WHITE = "<style>.paint{fill:#fff}.paint-dark{fill:#9e9e9e}.paint-light{fill:#fff}</style>"


Painter = Callable[[np.random.RandomState, int], np.ndarray]


class Sprite(NamedTuple):
    """A rasterised sprite in bytes: premultiplied colours when painted black, what paint adds, and alpha."""

    black: UInt8[np.ndarray, "side side 3"]
    paint: UInt8[np.ndarray, "side side 1"] | None  # None where the object is not paintable
    alpha: UInt8[np.ndarray, "side side 1"]


def draw(scene: Scene, size: int = PAGE) -> UInt8[np.ndarray, "size size 3"]:
    """Draw a scene as an RGB picture of `size` x `size` pixels."""
    chance = random.Random(scene.seed)
    page = _background(scene.place_id, chance.randrange(_N_BACKGROUNDS), size).astype(np.float32)
    if chance.random() < 0.5:
        page = page[:, ::-1].copy()
    page *= chance.uniform(0.93, 1.04)
    for item in scene.objects:
        sprite, (x, y, side) = _sprite_at(item, size)
        spot = page[y : y + side, x : x + side]
        spot *= 1 - sprite.alpha / np.float32(255)
        spot += sprite.black @ _tints()[chance.randrange(_N_TINTS)]
        if sprite.paint is not None:
            wobble = np.array([chance.uniform(-0.04, 0.04) for _ in range(3)], np.float32)
            spot += sprite.paint * (_COLOURS[item.colour_id] * chance.uniform(0.85, 1.05) + wobble)
    np.clip(page, 0, 255, out=page)
    return page.astype(np.uint8)


def draw_masks(scene: Scene, size: int = PAGE) -> Bool[np.ndarray, "objects size size"]:
    """Which pixels each object covers, in the order of `scene.objects`; a covered pixel belongs to the top one."""
    masks = np.zeros((len(scene.objects), size, size), bool)
    for index, item in enumerate(scene.objects):
        sprite, (x, y, side) = _sprite_at(item, size)
        box = (slice(y, y + side), slice(x, x + side))
        opaque = sprite.alpha[..., 0] > 127
        masks[(slice(0, index), *box)] &= ~opaque
        masks[(index, *box)] = opaque
    return masks


def camera(picture: UInt8[np.ndarray, "h w 3"], rng: random.Random) -> UInt8[np.ndarray, "h w 3"]:
    """The picture as a cheap camera takes it: sometimes soft, always a little noisy. For training towers only."""
    page = picture.astype(np.float32)
    if rng.random() < 0.35:
        page[1:-1] = 0.25 * page[:-2] + 0.5 * page[1:-1] + 0.25 * page[2:]
        page[:, 1:-1] = 0.25 * page[:, :-2] + 0.5 * page[:, 1:-1] + 0.25 * page[:, 2:]
    noise = _noise(page.shape[0])
    page += noise[rng.randrange(len(noise))] * rng.uniform(0, 5)
    np.clip(page, 0, 255, out=page)
    return page.astype(np.uint8)


def _sprite_at(item: SceneObject, size: int) -> tuple[Sprite, tuple[int, int, int]]:
    """The raster of an object on a page of `size` pixels, with its corner and side in pixels."""
    x, y = round(item.x * size / PAGE), round(item.y * size / PAGE)
    side = min(round(item.size * size / PAGE), size - x, size - y)
    return _raster(item.object_id, side, ANGLES[item.angle_id], item.flipped), (x, y, side)


@lru_cache(maxsize=_N_KEPT_RASTERS)
def _raster(object_id: int, side: int, angle: int, flipped: bool) -> Sprite:
    story_object = OBJECTS[object_id]
    black, alpha = _render(_svg(story_object.name, angle, flipped, _BLACK), side)
    paint = None
    if story_object.paintable:
        white, _ = _render(_svg(story_object.name, angle, flipped, _WHITE), side)
        paint = _bytes(white - black)[..., :1].copy()
    return Sprite(_bytes(black), paint, _bytes(255 * alpha))


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


@cache
def _sprite_source(name: str) -> str:
    return (SPRITES_PATH / f"{name}.svg").read_text(encoding="utf-8")


def _svg(name: str, angle: int, flipped: bool, style: str) -> str:
    """The sprite turned and flipped about its middle, with a margin so that a turned corner is not cut off."""
    match = _ROOT.match(_sprite_source(name))
    assert match, f"sprite {name}.svg is not one svg element"
    body = _STYLE.sub("", match[1])
    flip = " translate(64 0) scale(-1 1)" if flipped else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-8 -8 80 80">{style}'
        f'<g transform="rotate({angle} 32 32){flip}">{body}</g></svg>'
    )


def _render(svg: str, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Premultiplied colours (0 to 255) and alpha (0 to 1) of an SVG."""
    png = resvg_py.svg_to_bytes(svg_string=svg, width=side, height=side)
    pixels = np.asarray(Image.open(io.BytesIO(bytes(png))).convert("RGBA"), np.float32)
    alpha = pixels[..., 3:] / 255
    return pixels[..., :3] * alpha, alpha


@cache
def _tints() -> list[np.ndarray]:
    """Small hue rotations with a brightness each, as matrices that multiply RGB rows."""
    rng = np.random.RandomState(7)
    axis = 3**-0.5 * np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])
    tints = []
    for turn, gain in zip(rng.uniform(-0.2, 0.2, _N_TINTS), rng.uniform(0.85, 1.06, _N_TINTS), strict=True):
        matrix = math.cos(turn) * np.eye(3) + math.sin(turn) * axis + (1 - math.cos(turn)) / 3
        tints.append((gain * matrix).T.astype(np.float32).copy())
    return tints


@lru_cache(maxsize=2)
def _noise(size: int) -> np.ndarray:
    return np.random.RandomState(11).standard_normal((48, size, size, 3)).astype(np.float32)


@lru_cache(maxsize=3 * _N_BACKGROUNDS * len(PLACES))
def _background(place_id: int, variant: int, size: int) -> UInt8[np.ndarray, "size size 3"]:
    """One background; the random fields have a fixed coarse resolution, so its shapes do not depend on `size`."""
    rng = np.random.RandomState(1000 * place_id + variant)
    page = _PAINTERS[PLACES[place_id].name](rng, size)
    return np.clip(page, 0, 255).astype(np.uint8)


def _field(rng: np.random.RandomState, cells: int, size: int, rows: int | None = None) -> np.ndarray:
    """A smooth random field, [rows or size, size, 1]: normal values on a coarse grid, interpolated."""
    coarse = Image.fromarray(rng.standard_normal((cells, cells)).astype(np.float32))
    return np.asarray(coarse.resize((size, rows or size), Image.Resampling.BICUBIC))[..., None]


def _fade(top: tuple[int, int, int], bottom: tuple[int, int, int], size: int) -> np.ndarray:
    """A vertical blend of two colours, [size, size, 3]."""
    down = np.linspace(0, 1, size, dtype=np.float32)[:, None, None]
    column = np.array(top, np.float32) * (1 - down) + np.array(bottom, np.float32) * down
    return np.repeat(column, size, axis=1)


def _clouds(page: np.ndarray, field: np.ndarray, colour: tuple[int, int, int], strength: float) -> np.ndarray:
    cover = strength * np.clip(field - 0.6, 0, 1)
    return page * (1 - cover) + np.array(colour, np.float32) * cover


def _sky(rng: np.random.RandomState, size: int) -> np.ndarray:
    return _clouds(_fade((168, 206, 244), (210, 230, 250), size), _field(rng, 5, size), (248, 248, 248), 0.6)


def _sunset(rng: np.random.RandomState, size: int) -> np.ndarray:
    page = _fade((205, 190, 226), (252, 208, 180), size) + 4 * _field(rng, 4, size)
    return _clouds(page, _field(rng, 4, size), (250, 190, 195), 0.4)


def _night(rng: np.random.RandomState, size: int) -> np.ndarray:
    page = _fade((104, 112, 158), (150, 148, 190), size) + 3 * _field(rng, 5, size)
    for y, x, radius in zip(rng.rand(18), rng.rand(18), rng.uniform(0.006, 0.014, 18), strict=True):
        top, left = (max(int((place - 2 * radius) * size), 0) for place in (y, x))
        sky = page[top : int((y + 2 * radius) * size) + 2, left : int((x + 2 * radius) * size) + 2]
        down, across = np.mgrid[0 : sky.shape[0], 0 : sky.shape[1]].astype(np.float32)
        distance = np.hypot((down + top) / size - y, (across + left) / size - x)
        glow = np.clip(1.5 - distance / radius, 0, 1)[..., None]
        sky += (np.array((250, 246, 214), np.float32) - sky) * glow
    return page


def _ground(sky: tuple[int, int, int], ground: tuple[int, int, int], texture: tuple[tuple[int, float], ...]) -> Painter:
    """A painter of ground under a sky: the horizon wanders, the ground has `texture` (cells, strength) fields."""

    def paint(rng: np.random.RandomState, size: int) -> np.ndarray:
        horizon = rng.uniform(0.15, 0.45) * size + 5 / PAGE * size * _field(rng, 4, size, rows=1)[..., 0]
        # A soft edge one page unit wide keeps the horizon the same at every size.
        below = np.clip((np.arange(size)[:, None] - horizon) * PAGE / size + 0.5, 0, 1)[..., None]
        rough = sum(strength * _field(rng, cells, size) for cells, strength in texture)
        return np.array(sky, np.float32) * (1 - below) + (np.array(ground, np.float32) + rough) * below

    return paint


_PAINTERS: dict[str, Painter] = {
    "sky": _sky,
    "meadow": _ground((206, 228, 246), (172, 212, 148), ((26, 5), (5, 5))),
    "beach": _ground((208, 228, 244), (238, 222, 182), ((26, 5), (5, 5))),
    "snow": _ground((214, 222, 232), (243, 246, 251), ((6, 3),)),
    "sunset": _sunset,
    "night": _night,
}
