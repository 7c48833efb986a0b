"""A table with a row per picture: CSV, TSV, JSON Lines or Parquet, which may hold the pictures themselves."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from index_build.corpora.base import PictureReader, Rejected
from index_build.corpora.listed import PATH_NOTE, ListedCorpus, ListedSettings, Record
from index_build.corpora.pictures import StoredPictures, is_picture, name_below, stem_of, wrong_suffix
from index_build.corpora.rows import BadRow, ParquetRows, Row, RowFile, open_rows
from index_build.corpora.splits import known_words, split_of_word
from index_build.corpora.storage import Storage, fingerprint, locate, locate_files
from index_build.corpora.text import strings
from sparc_core.errors import InputError

_ITEM_ID, _CAPTION, _CAPTIONS = "item_id", "caption", "captions"


class TableSettings(ListedSettings):
    """Settings of a table."""

    kind: Literal["table"] = Field("table", description="A table (.csv, .tsv, .jsonl, .parquet), a row per picture.")
    path: str | tuple[str, ...] = Field(
        description=f"The table: one file, a list, or a pattern like part-{{00..09}}.parquet. {PATH_NOTE}"
    )
    images: str = Field("", description='Folder of the pictures that the table names; "" is the table\'s own folder.')
    image_column: str = Field(
        "image", min_length=1, description="Column with the picture: its path, or in Parquet its bytes."
    )
    caption_columns: str | tuple[str, ...] = Field(
        (_CAPTION,),
        description='Columns with captions, each a text or a list of texts; "captions" where there is no "caption"; '
        "[] for none.",
    )
    labels_column: str = Field("", description='Column with labels, a list or a text; "" for none.')
    labels_separator: str = Field(",", description="What stands between the labels of a text.")
    item_id_column: str = Field(
        "", description='Column with unique ids; "" takes "item_id" where there is one, else the pictures\' paths.'
    )
    split_column: str = Field("", description='Column with "train", "test" or "val"; "" for none.')


class TableCorpus(ListedCorpus):
    """Pictures by row.

    Raises:
        InputError: A file, folder or column is missing.
    """

    def __init__(self, options: TableSettings, base: Path) -> None:
        self._tables, self._names = locate_files(base, options.path)
        place = self._tables.path(self._names[0]) if len(self._names) == 1 else self._tables.location
        super().__init__(options, place, f'rows with a picture in column "{options.image_column}"')
        self._pictures = Storage(locate(base, options.images)) if options.images else self._tables
        if self._pictures.location == "/":
            raise InputError('images = "/" is the whole disk: name the folder that holds the pictures')
        self._files = [(name, open_rows(self._tables, name)) for name in self._names]
        self._columns = _Columns(self._with_usual_columns(options))
        for name, file in self._files:
            self._columns.require(file, self._tables.path(name))
        self._has_bytes = [isinstance(f, ParquetRows) and f.bytes_column(options.image_column) for _, f in self._files]
        if any(self._has_bytes) and not all(self._has_bytes):
            raise InputError(f"{place} holds pictures in some of its files and paths in others: make two corpora of it")

    def _with_usual_columns(self, options: TableSettings) -> TableSettings:
        """The settings with the columns that tables of that kind usually have, where they name none."""

        def everywhere(column: str) -> bool:
            return all(column in file.columns for _, file in self._files)

        usual: dict[str, Any] = {}
        if not options.item_id_column and everywhere(_ITEM_ID):
            usual["item_id_column"] = _ITEM_ID
        if options.caption_columns == (_CAPTION,) and not everywhere(_CAPTION) and everywhere(_CAPTIONS):
            usual["caption_columns"] = (_CAPTIONS,)
        return options.model_copy(update=usual)

    @cached_property
    def reader(self) -> PictureReader:
        """Reads by path, or by row where the table holds the pictures."""
        files = StoredPictures(self._pictures)
        if not self._has_bytes[0]:
            return files
        return ParquetPictures(self._tables, self._columns.image, self._table_fingerprint, files)

    def _records(self) -> Iterator[Record | Rejected]:
        found = chain.from_iterable(
            self._of_bytes(name, file) if has_bytes and isinstance(file, ParquetRows) else self._of_paths(name, file)
            for (name, file), has_bytes in zip(self._files, self._has_bytes, strict=True)
        )
        return found if self._columns.item_id or self._has_bytes[0] else _merged(found)

    def _of_paths(self, name: str, file: RowFile) -> Iterator[Record | Rejected]:
        for row in file.rows(self._columns.all):
            where = f"{name}, {file.unit} {row.number}"
            if isinstance(row, BadRow):
                yield Rejected("", "", f"{where}: {row.reason}")
                continue
            image = row.values[0]
            if not isinstance(image, str) or not image.strip():
                yield Rejected("", "", f'{where}: column "{self._columns.image}" names no picture')
                continue
            picture = name_below(self._pictures, image)
            if picture is None:
                reason = f'{where}: "{image}" is not below "{self._pictures.location}": set images to a folder above it'
                yield Rejected("", image, reason)
            elif why := wrong_suffix(picture):
                yield Rejected(stem_of(picture), picture, f"{where}: {why}")
            else:
                yield self._columns.record(row, picture, stem_of(picture), where)

    def _of_bytes(self, name: str, file: ParquetRows) -> Iterator[Record | Rejected]:
        empty, columns = set(file.empty_rows(self._columns.image)), self._columns.all[1:]
        rows: Iterator[Row | BadRow] = file.rows(columns) if columns else _numbered(self._tables, name)
        for row in rows:
            where, picture = f"{name}, row {row.number}", f"{name}#{row.number}"
            if isinstance(row, BadRow):
                yield Rejected("", picture, f"{where}: {row.reason}")
            elif row.number in empty:
                yield Rejected("", picture, f'{where}: column "{self._columns.image}" has no picture')
            else:
                named = Row(row.number, [None, *row.values])
                yield self._columns.record(named, picture, f"{stem_of(name)}-{row.number:06d}", where)

    @cached_property
    def _table_fingerprint(self) -> str:
        return fingerprint(self._tables.require(name) for name in self._names)

    def _fingerprint(self) -> str:
        pictures = () if self._has_bytes[0] else (stat for stat in self._pictures.list() if is_picture(stat.name))
        return fingerprint(chain((self._tables.require(name) for name in self._names), pictures))


class _Columns:
    """Which columns are read, and what a row's values mean."""

    def __init__(self, options: TableSettings) -> None:
        self._settings = options
        self.image, self.item_id = options.image_column, options.item_id_column
        self._captions = strings(options.caption_columns)
        others = (options.item_id_column, options.split_column, options.labels_column)
        self.all = list(dict.fromkeys([self.image, *self._captions, *filter(None, others)]))

    def require(self, file: RowFile, path: str) -> None:
        """Raise InputError where a file lacks a column."""
        for column in self.all:
            if column not in file.columns:
                names = ", ".join(f'"{name}"' for name in file.columns) or "none"
                raise InputError(f'"{path}" has no column "{column}", it has {names}: correct the columns in [corpus]')

    def record(self, row: Row, picture: str, item_id: str, where: str) -> Record | Rejected:
        """The row as a record; its id is `item_id` unless a column has it."""
        if self.item_id:
            value = self._value(row, self.item_id)
            item_id = "" if value is None else str(value).strip()
            if not item_id:
                return Rejected("", picture, f'{where}: column "{self.item_id}" has no id')
        split = None
        if self._settings.split_column:
            word = self._value(row, self._settings.split_column)
            split = split_of_word(str(word))
            if split is None and word not in (None, ""):
                return Rejected(item_id, picture, f'{where}: "{word}" is no split: use one of {known_words()}')
        captions = chain.from_iterable(strings(self._value(row, column)) for column in self._captions)
        labels = self._settings.labels_column
        found = strings(self._value(row, labels), self._settings.labels_separator) if labels else ()
        return Record(item_id, picture, tuple(captions), found, split)

    def _value(self, row: Row, column: str) -> Any:
        return row.values[self.all.index(column)]


@dataclass(frozen=True)
class ParquetPictures:
    """Reads pictures that a Parquet column holds, named `FILE#ROW`; rows of a struct may hold a path instead.

    Attributes:
        tables: Where the Parquet files are.
        column: Bytes, or structs {bytes, path}.
        version: Changes with the files, so that what is kept of old ones is not used.
        files: Reads what rows name by path.
    """

    tables: Storage
    column: str
    version: str
    files: StoredPictures

    def read(self, picture: str) -> bytes:
        """The row's bytes.

        Raises:
            OSError: There is no such row, it is empty, or its file cannot be read.
        """
        name, _, row = picture.rpartition("#")
        if not name or not row.isdecimal():
            raise FileNotFoundError(f'"{picture}" names no row of a table')
        value = _cell(self, name, int(row))
        if isinstance(value, dict):
            path = value.get("path")
            if not value.get("bytes") and path:
                below = name_below(self.files.storage, path)
                if below is None:
                    raise FileNotFoundError(f'"{path}" is not below "{self.files.storage.location}"')
                return self.files.read(below)
            value = value.get("bytes")
        if not value:
            raise FileNotFoundError(f"{picture} holds no picture")
        return bytes(value)


def _cell(reader: ParquetPictures, name: str, row: int) -> Any:
    starts = _group_starts(reader.tables, name, reader.version)
    if row >= starts[-1]:
        raise FileNotFoundError(f"{name} has {starts[-1]} rows and no row {row}")
    group = next(group for group, start in enumerate(starts[1:]) if row < start)
    return _group(reader.tables, name, reader.version, reader.column, group)[row - starts[group]].as_py()


@lru_cache(maxsize=256)
def _group_starts(tables: Storage, name: str, version: str) -> Sequence[int]:
    """The first row of each row group, and the number of rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with tables.open(name) as raw:
        try:
            metadata, starts = pq.ParquetFile(raw).metadata, [0]
        except pa.ArrowException as error:
            raise OSError(f"{name} is damaged ({error})") from None
    for group in range(metadata.num_row_groups):
        starts.append(starts[-1] + metadata.row_group(group).num_rows)
    return starts


@lru_cache(maxsize=1)
def _group(tables: Storage, name: str, version: str, column: str, group: int) -> Any:
    """One column of a row group, kept because its neighbours are usually read next."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with tables.open(name) as raw:
        try:
            return pq.ParquetFile(raw).read_row_group(group, columns=[column]).column(column)
        except pa.ArrowException as error:
            raise OSError(f"{name} is damaged ({error})") from None


def _numbered(tables: Storage, name: str) -> Iterator[Row | BadRow]:
    return (Row(number, []) for number in range(_group_starts(tables, name, fingerprint([tables.require(name)]))[-1]))


def _merged(found: Iterator[Record | Rejected]) -> Iterator[Record | Rejected]:
    """Rows that follow each other and name one picture, as tables with a caption a row do, are one record."""
    last: Record | None = None
    for record in found:
        if isinstance(record, Record) and last is not None and last.picture == record.picture:
            if last.split == record.split:
                captions, labels = (*last.captions, *record.captions), (*last.labels, *record.labels)
                last = replace(last, captions=captions, labels=labels)
                continue
            record = Rejected(record.item_id, record.picture, "rows of one picture are in different splits")
        if isinstance(record, Rejected):
            yield record
            continue
        if last is not None:
            yield last
        last = record
    if last is not None:
        yield last
