"""WebDataset: samples in tar files. A picture is a byte range of its shard, so nothing is unpacked."""

import io
import json
import re
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Literal

from pydantic import Field

from index_build.corpora.base import Rejected
from index_build.corpora.compact import Texts
from index_build.corpora.listed import PATH_NOTE, ListedCorpus, ListedSettings, Record
from index_build.corpora.rows import parse_object
from index_build.corpora.storage import Storage, fingerprint, is_ignored, locate_files
from index_build.corpora.text import strings
from sparc_core.errors import InputError

_PICTURES = ("jpg", "jpeg", "png", "webp")
_NAME = re.compile(r"([^:]+):.*@(\d+)\+(\d+)", re.DOTALL)
_MOST_TEXT = 1 << 24


class WebDatasetSettings(ListedSettings):
    """Settings of a WebDataset."""

    kind: Literal["webdataset"] = Field("webdataset", description="WebDataset: samples in tar files.")
    path: str | tuple[str, ...] = Field(
        description=f"The shards: a file, a list, or a pattern like shard-{{000..009}}.tar. {PATH_NOTE}"
    )
    caption_key: str = Field("caption", description="Key of the caption or captions in a sample's .json; a .txt wins.")
    labels_key: str = Field("", description='Key of the labels in a sample\'s .json; "" takes them from its .cls.')
    class_names: tuple[str, ...] = Field((), description="What the numbers in .cls mean: names from 0 on.")


class WebDatasetCorpus(ListedCorpus):
    """Samples in the order of shards and files in them; ids are SHARD/KEY.

    Raises:
        InputError: A shard is missing.
    """

    def __init__(self, options: WebDatasetSettings, base: Path) -> None:
        self._storage, self._shards = locate_files(base, options.path)
        place = self._storage.path(self._shards[0]) if len(self._shards) == 1 else self._storage.location
        super().__init__(options, place, "tar files of samples with a .jpg, .png or .webp")
        self._settings = options
        for shard in self._shards:
            if ":" in shard or not shard.endswith(".tar"):
                raise InputError(f'shard "{shard}" cannot be used: unpacked .tar files without ":" in their names are')
        self._stats = [self._storage.require(shard) for shard in self._shards]

    @cached_property
    def reader(self) -> "TarPictures":
        """Reads byte ranges."""
        return TarPictures(self._storage)

    def _records(self) -> Iterator[Record | Rejected]:
        for line in self._index:
            kind, *fields = json.loads(line)
            if kind == "rejected":
                yield Rejected(*fields)
            else:
                item_id, picture, captions, labels = fields
                yield Record(item_id, picture, tuple(captions), tuple(labels))

    @cached_property
    def _index(self) -> Texts:
        """Every sample, as JSON: walking through tar files is slow, so it happens once."""
        index = Texts()
        for shard in self._shards:
            for found in self._walk(shard):
                if isinstance(found, Rejected):
                    index.append(json.dumps(["rejected", found.item_id, found.picture, found.reason]))
                else:
                    index.append(json.dumps(["record", found.item_id, found.picture, found.captions, found.labels]))
        return index

    def _walk(self, shard: str) -> Iterator[Record | Rejected]:
        with self._storage.open(shard) as file:
            sample: _Sample | None = None
            for member in _members(file):
                if isinstance(member, str):
                    yield Rejected("", shard, f"{shard}: {member}")
                    continue
                key, suffix = _key_of(member.name)
                if sample is None or sample.key != key:
                    if sample is not None:
                        yield self._record(sample, shard)
                    sample = _Sample(key)
                sample.add(suffix, member, file)
            if sample is not None:
                yield self._record(sample, shard)

    def _record(self, sample: "_Sample", shard: str) -> Record | Rejected:
        item_id = f"{shard.removesuffix('.tar')}/{sample.key}"
        where = f"{shard}:{sample.key}"
        if sample.picture is None:
            have = ", ".join(f".{suffix}" for suffix in sample.suffixes)
            return Rejected(item_id, where, f"the sample has no .jpg, .jpeg, .png or .webp, only {have}")
        picture = f"{shard}:{sample.picture.name}@{sample.picture.offset_data}+{sample.picture.size}"
        if not sample.picture.size:
            return Rejected(item_id, picture, "its picture is empty")
        meta: dict[str, Any] | str = parse_object(sample.texts["json"]) if "json" in sample.texts else {}
        if isinstance(meta, str):
            return Rejected(item_id, picture, f"its .json cannot be used: {meta}")
        if "txt" in sample.texts:
            captions = tuple(sample.texts["txt"].decode("utf-8-sig", "replace").splitlines())
        else:
            captions = strings(meta.get(self._settings.caption_key))
        labels = strings(meta.get(self._settings.labels_key)) if self._settings.labels_key else self._class_of(sample)
        return Record(item_id, picture, captions, labels)

    def _class_of(self, sample: "_Sample") -> tuple[str, ...]:
        text = sample.texts.get("cls", b"").decode("utf-8-sig", "replace").strip()
        names = self._settings.class_names
        return (names[int(text)] if text.isdecimal() and int(text) < len(names) else text,)

    def _fingerprint(self) -> str:
        return fingerprint(self._stats)


@dataclass(frozen=True)
class TarPictures:
    """Reads pictures named `SHARD:MEMBER@OFFSET+SIZE`."""

    storage: Storage

    def read(self, picture: str) -> bytes:
        """The bytes of the member.

        Raises:
            OSError: The shard is missing, or ends before.
        """
        match = _NAME.fullmatch(picture)
        if match is None:
            raise FileNotFoundError(f'"{picture}" names no file in a shard')
        return self.storage.read_range(match[1], int(match[2]), int(match[3]))


@dataclass
class _Sample:
    """What follows each other under one key: the first picture, and small texts."""

    key: str
    picture: tarfile.TarInfo | None = None
    texts: dict[str, bytes] = field(default_factory=dict)
    suffixes: list[str] = field(default_factory=list)

    def add(self, suffix: str, member: tarfile.TarInfo, file: BinaryIO) -> None:
        self.suffixes.append(suffix)
        if suffix in _PICTURES:
            self.picture = self.picture or member
        elif suffix in ("txt", "json", "cls") and member.size <= _MOST_TEXT:
            file.seek(member.offset_data)
            self.texts[suffix] = file.read(member.size)


def _key_of(name: str) -> tuple[str, str]:
    """A member's sample and suffix: the name up to the first dot of its last part, and the rest."""
    folder, slash, last = name.removeprefix("./").rpartition("/")
    stem, _, suffix = last.partition(".")
    return folder + slash + stem, suffix.lower()


def _members(file: BinaryIO) -> Iterator[tarfile.TarInfo | str]:
    """The regular files of a tar that are whole; last, why it could not be read to its end."""
    n_bytes = file.seek(0, io.SEEK_END)
    file.seek(0)
    try:
        with tarfile.open(fileobj=file, mode="r:") as tar:
            while (member := tar.next()) is not None:
                vars(tar)["members"] = []  # it keeps every header otherwise
                if member.offset_data + member.size > n_bytes:
                    yield f"{member.name} was cut off: the shard ends at byte {n_bytes}"
                    return
                if member.isreg() and not any(is_ignored(part) for part in _parts(member.name)):
                    yield member
            end = tar.offset
    except (tarfile.TarError, EOFError) as error:
        yield f"it cannot be read on ({error}): it is damaged, cut off or no tar file"
        return
    file.seek(end)
    mark = file.read(tarfile.BLOCKSIZE)
    if len(mark) < tarfile.BLOCKSIZE or mark.strip(b"\0"):
        yield f"it has no end mark at byte {end}: it is damaged or cut off"


def _parts(name: str) -> Sequence[str]:
    return name.removeprefix("./").split("/")
