"""The words of a text and the tokens that spell them, for transformers' fast tokenizers and open_clip's own.

Both take part in `TextBackbone.words`; neither cleans the text more than the tokenizer does.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sparc_core.backbones.base import TextWord

_END_OF_WORD = "</w>"
_N_BYTE_TOKENS = 512  # CLIP's first ids spell single bytes, inside a word and at its end


class Piece(NamedTuple):
    """A word, its token ids in order, and whether the tokenizer knows it."""

    text: str
    ids: list[int]
    known: bool


def place(pieces: Sequence[Piece], first: int, last: int) -> list[TextWord]:
    """Words in a row of tokens, the first at position `first`; tokens from position `last` on are cut off."""
    words, position = [], first
    for text, ids, known in pieces:
        inside = [p for p in range(position, position + len(ids)) if p < last]
        words.append(TextWord(text, inside, known))
        position += len(ids)
    return words


def bpe_pieces(tokenizer: Any, text: str) -> list[Piece]:
    """The words of a text in open_clip's SimpleTokenizer: known unless spelt in single letters."""
    pieces, letters, ids = [], "", []
    for token_id in tokenizer.encode(text):
        letters += tokenizer.decoder[token_id]
        ids.append(token_id)
        if letters.endswith(_END_OF_WORD):
            spelt = len(ids) > 1 and all(i < _N_BYTE_TOKENS for i in ids)
            pieces.append(Piece(_readable(tokenizer, letters.removesuffix(_END_OF_WORD)), ids, not spelt))
            letters, ids = "", []
    return pieces


def fast_words(tokenizer: Any, text: str, context_length: int) -> list[TextWord]:
    """The words of a text in a fast tokenizer of transformers.

    A word is known unless a part of it is the unknown token, or it is spelt in single letters.
    """
    encoded = tokenizer(text, return_offsets_mapping=True, verbose=False)
    ids, offsets, of_word = encoded["input_ids"], encoded["offset_mapping"], encoded.word_ids(0)
    inside = [position for position, word in enumerate(of_word) if word is not None]
    if not inside:
        return []
    pieces: list[Piece] = []
    for word in dict.fromkeys(of_word[position] for position in inside):
        own = [position for position in inside if of_word[position] == word]
        letters = text[offsets[own[0]][0] : offsets[own[-1]][1]].strip()
        spelt = len(own) > 1 and all(offsets[p][1] - offsets[p][0] <= 1 for p in own)
        own_ids = [ids[p] for p in own]
        unknown = spelt or (tokenizer.unk_token_id in own_ids and tokenizer.unk_token_id is not None)
        pieces.append(Piece(letters, own_ids, not unknown))
    n_after = len(ids) - 1 - inside[-1]
    return place(pieces, inside[0], context_length - n_after)


def _readable(tokenizer: Any, letters: str) -> str:
    return bytearray(tokenizer.byte_decoder[c] for c in letters).decode("utf-8", errors="replace")
