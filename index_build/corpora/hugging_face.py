"""A data set of the Hugging Face `datasets` library, saved to disk with `save_to_disk`."""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from index_build.corpora.base import Rejected
from index_build.corpora.listed import PATH_NOTE, ListedCorpus, ListedSettings, Record
from index_build.corpora.pictures import StoredPictures, name_below
from index_build.corpora.splits import split_of_word
from index_build.corpora.storage import Storage, fingerprint, locate
from index_build.corpora.text import strings
from sparc_core.errors import InputError

_ROWS_AT_A_TIME = 1000
_WHOLE = "all"
"""What the rows of a data set without splits are called."""


class DatasetsSettings(ListedSettings):
    """Settings of a saved data set."""

    kind: Literal["datasets"] = Field("datasets", description="A Hugging Face data set, saved with save_to_disk.")
    path: str = Field(min_length=1, description=f"The folder that save_to_disk wrote. {PATH_NOTE}")
    image_column: str = Field("image", min_length=1, description="Column with the pictures.")
    caption_columns: str | tuple[str, ...] = Field(
        ("caption",), description="Column or columns with captions, each a text or a list of texts; [] for none."
    )
    labels_column: str = Field("", description='Column with a class, a label or a list of them; "" for none.')
    item_id_column: str = Field("", description='Column with unique ids; "" makes them of split and row.')


class DatasetsCorpus(ListedCorpus):
    """Rows of all splits, in the order of their names; pictures are called SPLIT/ROW.

    Raises:
        InputError: The library is not installed, or the folder or a column is missing.
    """

    def __init__(self, options: DatasetsSettings, base: Path) -> None:
        self._storage = Storage(locate(base, options.path))
        super().__init__(options, self._storage.location, f'rows with a picture in column "{options.image_column}"')
        self._settings, self._captions_columns = options, strings(options.caption_columns)
        others = filter(None, (options.labels_column, options.item_id_column))
        self._columns = list(dict.fromkeys([*self._captions_columns, *others]))
        self._version = fingerprint(self._storage.list())
        for split, rows in _splits(self._storage, self._version).items():
            for column in (options.image_column, *self._columns):
                if column not in rows.column_names:
                    names = ", ".join(f'"{name}"' for name in rows.column_names)
                    raise InputError(
                        f'"{self._storage.location}" has no column "{column}" in split {split}, it has {names}: '
                        "correct the columns in [corpus]"
                    )

    @cached_property
    def reader(self) -> "DatasetPictures":
        """Reads by split and row."""
        return DatasetPictures(self._storage, self._settings.image_column, self._version)

    def _records(self) -> Iterator[Record | Rejected]:
        for split, rows in _splits(self._storage, self._version).items():
            names, side = self._class_names(rows), split_of_word(split)
            for number, (has_picture, values) in enumerate(self._rows(rows)):
                picture, item_id = f"{split}/{number:06d}", f"{split}-{number:06d}"
                if self._settings.item_id_column:
                    item_id = "".join(strings(values[self._settings.item_id_column])).strip()
                if not has_picture:
                    yield Rejected(item_id, picture, f"row {number} of {split} has no picture")
                elif not item_id:
                    column = self._settings.item_id_column
                    yield Rejected("", picture, f'row {number} of {split} has no id in column "{column}"')
                else:
                    captions = chain.from_iterable(strings(values[column]) for column in self._captions_columns)
                    labels = _labels(values.get(self._settings.labels_column), names)
                    yield Record(item_id, picture, tuple(captions), labels, side)

    def _rows(self, rows: Any) -> Iterator[tuple[bool, Mapping[str, Any]]]:
        """Whether each row has a picture, and its values of the other columns, without reading the pictures."""
        with_pictures = rows.with_format("arrow")
        for start in range(0, len(rows), _ROWS_AT_A_TIME):
            table = with_pictures[start : start + _ROWS_AT_A_TIME]
            values = table.select(self._columns).to_pylist() if self._columns else [{}] * table.num_rows
            yield from zip(_has_picture(table.column(self._settings.image_column)), values, strict=True)

    def _class_names(self, rows: Any) -> Sequence[str]:
        """Names of a ClassLabel column, or of a list of them."""
        column = self._settings.labels_column
        feature: Any = rows.features[column] if column else None
        return getattr(feature, "names", None) or getattr(getattr(feature, "feature", None), "names", None) or ()

    def _fingerprint(self) -> str:
        return self._version


@dataclass(frozen=True)
class DatasetPictures:
    """Reads pictures named SPLIT/ROW.

    Attributes:
        storage: The folder.
        column: The pictures' column: an Image feature, bytes, or paths.
        version: Changes with the files, so that what is kept of old ones is not used.
    """

    storage: Storage
    column: str
    version: str

    def read(self, picture: str) -> bytes:
        """The bytes that the row holds, or of the file that it names.

        Raises:
            OSError: There is no such row or file.
        """
        split, _, row = picture.rpartition("/")
        rows = _splits(self.storage, self.version).get(split)
        if rows is None or not row.isdecimal() or int(row) >= len(rows):
            raise FileNotFoundError(f'the data set has no row "{picture}"')
        value: Any = rows.with_format("arrow")[int(row)].column(self.column)[0].as_py()
        if not isinstance(value, dict):
            value = {"path" if isinstance(value, str) else "bytes": value}
        content, path = value.get("bytes"), value.get("path")
        if content:
            return bytes(content)
        if not path:
            raise FileNotFoundError(f"row {picture} holds no picture")
        below = name_below(self.storage, path)
        return StoredPictures(self.storage).read(below) if below else Path(path).read_bytes()


@lru_cache(maxsize=4)
def _splits(storage: Storage, version: str) -> Mapping[str, Any]:
    """The rows of each split, by its name; a data set without splits has one."""
    try:
        library = importlib.import_module("datasets")
    except ImportError:
        raise InputError(
            f'"{storage.location}" needs the library datasets, which is not installed: '
            'pip install "sparc-explorer[datasets]"'
        ) from None
    try:
        loaded = library.load_from_disk(storage.location)
    except Exception as error:  # its readers raise many kinds
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f'"{storage.location}" cannot be opened ({reason}): the folder that save_to_disk wrote is expected'
        ) from None
    return {_WHOLE: loaded} if isinstance(loaded, library.Dataset) else {name: loaded[name] for name in sorted(loaded)}


def _has_picture(column: Any) -> list[bool]:
    """Whether each value has bytes or a path; their lengths are looked at, not they."""
    import pyarrow as pa
    import pyarrow.compute as pc

    filled: list[bool] = []
    for chunk in column.chunks:
        parts = [chunk]
        if pa.types.is_struct(chunk.type):
            parts = [
                pc.struct_field(chunk, name) for name in ("bytes", "path") if chunk.type.get_field_index(name) >= 0
            ]
        lengths = [pc.fill_null(pc.greater(pc.binary_length(part), 0), False).to_pylist() for part in parts]
        filled.extend(any(some) for some in zip(*lengths, strict=True))
    return filled


def _labels(value: Any, names: Sequence[str]) -> tuple[str, ...]:
    """Labels by name; -1 is the library's mark of none."""
    if not names:
        return strings(value)
    numbers = value if isinstance(value, list) else [value]
    return tuple(names[number] for number in numbers if number is not None and 0 <= number < len(names))
