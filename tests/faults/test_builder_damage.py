"""A changed byte, a missing byte, a missing file, another schema: every kind of file of a real bundle."""

import json
import os
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from server.settings import Settings
from sparc_core.bundle import Bundle
from sparc_core.bundle.manifest import MANIFEST_NAME, SCHEMA_VERSION, required_files
from sparc_core.errors import BundleError
from tests.faults.builder_examples import sentence, sparc_build
from tests.server.test_cli import refused, serve

SEED = 7
N_FLIPS = 60
NOT_OF_THE_CONTENT = ("created_at", "versions")  # as docs/bundle.md says


def _kinds(bundle: Path) -> dict[str, Path]:
    """Of every kind of file in a bundle, the kind by its name and one file of it, by its path in the bundle."""
    streams = "|".join(re.escape(stream.name) for stream in Bundle.open(bundle).manifest.streams)
    kinds: dict[str, Path] = {}
    for path in sorted(path for path in bundle.rglob("*") if path.is_file()):
        name = path.relative_to(bundle)
        kind = re.sub(r"^media/.*\.(\w+)$", r"media/*.\1", re.sub(rf"/({streams})\.", "/<stream>.", name.as_posix()))
        kinds.setdefault(kind, name)
    return kinds


@pytest.fixture
def copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A bundle to damage; files are links, so damage replaces them."""
    shutil.copytree(tiny_bundle, tmp_path / "bundle", copy_function=os.link)
    return tmp_path / "bundle"


def _replace(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


def _flipped(content: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]


def test_every_kind_of_file_is_known(tiny_bundle: Path) -> None:
    """What this module damages is what docs/bundle.md lists."""
    streams = Bundle.open(tiny_bundle).manifest.streams
    names = "|".join(stream.name for stream in streams)
    required = {re.sub(rf"/({names})\.", "/<stream>.", name) for name in required_files(streams)}
    assert set(_kinds(tiny_bundle)) == required | {MANIFEST_NAME, "media/*.webp"}


def test_a_changed_byte_in_every_kind_of_file_is_found_by_verifying(copy: Path) -> None:
    rng = random.Random(SEED)
    for kind, name in _kinds(copy).items():
        if kind != MANIFEST_NAME:
            whole = (copy / name).read_bytes()
            for _ in range(3):
                _replace(copy / name, _flipped(whole, rng))
                assert sentence(sparc_build("verify", copy)).startswith(f"{copy / name} was altered: ")
            _replace(copy / name, whole)
    assert sparc_build("verify", copy).exit_code == 0


def test_a_shorter_or_missing_file_of_every_kind_is_found_by_opening(copy: Path) -> None:
    for kind, name in _kinds(copy).items():
        whole = (copy / name).read_bytes()
        command = "verify" if kind.startswith("media/") else "info"  # opening does not look at every picture
        _replace(copy / name, whole[:-1])
        if kind == MANIFEST_NAME:  # its last byte is a newline
            _replace(copy / name, whole[:-2])
        shorter = "damaged, not JSON" if kind == MANIFEST_NAME else f"truncated: {len(whole) - 1} bytes, the manifest"
        assert f"{copy / name} is {shorter}" in sentence(sparc_build(command, copy))
        (copy / name).unlink()
        missing = (
            f"it has no {MANIFEST_NAME}" if kind == MANIFEST_NAME else f"{copy / name} is missing: rebuild the bundle"
        )
        assert missing in sentence(sparc_build(command, copy))
        (copy / name).write_bytes(whole)


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of one leaf of every kind: of lists the first entry, of objects with free names too."""
    if isinstance(value, dict) and value:
        free = path in (("files",), ("metrics",), ("sparc", "recipe"))
        for key in list(value)[: 3 if free else None]:
            yield from _leaves(value[key], (*path, key))
    elif isinstance(value, list) and value:
        yield from _leaves(value[0], (*path, 0))
    else:
        yield path


def _changed(value: Any) -> Any:
    if isinstance(value, str):
        return f"{value[:-1]}{'0' if value[-1:] != '0' else '1'}"
    return not value if isinstance(value, bool) else 1 if value is None else value + 1


def test_every_field_of_the_manifest_is_of_the_content(copy: Path) -> None:
    text = (copy / MANIFEST_NAME).read_bytes()
    for path in _leaves(json.loads(text)):
        data = json.loads(text)
        place = data
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = _changed(place[path[-1]])
        _replace(copy / MANIFEST_NAME, json.dumps(data).encode())
        if path[0] in NOT_OF_THE_CONTENT:
            Bundle.open(copy, verify=True)
        else:
            with pytest.raises(BundleError, match=re.escape(str(copy))):
                Bundle.open(copy, verify=True)
    _replace(copy / MANIFEST_NAME, text)


def test_a_changed_byte_of_the_manifest_is_found_or_changes_nothing(copy: Path) -> None:
    text, rng = (copy / MANIFEST_NAME).read_bytes(), random.Random(SEED)
    whole = Bundle.open(copy).manifest.model_dump(exclude=set(NOT_OF_THE_CONTENT))
    said = []
    for _ in range(N_FLIPS):
        _replace(copy / MANIFEST_NAME, _flipped(text, rng))
        try:
            opened = Bundle.open(copy, verify=True).manifest.model_dump(exclude=set(NOT_OF_THE_CONTENT))
        except BundleError as error:
            said.append(str(error))
            continue
        assert opened == whole
    assert len(said) > N_FLIPS / 2
    assert not any("\n" in line for line in said)


def test_serving_looks_at_every_byte_where_asked(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = copy / "codes" / "dino.activations.npy"
    _replace(name, _flipped(name.read_bytes(), random.Random(SEED)))
    assert f"{name} was altered: its SHA-256 is not the manifest's" in refused(serve("--bundle", str(copy), "--verify"))
    assert not Settings().verify
    monkeypatch.setenv("SPARC_VERIFY", "true")
    assert Settings().verify


@pytest.mark.parametrize(
    ("schema", "what_to_do"),
    [
        (SCHEMA_VERSION + 1, "update SPARC Explorer, or rebuild the bundle with this version"),
        (SCHEMA_VERSION - 1, "rebuild it with the command that built it, from the same work folder"),
    ],
)
def test_a_bundle_of_another_schema(copy: Path, schema: int, what_to_do: str) -> None:
    """A newer one has fields that are not known here; it is its schema that is said."""
    data = json.loads((copy / MANIFEST_NAME).read_text())
    _replace(copy / MANIFEST_NAME, json.dumps(data | {"schema_version": schema, "invented": 1}).encode())
    said = f"bundle at {copy} has schema {schema}, this version reads {SCHEMA_VERSION}: {what_to_do}"
    for command in ("info", "verify"):
        assert sentence(sparc_build(command, copy)) == said
    if schema > SCHEMA_VERSION:
        assert refused(serve("--bundle", str(copy))) == f"sparc-serve: {said}"


@pytest.mark.parametrize("version", ["4", 4.5, True, None, 0, -1, [4]])
def test_a_schema_that_is_no_number_of_one(copy: Path, version: Any) -> None:
    data = json.loads((copy / MANIFEST_NAME).read_text())
    _replace(copy / MANIFEST_NAME, json.dumps(data | {"schema_version": version}).encode())
    assert MANIFEST_NAME in sentence(sparc_build("info", copy))
