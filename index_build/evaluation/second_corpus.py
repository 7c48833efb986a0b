"""A second corpus: items that the model was not built over, to see whether retrieval holds outside.

It is another bundle, or a folder with a file of features per stream (`dino.h5`, `clip_img.npy`), rows aligned. Only its
features count; codes are made with the model that is measured.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32

from index_build.evaluation.retrieval import unit
from index_build.evaluation.subject import evenly_spaced, read_features
from index_build.features.store import FeatureStore
from index_build.fingerprints import file_fingerprint
from index_build.indexing.encoding import BatchEncoder
from sparc_core.bundle import Bundle
from sparc_core.bundle.codes import Codes, concatenate
from sparc_core.bundle.manifest import MANIFEST_NAME
from sparc_core.checkpoint import load_sparc
from sparc_core.errors import InputError
from sparc_core.model import Sparc

_SUFFIXES = (".h5", ".npy")


@dataclass(frozen=True)
class SecondCorpus:
    """Where a second corpus lies.

    Attributes:
        path: A bundle or a folder of features.
        model: The file of the model that is measured.
        streams: The width of each of its streams.
        most_items: So many items at most, evenly spaced; 0 for all.
    """

    path: Path
    model: Path
    streams: Mapping[str, int]
    most_items: int

    def check(self) -> None:
        """Look whether it can be used.

        Raises:
            InputError: It is neither a bundle nor a folder of features, lacks a stream, or a stream has another width.
            ShapeError: Streams have different numbers of rows.
        """
        _, widths = self._sizes()
        for stream, d in self.streams.items():
            if widths[stream] != d:
                raise InputError(
                    f"the second corpus at {self.path} has features of width {widths[stream]} for stream {stream}, the "
                    f"model takes {d}: compute them with the same backbone"
                )

    def open(self) -> "OpenSecondCorpus":
        """For measuring; `check` it first."""
        return OpenSecondCorpus(self)

    def fingerprint(self) -> list[object]:
        """Changes with its content."""
        if self.is_bundle:
            return [Bundle.open(self.path).manifest.bundle_id]
        return [file_fingerprint(self._file(stream)) for stream in self.streams]

    @property
    def is_bundle(self) -> bool:
        """Whether it is a bundle."""
        return (self.path / MANIFEST_NAME).is_file()

    def features(self, stream: str) -> Float32[np.ndarray, "m d"]:
        """Unit features of the items looked at."""
        n_items, _ = self._sizes()
        rows = np.arange(n_items)
        if self.most_items:
            rows = evenly_spaced(rows, self.most_items)
        if not self.is_bundle:
            return self._store().rows(torch.from_numpy(rows))[stream].numpy()
        described = Bundle.open(self.path).manifest.stream(stream)
        return read_features(self.path / "vectors" / f"{stream}.faiss", described, n_items, rows)

    def _sizes(self) -> tuple[int, Mapping[str, int]]:
        """How many items, and the width of each stream."""
        if not self.is_bundle:
            store = self._store()
            return store.n_rows, store.widths
        manifest = Bundle.open(self.path).manifest
        widths = {stream.name: stream.d for stream in manifest.streams if stream.vectors != "ivfpq"}
        for stream in self.streams:
            if stream not in widths:
                raise InputError(
                    f"the second corpus at {self.path} has no features of stream {stream}, or only compressed ones: "
                    "give a bundle that has them"
                )
        return manifest.corpus.n_items, widths

    def _store(self) -> FeatureStore:
        return FeatureStore.open({stream: self._file(stream) for stream in self.streams})

    def _file(self, stream: str) -> Path:
        for suffix in _SUFFIXES:
            if (self.path / f"{stream}{suffix}").is_file():
                return self.path / f"{stream}{suffix}"
        raise InputError(
            f"the second corpus at {self.path} is no bundle and has no {stream}.h5 or {stream}.npy: "
            "give a bundle, or a folder with a file of features per stream"
        )


class OpenSecondCorpus:
    """A `retrieval.Searched`."""

    inside = False

    def __init__(self, second: SecondCorpus) -> None:
        """Args: where it lies."""
        self._second = second

    @property
    def corpus(self) -> str:
        """The corpus's name, or the folder's."""
        second = self._second
        return Bundle.open(second.path).manifest.corpus.name if second.is_bundle else second.path.name

    @cached_property
    def model(self) -> Sparc:
        """The model that is measured."""
        return load_sparc(self._second.model).eval().requires_grad_(False)

    def local_codes(self, stream: str) -> Codes:
        """Codes of its items, made now."""
        features, encoder = self.features(stream), BatchEncoder(self.model)
        starts = range(0, len(features), encoder.batch_size)
        parts = [encoder.encode({stream: features[start : start + encoder.batch_size]}).local for start in starts]
        return concatenate([part[stream] for part in parts])

    def features(self, stream: str) -> Float32[np.ndarray, "m d"]:
        """Unit features."""
        return unit(self._second.features(stream))
