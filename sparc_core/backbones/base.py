"""What a backbone is: `features = head(trunk(x))`, with the attention of the head's blocks on the way.

The trunk runs without gradients; the head keeps them, so that attribution costs only the blocks it asks for.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, Protocol, Self, runtime_checkable

import torch
from jaxtyping import Float, Int64
from PIL import Image

from sparc_core.backbones.geometry import Geometry


class Trunk(NamedTuple):
    """Tokens that enter the head's first block, and what the head asks of the inputs besides.

    Attributes:
        tokens: The tokens.
        inputs: Token ids, for masks and end-of-text; of pictures only the shape of one, in a tensor that takes no
            memory.
    """

    tokens: Float[torch.Tensor, "b t d"]
    inputs: torch.Tensor


class HeadOutput(NamedTuple):
    """What a head gives, with gradients.

    Attributes:
        features: Not normalised.
        attention: Each head block's attention probabilities, first block first.
        readout: How much each token's output counts in the feature, per pooling head; adds up to 1 over the tokens.
            Of a CLS or end-of-text token it is 1 there and constant. Where outputs are averaged or an attention pools
            them, features depend on these weights and gradients flow through them, as through `attention`.
        tokens: What entered the head's first block.
        normed: The last block's tokens after its first norm; None where the head has no block, or that no norm.
    """

    features: Float[torch.Tensor, "b d"]
    attention: list[Float[torch.Tensor, "b h t t"]]
    readout: Float[torch.Tensor, "b h t"]
    tokens: Float[torch.Tensor, "b t d"]
    normed: Float[torch.Tensor, "b t d"] | None


class TextWord(NamedTuple):
    """A word of a text: the positions of its tokens, and whether the tokenizer knows it (not only its letters)."""

    text: str
    positions: list[int]
    known: bool


class Backbone(Protocol):
    """One tower: its spec, what it reads, the width of its features and how many blocks it has."""

    name: str
    d: int
    n_blocks: int

    @property
    def modality(self) -> Literal["image", "text"]:
        """Whether it takes pictures or texts."""
        ...

    def features(self, x: torch.Tensor) -> Float[torch.Tensor, "b d"]:
        """Features of preprocessed inputs, not normalised, without gradients."""
        ...

    def trunk(self, x: torch.Tensor, n_head_blocks: int) -> Trunk:
        """Run everything before the last `n_head_blocks` blocks (0 to `n_blocks`), without gradients."""
        ...

    def head(self, trunk: Trunk, n_head_blocks: int) -> HeadOutput:
        """Run the last `n_head_blocks` blocks with gradients: `head(trunk(x)).features == features(x)`."""
        ...

    def finish(self, trunk: Trunk, n_head_blocks: int) -> Float[torch.Tensor, "b d"]:
        """Run the last `n_head_blocks` blocks without gradients: the same features as `head`'s."""
        ...

    def weights(self) -> Iterator[torch.Tensor]:
        """The tensors that it has learnt, in a fixed order."""
        ...

    def to(self, device: torch.device) -> Self:
        """Move the weights; returns itself."""
        ...


@runtime_checkable
class ImageBackbone(Backbone, Protocol):
    """A tower over pictures that cuts what `geometry` shows it into `rows` x `columns` patches."""

    geometry: Geometry
    rows: int
    columns: int
    n_prefix: int  # CLS and register tokens before the patch tokens
    drops_patches: bool  # whether the head runs on some of a picture's patch tokens as well as on all

    def preprocess(self, inputs: Sequence[Image.Image]) -> Float[torch.Tensor, "b c h w"]:
        """Pictures of any size and mode as one input batch."""
        ...


@runtime_checkable
class TextBackbone(Backbone, Protocol):
    """A tower over texts of at most `context_length` tokens, start and end included."""

    context_length: int

    def preprocess(self, inputs: Sequence[str]) -> Int64[torch.Tensor, "b t"]:
        """Token ids; texts beyond the context are cut."""
        ...

    def words(self, text: str) -> list[TextWord]:
        """The words that are read, with their token positions; words beyond the context have none."""
        ...


def first_head_block(n_blocks: int, n_head_blocks: int) -> int:
    """Index of the first of the last `n_head_blocks` blocks."""
    assert 0 <= n_head_blocks <= n_blocks, f"a tower of {n_blocks} blocks has no {n_head_blocks} last ones"
    return n_blocks - n_head_blocks


def shape_only(x: torch.Tensor) -> torch.Tensor:
    """Zeros in the shape of one row of `x` that share one number: what a head needs of pictures whose tokens it has."""
    return x.new_zeros(()).expand(1, *x.shape[1:])


def one_hot_readout(tokens: Float[torch.Tensor, "b t d"], positions: Int64[torch.Tensor, " b"]) -> torch.Tensor:
    """The readout, [b 1 t], of towers whose feature is one token's output."""
    readout = tokens.new_zeros(tokens.shape[0], 1, tokens.shape[1])
    readout[torch.arange(len(tokens), device=tokens.device), 0, positions] = 1.0
    return readout


def mean_readout(mask: torch.Tensor) -> Float[torch.Tensor, "b 1 t"]:
    """The readout of towers that average the outputs of the tokens in `mask` [b t]; gradients flow through it."""
    weights = mask.float()
    return (weights / weights.sum(1, keepdim=True).clamp_min(1.0))[:, None].requires_grad_()


def mean_output(readout: Float[torch.Tensor, "b 1 t"], tokens: Float[torch.Tensor, "b t d"]) -> torch.Tensor:
    """Token outputs averaged by a readout; not by a matrix product, which autocast would run in bfloat16."""
    return (readout.transpose(1, 2) * tokens).sum(1)
