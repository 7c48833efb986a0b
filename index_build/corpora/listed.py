"""What all corpora made of files share: captions in three ways, splits, a limit, unique ids, reasons for the rest.

A kind yields `Record`s; `ListedCorpus` goes over them twice, once for what must be known of all of them (16 bytes a
record), once for the items. So a million rows need neither a list of items nor a second copy of their texts.
"""

from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from index_build.corpora.base import CorpusItem, Label, PictureReader, Rejected, Split
from index_build.corpora.splits import CODES, Lots, draw_lots
from index_build.corpora.text import bounded_caption, bounded_id, hash64, one_line, reason, valid
from sparc_core.errors import InputError

PATH_NOTE = "A relative path is relative to this file; a URL such as s3://bucket/folder works too."


class ListedSettings(BaseModel):
    """Settings that all corpora made of files have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field("", description='What to call the corpus; "" takes the name of its folder or file.')
    licence: str = Field(
        "licence unknown", description="Under which terms its pictures and captions may be used; shown to visitors."
    )
    captions: Literal["joined", "each", "first"] = Field(
        "joined",
        description='A picture with several captions: "joined" makes one item of them all, "each" an item per caption, '
        '"first" keeps the first.',
    )
    test_share: float = Field(
        0.1,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Share of the pictures held out for evaluation, where the corpus does not say which.",
    )
    split_seed: int = Field(0, description="Another number holds out other pictures.")
    limit: int = Field(0, ge=0, description="Use only the first so many pictures; 0 uses all.")


@dataclass(frozen=True, slots=True)
class Record:
    """A picture with what is known of it, as found; `item_id` is not yet bounded, texts are not yet one line."""

    item_id: str
    picture: str
    captions: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    split: Split | None = None


@dataclass(frozen=True)
class _Plan:
    """What must be known of all records before the first item: how many to use, ids met twice, splits, labels."""

    n_entries: int
    repeated: frozenset[int]
    lots: Lots
    labels: frozenset[str]


class ListedCorpus(ABC):
    """A corpus by its records; implements all of `Corpus` but `reader`."""

    def __init__(self, options: ListedSettings, place: str, expected: str) -> None:
        """Args: `place` is where it is, `expected` what should be there, both for messages."""
        self._options, self._place, self._expected = options, place, expected
        self.name = options.name or place.rstrip("/").rpartition("/")[2] or "corpus"
        self.licence = options.licence

    @property
    @abstractmethod
    def reader(self) -> PictureReader:
        """Reads the pictures that items name."""

    @abstractmethod
    def _records(self) -> Iterator[Record | Rejected]:
        """Everything in the corpus, in a fixed order."""

    @abstractmethod
    def _fingerprint(self) -> str:
        """Changes when a file that decides the content does."""

    def _captions(self, record: Record) -> tuple[str, ...]:
        """The record's captions, where they are too costly to read along; may raise OSError."""
        return record.captions

    def _label_tree(self, used: frozenset[str]) -> tuple[Label, ...]:
        """The used labels and those above them, parents first."""
        return tuple(Label(name, "label") for name in sorted(used))

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """The settings and a fingerprint of the files."""
        return self._options.model_dump(mode="json") | {"fingerprint": self._fingerprint()}

    @cached_property
    def labels(self) -> tuple[Label, ...]:
        """Every label and its place in the hierarchy, parents first."""
        return self._label_tree(self._plan.labels)

    def items(self) -> Iterator[CorpusItem | Rejected]:
        """All items, by row, and what cannot be one; the same every time.

        Raises:
            InputError: There is nothing that could be an item.
        """
        plan, met = self._plan, set[str]()
        for entry in islice(self._entries(), plan.n_entries):
            if isinstance(entry, Rejected):
                yield entry
                continue
            if hash64(entry.item_id) in plan.repeated:
                if entry.item_id in met:
                    yield _rejected(entry, f'its id "{entry.item_id}" is taken by an earlier item: make ids unique')
                    continue
                met.add(entry.item_id)
            picture = self._lot(entry)
            if picture in plan.lots.torn:
                yield _rejected(entry, "its picture is in several splits: put all of its items into one")
                continue
            yield from self._items_of(entry, entry.split or plan.lots.split(picture))

    def _items_of(self, record: Record, split: Split) -> Iterator[CorpusItem | Rejected]:
        try:
            captions = [text for text in map(one_line, self._captions(record)) if text]
        except OSError as error:
            yield _rejected(record, f"its captions cannot be read: {error.strerror or error}")
            return
        if self._options.captions == "each":
            for number, text in enumerate(captions or [""]):
                caption = bounded_caption(text)
                yield CorpusItem(f"{record.item_id}#{number}", record.picture, caption, record.labels, split)
        else:
            kept = captions[:1] if self._options.captions == "first" else captions
            yield CorpusItem(record.item_id, record.picture, bounded_caption(" ".join(kept)), record.labels, split)

    def _entries(self) -> Iterator[Record | Rejected]:
        """The records with their ids and labels as they will be, or why not."""
        for record in self._records():
            if isinstance(record, Rejected):
                yield Rejected(bounded_id(record.item_id), valid(record.picture), reason(record.reason))
            else:
                yield _tidied(record)

    def _lot(self, record: Record) -> int:
        return hash64(f"{self._options.split_seed}\0{record.picture}")

    @cached_property
    def _plan(self) -> _Plan:
        ids, pictures, codes, labels = array("Q"), array("Q"), array("b"), set[str]()
        n_entries, n_rejected, why, first = 0, 0, "", _First(self._options.limit)
        for entry in self._entries():
            if isinstance(entry, Rejected):
                n_rejected, why = n_rejected + 1, why or entry.reason
            else:
                item, picture = hash64(entry.item_id), self._lot(entry)
                if first.is_beyond(item, picture):
                    break
                ids.append(item)
                pictures.append(picture)
                codes.append(CODES[entry.split])
                labels.update(entry.labels)
            n_entries += 1
        repeated, lots, n_usable = _decide(ids, pictures, codes, self._options.test_share)
        if not n_usable:
            why = why or ("all pictures are in several splits" if ids else "")
            because = f"; {n_rejected or len(ids)} rejected, the first because: {why}" if why else ""
            raise InputError(f"{self._place} has nothing that can be an item, expected {self._expected}{because}")
        return _Plan(n_entries, repeated, lots, frozenset(labels))


class _First:
    """Tells the first `limit` pictures from later ones; 0 is no limit."""

    def __init__(self, limit: int) -> None:
        self._limit, self._ids, self._pictures = limit, set[int](), set[int]()

    def is_beyond(self, item: int, picture: int) -> bool:
        if not self._limit or item in self._ids or picture in self._pictures:
            return False
        if len(self._pictures) == self._limit:
            return True
        self._ids.add(item)
        self._pictures.add(picture)
        return False


def _decide(
    ids: Sequence[int], pictures: Sequence[int], codes: Sequence[int], test_share: float
) -> tuple[frozenset[int], Lots, int]:
    """Ids met twice, the splits, and the number of records that remain; a repeated record decides nothing."""
    values, first, counts = np.unique(np.asarray(ids, np.uint64), return_index=True, return_counts=True)
    of_first = np.asarray(pictures, np.uint64)[first]
    lots = draw_lots(of_first, np.asarray(codes, np.int8)[first], test_share)
    n_torn = int(np.isin(of_first, np.array(sorted(lots.torn), np.uint64)).sum())
    return frozenset(values[counts > 1].tolist()), lots, len(values) - n_torn


def _tidied(record: Record) -> Record | Rejected:
    item_id = bounded_id(record.item_id)
    if not item_id:
        return Rejected("", valid(record.picture), "it has no id: name one")
    if not (record.picture.isascii() or _is_unicode(record.picture)):
        return Rejected(item_id, valid(record.picture), "its picture's name is no valid Unicode: rename the file")
    labels = tuple(dict.fromkeys(filter(None, map(one_line, record.labels)))) if record.labels else ()
    return Record(item_id, record.picture, record.captions, labels, record.split)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _rejected(record: Record, why: str) -> Rejected:
    return Rejected(record.item_id, record.picture, reason(why))
