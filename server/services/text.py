"""How a text was read: which of its words drive its code, or its match, and which words its tower never learnt."""

from typing import NamedTuple

import torch
from jaxtyping import Float

from server.schemas import Word
from server.services.towers import Reading, Towers
from sparc_core.attribution import CaptionMatch, word_relevance
from sparc_core.backbones import TextWord
from sparc_core.sparse import SparseCode


class WordsLeftOut(NamedTuple):
    """The words of a text that were read, and its codes without each of them; words beyond the context are no part."""

    words: list[TextWord]
    codes: SparseCode | None  # None where there is no word


def leave_words_out(towers: Towers, stream: str, reading: Reading) -> WordsLeftOut:
    """A text without each of its words, as its stream reads that."""
    read = [word for word in reading.words if word.positions]
    texts = [" ".join(word.text for word in read if word is not left_out) for left_out in read]
    return WordsLeftOut(read, towers.read_all(stream, texts) if texts else None)


def shade_words(towers: Towers, reading: Reading, left_out: WordsLeftOut) -> list[Word]:
    """The words of a text with their relevance for its code, the strongest word at 1."""
    if left_out.codes is None:
        return []
    strengths = word_relevance(reading.code, left_out.codes, towers.sparc.config.n_latents)
    shares = strengths / strengths.max().clamp_min(torch.finfo(strengths.dtype).tiny)
    return [
        Word(text=word.text, known=word.known, relevance=share)
        for word, share in zip(left_out.words, shares.tolist(), strict=True)
    ]


def match_by_word(
    left_out: WordsLeftOut, totals: Float[torch.Tensor, " b"], logits: Float[torch.Tensor, "b l"]
) -> Float[torch.Tensor, "b words"]:
    """Each word's share of the matches of a caption with pictures: how much is lost without it, of all such losses.

    Shares of a picture add up to 1, or are all 0 where no word's absence costs anything.
    """
    if left_out.codes is None:
        return totals.new_zeros(len(totals), 0)
    features = logits.new_zeros(len(logits), 0)
    codes = zip(left_out.codes.latents, left_out.codes.activations, strict=True)
    without = [CaptionMatch(SparseCode(la[None], ac[None]))(features, logits).total for la, ac in codes]
    losses = (totals - torch.stack(without)).clamp(min=0).T
    return losses / losses.sum(1, keepdim=True).clamp_min(1e-12)
