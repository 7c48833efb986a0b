"""Which pictures are held out: by the corpus's own word where it has one, else by lot, the same for a picture always.

The lot is a hash of seed and picture name, and the lowest are test: exactly the share asked for, and when pictures are
added, few change sides.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from jaxtyping import Int8, UInt64

from index_build.corpora.base import Split

_WORDS: dict[str, Split] = {
    **dict.fromkeys(("train", "training", "restval"), "train"),
    **dict.fromkeys(("test", "testing", "val", "valid", "validation", "dev", "eval"), "test"),
}
UNDECIDED, TRAIN, TEST = 0, 1, 2
CODES: dict[Split | None, int] = {None: UNDECIDED, "train": TRAIN, "test": TEST}


class Lots(NamedTuple):
    """Pictures by hash: those that different items put into different splits, and the highest lot that is test."""

    torn: frozenset[int]
    highest_test: int

    def split(self, picture: int) -> Split:
        """The split of a picture that the corpus itself does not put into one."""
        return "test" if picture <= self.highest_test else "train"


def split_of_word(word: str) -> Split | None:
    """The split that a word means ("train", "val", "test" ...); None where it means none."""
    return _WORDS.get(word.strip().lower())


def known_words() -> str:
    """All words that mean a split, for messages."""
    return ", ".join(_WORDS)


def draw_lots(pictures: UInt64[np.ndarray, "n"], codes: Int8[np.ndarray, "n"], test_share: float) -> Lots:
    """Decide over the undecided.

    Args:
        pictures: Hash of each item's picture.
        codes: Where the corpus puts it: UNDECIDED, TRAIN or TEST.
        test_share: Of the undecided pictures, so many are test, rounded up.
    """
    sides = [np.unique(pictures[codes == code]) for code in (UNDECIDED, TRAIN, TEST)]
    torn = _in_several(sides)
    undecided = np.setdiff1d(sides[0], torn, assume_unique=True)
    # As a fraction of what was written: 0.1 * 30 is a little more than 3 in floating point.
    n_test = math.ceil(Fraction(str(test_share)) * len(undecided))
    highest = int(undecided[n_test - 1]) if n_test else -1
    return Lots(frozenset(torn.tolist()), highest)


def _in_several(sides: Sequence[UInt64[np.ndarray, "m"]]) -> UInt64[np.ndarray, "t"]:
    values, counts = np.unique(np.concatenate(sides), return_counts=True)
    return values[counts > 1]
