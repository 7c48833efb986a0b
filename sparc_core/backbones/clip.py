"""OpenCLIP's two towers as backbones, with their attention in reach.

The blocks are run from open_clip's own modules; only the attention product is written out, because
`nn.MultiheadAttention` does not hand out probabilities that gradients flow through. `open_clip_models` loads them.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple, Protocol, Self

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from PIL import Image
from torch import nn

from sparc_core.backbones.base import (
    HeadOutput,
    TextWord,
    Trunk,
    first_head_block,
    mean_output,
    mean_readout,
    one_hot_readout,
    shape_only,
)
from sparc_core.backbones.kernels import attention_output
from sparc_core.backbones.pictures import PictureInput

Mask = Float[torch.Tensor, "t t"] | None


class Tokenizer(Protocol):
    """What the text tower needs of a tokenizer."""

    context_length: int

    def __call__(self, texts: Sequence[str]) -> Int64[torch.Tensor, "b t"]:
        """Token ids, in rows of the context's length."""
        ...

    def words(self, text: str) -> list[TextWord]:
        """The words of a text with the positions of their tokens."""
        ...


def attend(
    attention: nn.MultiheadAttention, x: Float[torch.Tensor, "b t d"], mask: Mask
) -> tuple[Float[torch.Tensor, "b t d"], Float[torch.Tensor, "b h t t"]]:
    """Self-attention with its probabilities; equal to calling the module."""
    b, t, d = x.shape
    q, k, v = _projected(attention, x)
    scores = q @ k.transpose(-1, -2) * (d // attention.num_heads) ** -0.5
    probabilities = (scores if mask is None else scores + mask).softmax(-1)
    return attention.out_proj((probabilities @ v).transpose(1, 2).reshape(b, t, d)), probabilities


def _projected(attention: nn.MultiheadAttention, x: Float[torch.Tensor, "b t d"]) -> tuple[torch.Tensor, ...]:
    """Queries, keys and values, [b h t c].

    Values apart from the others: where attention is a constant, the way back passes through them alone.
    """

    def part(start: int, stop: int) -> torch.Tensor:
        rows = slice(start * x.shape[2], stop * x.shape[2])
        projected = F.linear(x, attention.in_proj_weight[rows], attention.in_proj_bias[rows])
        return projected.view(*x.shape[:2], stop - start, attention.num_heads, -1).permute(2, 0, 3, 1, 4)

    return (*part(0, 2), *part(2, 3))


class _BlockRun(NamedTuple):
    """What left a block, its attention probabilities, and its tokens after the first norm."""

    tokens: Float[torch.Tensor, "b t d"]
    attention: Float[torch.Tensor, "b h t t"]
    normed: Float[torch.Tensor, "b t d"]


def _run_block(block: Any, x: Float[torch.Tensor, "b t d"], mask: Mask) -> _BlockRun:
    normed = block.ln_1(x)
    attended, probabilities = attend(block.attn, normed, mask)
    x = x + block.ls_1(attended)
    return _BlockRun(x + block.ls_2(block.mlp(block.ln_2(x))), probabilities, normed)


def _run_blocks(blocks: Sequence[Any], tokens: Float[torch.Tensor, "b t d"], mask: Mask) -> list[_BlockRun]:
    runs: list[_BlockRun] = []
    for block in blocks:
        runs.append(_run_block(block, runs[-1].tokens if runs else tokens, mask))
    return runs


def _run_block_fused(block: Any, x: Float[torch.Tensor, "b t d"], mask: Mask = None) -> Float[torch.Tensor, "b t d"]:
    """The same without probabilities. Not block(x): in bfloat16 on a CPU, MultiheadAttention copies its weights."""
    q, k, v = _projected(block.attn, block.ln_1(x))
    attended = attention_output(q, k, v, mask)
    x = x + block.ls_1(block.attn.out_proj(attended.transpose(1, 2).flatten(2)))
    return x + block.ls_2(block.mlp(block.ln_2(x)))


class ClipImage:
    """An OpenCLIP ViT image tower."""

    modality: Literal["image"] = "image"
    n_prefix = 1
    drops_patches = True

    def __init__(self, name: str, clip: Any, picture_input: PictureInput) -> None:
        """Args: `clip` is an open_clip model whose `visual` is a VisionTransformer that reads out CLS or the mean."""
        self.name, self._visual, self.picture_input = name, clip.visual, picture_input
        self._blocks = self._visual.transformer.resblocks
        self.n_blocks = len(self._blocks)
        self.d = int(self._visual.output_dim)
        self.geometry = picture_input.geometry
        self.rows, self.columns = self.geometry.rows, self.geometry.columns

    def preprocess(self, inputs: Sequence[Image.Image]) -> Float[torch.Tensor, "b c h w"]:
        """Pictures of any size and mode as one input batch."""
        return self.picture_input(inputs)

    @torch.no_grad()
    def features(self, x: Float[torch.Tensor, "b c h w"]) -> Float[torch.Tensor, "b d"]:
        """Features of preprocessed pictures, not normalised."""
        return self._read_out(self.trunk(x, 0).tokens)[0]

    @torch.no_grad()
    def trunk(self, x: Float[torch.Tensor, "b c h w"], n_head_blocks: int) -> Trunk:
        """Tokens entering the last `n_head_blocks` blocks."""
        tokens = self._visual._embeds(x)
        return Trunk(self._run(tokens, 0, first_head_block(self.n_blocks, n_head_blocks)), shape_only(x))

    @torch.no_grad()
    def finish(self, trunk: Trunk, n_head_blocks: int) -> Float[torch.Tensor, "b d"]:
        """Features from tokens, without gradients."""
        start = first_head_block(self.n_blocks, n_head_blocks)
        return self._read_out(self._run(trunk.tokens, start, self.n_blocks))[0]

    @torch.enable_grad()
    def head(self, trunk: Trunk, n_head_blocks: int) -> HeadOutput:
        """Features and the attention of the last blocks, with gradients."""
        tokens = trunk.tokens.detach().requires_grad_()
        runs = _run_blocks(self._blocks[first_head_block(self.n_blocks, n_head_blocks) :], tokens, None)
        features, readout = self._read_out(runs[-1].tokens if runs else tokens)
        return HeadOutput(features, [r.attention for r in runs], readout, tokens, runs[-1].normed if runs else None)

    def weights(self) -> Iterator[torch.Tensor]:
        """The tensors that it has learnt."""
        return self._visual.parameters()

    def to(self, device: torch.device) -> Self:
        """Move the weights; returns itself."""
        self._visual.to(device)
        return self

    def _run(self, tokens: Float[torch.Tensor, "b t d"], start: int, stop: int) -> Float[torch.Tensor, "b t d"]:
        for block in self._blocks[start:stop]:
            tokens = _run_block_fused(block, tokens)
        return tokens

    def _read_out(self, x: Float[torch.Tensor, "b t d"]) -> tuple[torch.Tensor, torch.Tensor]:
        """Features and readout."""
        visual = self._visual
        if visual.pool_type == "tok":
            pooled, _ = visual._pool(x)
            readout = one_hot_readout(x, torch.zeros(len(x), dtype=torch.int64, device=x.device))
        else:
            patches = torch.arange(x.shape[1], device=x.device) >= self.n_prefix
            readout = mean_readout(patches.expand(x.shape[:2]))
            after = visual.final_ln_after_pool
            pooled = mean_output(readout, x if after else visual.ln_post(x))
            pooled = visual.ln_post(pooled) if after else pooled
        return (pooled if visual.proj is None else pooled @ visual.proj), readout


class ClipText:
    """An OpenCLIP text tower that reads out one token: end-of-text, the first or the last."""

    modality: Literal["text"] = "text"

    def __init__(self, name: str, clip: Any, tokenizer: Tokenizer) -> None:
        """Args: `clip` is an open_clip model; where it pools by "argmax", end-of-text is the highest id of a row."""
        self.name, self._clip, self._tokenizer = name, clip, tokenizer
        self._tower = getattr(clip, "text", clip)  # models with towers of their own keep the text's apart
        self._pool = getattr(self._tower, "pool_type", None) or clip.text_pool_type
        self._blocks = self._tower.transformer.resblocks
        self.n_blocks = len(self._blocks)
        self.context_length = tokenizer.context_length
        projection = self._tower.text_projection
        self.d = int(self._tower.ln_final.weight.shape[0])
        if projection is not None:
            self.d = int(projection.out_features if isinstance(projection, nn.Linear) else projection.shape[1])

    def preprocess(self, inputs: Sequence[str]) -> Int64[torch.Tensor, "b t"]:
        """Token ids; texts beyond the context are cut."""
        return self._tokenizer(inputs)

    def words(self, text: str) -> list[TextWord]:
        """The words of a text with the positions of their tokens; a word cut off by the context has none."""
        return self._tokenizer.words(text)

    @torch.no_grad()
    def features(self, x: Int64[torch.Tensor, "b t"]) -> Float[torch.Tensor, "b d"]:
        """Features of token ids, not normalised."""
        return self.finish(self.trunk(x, 0), 0)

    @torch.no_grad()
    def trunk(self, x: Int64[torch.Tensor, "b t"], n_head_blocks: int) -> Trunk:
        """Tokens entering the last blocks; where attention only looks back, computed up to the longest text only."""
        length = x.shape[1]
        if self._tower.attn_mask is not None:
            length = int(self._positions(x).max()) + 1
        tokens = self._tower.token_embedding(x[:, :length]) + self._tower.positional_embedding[:length]
        for block in self._blocks[: first_head_block(self.n_blocks, n_head_blocks)]:
            tokens = _run_block_fused(block, tokens, self._mask(length))
        return Trunk(tokens, x[:, :length])

    @torch.no_grad()
    def finish(self, trunk: Trunk, n_head_blocks: int) -> Float[torch.Tensor, "b d"]:
        """Features from tokens, without gradients."""
        tokens = trunk.tokens
        for block in self._blocks[first_head_block(self.n_blocks, n_head_blocks) :]:
            tokens = _run_block_fused(block, tokens, self._mask(tokens.shape[1]))
        return self._read_out(tokens, trunk.inputs)[0]

    @torch.enable_grad()
    def head(self, trunk: Trunk, n_head_blocks: int) -> HeadOutput:
        """Features and the attention of the last blocks, with gradients."""
        tokens = trunk.tokens.detach().requires_grad_()
        blocks = self._blocks[first_head_block(self.n_blocks, n_head_blocks) :]
        runs = _run_blocks(blocks, tokens, self._mask(tokens.shape[1]))
        features, positions = self._read_out(runs[-1].tokens if runs else tokens, trunk.inputs)
        readout = one_hot_readout(tokens, positions)
        return HeadOutput(features, [r.attention for r in runs], readout, tokens, runs[-1].normed if runs else None)

    def weights(self) -> Iterator[torch.Tensor]:
        """The tensors that it has learnt."""
        return (p for n, p in self._clip.named_parameters() if not n.startswith("visual."))

    def to(self, device: torch.device) -> Self:
        """Move the weights; returns itself."""
        self._clip.to(device)
        return self

    def _mask(self, length: int) -> Mask:
        mask = self._tower.attn_mask
        return None if mask is None else mask[:length, :length]

    def _positions(self, ids: Int64[torch.Tensor, "b t"]) -> Int64[torch.Tensor, " b"]:
        """The token that is read out, of every row."""
        if self._pool == "argmax":
            return ids.argmax(1)
        if self._pool == "eos":
            end = getattr(self._tower, "eos_id", None)
            return (ids == (self._clip.text_eos_id if end is None else end)).int().argmax(1)
        return torch.full_like(ids[:, 0], 0 if self._pool == "first" else ids.shape[1] - 1)

    def _read_out(self, x: Float[torch.Tensor, "b t d"], ids: Int64[torch.Tensor, "b t"]) -> tuple[torch.Tensor, ...]:
        """Features and the positions that they are read from."""
        tower, positions = self._tower, self._positions(ids)
        pooled = tower.ln_final(x)[torch.arange(len(x), device=x.device), positions]
        if tower.text_projection is None:
            return pooled, positions
        if isinstance(tower.text_projection, nn.Linear):
            return tower.text_projection(pooled), positions
        return pooled @ tower.text_projection, positions
