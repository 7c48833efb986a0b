"""How far a heatmap can be believed: its deletion and insertion curves against those of random latents."""

import torch

from server.schemas import Faithfulness, Verdict
from server.services.heatmap_targets import Targets, Wanted
from server.services.towers import Towers
from sparc_core.attribution import CaptionMatch, Looks, Method, heatmaps
from sparc_core.attribution.faithfulness import SHARES, Curves, curves, ends
from sparc_core.attribution.methods import Scorer

# Areas between deletion and insertion curves. Of things that are there, 95 in 100 heatmaps have more than the first; of
# pictures of one object under a random order of patches, 95 in 100 have less than the second.
_FAITHFUL, _CHANCE = 0.5, 0.35
_SPECIFIC = 0.1
# A match of a caption (a cosine) below this is next to nothing: of things named with their colour, 95 in 100 have more.
_FAINT = 0.1


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
        faint = isinstance(target, CaptionMatch) and target.only is None
        found = both_ends.whole.tolist()
        return [_answer(stream, own, other, i, faint and found[i] < _FAINT) for i in range(len(values))]


def _answer(stream: str, own: Curves, other: Curves, i: int, faint: bool) -> Faithfulness:
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
        verdict=Verdict.chance if faint else verdict(insertion - deletion, chance_insertion - chance_deletion),
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
