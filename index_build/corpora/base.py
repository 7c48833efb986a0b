"""What a corpus is: aligned items (a picture, a caption, labels) in a fixed order, and a way to read the pictures.

Building over another kind of data means implementing `Corpus`; the kinds that exist are beside this file.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool
from PIL import Image

Split = Literal["train", "test"]


@dataclass(frozen=True, slots=True)
class Label:
    """A label: its name (unique), its kind (say "object", "colour") and the label above it ("" at a root)."""

    name: str
    kind: str
    parent: str = ""


@dataclass(frozen=True, slots=True)
class CorpusItem:
    """One item.

    Attributes:
        item_id: Unique in the corpus.
        picture: Names its picture, for people and for the corpus's reader; items with several captions share one.
        caption: May be empty.
        labels: Names of labels, leaves of the hierarchy.
        split: "train" (SPARC learns from it) or "test" (held out); the same for all items of a picture.
    """

    item_id: str
    picture: str
    caption: str
    labels: tuple[str, ...]
    split: Split


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something in the corpus that cannot become an item, and why, in words for its owner."""

    item_id: str
    picture: str
    reason: str


class PictureReader(Protocol):
    """Reads pictures wherever it is: it pickles small, opens files when first asked, and loads no torch."""

    def read(self, picture: str) -> bytes | Image.Image:
        """A picture as its file's bytes, whatever they are, or drawn.

        Raises:
            OSError: It is not there or cannot be read; the message says why.
        """
        ...


class Corpus(Protocol):
    """Items in a fixed order."""

    @property
    def name(self) -> str:
        """What to call it."""
        ...

    @property
    def licence(self) -> str:
        """Under which terms its pictures and captions may be used."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """Everything that decides its content, as JSON values: where files are concerned, their sizes and times too."""
        ...

    @property
    def labels(self) -> tuple[Label, ...]:
        """Every label and its place in the hierarchy, parents first."""
        ...

    @property
    def reader(self) -> PictureReader:
        """Reads the pictures that items name."""
        ...

    def items(self) -> Iterator[CorpusItem | Rejected]:
        """All items, by row, and what cannot be one; the same every time."""
        ...


class Mask(NamedTuple):
    """Where in a picture something is: True on its pixels."""

    label: str
    pixels: Bool[np.ndarray, "h w"]


@runtime_checkable
class MaskedCorpus(Protocol):
    """A corpus that knows where in its pictures things are."""

    def masks(self, picture: str) -> list[Mask]:
        """One mask per thing, in the picture's own size (after its EXIF rotation)."""
        ...
