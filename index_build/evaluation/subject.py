"""What is measured: the parts of a bundle, opened when they are first asked for, and the items to look at.

The parts are known by their paths, so that a process of its own can open them; they are those of a published bundle or
of the steps of a build that has not published yet.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Int64
from scipy import sparse

from index_build.indexing.statistics import label_matrix
from sparc_core.bundle import Bundle
from sparc_core.bundle.codes import Codes, read_codes
from sparc_core.bundle.manifest import LabelManifest, Selection, SparcManifest, StreamManifest
from sparc_core.bundle.postings import Postings, read_postings
from sparc_core.bundle.tables import ItemTable, LatentTable, read_items, read_latents
from sparc_core.bundle.vectors import read_vectors
from sparc_core.checkpoint import load_sparc
from sparc_core.model import Sparc

_FOLDERS: Mapping[Selection, str] = {"own": "codes", "local": "codes_local"}


@dataclass(frozen=True)
class Parts:
    """Where everything lies and what the manifest will say of it.

    Attributes:
        corpus: Its name.
        streams: In the model's order.
        sparc: The model's sizes.
        labels: The hierarchy.
        shared_spaces: Pairs (query, target) whose features can be compared without SPARC.
        codes: The folder that has `codes/` and `codes_local/`.
        postings: The folder that has `postings/`.
        features: By stream: a `.npy` file of unit rows, or an index that features can be had back from.
    """

    corpus: str
    streams: tuple[StreamManifest, ...]
    sparc: SparcManifest
    labels: tuple[LabelManifest, ...]
    shared_spaces: tuple[tuple[str, str], ...]
    model: Path
    items: Path
    latents: Path
    codes: Path
    postings: Path
    features: Mapping[str, Path]

    @classmethod
    def of_bundle(cls, bundle: Bundle, shared_spaces: tuple[tuple[str, str], ...]) -> "Parts":
        """The parts of a published bundle; features that are compressed there are left out."""
        manifest, path = bundle.manifest, bundle.path
        whole = [stream.name for stream in manifest.streams if stream.vectors != "ivfpq"]
        return cls(
            corpus=manifest.corpus.name,
            streams=manifest.streams,
            sparc=manifest.sparc,
            labels=manifest.labels,
            shared_spaces=shared_spaces,
            model=bundle.sparc_path,
            items=path / "items.parquet",
            latents=path / "latents.parquet",
            codes=path,
            postings=path,
            features={stream: path / "vectors" / f"{stream}.faiss" for stream in whole},
        )


class Labelled(NamedTuple):
    """Which of some items carries which label: ones of a [m, c] matrix, and the labels' names."""

    carries: sparse.csr_array
    names: list[str]


class Subject:
    """The parts, open, and the measured items: held-out ones, or all where none are held out."""

    def __init__(self, parts: Parts, most_items: int) -> None:
        """Args: where things lie; how many items are looked at, at most (evenly spaced), 0 for all."""
        self.parts, self._most_items = parts, most_items

    @property
    def streams(self) -> list[str]:
        """Their names, in the model's order."""
        return [stream.name for stream in self.parts.streams]

    @property
    def n_latents(self) -> int:
        """Size of the dictionary."""
        return self.parts.sparc.n_latents

    @cached_property
    def model(self) -> Sparc:
        """The model, for inference."""
        return load_sparc(self.parts.model).eval().requires_grad_(False)

    @cached_property
    def items(self) -> ItemTable:
        """All items."""
        return read_items(self.parts.items)

    @cached_property
    def latents(self) -> LatentTable:
        """The latents' statistics and names."""
        return read_latents(self.parts.latents, self.streams, self.n_latents)

    @cached_property
    def held_out(self) -> Int64[np.ndarray, "h"]:
        """The rows that SPARC was not trained on."""
        return self.items.rows_of_split("test")

    @cached_property
    def rows(self) -> Int64[np.ndarray, "m"]:
        """The rows that are measured, ascending."""
        rows = self.held_out if len(self.held_out) else np.arange(len(self.items))
        return evenly_spaced(rows, self._most_items) if self._most_items else rows

    def codes(self, stream: str, selection: Selection) -> Codes:
        """Codes of the measured items."""
        folder, sparc = self.parts.codes / _FOLDERS[selection], self.parts.sparc
        codes = read_codes(folder, stream, len(self.items), sparc.k, sparc.n_latents)
        return Codes(codes.latents[self.rows], codes.activations[self.rows])

    def all_codes(self, selection: Selection) -> dict[str, Codes]:
        """Codes of the measured items, by stream."""
        return {stream: self.codes(stream, selection) for stream in self.streams}

    def postings(self) -> dict[str, Postings]:
        """Posting lists of all items under the model's own selection, by stream."""
        folder = self.parts.postings / "postings"
        return {stream: read_postings(folder / f"{stream}.faiss", self.n_latents) for stream in self.streams}

    def features(self, stream: str) -> Float32[np.ndarray, "m d"]:
        """Unit features of the measured items; KeyError where they cannot be had."""
        described = next(s for s in self.parts.streams if s.name == stream)
        return read_features(self.parts.features[stream], described, len(self.items), self.rows)

    @cached_property
    def labelled(self) -> Labelled:
        """Which measured item carries which label; labels that none carries are left out."""
        labels = self.items.labels()
        of_rows = [labels[row] for row in self.rows]
        used = {label for item in of_rows for label in item}
        known = [label.name for label in self.parts.labels if label.name in used]
        names = known + sorted(used - set(known))
        return Labelled(label_matrix(of_rows, names), names)


def evenly_spaced(rows: Int64[np.ndarray, "m"], most: int) -> Int64[np.ndarray, "j"]:
    """All rows, or `most` of them, evenly spaced from the first one on."""
    return rows if len(rows) <= most else rows[np.arange(most) * len(rows) // most]


def read_features(
    path: Path, stream: StreamManifest, n_items: int, rows: Int64[np.ndarray, "m"]
) -> Float32[np.ndarray, "m d"]:
    """Some rows of a stream's features, from a matrix or from an index that keeps them whole."""
    if path.suffix == ".npy":
        return np.asarray(np.load(path, mmap_mode="r")[rows])
    index: Any = read_vectors(path, n_items, stream.d, stream.vectors)
    found: Float32[np.ndarray, "m d"] = index.reconstruct_batch(rows)
    return found
