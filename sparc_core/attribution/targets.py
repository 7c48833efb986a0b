"""What a heatmap explains: a score of every picture (or text), and the latents that make it up.

A target is called with one stream's features and logits and keeps their gradients. All scores of a batch belong to
their own row only, so that one backward pass serves all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from jaxtyping import Float, Int64

from sparc_core.model import normalize
from sparc_core.selection import choose
from sparc_core.sparse import SparseCode


class Score(NamedTuple):
    """One score per row, and what makes it up.

    Attributes:
        total: The score.
        latents: The latents that count; none where a score has nothing to do with latents.
        parts: Each latent's part in it; parts add up to the total.
        activations: The row's own activations at these latents.
    """

    total: Float[torch.Tensor, " b"]
    latents: Int64[torch.Tensor, "b m"]
    parts: Float[torch.Tensor, "b m"]
    activations: Float[torch.Tensor, "b m"]


class Target(Protocol):
    """A score to explain."""

    def __call__(self, features: Float[torch.Tensor, "b d"], logits: Float[torch.Tensor, "b l"]) -> Score:
        """The score of unit features and their logits in one stream."""
        ...


@dataclass(frozen=True)
class CaptionMatch:
    """The cosine, 0 to 1, of a text's code and the row's ReLU logits, at all latents or at one of the text's.

    The logits are not gated by the row's own top k: the caption asks whether a latent's concept is there at all, and
    in a crowded picture the asked-for latent often ranks just below the k-th (gated, 15 % of DINO's maps came out
    empty in our trials; ungated, 1 %). A cosine, not a dot product: what a picture shows besides counts against it,
    which points the heatmap at the named object.

    Attributes:
        code: One text's code for all rows, or one row each; per-stream selection.
        only: Latents whose parts alone are the score; None for all. The parts stay what they are in the whole.
    """

    code: SparseCode
    only: Int64[torch.Tensor, " m"] | None = None

    def __call__(self, features: Float[torch.Tensor, "b d"], logits: Float[torch.Tensor, "b l"]) -> Score:
        """The cosine."""
        active, code = torch.relu(logits), self.code
        latents = code.latents.expand(len(logits), -1)
        chosen = active.gather(1, latents)
        scale = active.norm(dim=1, keepdim=True) * code.activations.norm(dim=1, keepdim=True)
        parts = chosen * code.activations / scale.clamp_min(1e-12)
        if self.only is not None:
            parts = parts * torch.isin(latents, self.only)
        return Score(parts.sum(1), latents, parts, chosen)


@dataclass(frozen=True)
class LatentSum:
    """The ReLU logits at given latents, added up, each times a weight.

    Attributes:
        latents: Which latents.
        weights: One each.
    """

    latents: Int64[torch.Tensor, " m"]
    weights: Float[torch.Tensor, " m"]

    def __call__(self, features: Float[torch.Tensor, "b d"], logits: Float[torch.Tensor, "b l"]) -> Score:
        """The sum."""
        latents = self.latents.expand(len(logits), -1)
        active = torch.relu(logits.gather(1, latents))
        parts = active * self.weights
        return Score(parts.sum(1), latents, parts, active)


@dataclass(frozen=True)
class CrossModal:
    """As published: the dot product of the row's code with its partner's, selection shared over all streams given.

    Attributes:
        k: Active latents of a code.
        others: Logits of the other streams of each pair, by stream; one row for all, or one each.
        partner: Which of them the row's code is multiplied with.
    """

    k: int
    others: Mapping[str, Float[torch.Tensor, "b l"]]
    partner: str

    def __call__(self, features: Float[torch.Tensor, "b d"], logits: Float[torch.Tensor, "b l"]) -> Score:
        """The dot product."""
        latents, own = _shared_code(self.k, self.others, logits)
        parts = own * torch.relu(self.others[self.partner].expand_as(logits).gather(1, latents))
        return Score(parts.sum(1), latents, parts, own)


@dataclass(frozen=True)
class CodeSum:
    """As published: the row's code added up, selection shared over all streams given.

    Attributes:
        k: Active latents of a code.
        others: Logits of the other streams of each pair, by stream; none for the row's own selection.
    """

    k: int
    others: Mapping[str, Float[torch.Tensor, "b l"]]

    def __call__(self, features: Float[torch.Tensor, "b d"], logits: Float[torch.Tensor, "b l"]) -> Score:
        """The sum."""
        latents, own = _shared_code(self.k, self.others, logits)
        return Score(own.sum(1), latents, own, own)


@dataclass(frozen=True)
class Similarity:
    """The cosine with another feature of the same space, without SPARC: CLIP's own text-image score.

    Attributes:
        query: One feature for all rows, or one each; any scale.
    """

    query: Float[torch.Tensor, "b d"]

    def __call__(self, features: Float[torch.Tensor, "b d"], logits: Float[torch.Tensor, "b l"]) -> Score:
        """The cosine."""
        none = logits.new_zeros(len(logits), 0)
        return Score((features * normalize(self.query)).sum(1), none.long(), none, none)


def _shared_code(
    k: int, others: Mapping[str, Float[torch.Tensor, "b l"]], logits: Float[torch.Tensor, "b l"]
) -> tuple[Int64[torch.Tensor, "b k"], Float[torch.Tensor, "b k"]]:
    """The latents that all streams choose together, and the row's own activations there."""
    everyone = {stream: row.detach().expand_as(logits) for stream, row in others.items()}
    latents = choose({**everyone, "": logits.detach()}, k, "global")[""]
    return latents, torch.relu(logits).gather(1, latents)
