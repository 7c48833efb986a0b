"""How a text was read: which of its words drive its code, or its match, and which words its tower never learnt."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32

from server.schemas import Word
from server.services.towers import Reading, Towers, as_query
from sparc_core.attribution import CaptionMatch, word_relevance
from sparc_core.backbones import TextWord
from sparc_core.retrieval import QueryCode
from sparc_core.sparse import SparseCode


class WordsLeftOut(NamedTuple):
    """The words of a text that were read, and its codes without each of them; words beyond the context are no part."""

    words: list[TextWord]
    codes: SparseCode | None  # None where there is no word


class ReadText(NamedTuple):
    """A text as its stream reads it, and what its words do."""

    reading: Reading
    query: QueryCode  # of the reading, on the CPU, as are its
    features: Float32[np.ndarray, " d"]
    left_out: WordsLeftOut
    features_left_out: Float32[np.ndarray, "words d"]  # of the text without each of those words
    words: list[Word]

    @property
    def n_bytes(self) -> int:
        """Memory of the tensors, and about that of the words."""
        codes = [self.reading.code, *([self.left_out.codes] if self.left_out.codes else [])]
        tensors = [self.reading.features, *(tensor for code in codes for tensor in code)]
        n_bytes = sum(tensor.nbytes for tensor in tensors) + self.features_left_out.nbytes
        return n_bytes + 500 * (2 + len(self.words))


def read_texts(towers: Towers, stream: str, texts: Sequence[str]) -> list[ReadText]:
    """Read texts, each also without each of its words, as one batch. Runs models: call on the device worker."""
    words = [towers.text(stream).words(text) for text in texts]
    read = [[word for word in own if word.positions] for own in words]
    variants = [[" ".join(w.text for w in own if w is not left_out) for left_out in own] for own in read]
    flat = [one for text, own in zip(texts, variants, strict=True) for one in (text, *own)]
    features, codes = towers.read_all(stream, flat)
    found, start = [], 0
    for own_words, own_read in zip(words, read, strict=True):
        rows = slice(start, start + 1 + len(own_read))
        found.append(_read_text(towers, own_words, own_read, features[rows], SparseCode(*(c[rows] for c in codes))))
        start = rows.stop
    return found


def _read_text(
    towers: Towers, said: list[TextWord], read: list[TextWord], features: torch.Tensor, codes: SparseCode
) -> ReadText:
    """From the rows of a text: its own first, then those without each word. Copies, so that a batch is not kept."""
    own, without = [SparseCode(*(c[part].clone() for c in codes)) for part in (slice(0, 1), slice(1, None))]
    reading = Reading(said, features[:1].clone(), own)
    left_out = WordsLeftOut(read, without if read else None)
    words = shade_words(towers, reading, left_out)
    features_left_out = features[1:].cpu().numpy().copy()
    return ReadText(reading, as_query(own), reading.features[0].cpu().numpy(), left_out, features_left_out, words)


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
