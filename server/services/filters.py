"""Which items a retrieval may find: by label, split, and activation of latents."""

from collections import defaultdict

import numpy as np
from jaxtyping import Bool

from server.cache import BoundedCache
from server.schemas import Where
from sparc_core.bundle import Bundle
from sparc_core.errors import NotFoundError

_CACHE_BYTES = 32 * 2**20


class Filters:
    """Masks over a bundle's items; those used last are kept."""

    def __init__(self, bundle: Bundle) -> None:
        """Args: an open bundle."""
        self._bundle = bundle
        children = defaultdict(list)
        for label in bundle.manifest.labels:
            children[label.parent].append(label.name)
        self._children = dict(children)
        self.masks = BoundedCache[tuple[Where, str], np.ndarray]("filters", _CACHE_BYTES, lambda mask: mask.nbytes)

    def allowed(self, where: Where, target: str) -> Bool[np.ndarray, " n"] | None:
        """The items that fulfil a filter, by row; None is all.

        Raises:
            NotFoundError: No item carries a label, or there is no such split, latent or stream.
        """
        if where == Where():
            return None
        mask = self.masks.get((where, target))
        if mask is None:
            mask = self._mask(where, target)
            self.masks.put((where, target), mask)
        return mask

    def with_label(self, label: str) -> Bool[np.ndarray, " n"]:
        """The items that carry a label or one below it; NotFoundError where the bundle knows no such label."""
        mask = self._bundle.items.with_labels(self._family(label))
        if not mask.any() and label not in self._names():
            raise NotFoundError("label", f'no item carries the label "{label[:80]}"')
        return mask

    def in_split(self, split: str) -> Bool[np.ndarray, " n"]:
        """The items of a split; NotFoundError where it has none."""
        rows = self._bundle.items.rows_of_split(split)
        if not len(rows):
            raise NotFoundError("split", f'no item is in split "{split[:40]}": use train or test')
        mask = np.zeros(len(self._bundle.items), bool)
        mask[rows] = True
        return mask

    def _mask(self, where: Where, target: str) -> Bool[np.ndarray, " n"]:
        mask = np.ones(len(self._bundle.items), bool)
        for label in where.labels:
            mask &= self.with_label(label)
        if where.split is not None:
            mask &= self.in_split(where.split)
        for condition in where.latents:
            mask &= self._active(condition.stream or target, condition.latent, condition.above)
        return mask

    def _active(self, stream: str, latent: int, above: float) -> Bool[np.ndarray, " n"]:
        posting = self._bundle.local_postings(stream).of(latent)
        mask = np.zeros(len(self._bundle.items), bool)
        mask[posting.items[posting.activations > above]] = True
        return mask

    def _family(self, label: str) -> list[str]:
        """The label and all below it."""
        found, ahead = [], [label]
        while ahead:
            name = ahead.pop()
            if name not in found:
                found.append(name)
                ahead += self._children.get(name, [])
        return found

    def _names(self) -> set[str]:
        return {label.name for label in self._bundle.manifest.labels}
