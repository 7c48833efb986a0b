"""Where in a picture, or in which words, a score comes from: relevance through the attention of a tower's blocks.

Source: attention relevance after Chefer et al. 2021 (arXiv 2103.15679), as published SPARC uses it; the target of
a caption is ours: the text's code dotted with the picture's ReLU logits, see `caption_score`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64

from sparc_core.backbones import ImageBackbone
from sparc_core.model import Sparc, normalize
from sparc_core.sparse import SparseCode


def relevance(
    target: Float[torch.Tensor, " b"],
    attention: Sequence[Float[torch.Tensor, "b h t t"]],
    readout: Int64[torch.Tensor, " b"],
) -> Float[torch.Tensor, "b t"]:
    """How much each token mattered to `target`, seen from the readout token.

    R starts as the identity and grows block by block, R <- R + mean over heads of max(gradient * attention, 0) @ R;
    the answer is its readout row. That row alone is carried along, from the last block to the first.

    Args:
        target: One score per row, computed from the blocks' output; each depends on its own row only.
        attention: The blocks' attention probabilities, first block first, with gradients.
        readout: The token whose output makes the feature (CLS or end-of-text).

    Returns:
        Relevance per token, at least 0; the readout token itself starts at 1.
    """
    gradients = torch.autograd.grad(target.sum(), list(attention))
    row = torch.zeros(attention[0].shape[0], attention[0].shape[-1], device=target.device, dtype=target.dtype)
    row[torch.arange(len(row), device=row.device), readout] = 1.0
    for gradient, probabilities in zip(reversed(gradients), reversed(attention), strict=True):
        flow = (gradient * probabilities.detach()).clamp(min=0).mean(1)
        row = row + torch.bmm(row[:, None], flow)[:, 0]
    return row


class CaptionScore(NamedTuple):
    """A caption's score for each picture and the part of each of the caption's latents in it (parts add up)."""

    total: Float[torch.Tensor, " b"]
    parts: Float[torch.Tensor, "b k"]


def caption_score(text_code: SparseCode, logits: Float[torch.Tensor, "b l"]) -> CaptionScore:
    """Dot product of texts' codes with pictures' ReLU logits.

    The logits are not gated by the picture's own top k: the caption asks whether a latent's concept is there at
    all, and in a crowded picture the asked-for latent often ranks just below the k-th (gated, 15 % of DINO's maps
    came out empty in our trials; ungated, 1 %).

    Args:
        text_code: One text's code for all pictures, or one row per picture.
        logits: Logits of pictures in one stream.
    """
    latents = text_code.latents.expand(len(logits), -1)
    parts = torch.relu(logits.gather(1, latents)) * text_code.activations.to(logits)
    return CaptionScore(parts.sum(1), parts)


class CaptionHeatmaps(NamedTuple):
    """Relevance of each patch for a caption, not scaled per picture, and the scores that it explains."""

    values: Float[torch.Tensor, "b rows columns"]
    score: CaptionScore


def caption_heatmaps(
    sparc: Sparc, stream: str, backbone: ImageBackbone, text_code: SparseCode, x: Float[torch.Tensor, "b c h w"]
) -> CaptionHeatmaps:
    """Where one image stream finds what texts say: relevance over all of the tower's blocks, smoothed by a patch.

    Args:
        sparc: The model that the code comes from.
        stream: The stream that looks.
        backbone: Its tower.
        text_code: One text's code for all pictures, or one row per picture (per-stream selection).
        x: Preprocessed pictures.
    """
    trunk = backbone.trunk(x, backbone.n_blocks)
    out = backbone.head(trunk, backbone.n_blocks)
    score = caption_score(text_code, sparc.logits(stream, normalize(out.features)))
    patches = relevance(score.total, out.attention, trunk.readout)[:, backbone.n_prefix :]
    values = smooth(patches.view(len(x), backbone.rows, backbone.columns))
    return CaptionHeatmaps(values, CaptionScore(score.total.detach(), score.parts.detach()))


def smooth(values: Float[torch.Tensor, "b rows columns"]) -> Float[torch.Tensor, "b rows columns"]:
    """Blend each patch with its neighbours (binomial 1-2-1 both ways, edges repeated).

    Relevance is spiky: single patches beside an object collect what the tower wants to remember. Half a patch of
    blur moves the strongest point onto the object (`docs/decisions/0001-heatmap-target.md` has the numbers).
    """
    kernel = torch.tensor([1.0, 2.0, 1.0], device=values.device, dtype=values.dtype) / 4
    padded = F.pad(values[:, None], (1, 1, 1, 1), mode="replicate")
    across = F.conv2d(padded, kernel.view(1, 1, 1, 3))
    return F.conv2d(across, kernel.view(1, 1, 3, 1))[:, 0]
