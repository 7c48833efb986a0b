"""What cannot be served: one sentence and exit code 2, at once. `tests/server/test_cli.py` has the plain cases."""

import json
import shutil
from pathlib import Path

import pytest

from tests.faults.server_process import ServerProcess, Start

pytestmark = pytest.mark.xdist_group("server faults")


def refused(server: ServerProcess) -> str:
    """The one sentence of a server that does not start."""
    assert server.exit_code(30) == 2, server.said()
    (line,) = server.said().splitlines()
    assert line.startswith("sparc-serve: ")
    return line


@pytest.fixture
def copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    shutil.copytree(tiny_bundle, tmp_path / "copy", ignore=shutil.ignore_patterns("media"))
    return tmp_path / "copy"


def test_a_bundle_of_a_newer_schema(start_server: Start, copy: Path) -> None:
    manifest = copy / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "schema_version": 99}))
    assert "schema 99" in refused(start_server(copy, ready=False))


def test_a_folder_that_is_no_bundle_and_a_file(start_server: Start, tmp_path: Path) -> None:
    assert "no bundle at" in refused(start_server(tmp_path, ready=False))
    (tmp_path / "file").write_text("{}")
    assert "it is a file" in refused(start_server(tmp_path / "file", ready=False))


def test_a_port_in_use(start_server: Start, server: ServerProcess) -> None:
    other = start_server(ready=False, port_of=server)
    assert f"port {server.port} is in use" in refused(other)


@pytest.mark.parametrize(
    "name",
    [
        "sparc.safetensors",
        "items.parquet",
        "latents.parquet",
        "latent_evaluation.parquet",
        "codes/dino.latents.npy",
        "codes_local/dino.activations.npy",
        "postings/dino.faiss",
        "postings_local/clip_txt.faiss",
        "vectors/clip_img.faiss",
    ],
)
def test_a_file_that_cannot_be_read(start_server: Start, copy: Path, name: str) -> None:
    """Of the right size, so that only reading it tells; some files are read late."""
    path = copy / name
    path.write_bytes(b"\xa5" * path.stat().st_size)
    assert name in refused(start_server(copy, ready=False))
