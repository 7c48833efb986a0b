"""What tells one version of a file, a folder or a backbone from another, without reading it."""

from pathlib import Path


def file_fingerprint(path: Path) -> list[list[str | int]]:
    """Names, sizes and times of a file, or of all files of a folder; empty where there is nothing."""
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    found = [(file.relative_to(path).as_posix() if path.is_dir() else file.name, file) for file in files]
    return [[name, file.stat().st_size, file.stat().st_mtime_ns] for name, file in found if file.exists()]


def spec_fingerprint(spec: str) -> list[object]:
    """A backbone's spec, with the state of the files where it names a local path."""
    _, _, rest = spec.partition(":")
    path = Path(rest.removeprefix("local-dir:").partition("#")[0])
    return [spec, *file_fingerprint(path)] if rest and path.exists() else [spec]
