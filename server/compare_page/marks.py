"""Words that several parts of the page share."""

import re
from collections.abc import Iterable, Mapping, Sequence

from server.schemas import Info, StreamInfo


def titles_of(*bundles: Info) -> dict[str, str]:
    """Titles of streams by their names."""
    return {stream.name: stream.title for info in bundles for stream in info.streams}


def titled(text: str, titles: Mapping[str, str]) -> str:
    """A text with the streams' titles for their names."""
    return re.sub(r"\w+", lambda word: titles.get(word[0], word[0]), text)


def listed(words: Iterable[str]) -> str:
    """Words in a row: "a", "a and b", "a, b and c"."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def shared_streams(first: Info, second: Info) -> list[StreamInfo]:
    """Streams of the first bundle that the second one has too, by name."""
    names = {stream.name for stream in second.streams}
    return [stream for stream in first.streams if stream.name in names]


def one_of(modality: str, streams: Sequence[StreamInfo]) -> list[str]:
    """Names of the streams of a modality."""
    return [stream.name for stream in streams if stream.modality == modality]
