"""Where in a picture, or in which words, a score comes from: relevance through the attention of a tower's blocks.

Source: attention relevance after Chefer et al. 2021 (arXiv 2103.15679), as published SPARC uses it; the target of
a caption is ours: the cosine of the text's code and the picture's ReLU logits, see `caption_score`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float

from sparc_core.backbones import ImageBackbone
from sparc_core.backbones.features import native_precision
from sparc_core.model import Sparc, normalize
from sparc_core.sparse import SparseCode, to_dense


def relevance(
    target: Float[torch.Tensor, " b"],
    attention: Sequence[Float[torch.Tensor, "b h t t"]],
    readout: Float[torch.Tensor, "b h t"],
) -> Float[torch.Tensor, "b t"]:
    """How much each token mattered to `target`, seen from where the feature is read out.

    R starts as the identity and grows block by block, R <- R + mean over heads of max(gradient * attention, 0) @ R;
    the answer is its readout row. That row alone is carried along, from the last block to the first.

    Where the feature is one token's output (CLS, end-of-text), the row starts as 1 at that token. Where outputs are
    averaged, or pooled by an attention, there is no such token: pooling is one more attention, of a query that is not
    among the tokens, and the row starts as what that attention adds to R, the mean over heads of
    max(gradient * readout, 0). A constant start would lie over the whole map like fog.

    Args:
        target: One score per row, computed from the blocks' output; each depends on its own row only.
        attention: The blocks' attention probabilities, first block first, with gradients.
        readout: How much each token's output counts in the feature (`HeadOutput.readout`).

    Returns:
        Relevance per token, at least 0; a readout token itself starts at 1.
    """
    pooled = readout.requires_grad
    gradients = torch.autograd.grad(target.sum(), [*attention, *([readout] if pooled else [])])
    flow = gradients[-1] * readout.detach() if pooled else readout
    row = flow.to(target.dtype).clamp(min=0).mean(1)
    for gradient, probabilities in zip(reversed(gradients[: len(attention)]), reversed(attention), strict=True):
        flow = (gradient * probabilities.detach()).to(row).clamp(min=0).mean(1)
        row = row + torch.bmm(row[:, None], flow)[:, 0]
    return row


class CaptionScore(NamedTuple):
    """How well a caption fits each picture: a cosine between 0 and 1, and what makes it up.

    Attributes:
        total: The cosine.
        parts: The part of each of the caption's latents in it; parts add up to the total.
        activations: The picture's ReLU logits at the caption's latents.
    """

    total: Float[torch.Tensor, " b"]
    parts: Float[torch.Tensor, "b k"]
    activations: Float[torch.Tensor, "b k"]


def caption_score(text_code: SparseCode, logits: Float[torch.Tensor, "b l"]) -> CaptionScore:
    """Cosine between texts' codes and pictures' ReLU logits.

    The logits are not gated by the picture's own top k: the caption asks whether a latent's concept is there at
    all, and in a crowded picture the asked-for latent often ranks just below the k-th (gated, 15 % of DINO's maps
    came out empty in our trials; ungated, 1 %). A cosine, not a dot product: what a picture shows besides counts
    against it, which points the heatmap at the named object.

    Args:
        text_code: One text's code for all pictures, or one row per picture.
        logits: Logits of pictures in one stream.
    """
    active = torch.relu(logits)
    chosen = active.gather(1, text_code.latents.expand(len(logits), -1))
    scale = active.norm(dim=1, keepdim=True) * text_code.activations.norm(dim=1, keepdim=True)
    parts = chosen * text_code.activations / scale.clamp_min(1e-12)
    return CaptionScore(parts.sum(1), parts, chosen)


class CaptionHeatmaps(NamedTuple):
    """Relevance for a caption on a grid twice as fine as the patches, and the score that it explains.

    A picture's values add up to its score, so pictures can be compared: one that does not fit stays dim, and so does
    one whose evidence is spread thin.
    """

    values: Float[torch.Tensor, "b rows columns"]
    score: CaptionScore


def caption_heatmaps(
    sparc: Sparc, stream: str, backbone: ImageBackbone, text_code: SparseCode, x: Float[torch.Tensor, "b c h w"]
) -> CaptionHeatmaps:
    """Where one image stream finds what texts say: relevance over all of the tower's blocks.

    The tower looks twice, the second time at the picture moved by half a patch; both maps are blurred by half a patch
    and averaged on a grid of half patches (`docs/decisions/0001-heatmap-target.md` has the numbers).

    Args:
        sparc: The model that the code comes from.
        stream: The stream that looks.
        backbone: Its tower.
        text_code: One text's code for all pictures, or one row per picture (per-stream selection).
        x: Preprocessed pictures.

    Returns:
        Values on a grid of 2 x rows by 2 x columns; the scores are those of the unmoved pictures.
    """
    half = x.shape[-1] // backbone.columns // 2
    views = torch.cat([x, _moved(x, half)])
    code = text_code
    if len(code.latents) > 1:
        code = SparseCode(code.latents.repeat(2, 1), code.activations.repeat(2, 1))
    with native_precision(x.device):
        trunk = backbone.trunk(views, backbone.n_blocks)
        out = backbone.head(trunk, backbone.n_blocks)
    score = caption_score(code, sparc.logits(stream, normalize(out.features.float())))
    patches = relevance(score.total, out.attention, out.readout)[:, backbone.n_prefix :]
    unmoved, moved = blur(patches.view(len(views), backbone.rows, backbone.columns)).split(len(x))
    values = _finer(unmoved) + _moved(_finer(moved), -1)
    own = CaptionScore(*(part.detach()[: len(x)] for part in score))
    scale = own.total / values.flatten(1).sum(1).clamp_min(1e-20)
    return CaptionHeatmaps(values * scale[:, None, None], own)


def word_relevance(whole: SparseCode, without: SparseCode, n_latents: int) -> Float[torch.Tensor, " words"]:
    """How much a text's code turns when a word is left out: 1 - cosine, between 0 and 1.

    Leaving a word out says directly what it does for the code. Attention relevance of the small text towers gave one
    word nearly everything (of "a red car in the snow", `red` 1.0, `car` 0.2, `snow` 0.0).

    Args:
        whole: The code of the whole text (one row).
        without: The codes of the text without each of its words.
        n_latents: Latents of the model.
    """
    rows = to_dense(without, n_latents)
    return (1 - F.cosine_similarity(rows, to_dense(whole, n_latents), dim=1)).clamp(0, 1)


def blur(values: Float[torch.Tensor, "b rows columns"]) -> Float[torch.Tensor, "b rows columns"]:
    """Blend each patch with its neighbours (binomial 1-2-1 both ways, edges repeated).

    Relevance is spiky: single patches beside an object collect what the tower wants to remember.
    """
    kernel = torch.tensor([1.0, 2.0, 1.0], device=values.device, dtype=values.dtype) / 4
    padded = F.pad(values[:, None], (1, 1, 1, 1), mode="replicate")
    across = F.conv2d(padded, kernel.view(1, 1, 1, 3))
    return F.conv2d(across, kernel.view(1, 1, 3, 1))[:, 0]


def _finer(values: Float[torch.Tensor, "b rows columns"]) -> Float[torch.Tensor, "b rows2 columns2"]:
    return F.interpolate(values[:, None], scale_factor=2, mode="bilinear", align_corners=False)[:, 0]


def _moved(pictures: Float[torch.Tensor, "b *c h w"], by: int) -> Float[torch.Tensor, "b *c h w"]:
    """Pictures or maps moved right and down by so many cells (left and up where negative), edges repeated."""
    for side in (-2, -1):
        n = pictures.shape[side]
        from_where = (torch.arange(n, device=pictures.device) - by).clamp(0, n - 1)
        pictures = pictures.index_select(side, from_where)
    return pictures
