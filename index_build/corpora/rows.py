"""Rows of CSV, TSV, JSON Lines and Parquet files, one at a time, as values of the columns asked for.

A row that cannot be read is a `BadRow` with its place, and the rows after it are read on.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple, Protocol

from index_build.corpora.pictures import suffix_of
from index_build.corpora.storage import Storage
from sparc_core.errors import InputError

_SAMPLE = 1000
_ROWS_AT_A_TIME = 8192
_LARGEST_FIELD = 1 << 24


class Row(NamedTuple):
    """A row by its number in the file (lines count from 1, Parquet rows from 0) and its values, None where absent."""

    number: int
    values: Sequence[Any]


class BadRow(NamedTuple):
    """A row that cannot be read, and why."""

    number: int
    reason: str


class RowFile(Protocol):
    """A file of rows."""

    unit: str
    """What its rows are called in messages."""

    @property
    def columns(self) -> Sequence[str]:
        """Names of its columns; of a format without a header, those of the first 1,000 rows."""
        ...

    def rows(self, columns: Sequence[str]) -> Iterator[Row | BadRow]:
        """All rows, with the values of these columns in this order."""
        ...


def open_rows(storage: Storage, name: str) -> RowFile:
    """The rows of a file, by its suffix.

    Raises:
        InputError: The file is missing or of no known format.
    """
    storage.require(name)
    match suffix_of(name):
        case "csv":
            return DelimitedRows(storage, name, ",")
        case "tsv" | "tab":
            return DelimitedRows(storage, name, "\t")
        case "jsonl" | "ndjson":
            return JsonRows(storage, name)
        case "parquet" | "pq":
            return ParquetRows(storage, name)
    raise InputError(f'"{storage.path(name)}" is no table that can be read: use .csv, .tsv, .jsonl or .parquet')


class DelimitedRows:
    """CSV or TSV with a header, quoted as spreadsheets and pandas do, in UTF-8."""

    unit = "line"

    def __init__(self, storage: Storage, name: str, delimiter: str) -> None:
        self._storage, self._name, self._delimiter = storage, name, delimiter

    @cached_property
    def columns(self) -> Sequence[str]:
        """The header."""
        with self._text() as text:
            try:
                return next(self._reader(text))
            except StopIteration:
                raise InputError(f'"{self._storage.path(self._name)}" is empty: it needs a header') from None
            except csv.Error as error:
                raise InputError(f'"{self._storage.path(self._name)}" has no readable header ({error})') from None

    def rows(self, columns: Sequence[str]) -> Iterator[Row | BadRow]:
        """Every line or quoted group of lines after the header; empty lines are skipped."""
        header = list(self.columns)
        places = [header.index(column) for column in columns]
        with self._text() as text:
            reader = self._reader(text)
            next(reader)
            while True:
                number = reader.line_num + 1
                try:
                    fields = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield BadRow(number, f"it is not valid CSV ({error})")
                    continue
                if len(fields) == len(header):
                    yield Row(number, [fields[place] for place in places])
                elif fields:
                    yield BadRow(number, f"it has {len(fields)} fields, the header {len(header)}: quote its texts")

    def _text(self) -> io.TextIOWrapper:
        file = self._storage.open(self._name)
        return io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")

    def _reader(self, text: io.TextIOWrapper) -> Any:
        csv.field_size_limit(max(csv.field_size_limit(), _LARGEST_FIELD))
        # Strict, or a quote that is never closed would swallow the rows after it without a word.
        return csv.reader(text, delimiter=self._delimiter, strict=True)


class JsonRows:
    """JSON Lines: an object a line."""

    unit = "line"

    def __init__(self, storage: Storage, name: str) -> None:
        self._storage, self._name = storage, name

    @cached_property
    def columns(self) -> Sequence[str]:
        """Keys of the first 1,000 objects."""
        found = (value for _, value in islice(self._objects(), _SAMPLE) if isinstance(value, dict))
        return list(dict.fromkeys(key for value in found for key in value))

    def rows(self, columns: Sequence[str]) -> Iterator[Row | BadRow]:
        """Every line that is not empty."""
        for number, value in self._objects():
            if isinstance(value, dict):
                yield Row(number, [value.get(column) for column in columns])
            else:
                yield BadRow(number, value)

    def _objects(self) -> Iterator[tuple[int, dict[str, Any] | str]]:
        """Line numbers with objects, or why a line has none."""
        with self._storage.open(self._name) as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, parse_object(line)


def parse_object(line: bytes) -> dict[str, Any] | str:
    """A JSON object, or why the text is none."""
    try:
        value = json.loads(line.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError) as error:
        return f"it is not valid JSON ({error})"
    return value if isinstance(value, dict) else "it is no JSON object"


class ParquetRows:
    """Parquet; columns of bytes are read only where a row might lack its own."""

    unit = "row"

    def __init__(self, storage: Storage, name: str) -> None:
        self._storage, self._name = storage, name

    @cached_property
    def columns(self) -> Sequence[str]:
        """Names of the top-level columns."""
        with self._storage.open(self._name) as raw:
            return list(self._file(raw).schema_arrow.names)

    def bytes_column(self, column: str) -> bool:
        """Whether a column holds pictures themselves: bytes, or a struct with a field "bytes"."""
        import pyarrow as pa

        with self._storage.open(self._name) as raw:
            kind = self._file(raw).schema_arrow.field(column).type
        if pa.types.is_struct(kind):
            return kind.get_field_index("bytes") >= 0
        return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)

    def rows(self, columns: Sequence[str]) -> Iterator[Row | BadRow]:
        """Every row; where the file is damaged, one bad row stands for the rest of its row group."""
        import pyarrow as pa

        end = 0
        with self._storage.open(self._name) as raw:
            file = self._file(raw)
            for group in range(file.num_row_groups):
                number, end = end, end + file.metadata.row_group(group).num_rows
                try:
                    for batch in file.iter_batches(_ROWS_AT_A_TIME, row_groups=[group], columns=list(columns)):
                        values = [batch.column(column).to_pylist() for column in columns]
                        for row in range(batch.num_rows):
                            yield Row(number, [column[row] for column in values])
                            number += 1
                except (pa.ArrowException, OSError) as error:
                    yield BadRow(number, f"it and those up to row {end - 1} cannot be read ({error})")

    def empty_rows(self, column: str) -> Iterator[int]:
        """Rows whose bytes column has nothing."""
        start = 0
        with self._storage.open(self._name) as raw:
            file = self._file(raw)
            for group in range(file.num_row_groups):
                if not _is_full(file.metadata.row_group(group), column):
                    values = file.read_row_group(group, columns=[column]).column(column)
                    yield from (start + row for row, value in enumerate(values) if not _has_picture(value.as_py()))
                start += file.metadata.row_group(group).num_rows

    def _file(self, raw: Any) -> Any:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return pq.ParquetFile(raw)
        except (pa.ArrowException, OSError) as error:
            path = self._storage.path(self._name)
            raise InputError(f'"{path}" is no readable Parquet file ({error}): write it again') from None


def _is_full(group: Any, column: str) -> bool:
    """Whether the file's own statistics say that every row of a group has bytes."""
    for position in range(group.num_columns):
        chunk = group.column(position)
        if chunk.path_in_schema in (column, f"{column}.bytes"):
            return chunk.statistics is not None and chunk.statistics.null_count == 0
    return False


def _has_picture(value: Any) -> bool:
    return bool(value.get("bytes") or value.get("path")) if isinstance(value, dict) else bool(value)
