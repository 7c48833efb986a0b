"""The arrays of a large JSON object, element by element, with the place of each in the file.

COCO's annotation files are one object of arrays; the largest take gigabytes once parsed whole.
"""

import json
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from sparc_core.errors import InputError

_CHUNK = 1 << 20
_BLANKS = " \t\r\n"
_LOOK_AHEAD = 3
"""So many characters behind a number show that it does not go on: "1" may be the beginning of "1e+5"."""


class Element(NamedTuple):
    """One element of the array at `key`: its value, and the bytes it takes up."""

    key: str
    value: Any
    offset: int
    size: int


def read_arrays(file: BinaryIO, path: str) -> Iterator[Element]:
    """Every element of every array of the object, in the file's order; other values are skipped.

    Args:
        file: Open at its beginning, in UTF-8.
        path: Names it in messages.

    Raises:
        InputError: The file is no JSON object, or is cut off.
    """
    text = _Window(file, path)
    text.expect("{")
    if text.peek() == "}":
        return
    while True:
        key = str(text.value()[0])
        text.expect(":")
        if text.peek() == "[":
            yield from _elements(text, key)
        else:
            text.value()
        if text.take() == "}":
            return


def _elements(text: "_Window", key: str) -> Iterator[Element]:
    text.expect("[")
    if text.peek() == "]":
        text.take()
        return
    while True:
        yield Element(key, *text.value())
        if text.take() == "]":
            return


class _Window:
    """A piece of the file as Latin-1, in which a character is a byte; values with other letters are read again."""

    def __init__(self, file: BinaryIO, path: str) -> None:
        self._file, self._path, self._decoder = file, path, json.JSONDecoder()
        self._text, self._at, self._start, self._ended = "", 0, 0, False
        self._fill()
        self._at = 3 if self._text.startswith("\u00ef\u00bb\u00bf") else 0  # a byte-order mark

    def peek(self) -> str:
        """The next character that is not blank."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _BLANKS:
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._fill():
                raise self._wrong("it ends too early")

    def take(self) -> str:
        """The same, moving behind it: between values, a comma or the end of an array or object."""
        found = self.peek()
        if found not in ",]}":
            raise self._wrong(f'"{found}" where a comma is expected')
        self._at += 1
        return found

    def expect(self, wanted: str) -> None:
        """Move behind a character that must come next."""
        if self.peek() != wanted:
            raise self._wrong(f'"{self.peek()}" where "{wanted}" is expected')
        self._at += 1

    def value(self) -> tuple[Any, int, int]:
        """The next value, where it begins and how many bytes it takes up."""
        self.peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except (ValueError, RecursionError) as error:
                if isinstance(error, RecursionError) or not self._fill():
                    raise self._wrong(str(error)) from None
                continue
            if len(self._text) - end < _LOOK_AHEAD and self._fill():
                continue
            raw, offset = self._text[self._at : end], self._start + self._at
            self._at = end
            return (value if raw.isascii() else self._decoded(raw)), offset, len(raw)

    def _decoded(self, raw: str) -> Any:
        return json.loads(raw.encode("latin-1").decode("utf-8", "replace"))

    def _fill(self) -> bool:
        """Read on; as much again as is waiting, so that long values are not parsed over and over."""
        if self._ended:
            return False
        waiting = self._text[self._at :]
        more = self._file.read(max(_CHUNK, len(waiting))).decode("latin-1")
        self._ended = not more
        if more:
            self._text, self._start, self._at = waiting + more, self._start + self._at, 0
        return bool(more)

    def _wrong(self, what: str) -> InputError:
        place = self._start + self._at
        return InputError(f'"{self._path}" is damaged at byte {place} ({what}): a whole JSON object is expected')
