"""Attention relevance written plainly: all towers with autograd and attention written out, a pair at a time, float32.

What `benchmarks.heatmaps` compares with, from a description of what is published: three towers run whole for every
(caption, picture), and every block whose attention is read costs one backward pass of its own.
"""

from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sparc_core.model import Sparc

Layers = Literal["last", "all"]


class PlainHeatmaps:
    """An open_clip model, a DINOv2 of transformers and a SPARC, whose weights ask for gradients as fresh ones do."""

    def __init__(self, clip: Any, dino: Any, sparc: Sparc) -> None:
        """Args: the models. Streams are "clip_txt", "clip_img" and "dino"."""
        self._clip, self._dino, self._sparc = clip, dino, sparc
        for model in (clip, dino, sparc):
            model.requires_grad_(True)

    def __call__(
        self, ids: Tensor, clip_x: Tensor, dino_x: Tensor, layers: Layers
    ) -> dict[str, Float[Tensor, "patches"]]:
        """Relevance of each image stream's patches for one caption.

        Args:
            ids: The caption's tokens, [1 t].
            clip_x: The picture, preprocessed for CLIP, [1 c h w].
            dino_x: The same for DINO.
            layers: The last block, or all.
        """
        text = self._logits("clip_txt", self._text(ids))
        maps = {}
        for stream, tower, x, n_prefix in (
            ("clip_img", self._clip_image, clip_x, 1),
            ("dino", self._dino_image, dino_x, 1 + self._dino.config.num_register_tokens),
        ):
            features, attention = tower(x)
            target = self._dot(self._logits(stream, features), text)
            used = attention[-1:] if layers == "last" else attention
            maps[stream] = _relevance(target, used)[0, n_prefix:]
        return maps

    def _logits(self, stream: str, features: Tensor) -> Tensor:
        own = self._sparc.autoencoder(stream)
        return (F.normalize(features, dim=1) - own.pre_bias) @ own.encoder.T + own.latent_bias

    def _dot(self, image: Tensor, text: Tensor) -> Tensor:
        """The dot product of dense codes, selection shared."""
        chosen = (image + text).topk(self._sparc.config.k, dim=1).indices
        codes = [torch.zeros_like(x).scatter(1, chosen, F.relu(x.gather(1, chosen))) for x in (image, text)]
        return (codes[0] * codes[1]).sum()

    def _text(self, ids: Tensor) -> Tensor:
        clip = self._clip
        x, _ = _clip_blocks(
            clip.transformer.resblocks, clip.token_embedding(ids) + clip.positional_embedding, clip.attn_mask
        )
        return clip.ln_final(x)[torch.arange(len(ids)), ids.argmax(1)] @ clip.text_projection

    def _clip_image(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        visual = self._clip.visual
        patches = visual.conv1(x).flatten(2).transpose(1, 2)
        cls = visual.class_embedding.expand(len(x), 1, -1)
        tokens = visual.ln_pre(torch.cat([cls, patches], 1) + visual.positional_embedding)
        tokens, attention = _clip_blocks(visual.transformer.resblocks, tokens, None)
        return visual.ln_post(tokens[:, 0]) @ visual.proj, attention

    def _dino_image(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        dino = self._dino
        tokens, probabilities = dino.embeddings(x), []
        for block in dino.encoder.layer:
            own = block.attention
            normed = block.norm1(tokens)
            qkv = [project(normed) for project in (own.q_proj, own.k_proj, own.v_proj)]
            attended, attention = _attend(qkv, own.num_attention_heads, None)
            probabilities.append(attention)
            tokens = tokens + block.layer_scale1(own.o_proj(attended))
            tokens = tokens + block.layer_scale2(block.mlp(block.norm2(tokens)))
        return dino.layernorm(tokens)[:, 0], probabilities


def _clip_blocks(blocks: Sequence[Any], tokens: Tensor, mask: Tensor | None) -> tuple[Tensor, list[Tensor]]:
    probabilities = []
    for block in blocks:
        own = block.attn
        qkv = F.linear(block.ln_1(tokens), own.in_proj_weight, own.in_proj_bias).chunk(3, dim=-1)
        attended, attention = _attend(qkv, own.num_heads, mask)
        probabilities.append(attention)
        tokens = tokens + own.out_proj(attended)
        tokens = tokens + block.mlp(block.ln_2(tokens))
    return tokens, probabilities


def _attend(qkv: Sequence[Tensor], n_heads: int, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Attention's output [b t d] and its probabilities [b h t t]."""
    q, k, v = (x.view(*x.shape[:2], n_heads, -1).transpose(1, 2) for x in qkv)
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    probabilities = (scores if mask is None else scores + mask).softmax(-1)
    return (probabilities @ v).transpose(1, 2).flatten(2), probabilities


def _relevance(target: Tensor, attention: Sequence[Tensor]) -> Float[Tensor, "b t"]:
    """R <- R + mean over heads of max(gradient * attention, 0) @ R, a backward pass a block; row CLS."""
    n_tokens = attention[0].shape[-1]
    r = torch.eye(n_tokens, device=target.device)[None]
    for probabilities in attention:
        (gradient,) = torch.autograd.grad(target, probabilities, retain_graph=True)
        r = r + (gradient * probabilities.detach()).clamp(min=0).mean(1) @ r
    return r[:, 0]
