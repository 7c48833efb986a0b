"""Looks are kept within a bound, those not used for longest go first, and whoever asks gets a batch in order."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from PIL import Image

from server.services.look_cache import LookCache, Subject
from sparc_core.attribution import Method
from sparc_core.backbones import Geometry
from tests.core.brightness_tower import BrightnessTower

ONE_LOOK = 2 * 65 * 2 * 4  # bytes: two looks of 65 tokens of two numbers


class Towers:
    """One stream, and a count of the pictures that were looked at."""

    def __init__(self) -> None:
        self.tower, self.n_looked = BrightnessTower(Geometry.squash(64, 64, 8)), 0

    def image(self, stream: str) -> BrightnessTower:
        return self.tower

    def batch(self, stream: str, pictures: Sequence[Image.Image]) -> torch.Tensor:
        self.n_looked += len(pictures)
        return self.tower.preprocess(pictures)


@pytest.fixture
def towers() -> Any:
    return Towers()


def subjects(*greys: int) -> list[Subject]:
    """Plain pictures of these greys."""
    return [Subject(f"grey {grey}", lambda g=grey: Image.new("RGB", (64, 64), (g, g, g))) for grey in greys]


def ask(cache: LookCache, *greys: int) -> list[int]:
    """The greys of the pictures that come back."""
    looks = cache.looks("eye", subjects(*greys), Method.glances, None)
    return [round(255 * float(value)) for value in looks.whole[:, 1, 0]]


def test_pictures_are_looked_at_once_and_come_in_the_order_asked(towers: Any) -> None:
    cache = LookCache(towers, 10 * ONE_LOOK)
    assert ask(cache, 10, 20, 30) == [10, 20, 30]
    assert ask(cache, 30, 40, 10) == [30, 40, 10]
    assert towers.n_looked == 4
    assert (cache.kept.hits, cache.kept.misses) == (2, 4)


def test_the_look_not_used_for_longest_goes_first(towers: Any) -> None:
    cache = LookCache(towers, 2 * ONE_LOOK)
    ask(cache, 10, 20)
    ask(cache, 10)
    ask(cache, 30)  # pushes 20 out
    towers.n_looked = 0
    assert ask(cache, 10, 30) == [10, 30]
    assert towers.n_looked == 0
    ask(cache, 20)
    assert towers.n_looked == 1


def test_looks_of_other_methods_are_kept_apart(towers: Any) -> None:
    cache = LookCache(towers, 10 * ONE_LOOK)
    ask(cache, 10)
    single = cache.looks("eye", subjects(10), Method.gradcam, None)
    assert single.shifted is None
    assert towers.n_looked == 2


@pytest.mark.parametrize("n_bytes", [0, ONE_LOOK - 1])
def test_a_cache_too_small_for_one_look_still_answers(towers: Any, n_bytes: int) -> None:
    cache = LookCache(towers, n_bytes)
    assert ask(cache, 10, 20) == [10, 20]
    assert ask(cache, 10, 20) == [10, 20]
    assert towers.n_looked == 4
