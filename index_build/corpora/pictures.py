"""Pictures that lie as files below a storage: which file names are pictures, and how they are read."""

import posixpath
from dataclasses import dataclass

from index_build.corpora.storage import Storage

SUFFIXES = frozenset("jpg jpeg jpe jfif png webp gif bmp tif tiff avif ppm pgm".split())
_UNSUPPORTED = frozenset(
    "heic heif svg svgz raw arw cr2 cr3 crw dng nef nrw orf raf rw2 pef srw psd psb xcf eps ai exr hdr jxl jp2 j2k "
    "ico cur tga dds djvu wmf emf".split()
)
_KNOWN = "jpg, png, webp, gif, bmp, tif, avif"


@dataclass(frozen=True)
class StoredPictures:
    """Reads pictures by their path below a storage."""

    storage: Storage

    def read(self, picture: str) -> bytes:
        """The file's bytes.

        Raises:
            OSError: It is not there or cannot be read.
        """
        return self.storage.read(picture)


def suffix_of(name: str) -> str:
    """What follows the last dot of a file's name, in lower case; "" without one."""
    return posixpath.splitext(name)[1][1:].lower()


def stem_of(name: str) -> str:
    """The path without the last suffix."""
    return posixpath.splitext(name)[0]


def is_picture(name: str) -> bool:
    """Whether the file's name says that it is a picture we can read."""
    return suffix_of(name) in SUFFIXES


def unsupported(name: str) -> str:
    """Why a file that looks like a picture cannot be used; "" where it can or does not look like one."""
    suffix = suffix_of(name)
    return f".{suffix} pictures cannot be read: convert it to one of {_KNOWN}" if suffix in _UNSUPPORTED else ""


def wrong_suffix(name: str) -> str:
    """Why a file that is said to be a picture is none by its name; "" where it may be one."""
    suffix = suffix_of(name)
    return f'"{name}" has no suffix of a picture that can be read: use one of {_KNOWN}' if _odd(suffix) else ""


def name_below(storage: Storage, path: str) -> str | None:
    """The path as a name below the storage; None where it leads elsewhere."""
    path = path.strip()
    if "://" in path or path.startswith("/"):
        root = storage.location.rstrip("/") + "/"
        if not path.startswith(root):
            return None
        path = path.removeprefix(root)
    name = posixpath.normpath(path)
    return None if name in (".", "..") or name.startswith(("../", "/")) else name


def _odd(suffix: str) -> bool:
    return bool(suffix) and suffix not in SUFFIXES
