"""The hierarchy of labels: how deep each lies, and which class it belongs to at a depth."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64

from sparc_core.bundle.manifest import LabelManifest


class Hierarchy:
    """Labels below labels; roots have depth 0. A label that it does not know is a root of its own."""

    def __init__(self, labels: Sequence[LabelManifest]) -> None:
        """Args: the labels, parents first."""
        self._paths: dict[str, tuple[str, ...]] = {}
        for label in labels:
            above = self._path(label.parent) if label.parent else ()
            self._paths[label.name] = (*above, label.name)

    @property
    def n_depths(self) -> int:
        """The greatest depth and one more; at least 1."""
        return max(map(len, self._paths.values()), default=1)

    def depth_of(self, name: str) -> int:
        """How many labels lie above a label."""
        return len(self._path(name)) - 1

    def lifted(self, names: Sequence[str], depth: int) -> tuple[Int64[np.ndarray, "c"], list[str]]:
        """The class of each label at a depth, and the classes' names in the order in which they are met.

        A label's class is its ancestor there; a label less deep is its own class.
        """
        lifted = [self._path(name)[: depth + 1][-1] for name in names]
        classes = list(dict.fromkeys(lifted))
        number = {name: position for position, name in enumerate(classes)}
        return np.array([number[name] for name in lifted], np.int64), classes

    def _path(self, name: str) -> tuple[str, ...]:
        """From the root to the label itself."""
        return self._paths.get(name, (name,))
