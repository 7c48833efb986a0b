"""Heatmaps: where in pictures a score comes from, by any of the methods, on a grid over what the tower saw."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
from jaxtyping import Float

from sparc_core.attribution.attention_relevance import relevance
from sparc_core.attribution.glances import weigh_places
from sparc_core.attribution.grad_cam import gradcam
from sparc_core.attribution.grids import blur, finer, moved
from sparc_core.attribution.looks import Looks, look, trunk_of
from sparc_core.attribution.propagation import Linearised, propagate
from sparc_core.attribution.targets import Score, Target
from sparc_core.backbones.base import ImageBackbone
from sparc_core.backbones.features import native_precision
from sparc_core.errors import InputError
from sparc_core.heatmap_method import Method
from sparc_core.model import Sparc, normalize


class Heatmaps(NamedTuple):
    """Values at least 0 on an even grid over the tower's window, and the scores that they explain.

    A picture's values add up to its score (to the score's size where it is negative), so pictures can be compared: one
    that does not fit stays dim, and so does one whose evidence is spread thin.
    """

    values: Float[torch.Tensor, "b rows columns"]
    score: Score
    features: Float[torch.Tensor, "b d"]  # of the pictures, at unit norm


def look_for(
    method: Method,
    backbone: ImageBackbone,
    x: Float[torch.Tensor, "b c h w"],
    n_head_blocks: int | None = None,
    embed: bool = False,
) -> Looks:
    """Make preprocessed pictures ready for `heatmaps` by this method; with `embed`, for `faithfulness` too.

    Raises:
        InputError: The tower has not so many blocks.
    """
    n = head_blocks(method, backbone, n_head_blocks)
    return look(backbone, x, n, method.blends, embed or method is Method.glances)


def head_blocks(method: Method, backbone: ImageBackbone, asked: int | None) -> int:
    """How many of a tower's last blocks a method reads: what was asked for; else all, and for Grad-CAM one.

    Raises:
        InputError: The tower has not so many blocks.
    """
    if asked is None:
        return 1 if method is Method.gradcam else backbone.n_blocks
    if not 1 <= asked <= backbone.n_blocks:
        raise InputError(f'"{backbone.name}" has {backbone.n_blocks} blocks, not {asked}: ask for 1 to all of them')
    return asked


def heatmaps(
    method: Method, sparc: Sparc, stream: str, backbone: ImageBackbone, looks: Looks, target: Target
) -> Heatmaps:
    """Where a target's scores come from.

    Args:
        method: How.
        sparc: The model.
        stream: The stream that looks.
        backbone: Its tower.
        looks: The pictures, made ready by `look_for` with the same method.
        target: The score; its rows are the pictures'.

    Returns:
        On a grid of patches, or of half patches where the method blends them; scores of the unmoved pictures.
    """
    n = len(looks.whole)
    views = looks.whole if looks.shifted is None else torch.cat([looks.whole, looks.shifted])
    patches, score, features = patch_values(method, sparc, stream, backbone, views, looks.n_head_blocks, target, n)
    if not method.blends:
        return _sharing_out(patches, score, features)
    whole, *shifted = blur(patches.clamp(min=0)).split(n)
    values = finer(whole)
    if shifted:
        values = values + moved(finer(shifted[0]), -1)
    if method is Method.glances and looks.embedded is not None and backbone.drops_patches:
        again = looks.shifted is not None and looks.n_head_blocks == backbone.n_blocks
        glanced = [looks.embedded, looks.shifted] if again else [looks.embedded]
        values = values * weigh_places(backbone, whole, glanced, Scorer(sparc, stream, target))
    return _sharing_out(values, score, features)


def patch_values(
    method: Method,
    sparc: Sparc,
    stream: str,
    backbone: ImageBackbone,
    views: Float[torch.Tensor, "vb t d"],
    n_head_blocks: int,
    target: Target,
    n_pictures: int,
) -> Heatmaps:
    """A method's own values before anything is blended, and the scores and features of the first `n_pictures` rows.

    `views` are one or several looks at the same pictures, all pictures of a look together.
    """
    linear: AbstractContextManager[Any] = Linearised() if method.blends else nullcontext()
    with native_precision(views.device), linear:
        out = backbone.head(trunk_of(backbone, views), n_head_blocks)
    with torch.enable_grad():
        features = normalize(out.features.float())
        scores = [target(part, sparc.logits(stream, part)) for part in features.split(n_pictures)]
        total = torch.cat([score.total for score in scores])
    if method.blends:
        tokens = propagate(total, out.tokens)[:, backbone.n_prefix :]
    elif method is Method.relevance:
        tokens = relevance(total, out.attention, out.readout)[:, backbone.n_prefix :]
    elif out.normed is not None:
        tokens = gradcam(total, out.normed, backbone.n_prefix)
    else:
        raise InputError(f'Grad-CAM looks at the last block\'s first norm, and "{backbone.name}" has none: use another')
    own = Score(*(part.detach() for part in scores[0]))
    values = tokens.view(len(views), backbone.rows, backbone.columns)
    return Heatmaps(values, own, features.detach()[:n_pictures])


class Scorer:
    """A target's scores from features as towers give them, for several rows a picture."""

    def __init__(self, sparc: Sparc, stream: str, target: Target) -> None:
        """Args: the target's model and stream."""
        self._sparc, self._stream, self._target = sparc, stream, target

    def __call__(self, features: Float[torch.Tensor, "bn d"], n: int) -> Float[torch.Tensor, " bn"]:
        """Scores of features, not normalised, n rows of each picture together."""
        rows = normalize(features.float())
        logits = self._sparc.logits(self._stream, rows)
        # One call a place: a target's rows are the pictures'.
        scores = [self._target(rows[i::n], logits[i::n]).total for i in range(n)]
        return torch.stack(scores, 1).flatten()


def _sharing_out(
    values: Float[torch.Tensor, "b rows columns"], score: Score, features: Float[torch.Tensor, "b d"]
) -> Heatmaps:
    scale = score.total.abs() / values.flatten(1).sum(1).clamp_min(1e-20)
    return Heatmaps(values * scale[:, None, None], score, features)
