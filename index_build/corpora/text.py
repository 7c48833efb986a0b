"""What ids, captions and labels become before they enter a bundle: one line, valid Unicode, of bounded length."""

import hashlib
import re
from typing import Any

MAX_CAPTION = 2000
_MAX_ID, _ID_HEAD = 180, 160
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b\u2028\u2029\ufeff\ud800-\udfff]+")


def one_line(text: str) -> str:
    """The text with every run of white space, control characters and broken Unicode as one space; none at its ends."""
    return _BLANKS.sub(" ", text).strip()


def bounded_caption(text: str) -> str:
    """At most 2,000 characters of a caption, cut between words where there is a gap to cut at."""
    if len(text) <= MAX_CAPTION:
        return text
    head, gap, _ = text[: MAX_CAPTION + 1].rpartition(" ")
    return (head if gap else text[:MAX_CAPTION]).rstrip()


def bounded_id(text: str) -> str:
    """An item id: "/" is ":" (ids are parts of URLs), unprintable characters are "_"; beyond 180 characters, the first
    160 and a hash of the whole.
    """
    text = text.strip().replace("/", ":")
    if not text.isprintable():
        text = "".join(c if c.isprintable() else "_" for c in text)
    return text if len(text) <= _MAX_ID else f"{text[:_ID_HEAD]}~{hash64(text):016x}"


def valid(text: str) -> str:
    """The text with "?" for what is no Unicode."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def reason(text: str) -> str:
    """A reason as a report can show it."""
    return one_line(text)[:400]


def hash64(text: str) -> int:
    """The same 64 bits for the same text, on every machine."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def strings(value: Any, separator: str = "") -> tuple[str, ...]:
    """A value from a file as strings: none for None, each of a list, parts between separators, or the one."""
    if value is None:
        return ()
    if isinstance(value, list | tuple):
        return tuple(str(part) for part in value if part is not None)
    if isinstance(value, str) and separator:
        return tuple(value.split(separator))
    return (str(value),)
