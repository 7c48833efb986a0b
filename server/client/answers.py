"""How answers are read: JSON into the contract's objects, files, one heatmap as numbers, lines as they come."""

import sys
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, TypeVar

import httpx
from pydantic import Field, TypeAdapter, ValidationError

from server.client.errors import error_of, said_error, unexpected
from server.schemas import CaptionReading, ErrorBody, HeatmapsDone, PictureHeatmaps, PictureTrust, Window

T = TypeVar("T")
Reader = Callable[[httpx.Response], T]

NDJSON, PNG, RAW, WEBP = "application/x-ndjson", "image/png", "application/octet-stream", "image/webp"
CSV, LATEX = "text/csv", "application/x-tex"

HeatmapLine = CaptionReading | PictureHeatmaps | PictureTrust | HeatmapsDone
_LINE: TypeAdapter[HeatmapLine] = TypeAdapter(Annotated[HeatmapLine, Field(discriminator="kind")])


@dataclass(frozen=True)
class HeatmapArray:
    """One heatmap as numbers.

    Attributes:
        rows: Of the grid.
        columns: Of the grid.
        window: The part of the picture that the grid covers.
        score: What the values add up to.
        values: At least 0, row by row from the upper left; `numpy.asarray(values).reshape(rows, columns)` copies
            nothing.
    """

    rows: int
    columns: int
    window: Window
    score: float
    values: "array[float]"  # a string: array takes no type when Python runs


def json_answer(adapter: TypeAdapter[T]) -> Reader[T]:
    """Read JSON into what the adapter describes."""

    def read(response: httpx.Response) -> T:
        _succeeded(response)
        try:
            # A newer service may say more than this client knows.
            return adapter.validate_json(response.content, extra="ignore")
        except ValidationError as error:
            raise unexpected(response, f"is not what was asked for ({_first(error)})") from error

    return read


def file_answer(media_type: str) -> Reader[bytes]:
    """Read a file of a media type, as it is."""

    def read(response: httpx.Response) -> bytes:
        _succeeded(response)
        seen = response.headers.get("content-type", "of no type")
        if seen.partition(";")[0].strip().lower() != media_type:
            raise unexpected(response, f"is {seen}, not {media_type}")
        return response.content

    return read


def no_answer(response: httpx.Response) -> None:
    """Only see that it succeeded."""
    _succeeded(response)


def array_answer(response: httpx.Response) -> HeatmapArray:
    """Read little-endian float32 and the headers that say what they are."""
    values = array("f")
    content = file_answer(RAW)(response)
    try:
        values.frombytes(content)
        rows, columns = int(response.headers["x-rows"]), int(response.headers["x-columns"])
        left, top, right, bottom = (float(edge) for edge in response.headers["x-window"].split())
        score = float(response.headers["x-score"])
    except (KeyError, ValueError) as error:
        raise unexpected(response, "does not say which heatmap it is") from error
    if rows * columns != len(values):
        raise unexpected(response, f"has {len(values)} values for a grid of {rows} x {columns}")
    if sys.byteorder == "big":
        values.byteswap()
    return HeatmapArray(rows, columns, Window(left=left, top=top, right=right, bottom=bottom), score, values)


class LineReader:
    """Lines of a heatmap answer, out of pieces that end anywhere.

    Only b"\\n" ends a line: JSON strings may hold the other characters that `str.splitlines` (and httpx) split at.
    """

    def __init__(self, response: httpx.Response) -> None:
        """Args: the answer, of which only the beginning has come; with an error, all of it."""
        _succeeded(response)
        self._response, self._rest, self._done = response, b"", False

    def feed(self, piece: bytes) -> Iterator[HeatmapLine]:
        """The lines that the piece completes. Raises the error of an error line."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in filter(None, lines):
            yield self._read(line)

    def end(self) -> Iterator[HeatmapLine]:
        """What is left when no more pieces come. Raises if the answer broke off."""
        yield from self.feed(b"\n")
        if not self._done:
            raise unexpected(self._response, "broke off before its last line")

    def _read(self, line: bytes) -> HeatmapLine:
        try:
            read = _LINE.validate_json(line, extra="ignore")
        except ValidationError as error:
            raise self._error(line, _first(error)) from error
        self._done = isinstance(read, HeatmapsDone)
        return read

    def _error(self, line: bytes, problem: str) -> Exception:
        try:
            return said_error(self._response, ErrorBody.model_validate_json(line, extra="ignore").error)
        except ValidationError:
            return unexpected(self._response, f"has a line that is none of a heatmap answer's ({problem})")


def _succeeded(response: httpx.Response) -> None:
    if not response.is_success:
        raise error_of(response)


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return ": ".join(filter(None, (".".join(str(part) for part in first["loc"]), first["msg"])))
