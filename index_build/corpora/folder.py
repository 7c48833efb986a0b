"""A folder of pictures, with or without folders in it; captions in text files beside them."""

from array import array
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import UInt64
from pydantic import Field

from index_build.corpora.base import Rejected
from index_build.corpora.compact import Texts
from index_build.corpora.listed import PATH_NOTE, ListedCorpus, ListedSettings, Record
from index_build.corpora.pictures import StoredPictures, is_picture, stem_of, unsupported
from index_build.corpora.storage import FileStat, Storage, fingerprint, locate
from index_build.corpora.text import hash64


class FolderSettings(ListedSettings):
    """Settings of a folder of pictures."""

    kind: Literal["folder"] = Field("folder", description="Pictures in a folder, captions in NAME.txt beside NAME.jpg.")
    path: str = Field(min_length=1, description=f"The folder, searched with all folders in it. {PATH_NOTE}")
    labels_from_folders: bool = Field(False, description="The first folder below the path is the picture's label.")


class FolderCorpus(ListedCorpus):
    """Pictures by path; an item's id is the path without suffix.

    Raises:
        InputError: The folder is missing.
    """

    def __init__(self, options: FolderSettings, base: Path) -> None:
        self._storage = Storage(locate(base, options.path))
        super().__init__(options, self._storage.location, "pictures (jpg, png, webp, ...)")
        self._has_labels = options.labels_from_folders
        self._files = _list(self._storage)

    @cached_property
    def reader(self) -> StoredPictures:
        """Reads by path."""
        return StoredPictures(self._storage)

    def _records(self) -> Iterator[Record | Rejected]:
        for name in self._files.names:
            if why := unsupported(name):
                yield Rejected(stem_of(name), name, why)
                continue
            folder, slash, _ = name.partition("/")
            yield Record(stem_of(name), name, labels=(folder,) if self._has_labels and slash else ())

    def _captions(self, record: Record) -> tuple[str, ...]:
        stem = stem_of(record.picture)
        if not self._files.has_captions(stem):
            return ()
        return tuple(self._storage.read(f"{stem}.txt").decode("utf-8-sig", "replace").splitlines())

    def _fingerprint(self) -> str:
        return self._files.fingerprint


class _Files(NamedTuple):
    """What a listing found: pictures (and what looks like one), hashes of the stems of text files, sorted."""

    names: Texts
    text_stems: UInt64[np.ndarray, "m"]
    fingerprint: str

    def has_captions(self, stem: str) -> bool:
        wanted = np.uint64(hash64(stem))
        position = int(np.searchsorted(self.text_stems, wanted))
        return position < len(self.text_stems) and bool(self.text_stems[position] == wanted)


def _list(storage: Storage) -> _Files:
    names, stems = Texts(), array("Q")

    def kept() -> Iterator[FileStat]:
        for stat in storage.list():
            if is_picture(stat.name) or unsupported(stat.name):
                names.append(stat.name)
                yield stat
            elif stat.name.endswith(".txt"):
                stems.append(hash64(stat.name.removesuffix(".txt")))
                yield stat

    digest = fingerprint(kept())
    return _Files(names, np.sort(np.asarray(stems, np.uint64)), digest)
