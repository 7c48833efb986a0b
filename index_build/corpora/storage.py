"""Where a corpus's files are: a folder of this machine, or anything that fsspec reaches (`s3://`, `memory://`).

Local paths go straight to the operating system. A `Storage` is a string and pickles as one; the filesystem behind it is
opened when first asked, once per process.
"""

import hashlib
import itertools
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from sparc_core.errors import InputError

_IGNORED = frozenset(("__MACOSX", "Thumbs.db", "desktop.ini", "$RECYCLE.BIN", "@eaDir"))
_VERSION_KEYS = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "created")
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_MOST_FILES = 100_000


class FileStat(NamedTuple):
    """A file: its path below the storage, bytes, and what changes when it is written anew (time in ns, or an ETag)."""

    name: str
    size: int
    version: str


@dataclass(frozen=True)
class Storage:
    """A folder: an absolute local path, or a URL with a protocol that fsspec knows. Names below it are POSIX paths.

    Reading raises `OSError` (`FileNotFoundError` where there is no such file), whatever the filesystem raises.
    """

    location: str

    @property
    def is_local(self) -> bool:
        """On a filesystem of this machine."""
        return "://" not in self.location

    def path(self, name: str) -> str:
        """A file's full path or URL."""
        return f"{self.location.rstrip('/')}/{name}" if name else self.location

    def list(self) -> Iterator[FileStat]:
        """All files below, sorted by name; hidden ones and what systems leave behind are skipped.

        Raises:
            InputError: The folder is missing or cannot be listed.
        """
        try:
            yield from _walk(self.location, "", ()) if self.is_local else self._find()
        except FileNotFoundError:
            raise InputError(f'there is no folder "{self.location}": check the path') from None
        except NotADirectoryError:
            raise InputError(f'"{self.location}" is a file, a folder is expected: check the path') from None
        except OSError as error:
            raise InputError(f'folder "{self.location}" cannot be listed ({error}): check its permissions') from None

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading; it can seek."""
        if self.is_local:
            return open(self.path(name), "rb")
        system, root = _filesystem(self.location)
        with _as_os_errors():
            file: BinaryIO = system.open(_join(root, name), "rb")
            return file

    def read(self, name: str) -> bytes:
        """A whole file."""
        if self.is_local:
            with self.open(name) as file:
                return file.read()
        system, root = _filesystem(self.location)
        with _as_os_errors():
            return bytes(system.cat_file(_join(root, name)))

    def read_range(self, name: str, offset: int, size: int) -> bytes:
        """Some bytes of a file.

        Raises:
            OSError: The file ends before.
        """
        if self.is_local:
            with self.open(name) as file:
                file.seek(offset)
                content = file.read(size)
        else:
            system, root = _filesystem(self.location)
            with _as_os_errors():
                content = bytes(system.cat_file(_join(root, name), start=offset, end=offset + size))
        if len(content) != size:
            raise OSError(f"{name} ends before byte {offset + size}: it was cut off or replaced")
        return content

    def stat(self, name: str) -> FileStat:
        """A file's size and version."""
        if self.is_local:
            return _local_stat(self.path(name), name)
        system, root = _filesystem(self.location)
        with _as_os_errors():
            return _remote_stat(system.info(_join(root, name)), name)

    def require(self, name: str) -> FileStat:
        """The same, of a file that settings name.

        Raises:
            InputError: It is missing or cannot be reached.
        """
        try:
            stat = self.stat(name)
        except FileNotFoundError:
            raise InputError(f'there is no file "{self.path(name)}": check the path') from None
        except OSError as error:
            raise InputError(f'"{self.path(name)}" cannot be reached ({error}): check the path') from None
        if self.is_local and os.path.isdir(self.path(name)):
            raise InputError(f'"{self.path(name)}" is a folder, a file is expected: check the path')
        return stat

    def _find(self) -> Iterator[FileStat]:
        system, root = _filesystem(self.location)
        with _as_os_errors():
            system.invalidate_cache()
            found = system.find(root, detail=True)
        if not found:
            with _as_os_errors():
                if not system.exists(root):
                    raise FileNotFoundError(self.location)
        cut = len(root.rstrip("/")) + 1
        for path in sorted(found):
            name = path[cut:]
            if name and not any(is_ignored(part) for part in name.split("/")):
                yield _remote_stat(found[path], name)


def is_ignored(part: str) -> bool:
    """Whether a file or folder of this name is nobody's data."""
    return part.startswith(".") or part in _IGNORED


def locate(base: Path, text: str) -> str:
    """The absolute path or the URL that a setting means; relative paths are relative to `base`."""
    if text.startswith("file://"):
        text = text.removeprefix("file://")
    if "://" in text:
        return text.rstrip("/") if not text.endswith("://") else text
    return os.path.normpath(Path(os.path.abspath(base)) / Path(text).expanduser())


def locate_file(base: Path, text: str) -> tuple[Storage, str]:
    """The storage and the name of one file that a setting means."""
    (name,), storage = _below_common([locate(base, text)])
    return storage, name


def locate_files(base: Path, texts: str | Sequence[str]) -> tuple[Storage, tuple[str, ...]]:
    """The files that a setting means: one, several, or patterns like `shard-{000..009}.tar`; below one storage.

    Raises:
        InputError: A pattern cannot be understood, or the files have no folder in common.
    """
    patterns = [texts] if isinstance(texts, str) else list(texts)
    names, storage = _below_common([locate(base, text) for pattern in patterns for text in expand(pattern)])
    return storage, tuple(names)


def expand(pattern: str) -> list[str]:
    """All that a pattern with braces means, in order: `{000..009}` counts, `{a,b}` lists.

    Raises:
        InputError: The braces hold neither, or mean more than 100,000 files.
    """
    parts = _BRACES.split(pattern)
    choices = [_choices(pattern, part) if position % 2 else [part] for position, part in enumerate(parts)]
    n_files = 1
    for some in choices:
        n_files *= len(some)
    if n_files > _MOST_FILES:
        raise InputError(f'"{pattern}" means {n_files} files, at most {_MOST_FILES} are expected: split it')
    return ["".join(some) for some in itertools.product(*choices)]


def fingerprint(stats: Iterable[FileStat]) -> str:
    """A hash that changes when a file comes, goes, or is written anew."""
    digest = hashlib.sha256()
    for stat in stats:
        digest.update(f"{stat.name}\0{stat.size}\0{stat.version}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _choices(pattern: str, braces: str) -> list[str]:
    if span := _RANGE.fullmatch(braces):
        first, last = span.groups()
        if int(first) <= int(last) <= int(first) + _MOST_FILES:
            return [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]
    elif "," in braces:
        return braces.split(",")
    raise InputError(f'"{pattern}" has braces with "{braces}": use {{000..009}} to count or {{a,b}} to list')


def _below_common(locations: Sequence[str]) -> tuple[list[str], Storage]:
    """Names of the files, and the deepest folder that has all of them below."""
    split = [_split(location) for location in locations]
    if not split:
        raise InputError("the list of files is empty: name at least one")
    if len({scheme for scheme, _ in split}) > 1:
        raise InputError(f'"{locations[0]}" and others are in different places: keep the files of a corpus together')
    parents = [parts[:-1] for _, parts in split]
    depth = 0
    while all(len(p) > depth and p[depth] == parents[0][depth] for p in parents):
        depth += 1
    folder = split[0][0] + "/".join(parents[0][:depth])
    return ["/".join(parts[depth:]) for _, parts in split], Storage(folder or "/")


def _split(location: str) -> tuple[str, list[str]]:
    scheme, separator, rest = location.rpartition("://")
    return scheme + separator, rest.split("/")


def _join(root: str, name: str) -> str:
    return f"{root.rstrip('/')}/{name}" if name else root


@lru_cache(maxsize=64)
def _filesystem(location: str) -> tuple[Any, str]:
    """The filesystem of a URL, and its root there."""
    import fsspec

    try:
        system, root = fsspec.core.url_to_fs(location)
    except (ImportError, ValueError) as error:
        raise InputError(f'"{location}" cannot be opened ({error}): check its beginning') from None
    return system, root


class _as_os_errors:  # noqa: N801 (reads as a verb)
    """Whatever a remote filesystem raises is an `OSError`."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, OSError | InputError):
            raise OSError(f"{type(error).__name__}: {error}") from error


def _walk(root: str, prefix: str, ancestors: tuple[tuple[int, int], ...]) -> Iterator[FileStat]:
    folder = f"{root.rstrip('/')}/{prefix}"
    here = os.stat(folder)
    if (here.st_dev, here.st_ino) in ancestors:
        return  # a link to a folder above
    with os.scandir(folder) as entries:
        # With the slash, names sort as the full paths do: "a-b.jpg" before "a/c.jpg".
        names = sorted(e.name + "/" if e.is_dir() else e.name for e in entries if not is_ignored(e.name))
    for name in names:
        if name.endswith("/"):
            yield from _walk(root, prefix + name, (*ancestors, (here.st_dev, here.st_ino)))
        else:
            try:
                yield _local_stat(folder + name, prefix + name)
            except FileNotFoundError:
                yield FileStat(prefix + name, 0, "missing")  # a broken link: reading it will say so


def _local_stat(path: str, name: str) -> FileStat:
    found = os.stat(path)
    return FileStat(name, found.st_size, str(found.st_mtime_ns))


def _remote_stat(info: dict[str, Any], name: str) -> FileStat:
    version = next((str(info[key]) for key in _VERSION_KEYS if info.get(key)), "")
    return FileStat(name, int(info.get("size") or 0), version)
