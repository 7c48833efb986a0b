"""Which words of a text a score comes from."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float

from sparc_core.backbones.base import TextWord
from sparc_core.sparse import SparseCode, to_dense


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


def per_word(tokens: Float[torch.Tensor, " t"], words: Sequence[TextWord]) -> Float[torch.Tensor, " words"]:
    """The mean of each word's token values; 0 for a word beyond the context."""
    return torch.stack([tokens[word.positions].mean() if word.positions else tokens.new_zeros(()) for word in words])
