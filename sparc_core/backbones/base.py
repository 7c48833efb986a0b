"""What a backbone is: `features = head(trunk(x))`, with the attention of the head's blocks on the way.

The trunk runs without gradients; the head keeps them, so that attribution costs only the blocks it asks for.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol, Self, runtime_checkable

import torch
from jaxtyping import Float, Int64
from PIL import Image


class Trunk(NamedTuple):
    """Tokens that enter the head's first block, and which token's output becomes the feature (CLS or end-of-text)."""

    tokens: Float[torch.Tensor, "b t d"]
    readout: Int64[torch.Tensor, " b"]


class HeadOutput(NamedTuple):
    """Features (not normalised), and each head block's attention probabilities, first block first."""

    features: Float[torch.Tensor, "b d"]
    attention: list[Float[torch.Tensor, "b h t t"]]


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
        """Run everything before the last `n_head_blocks` blocks, without gradients."""
        ...

    def head(self, trunk: Trunk, n_head_blocks: int) -> HeadOutput:
        """Run the last `n_head_blocks` blocks with gradients: `head(trunk(x)).features == features(x)`."""
        ...

    def to(self, device: torch.device) -> Self:
        """Move the weights; returns itself."""
        ...


@runtime_checkable
class ImageBackbone(Backbone, Protocol):
    """A tower over pictures that cuts them into `rows` x `columns` patches, squashed to its input size."""

    rows: int
    columns: int
    n_prefix: int  # CLS and register tokens before the patch tokens

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
