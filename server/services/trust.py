"""How far a heatmap can be believed: its deletion and insertion curves against those of random latents."""

import torch

from server.schemas import Faithfulness, Verdict
from server.services.heatmap_targets import Targets, Wanted
from server.services.towers import Towers
from sparc_core.attribution import Looks, Method, heatmaps
from sparc_core.attribution.faithfulness import SHARES, Curves, curves, ends
from sparc_core.attribution.methods import Scorer

# Areas between deletion and insertion curves, 0 to about 1. Where maps of things that are there, and of things that are
# not, lie is in docs/benchmarks.md.
_FAITHFUL, _CHANCE, _SPECIFIC = 0.3, 0.15, 0.1


class Trust:
    """Measures heatmaps. Runs models: call on the device worker."""

    def __init__(self, towers: Towers, targets: Targets) -> None:
        """Args: the models, and what heatmaps explain."""
        self._towers, self._targets = towers, targets

    def measure(self, wanted: Wanted, stream: str, looks: Looks, values: torch.Tensor) -> list[Faithfulness]:
        """One answer per picture.

        Args:
            wanted: What is looked for.
            stream: The image stream.
            looks: The pictures; with the first block's tokens.
            values: Their heatmaps.
        """
        backbone, sparc = self._towers.image(stream), self._towers.sparc
        assert looks.embedded is not None, "looks are kept with the tokens that faithfulness needs"
        target = self._targets.target(wanted, stream)
        score = Scorer(sparc, stream, target)
        both_ends = ends(backbone, looks.embedded, score)
        random = self._targets.random(wanted)
        plain = Looks(backbone.n_blocks, looks.embedded, None, None)
        chance = heatmaps(Method.propagation, sparc, stream, backbone, plain, random).values
        own, other = (curves(backbone, looks.embedded, maps, score, both_ends) for maps in (values, chance))
        return [_answer(stream, own, other, i) for i in range(len(values))]


def _answer(stream: str, own: Curves, other: Curves, i: int) -> Faithfulness:
    (deletion, insertion), (chance_deletion, chance_insertion) = (
        [float(area[i]) for area in curve.areas()] for curve in (own, other)
    )
    return Faithfulness(
        stream=stream,
        shares=list(SHARES),
        deletion=_rounded(own.deletion[i]),
        insertion=_rounded(own.insertion[i]),
        deletion_area=deletion,
        insertion_area=insertion,
        chance_deletion_area=chance_deletion,
        chance_insertion_area=chance_insertion,
        verdict=verdict(insertion - deletion, chance_insertion - chance_deletion),
    )


def verdict(between: float, chance: float) -> Verdict:
    """A heatmap's verdict by the area between its curves, and that of as many random latents' map.

    A random order of patches has nothing between its curves, on average.
    """
    if between < _CHANCE:
        return Verdict.chance
    if between < _FAITHFUL:
        return Verdict.weak
    return Verdict.clear if between - chance >= _SPECIFIC else Verdict.unspecific


def _rounded(values: torch.Tensor) -> list[float]:
    return [round(value, 4) for value in values.tolist()]
