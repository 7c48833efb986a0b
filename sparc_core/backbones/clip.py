"""OpenCLIP's two towers as backbones, with their attention in reach.

The blocks are run from open_clip's own modules; only the attention product is written out, because
`nn.MultiheadAttention` does not hand out probabilities that gradients flow through.
"""

from collections.abc import Sequence
from typing import Any, Literal, Protocol, Self

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from PIL import Image
from torch import nn

from sparc_core.backbones.base import HeadOutput, TextWord, Trunk
from sparc_core.backbones.pictures import PictureInput


class Tokenizer(Protocol):
    """What the text tower needs of a tokenizer."""

    context_length: int

    def __call__(self, texts: Sequence[str]) -> Int64[torch.Tensor, "b t"]:
        """Token ids, zero after end-of-text."""
        ...

    def pieces(self, text: str) -> list[tuple[str, list[int], bool]]:
        """Words with their token ids and whether each is known."""
        ...


def attend(
    attention: nn.MultiheadAttention, x: Float[torch.Tensor, "b t d"], mask: Float[torch.Tensor, "t t"] | None
) -> tuple[Float[torch.Tensor, "b t d"], Float[torch.Tensor, "b h t t"]]:
    """Self-attention with its probabilities; equal to calling the module."""
    b, t, d = x.shape
    heads = attention.num_heads
    qkv = F.linear(x, attention.in_proj_weight, attention.in_proj_bias)
    q, k, v = qkv.view(b, t, 3, heads, d // heads).permute(2, 0, 3, 1, 4)
    scores = q @ k.transpose(-1, -2) * (d // heads) ** -0.5
    probabilities = (scores if mask is None else scores + mask).softmax(-1)
    return attention.out_proj((probabilities @ v).transpose(1, 2).reshape(b, t, d)), probabilities


def _run_block(
    block: Any, x: Float[torch.Tensor, "b t d"], mask: Float[torch.Tensor, "t t"] | None
) -> tuple[Float[torch.Tensor, "b t d"], Float[torch.Tensor, "b h t t"]]:
    attended, probabilities = attend(block.attn, block.ln_1(x), mask)
    x = x + block.ls_1(attended)
    return x + block.ls_2(block.mlp(block.ln_2(x))), probabilities


class ClipImage:
    """An OpenCLIP ViT image tower."""

    modality: Literal["image"] = "image"
    n_prefix = 1

    def __init__(self, name: str, clip: Any, picture_input: PictureInput) -> None:
        """Args: `clip` is an open_clip CLIP whose `visual` is a VisionTransformer with a CLS token."""
        self.name, self._visual, self._picture_input = name, clip.visual, picture_input
        self._blocks = self._visual.transformer.resblocks
        self.n_blocks = len(self._blocks)
        self.d = int(self._visual.output_dim)
        self.rows, self.columns = self._visual.grid_size

    def preprocess(self, inputs: Sequence[Image.Image]) -> Float[torch.Tensor, "b c h w"]:
        """Pictures of any size and mode as one input batch."""
        return self._picture_input(inputs)

    @torch.no_grad()
    def features(self, x: Float[torch.Tensor, "b c h w"]) -> Float[torch.Tensor, "b d"]:
        """Features of preprocessed pictures, not normalised."""
        tokens = self._visual._embeds(x)
        for block in self._blocks:
            # not block(tokens): in bfloat16 on a CPU, MultiheadAttention costs a quarter of a second a call
            tokens, _ = _run_block(block, tokens, None)
        return self._read_out(tokens)

    @torch.no_grad()
    def trunk(self, x: Float[torch.Tensor, "b c h w"], n_head_blocks: int) -> Trunk:
        """Tokens entering the last `n_head_blocks` blocks."""
        tokens = self._visual._embeds(x)
        for block in self._blocks[: self.n_blocks - n_head_blocks]:
            tokens = block(tokens)
        return Trunk(tokens, torch.zeros(len(tokens), dtype=torch.int64, device=tokens.device))

    def head(self, trunk: Trunk, n_head_blocks: int) -> HeadOutput:
        """Features and the attention of the last blocks, with gradients."""
        x, attention = trunk.tokens.detach().requires_grad_(), []
        for block in self._blocks[self.n_blocks - n_head_blocks :]:
            x, probabilities = _run_block(block, x, None)
            attention.append(probabilities)
        return HeadOutput(self._read_out(x), attention)

    def to(self, device: torch.device) -> Self:
        """Move the weights; returns itself."""
        self._visual.to(device)
        return self

    def _read_out(self, x: Float[torch.Tensor, "b t d"]) -> Float[torch.Tensor, "b d"]:
        pooled, _ = self._visual._pool(x)
        return pooled if self._visual.proj is None else pooled @ self._visual.proj


class ClipText:
    """An OpenCLIP text tower that pools at the end-of-text token."""

    modality: Literal["text"] = "text"

    def __init__(self, name: str, clip: Any, tokenizer: Tokenizer) -> None:
        """Args: `clip` is an open_clip CLIP; its tokenizer's end-of-text is the highest id of a row."""
        self.name, self._clip, self._tokenizer = name, clip, tokenizer
        self._blocks = clip.transformer.resblocks
        self.n_blocks = len(self._blocks)
        self.d = int(clip.text_projection.shape[1])
        self.context_length = tokenizer.context_length

    def preprocess(self, inputs: Sequence[str]) -> Int64[torch.Tensor, "b t"]:
        """Token ids; texts beyond the context are cut."""
        return self._tokenizer(inputs)

    def words(self, text: str) -> list[TextWord]:
        """The words of a text with the positions of their tokens; a word cut off by the context has none."""
        words, position = [], 1
        for word, ids, known in self._tokenizer.pieces(text):
            inside = [p for p in range(position, position + len(ids)) if p < self.context_length - 1]
            words.append(TextWord(word, inside, known))
            position += len(ids)
        return words

    @torch.no_grad()
    def features(self, x: Int64[torch.Tensor, "b t"]) -> Float[torch.Tensor, "b d"]:
        """Features of token ids, not normalised."""
        trunk = self.trunk(x, 0)
        return self._read_out(trunk.tokens, trunk.readout)

    @torch.no_grad()
    def trunk(self, x: Int64[torch.Tensor, "b t"], n_head_blocks: int) -> Trunk:
        """Tokens entering the last blocks, computed up to the longest text only (attention looks back, never ahead)."""
        ends = x.argmax(1)
        length = int(ends.max()) + 1
        tokens = self._clip.token_embedding(x[:, :length]) + self._clip.positional_embedding[:length]
        for block in self._blocks[: self.n_blocks - n_head_blocks]:
            tokens = block(tokens, attn_mask=self._clip.attn_mask[:length, :length])
        return Trunk(tokens, ends)

    def head(self, trunk: Trunk, n_head_blocks: int) -> HeadOutput:
        """Features and the attention of the last blocks, with gradients."""
        x, attention = trunk.tokens.detach().requires_grad_(), []
        length = x.shape[1]
        for block in self._blocks[self.n_blocks - n_head_blocks :]:
            x, probabilities = _run_block(block, x, self._clip.attn_mask[:length, :length])
            attention.append(probabilities)
        return HeadOutput(self._read_out(x, trunk.readout), attention)

    def to(self, device: torch.device) -> Self:
        """Move the weights; returns itself."""
        self._clip.to(device)
        return self

    def _read_out(self, x: Float[torch.Tensor, "b t d"], ends: Int64[torch.Tensor, " b"]) -> Float[torch.Tensor, "b d"]:
        pooled = self._clip.ln_final(x)[torch.arange(len(x), device=x.device), ends]
        out: torch.Tensor = pooled @ self._clip.text_projection
        return out
