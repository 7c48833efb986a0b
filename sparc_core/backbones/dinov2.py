"""transformers' DINOv2 (with or without registers) as a backbone, with its attention in reach."""

from collections.abc import Sequence
from typing import Any, Literal, Self

import torch
from jaxtyping import Float
from PIL import Image

from sparc_core.backbones.base import HeadOutput, Trunk
from sparc_core.backbones.pictures import PictureInput


def attend(
    attention: Any, x: Float[torch.Tensor, "b t d"]
) -> tuple[Float[torch.Tensor, "b t d"], Float[torch.Tensor, "b h t t"]]:
    """Self-attention with its probabilities; equal to calling the module, whose quick ways do not hand them out."""
    shape = (*x.shape[:-1], attention.num_attention_heads, -1)
    q, k, v = (project(x).view(shape).transpose(1, 2) for project in _projections(attention))
    probabilities = (q @ k.transpose(-1, -2) * attention.scaling).softmax(-1)
    return attention.o_proj((probabilities @ v).transpose(1, 2).flatten(2)), probabilities


def _projections(attention: Any) -> tuple[Any, Any, Any]:
    return attention.q_proj, attention.k_proj, attention.v_proj


class Dinov2:
    """A DINOv2 image tower; its feature is the CLS token after the last layer norm."""

    modality: Literal["image"] = "image"

    def __init__(self, name: str, model: Any, picture_input: PictureInput) -> None:
        """Args: `model` is a transformers Dinov2Model or Dinov2WithRegistersModel."""
        self.name, self._model, self._picture_input = name, model, picture_input
        self._blocks = model.encoder.layer
        self.n_blocks = len(self._blocks)
        self.d = int(model.config.hidden_size)
        self.n_prefix = 1 + int(getattr(model.config, "num_register_tokens", 0))
        self.rows = self.columns = picture_input.size // int(model.config.patch_size)

    def preprocess(self, inputs: Sequence[Image.Image]) -> Float[torch.Tensor, "b c h w"]:
        """Pictures of any size and mode as one input batch."""
        return self._picture_input(inputs)

    @torch.no_grad()
    def features(self, x: Float[torch.Tensor, "b c h w"]) -> Float[torch.Tensor, "b d"]:
        """Features of preprocessed pictures, not normalised."""
        tokens = self.trunk(x, 0).tokens
        out: torch.Tensor = self._model.layernorm(tokens[:, 0])
        return out

    @torch.no_grad()
    def trunk(self, x: Float[torch.Tensor, "b c h w"], n_head_blocks: int) -> Trunk:
        """Tokens entering the last `n_head_blocks` blocks."""
        tokens = self._model.embeddings(x)
        for block in self._blocks[: self.n_blocks - n_head_blocks]:
            tokens = block(tokens)
        return Trunk(tokens, torch.zeros(len(tokens), dtype=torch.int64, device=tokens.device))

    def head(self, trunk: Trunk, n_head_blocks: int) -> HeadOutput:
        """Features and the attention of the last blocks, with gradients."""
        x, attention = trunk.tokens.detach().requires_grad_(), []
        for block in self._blocks[self.n_blocks - n_head_blocks :]:
            attended, probabilities = attend(block.attention, block.norm1(x))
            x = x + block.layer_scale1(attended)
            x = x + block.layer_scale2(block.mlp(block.norm2(x)))
            attention.append(probabilities)
        return HeadOutput(self._model.layernorm(x[:, 0]), attention)

    def to(self, device: torch.device) -> Self:
        """Move the weights; returns itself."""
        self._model.to(device)
        return self
