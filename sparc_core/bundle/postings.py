"""Posting lists: for every latent the items that activate it, strongest first, as memory-mapped FAISS inverted lists.

The file is an ordinary FAISS index (`IndexIVFFlat`, d = 1): list l holds the items of latent l as ids and their
activations as codes of one float32 each, and its coarse centroid is the number l. So FAISS tools can open it too.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import faiss
import numpy as np
from jaxtyping import Float32, Int64

from sparc_core.errors import BundleError, NotFoundError

_BYTES_PER_ACTIVATION = 4
_BYTES_PER_ITEM = 8
_BYTES_PER_ENTRY = _BYTES_PER_ACTIVATION + _BYTES_PER_ITEM


class Posting(NamedTuple):
    """One latent's items, strongest first (ties by row), and their activations; read-only views of the mapped file."""

    items: Int64[np.ndarray, "m"]
    activations: Float32[np.ndarray, "m"]


class Postings:
    """The posting lists of one stream, mapped."""

    def __init__(self, sizes: Int64[np.ndarray, "l"], path: Path) -> None:
        """Args: `sizes` of the lists, which lie in `path` as `write_postings` makes them."""
        self._sizes, self._path = sizes, path
        ends = len(_header(sizes)) + _BYTES_PER_ENTRY * np.cumsum(sizes)
        self._starts: list[int] = (ends - _BYTES_PER_ENTRY * sizes).tolist()
        self._file = np.asarray(np.memmap(path, np.uint8, "r"))  # slices of a memmap itself take ten times as long

    @property
    def n_latents(self) -> int:
        """How many lists there are."""
        return len(self._sizes)

    @property
    def n_entries(self) -> int:
        """Entries of all lists together."""
        return int(self._sizes.sum())

    def n_items_of(self, latent: int) -> int:
        """How many items activate the latent."""
        return int(self._sizes[self._checked(latent)])

    def of(self, latent: int) -> Posting:
        """The posting list of a latent.

        Raises:
            NotFoundError: There is no such latent.
        """
        n, start = self.n_items_of(latent), self._starts[latent]
        middle = start + _BYTES_PER_ACTIVATION * n
        activations = self._file[start:middle].view("<f4")
        return Posting(self._file[middle : start + _BYTES_PER_ENTRY * n].view("<i8"), activations)

    def gather(self, latents: Sequence[int]) -> tuple[Posting, list[int]]:
        """The lists of some latents one after another, and the size of each; copies, quicker than `of` for each.

        Raises:
            NotFoundError: There is no such latent.
        """
        file, starts = self._file, self._starts
        sizes = [self.n_items_of(latent) for latent in latents]
        middles = [starts[latent] + _BYTES_PER_ACTIVATION * n for latent, n in zip(latents, sizes, strict=True)]
        activations = [file[starts[latent] : middle] for latent, middle in zip(latents, middles, strict=True)]
        items = [file[middle : middle + _BYTES_PER_ITEM * n] for middle, n in zip(middles, sizes, strict=True)]
        return Posting(np.concatenate(items).view("<i8"), np.concatenate(activations).view("<f4")), sizes

    def in_order(self) -> Iterator[Posting]:
        """Every latent's list in turn, read from the file: a pass over all of a large file leaves no map of it behind.

        Raises:
            BundleError: The file ends early.
        """
        with self._path.open("rb") as file:
            file.seek(self._starts[0])
            for n in self._sizes.tolist():
                activations, items = np.fromfile(file, "<f4", n), np.fromfile(file, "<i8", n)
                if len(items) != n:
                    raise BundleError(f"{self._path} is truncated: rebuild the bundle")
                yield Posting(items, activations)

    def _checked(self, latent: int) -> int:
        if not 0 <= latent < self.n_latents:
            raise NotFoundError("latent", f"there is no latent {latent}: this bundle has 0 to {self.n_latents - 1}")
        return latent


def write_postings(postings: Iterable[Posting], sizes: Int64[np.ndarray, "l"], path: Path) -> None:
    """Write posting lists as a FAISS index, byte for byte as FAISS would, with one list in memory at a time.

    Args:
        postings: One per latent, in order.
        sizes: How many items each has.
        path: Replaced if it exists.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(_header(sizes))
        for latent, posting in enumerate(postings):
            assert len(posting.items) == len(posting.activations) == sizes[latent], f"list {latent} has another size"
            file.write(np.ascontiguousarray(posting.activations, "<f4").data)
            file.write(np.ascontiguousarray(posting.items, "<i8").data)


def _header(sizes: Int64[np.ndarray, "l"]) -> bytes:
    """Everything before the first list: the index as FAISS writes it, and the sizes of its lists."""
    n_latents = len(sizes)
    centroids = faiss.IndexFlatL2(1)
    centroids.add(np.arange(n_latents, dtype=np.float32)[:, None])
    index = faiss.IndexIVFFlat(centroids, 1, n_latents, faiss.METRIC_L2)
    index.replace_invlists(None, False)
    index.ntotal = int(sizes.sum())
    without_lists: bytes = faiss.serialize_index(index).tobytes()
    assert without_lists.endswith(b"il00"), "an index without lists ends by saying so"
    used = np.flatnonzero(sizes)
    # As FAISS: pairs of list and size where at most half of the lists are used, else every size.
    is_full = len(used) > n_latents // 2
    table = sizes if is_full else np.stack([used, sizes[used]], axis=1)
    parts = [b"ilar", _words(n_latents, _BYTES_PER_ACTIVATION), b"full" if is_full else b"sprs", _words(table.size)]
    return b"".join([without_lists[:-4], *parts, table.astype("<u8").tobytes()])


def _words(*values: int) -> bytes:
    return np.array(values, "<u8").tobytes()


def read_postings(path: Path, n_latents: int) -> Postings:
    """Map posting lists; a list is read from disk when it is looked at.

    Raises:
        BundleError: The file is no FAISS index, or not one of `n_latents` lists of activations.
    """
    index = read_index(path, faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
    if (
        not isinstance(index, faiss.IndexIVFFlat)
        or index.nlist != n_latents
        or index.code_size != _BYTES_PER_ACTIVATION
    ):
        raise BundleError(f"{path} does not hold posting lists of {n_latents} latents: rebuild the bundle")
    lists = index.invlists
    sizes = np.array([lists.list_size(latent) for latent in range(n_latents)], np.int64)
    if path.stat().st_size != len(_header(sizes)) + _BYTES_PER_ENTRY * int(sizes.sum()):
        raise BundleError(f"{path} is truncated, or not laid out as posting lists are: rebuild the bundle")
    return Postings(sizes, path)


def read_index(path: Path, flags: int) -> Any:
    """`faiss.read_index` with a BundleError in place of FAISS's own."""
    try:
        return faiss.read_index(str(path), flags)
    except RuntimeError:
        raise BundleError(f"{path} is damaged, not a FAISS index: rebuild the bundle") from None
