"""How a text was read: which of its words drive its code, and which words its tower never learnt."""

import torch

from server.schemas import Word
from server.services.towers import Reading, Towers
from sparc_core.attribution import relevance
from sparc_core.model import normalize


def shade_words(towers: Towers, stream: str, reading: Reading) -> list[Word]:
    """The words of a text with their relevance for its own code, the strongest word at 1.

    Words beyond the tower's context are left out; `len(reading.words)` counts them too.
    """
    backbone = towers.text(stream)
    out = backbone.head(backbone.trunk(reading.tokens, backbone.n_blocks), backbone.n_blocks)
    logits = towers.sparc.logits(stream, normalize(out.features))
    code = reading.code
    target = (torch.relu(logits.gather(1, code.latents)) * code.activations).sum(1)
    tokens = relevance(target, out.attention, reading.tokens.argmax(1))[0]
    read = [word for word in reading.words if word.positions]
    strengths = [float(tokens[word.positions].sum()) for word in read]
    strongest = max(strengths, default=0.0)
    return [
        Word(text=word.text, known=word.known, relevance=strength / strongest if strongest > 0 else 0.0)
        for word, strength in zip(read, strengths, strict=True)
    ]
