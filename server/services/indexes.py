"""What searches look through: a bundle's posting lists and feature indexes, each opened once."""

from contextlib import suppress
from functools import cache

from sparc_core.bundle import Bundle
from sparc_core.errors import BundleError
from sparc_core.retrieval import SparseSearch, VectorSearch


class Indexes:
    """The indexes of one bundle, by stream; NotFoundError where there is no such stream."""

    def __init__(self, bundle: Bundle) -> None:
        """Args: an open bundle."""
        self._bundle = bundle
        self.codes = cache(self._open_codes)
        self.features = cache(self._open_features)

    def open(self) -> None:
        """Open all, and read the tables, so that the first visitor does not wait for it.

        An evaluation that cannot be read costs its pages, not the service.
        """
        len(self._bundle.items)
        with suppress(BundleError):
            _ = self._bundle.evaluation
        for stream in self._bundle.manifest.streams:
            self.codes(stream.name)
            self.features(stream.name)
            self._bundle.postings(stream.name)
            self._bundle.codes(stream.name)

    def _open_codes(self, stream: str) -> SparseSearch:
        return SparseSearch(self._bundle.local_postings(stream), self._bundle.codes(stream, "local"))

    def _open_features(self, stream: str) -> VectorSearch:
        return VectorSearch(self._bundle.vectors(stream))
