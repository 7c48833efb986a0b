"""How a text was read: which of its words drive its code, and which words its tower never learnt."""

import torch

from server.schemas import Word
from server.services.towers import Reading, Towers
from sparc_core.attribution import word_relevance


def shade_words(towers: Towers, stream: str, reading: Reading) -> list[Word]:
    """The words of a text with their relevance for its code, the strongest word at 1.

    Words beyond the tower's context are left out; `len(reading.words)` counts them too.
    """
    read = [word for word in reading.words if word.positions]
    texts = [" ".join(word.text for word in read if word is not left_out) for left_out in read]
    if not texts:
        return []
    strengths = word_relevance(reading.code, towers.read_all(stream, texts), towers.sparc.config.n_latents)
    shares = strengths / strengths.max().clamp_min(torch.finfo(strengths.dtype).tiny)
    return [
        Word(text=word.text, known=word.known, relevance=share)
        for word, share in zip(read, shares.tolist(), strict=True)
    ]
