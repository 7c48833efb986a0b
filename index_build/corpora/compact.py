"""Millions of strings and of group members in a few arrays, where lists of objects would take gigabytes."""

from array import array
from collections.abc import Iterator

import numpy as np
from jaxtyping import Int64


class Texts:
    """A list of strings that only grows: their bytes in one block, and where each ends."""

    def __init__(self) -> None:
        self._bytes, self._ends = bytearray(), array("Q", [0])

    def append(self, text: str) -> None:
        """Add a string at the end."""
        self._bytes += text.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._bytes))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, position: int) -> str:
        if not 0 <= position < len(self):
            raise IndexError(position)
        return self._bytes[self._ends[position] : self._ends[position + 1]].decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[str]:
        return (self[position] for position in range(len(self)))


class Groups:
    """Which members belong to each of `n_groups` groups, in the order they were given."""

    def __init__(self, groups: "array[int] | Int64[np.ndarray, 'm']", n_groups: int) -> None:
        """Args: `groups` says for each member in which group it is."""
        of_member = np.asarray(groups, np.int64)
        self._members = np.argsort(of_member, kind="stable")
        self._starts = np.searchsorted(of_member[self._members], np.arange(n_groups + 1))

    def __getitem__(self, group: int) -> list[int]:
        members: list[int] = self._members[self._starts[group] : self._starts[group + 1]].tolist()
        return members
