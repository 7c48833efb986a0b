"""Deletion and insertion curves on a tower whose scores are known by hand."""

import pytest
import torch

from sparc_core.attribution import LatentSum
from sparc_core.attribution.faithfulness import SHARES, Curves, curves, ends
from sparc_core.attribution.methods import Scorer
from sparc_core.backbones import Geometry
from tests.core.brightness_tower import BrightnessTower, bright_square, brightness_sparc

GEOMETRY = Geometry.squash(80, 80, 8)


def measured(values: torch.Tensor, drops_patches: bool) -> Curves:
    """Curves of a map of ten patches of a hundred that are white."""
    tower = BrightnessTower(GEOMETRY, drops_patches)
    x = tower.preprocess([bright_square(80, 80, (0, 0, 80, 8))])
    score = Scorer(brightness_sparc(), "eye", LatentSum(torch.tensor([0]), torch.ones(1)))
    embedded = tower.trunk(x, 1).tokens
    return curves(tower, embedded, values, score, ends(tower, embedded, score))


def ratio(n_white: float, n_tokens: float) -> float:
    """The tower's score: brightness over the feature's length."""
    return n_white / (n_white**2 + n_tokens**2) ** 0.5


@pytest.mark.parametrize("drops_patches", [True, False])
def test_the_best_order_takes_all_away_first_and_the_worst_order_last(drops_patches: bool) -> None:
    best = torch.zeros(1, 10, 10)
    best[0, 0] = 1.0
    right, wrong = measured(best, drops_patches), measured(-best, drops_patches)
    n_tokens = [101.0, 91.0, 71.0, 41.0, 1.0] if drops_patches else [101.0] * 5
    whole = ratio(10, 101)
    expected = [1.0, 0.0, 0.0, 0.0, 0.0]
    torch.testing.assert_close(right.deletion[0], torch.tensor(expected), rtol=1e-2, atol=1e-3)
    shown = [0.0, *(ratio(10, 101 - 100 * (1 - s) if drops_patches else 101.0) / whole for s in SHARES[1:])]
    torch.testing.assert_close(right.insertion[0], torch.tensor(shown).clamp(max=3), rtol=1e-2, atol=1e-3)
    kept = [ratio(10, n) / whole for n in n_tokens[:-1]]
    torch.testing.assert_close(wrong.deletion[0], torch.tensor([*kept, 0.0]).clamp(max=3), rtol=1e-2, atol=1e-3)
    torch.testing.assert_close(wrong.insertion[0], torch.tensor([0.0, 0.0, 0.0, 0.0, 1.0]), rtol=1e-2, atol=1e-3)


def test_areas_are_under_the_curves() -> None:
    best = torch.zeros(1, 10, 10)
    best[0, 0] = 1.0
    deletion, insertion = measured(best, drops_patches=False).areas()
    torch.testing.assert_close(deletion, torch.tensor([0.05]), rtol=2e-2, atol=1e-3)
    torch.testing.assert_close(insertion, torch.tensor([0.95]), rtol=2e-2, atol=1e-3)


def test_a_finer_map_is_read_patch_by_patch() -> None:
    best = torch.zeros(1, 10, 10)
    best[0, 0] = 1.0
    fine = best.repeat_interleave(2, 1).repeat_interleave(2, 2)
    torch.testing.assert_close(measured(fine, True).deletion, measured(best, True).deletion)
