"""CLIP's byte-pair tokenizer with a small vocabulary, for towers that know few words.

It splits text exactly as OpenCLIP does. A piece outside the kept vocabulary falls back to its bytes, which are
always kept, so any text tokenises; pieces a tower never saw mean little to it.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Int64

from sparc_core.backbones.base import TextWord
from sparc_core.backbones.words import Piece, place

_N_BYTE_TOKENS = 512  # CLIP's ids 0-255 are bytes inside a word, 256-511 bytes that end one
_END_OF_WORD = "</w>"


@lru_cache(maxsize=1)
def _clip_tokenizer() -> Any:
    from open_clip.tokenizer import SimpleTokenizer

    return SimpleTokenizer()


class CompactTokenizer:
    """Text -> token ids over a kept part of CLIP's vocabulary; end-of-text stays the highest id: CLIP pools by it."""

    def __init__(self, kept_ids: Sequence[int], context_length: int) -> None:
        """Args: `kept_ids` CLIP token ids in ascending order, bytes and both markers among them."""
        self.context_length = context_length
        self.kept_ids = list(kept_ids)
        self._compact = {clip_id: position for position, clip_id in enumerate(self.kept_ids)}
        clip = _clip_tokenizer()
        self.start, self.end = self._compact[clip.sot_token_id], self._compact[clip.eot_token_id]

    @classmethod
    def for_words(cls, words: Iterable[str], context_length: int) -> "CompactTokenizer":
        """A tokenizer that keeps the pieces of these words, all bytes and the start and end markers."""
        clip = _clip_tokenizer()
        kept = {piece for word in words for piece in clip.encode(word)}
        kept |= set(range(_N_BYTE_TOKENS)) | {clip.sot_token_id, clip.eot_token_id}
        return cls(sorted(kept), context_length)

    @property
    def n_tokens(self) -> int:
        """Size of the vocabulary."""
        return len(self.kept_ids)

    def pieces(self, text: str) -> list[tuple[str, list[int], bool]]:
        """The words of a text, each with its token ids and whether it is known: not spelt in bytes, or a lone one."""
        clip = _clip_tokenizer()
        words: list[tuple[str, list[int], bool]] = []
        letters, ids, n_bytes = "", [], 0
        for clip_id in clip.encode(text):
            piece = clip.decoder[clip_id]
            whole = clip_id in self._compact and clip_id >= _N_BYTE_TOKENS
            letters += piece
            spelt = [self._compact[clip_id]] if whole else self._bytes_of(piece)
            ids += spelt
            n_bytes += 0 if whole else len(spelt)
            if piece.endswith(_END_OF_WORD):
                words.append((self._readable(letters.removesuffix(_END_OF_WORD)), ids, n_bytes == 0 or len(ids) == 1))
                letters, ids, n_bytes = "", [], 0
        return words

    def words(self, text: str) -> list[TextWord]:
        """The words of a text with the positions of their tokens; a word cut off by the context has none."""
        return place([Piece(*piece) for piece in self.pieces(text)], 1, self.context_length - 1)

    def __call__(self, texts: Sequence[str]) -> Int64[torch.Tensor, "texts context"]:
        """Token ids, zero after end-of-text; longer texts are cut to `context_length`."""
        out = torch.zeros(len(texts), self.context_length, dtype=torch.int64)
        for row, text in enumerate(texts):
            ids = [token for _, word, _ in self.pieces(text) for token in word][: self.context_length - 2]
            ids = [self.start, *ids, self.end]
            out[row, : len(ids)] = torch.tensor(ids)
        return out

    def _bytes_of(self, piece: str) -> list[int]:
        clip = _clip_tokenizer()
        ends = piece.endswith(_END_OF_WORD)
        letters = piece.removesuffix(_END_OF_WORD)
        last = len(letters) - 1
        tokens = (c + _END_OF_WORD if ends and i == last else c for i, c in enumerate(letters))
        return [self._compact[clip.encoder[token]] for token in tokens]

    @staticmethod
    def _readable(letters: str) -> str:
        decoder = _clip_tokenizer().byte_decoder
        return bytearray(decoder[c] for c in letters).decode("utf-8", errors="replace")
