"""Open Images with Localized Narratives: captions, human-verified labels, their hierarchy; files as published."""

import csv
import io
import json
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from index_build.corpora.base import Label, Rejected
from index_build.corpora.compact import Groups, Texts
from index_build.corpora.listed import PATH_NOTE, ListedCorpus, ListedSettings, Record
from index_build.corpora.pictures import StoredPictures, is_picture
from index_build.corpora.rows import BadRow, open_rows, parse_object
from index_build.corpora.storage import FileStat, Storage, fingerprint, locate, locate_files
from index_build.corpora.text import one_line
from sparc_core.errors import InputError

_LABEL_COLUMNS = ("ImageID", "Source", "LabelName", "Confidence")


class OpenImagesSettings(ListedSettings):
    """Settings of Open Images."""

    kind: Literal["open_images"] = Field("open_images", description="Open Images, its files as published.")
    images: str = Field(min_length=1, description=f"Folder of the pictures, named IMAGEID.jpg. {PATH_NOTE}")
    narratives: str | tuple[str, ...] = Field(
        "",
        description="Localized Narratives, say open_images_test_captions.jsonl; a list or a pattern like "
        'train-{00000..00009}-of-00010.jsonl works too; "" for none. They say which pictures are used.',
    )
    image_labels: str | tuple[str, ...] = Field(
        "",
        description='Image-level labels, say test-annotations-human-imagelabels.csv; "" for none. Without narratives '
        "they say which pictures are used.",
    )
    class_descriptions: str = Field("", description='Names of the labels, say class-descriptions.csv; "" for none.')
    hierarchy: str = Field(
        "", description='Which label is above which, say bbox_labels_600_hierarchy.json; "" for none.'
    )

    @model_validator(mode="after")
    def _has_annotations(self) -> Self:
        if not self.narratives and not self.image_labels:
            raise ValueError("name narratives, image_labels or both")
        return self


class OpenImagesCorpus(ListedCorpus):
    """Pictures by ascending id, which is the item's id.

    Raises:
        InputError: A file or folder is missing, or a file is of another format.
    """

    def __init__(self, options: OpenImagesSettings, base: Path) -> None:
        self._images = Storage(locate(base, options.images))
        super().__init__(options, self._images.location, "narratives or present labels")
        self._narratives, self._label_files, self._described, self._ordered = (
            _files(base, texts)
            for texts in (options.narratives, options.image_labels, options.class_descriptions, options.hierarchy)
        )
        files = chain(self._narratives, self._label_files, self._described, self._ordered)
        self._stats = [storage.require(name) for storage, name in files]
        self._listing = fingerprint(stat for stat in self._images.list() if is_picture(stat.name))

    @cached_property
    def reader(self) -> StoredPictures:
        """Reads `IMAGEID.jpg`."""
        return StoredPictures(self._images)

    @cached_property
    def _index(self) -> "_Index":
        return _read(self._narratives, self._label_files)

    @cached_property
    def _names(self) -> Mapping[str, str]:
        """Unique names by MID, of all that have a description."""
        found = dict(chain.from_iterable(_descriptions(*file) for file in self._described))
        counts = Counter(found.values())
        return {mid: name if counts[name] == 1 else f"{name} ({mid})" for mid, name in found.items()}

    @cached_property
    def _hierarchy(self) -> "_Hierarchy":
        return _read_hierarchy(*self._ordered[0]) if self._ordered else _Hierarchy({}, frozenset())

    def _name(self, mid: str) -> str:
        return self._names.get(mid, mid)

    def _records(self) -> Iterator[Record | Rejected]:
        index = self._index
        yield from index.rejected
        for row, name in enumerate(index.ids):
            captions = tuple(index.captions[member] for member in index.captions_of[row])
            mids = (index.mids[index.label_mid[member]] for member in index.labels_of[row])
            yield Record(name, f"{name}.jpg", captions, tuple(self._name(mid) for mid in sorted(mids)))

    def _label_tree(self, used: frozenset[str]) -> tuple[Label, ...]:
        """The used labels and all above them; those that the hierarchy lacks have nothing above."""
        parents, kept = self._hierarchy.parents, set[str]()
        for mid in self._index.mids:
            at: str | None = mid if self._name(mid) in used else None
            while at and at not in kept:
                kept.add(at)
                at = parents.get(at)
        rank = {mid: position for position, mid in enumerate(parents)}
        ordered = sorted(kept, key=lambda mid: (rank.get(mid, len(rank)), self._name(mid)))
        return tuple(self._label(mid) for mid in ordered)

    def _label(self, mid: str) -> Label:
        parent = self._hierarchy.parents.get(mid, "")
        kind = "group" if mid in self._hierarchy.inner else "object"
        return Label(self._name(mid), kind, self._name(parent) if parent else "")

    def _fingerprint(self) -> str:
        return fingerprint([*self._stats, FileStat("images", 0, self._listing)])


_File = tuple[Storage, str]


@dataclass(frozen=True)
class _Index:
    """Pictures by ascending id; groups hold positions in the lists beside them."""

    ids: Sequence[str] | Texts
    captions: Texts
    captions_of: Groups
    mids: Sequence[str]
    label_mid: "array[int]"
    labels_of: Groups
    rejected: Sequence[Rejected]


@dataclass(frozen=True)
class _Hierarchy:
    """Parent MIDs ("" at the root), parents first, and the MIDs that have something below."""

    parents: Mapping[str, str]
    inner: frozenset[str]


def _files(base: Path, texts: str | Sequence[str]) -> list[_File]:
    if not texts:
        return []
    storage, names = locate_files(base, texts)
    return [(storage, name) for name in names]


def _read(narratives: Sequence[_File], label_files: Sequence[_File]) -> _Index:
    rows: dict[str, int] = {}
    captions, caption_row, label_row, label_mid = Texts(), array("q"), array("q"), array("q")
    mids: dict[str, int] = {}
    rejected: list[Rejected] = []
    for found in chain.from_iterable(_narratives(*file) for file in narratives):
        if isinstance(found, Rejected):
            rejected.append(found)
            continue
        picture, text = found
        captions.append(text)
        caption_row.append(rows.setdefault(picture, len(rows)))
    for found in chain.from_iterable(_present_labels(*file) for file in label_files):
        if isinstance(found, Rejected):
            rejected.append(found)
            continue
        picture, mid = found
        row = rows.get(picture, -1) if narratives else rows.setdefault(picture, len(rows))
        if row >= 0:
            label_row.append(row)
            label_mid.append(mids.setdefault(mid, len(mids)))
    ids, rank = Texts(), array("q", bytes(8 * len(rows)))
    for position, picture in enumerate(sorted(rows)):
        ids.append(picture)
        rank[rows[picture]] = position
    return _Index(
        ids=ids,
        captions=captions,
        captions_of=Groups(array("q", (rank[row] for row in caption_row)), len(ids)),
        mids=list(mids),
        label_mid=label_mid,
        labels_of=Groups(array("q", (rank[row] for row in label_row)), len(ids)),
        rejected=rejected,
    )


def _narratives(storage: Storage, name: str) -> Iterator[tuple[str, str] | Rejected]:
    """Picture ids and captions; lines also hold the speaker's traces, which are megabytes and of no use here."""
    with storage.open(name) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            value = parse_object(line)
            if isinstance(value, str):
                yield Rejected("", "", f"{name}, line {number}: {value}")
                continue
            picture, caption = value.get("image_id"), value.get("caption")
            if _is_id(picture) and isinstance(caption, str):
                yield str(picture), caption
            else:
                yield Rejected("", "", f'{name}, line {number}: it needs an "image_id" and a "caption"')


def _present_labels(storage: Storage, name: str) -> Iterator[tuple[str, str] | Rejected]:
    """Picture ids and MIDs verified as present by a person; others, and what machines guess, are left out."""
    file = open_rows(storage, name)
    missing = [column for column in _LABEL_COLUMNS if column not in file.columns]
    if missing:
        raise InputError(
            f'"{storage.path(name)}" has no column "{missing[0]}": image-level labels with {",".join(_LABEL_COLUMNS)} '
            "are expected"
        )
    for row in file.rows(_LABEL_COLUMNS):
        if isinstance(row, BadRow):
            yield Rejected("", "", f"{name}, line {row.number}: {row.reason}")
            continue
        picture, source, mid, confidence = row.values
        try:
            present = float(confidence) >= 1
        except ValueError:
            yield Rejected("", "", f'{name}, line {row.number}: its confidence is "{confidence}", not a number')
            continue
        if not _is_id(picture) or not mid:
            yield Rejected("", "", f"{name}, line {row.number}: it needs an ImageID and a LabelName")
        elif present and source != "machine":
            yield picture, mid


def _descriptions(storage: Storage, name: str) -> Iterator[tuple[str, str]]:
    """MIDs and names, from either published form: with the header LabelName,DisplayName and without."""
    with storage.open(name) as file, io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="") as text:
        for fields in csv.reader(text):
            if len(fields) >= 2 and fields[0].startswith("/") and one_line(fields[1]):
                yield fields[0], one_line(fields[1])


def _read_hierarchy(storage: Storage, name: str) -> _Hierarchy:
    """Depth first; a class that is met again keeps its first parent. Parts count as below, like subcategories."""
    try:
        root = json.loads(storage.read(name))
    except (ValueError, RecursionError) as error:
        raise InputError(f'"{storage.path(name)}" is no valid JSON ({error}): download the hierarchy again') from None
    parents: dict[str, str] = {}
    inner: set[str] = set()
    waiting: list[tuple[Any, str]] = [(root, "")]
    while waiting:
        node, parent = waiting.pop()
        if not isinstance(node, dict) or not isinstance(node.get("LabelName"), str):
            raise InputError(
                f'"{storage.path(name)}" has a node without "LabelName": the 600-class hierarchy is expected'
            )
        mid = node["LabelName"]
        parents.setdefault(mid, parent)
        below = [child for key in ("Subcategory", "Part") for child in node.get(key) or ()]
        if below:
            inner.add(mid)
        waiting.extend((child, mid) for child in reversed(below))
    return _Hierarchy(parents, frozenset(inner))


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and "/" not in value
