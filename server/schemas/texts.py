"""Parts of several answers: words of a text, and what makes up a score."""

from server.schemas.base import Share, Wire


class Word(Wire):
    """One word of a caption. `relevance` (0 to 1, the strongest word is 1) shades it; `known` is false where the
    text tower never learnt the word."""

    text: str
    known: bool
    relevance: Share


class Contribution(Wire):
    """A latent's share of a score; negative where it speaks against the pair.

    The shares of one score add up to 1, with what belongs to no latent where there is such a part.
    """

    latent: int
    name: str
    share: float
    query_activation: float
    target_activation: float
