"""transformers' vision models as backbones: any whose blocks see one token a patch, after CLS and register tokens.

DINOv2 (with registers), DINOv3, ViT, DeiT, I-JEPA, CLIP's and SigLIP's vision towers. `replay` splits them into trunk
and head; here is only which output is the feature, and which tokens it is read from.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, Self

import torch
from jaxtyping import Float
from PIL import Image

from sparc_core.backbones.base import (
    HeadOutput,
    Trunk,
    first_head_block,
    mean_output,
    mean_readout,
    one_hot_readout,
    shape_only,
)
from sparc_core.backbones.geometry import Geometry
from sparc_core.backbones.pictures import PictureInput
from sparc_core.backbones.replay import Pass, gate, running
from sparc_core.errors import InputError

Feature = Literal["cls", "projected", "pooled", "mean"]
"""The CLS token after the last norm, CLIP's projection of it, what an attention pools, or the mean of the patches."""


class TransformersImage:
    """A vision model of transformers."""

    modality: Literal["image"] = "image"

    def __init__(
        self, name: str, model: Any, geometry: Geometry, picture_input: PictureInput | None, feature: Feature
    ) -> None:
        """Gate the model and look at what it makes of a picture.

        Args:
            name: Its spec.
            model: A transformers model that takes `pixel_values`.
            geometry: What it sees of a picture.
            picture_input: How pictures become its inputs; None where that is not known.
            feature: Which of its outputs is the feature.

        Raises:
            InputError: It is not made of blocks over patch tokens.
        """
        self.name, self.geometry, self._feature = name, geometry, feature
        self._model, self.picture_input = model, picture_input
        self.rows, self.columns = geometry.rows, geometry.columns
        self._options = _options(model, geometry)
        self.n_blocks = gate(model)
        self.n_prefix, self.drops_patches = 0, False
        self.d = self._look()

    def preprocess(self, inputs: Sequence[Image.Image]) -> Float[torch.Tensor, "b c h w"]:
        """Pictures of any size and mode as one input batch.

        Raises:
            InputError: The checkpoint does not say how it takes pictures.
        """
        if self.picture_input is None:
            raise InputError(
                f'backbone "{self.name}" lacks preprocessor_config.json, which says how pictures are resized and '
                "scaled: copy it from where the weights come from, beside config.json"
            )
        return self.picture_input(inputs)

    @torch.no_grad()
    def features(self, x: Float[torch.Tensor, "b c h w"]) -> Float[torch.Tensor, "b d"]:
        """Features of preprocessed pictures, not normalised."""
        return self._read_out(self._model(pixel_values=x, **self._options), Pass(0, 0), x).features

    @torch.no_grad()
    def trunk(self, x: Float[torch.Tensor, "b c h w"], n_head_blocks: int) -> Trunk:
        """Tokens entering the last `n_head_blocks` blocks."""
        with running(Pass(0, first_head_block(self.n_blocks, n_head_blocks))) as run:
            self._model(pixel_values=x, **self._options)
        tokens = run.entered if run.left is None else run.left
        assert tokens is not None, "the first block saw no tokens"
        return Trunk(tokens, shape_only(x))

    @torch.no_grad()
    def finish(self, trunk: Trunk, n_head_blocks: int) -> Float[torch.Tensor, "b d"]:
        """Features from tokens, without gradients."""
        start = first_head_block(self.n_blocks, n_head_blocks)
        with running(Pass(start, self.n_blocks, trunk.tokens)) as run:
            output = self._model(pixel_values=trunk.inputs, **self._options)
        return self._read_out(output, run, trunk.tokens).features

    @torch.enable_grad()
    def head(self, trunk: Trunk, n_head_blocks: int) -> HeadOutput:
        """Features and the attention of the last blocks, with gradients."""
        tokens = trunk.tokens.detach().requires_grad_()
        start = first_head_block(self.n_blocks, n_head_blocks)
        with running(Pass(start, self.n_blocks, tokens, records=True)) as run:
            output = self._model(pixel_values=trunk.inputs, **self._options)
            if len(run.attention) != n_head_blocks:
                raise InputError(f'backbone "{self.name}" does not show the attention of its blocks: use another')
            return self._read_out(output, run, tokens)

    def weights(self) -> Iterator[torch.Tensor]:
        """The tensors that it has learnt."""
        return self._model.parameters()

    def to(self, device: torch.device) -> Self:
        """Move the weights; returns itself."""
        self._model.to(device)
        return self

    def _read_out(self, output: Any, run: Pass, entered: torch.Tensor) -> HeadOutput:
        if self._feature == "pooled":
            readout = output.pooler_output.new_zeros(0) if run.pooling is None else run.pooling
            return HeadOutput(output.pooler_output, run.attention, readout, entered, run.normed)
        tokens = output.last_hidden_state
        if self._feature == "mean":
            mask = torch.arange(tokens.shape[1], device=tokens.device) >= self.n_prefix
            readout = mean_readout(mask.expand(tokens.shape[:2]))
            return HeadOutput(mean_output(readout, tokens), run.attention, readout, entered, run.normed)
        readout = one_hot_readout(tokens, torch.zeros(len(tokens), dtype=torch.int64, device=tokens.device))
        features = output.image_embeds if self._feature == "projected" else tokens[:, 0]
        return HeadOutput(features, run.attention, readout, entered, run.normed)

    @torch.no_grad()
    def _look(self) -> int:
        """Find the prefix tokens and the width of the features, on a picture of stripes that goes through one block."""
        height, width = self.geometry.height, self.geometry.width
        x = torch.linspace(-1, 1, height * width).view(1, 1, height, width).expand(1, 3, height, width)
        run, output = self._first_block(x, None)
        tokens = run.entered
        n_prefix = -1 if tokens is None or tokens.ndim != 3 else tokens.shape[1] - self.rows * self.columns
        if tokens is None or not self.n_blocks or n_prefix < (self._feature in ("cls", "projected")):
            raise InputError(
                f'backbone "{self.name}" is a {type(self._model).__name__}, which has no blocks over one token a patch '
                "after a CLS token: use a vision transformer such as DINOv2, DINOv3, ViT, CLIP or SigLIP"
            )
        self.n_prefix = n_prefix
        self.drops_patches = self._takes_any(tokens, x)
        return int(self._read_out(output, run, tokens).features.shape[1])

    def _takes_any(self, tokens: torch.Tensor, x: torch.Tensor) -> bool:
        """Whether a block takes patches in any order and number.

        Where positions are turned into the attention (DINOv3, BEiT), a patch means what its place in the row says.
        """
        order = torch.arange(tokens.shape[1])
        order[self.n_prefix :] = order[self.n_prefix :].flip(0)
        try:
            straight, turned = (self._first_block(x, row)[0].left for row in (tokens, tokens[:, order]))
            self._first_block(x, tokens[:, :-1])
        except (RuntimeError, ValueError, IndexError):
            return False
        assert straight is not None, "a block ran"
        assert turned is not None, "a block ran"
        return torch.allclose(straight[:, order], turned, rtol=1e-3, atol=1e-4)

    def _first_block(self, x: torch.Tensor, tokens: torch.Tensor | None) -> tuple[Pass, Any]:
        with running(Pass(0, 1, tokens)) as run:
            return run, self._model(pixel_values=x, **self._options)


def _options(model: Any, geometry: Geometry) -> dict[str, bool]:
    """Models with learnt positions are told where the input is of another size than the one they were trained at."""
    import inspect

    size = getattr(model.config, "image_size", None)
    known = size in (geometry.height, [geometry.height, geometry.width]) and geometry.height == geometry.width
    takes = "interpolate_pos_encoding" in inspect.signature(model.forward).parameters
    return {"interpolate_pos_encoding": True} if takes and not known else {}
