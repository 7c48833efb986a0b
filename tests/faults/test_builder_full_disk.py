"""Full disks, real small ones: one sentence, exit code 2, nothing half made, and the same id when there is room."""

import errno
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import faiss
import h5py
import numpy as np
import pytest

from index_build.export import export_bundle
from index_build.files import whole_file, write_text
from index_build.indexing.posting_lists import KeyLayout, write_run
from index_build.indexing.vector_indexes import hnsw_index, write_vector_index
from index_build.pipeline import BuildReport, build_bundle
from index_build.steps import SilentDisplay
from index_build.verification import verify_bundle
from sparc_core.arrays import new_mapped_array, save_array
from sparc_core.bundle import Bundle, writer
from sparc_core.bundle.codes import write_codes
from sparc_core.bundle.writer import publish
from sparc_core.errors import DiskFullError
from tests.build.build_fakes import fake_corpus, fake_recipe, load_fake
from tests.build.test_pipeline import STEPS
from tests.bundle.bundle_examples import N_ITEMS, N_LATENTS, example_codes, example_draft, publish_example
from tests.faults.builder_examples import N_ITEMS as N_ITEMS_BUILT
from tests.faults.builder_examples import (
    WIDTHS,
    SmallDisk,
    sentence,
    small_disk,
    sparc_build,
    write_config,
    write_corpus,
)

BLOCK = 4096


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", 8) as disk:
        yield disk


class FullAt(SilentDisplay):
    """Fills the disk when a step begins, but for some blocks."""

    def __init__(self, disk: SmallDisk, step: str, n_blocks: int) -> None:
        self._disk, self._step, self._left = disk, step, n_blocks * BLOCK

    def started(self, step: str, unit: str) -> None:
        if step == self._step:
            self._disk.fill(self._left)


def _build(work: Path, out: Path, display: SilentDisplay | None = None) -> BuildReport:
    return build_bundle(fake_corpus(), fake_recipe(), work, out, display, load_fake)


def test_a_full_disk_in_every_step(disk: SmallDisk, tmp_path: Path) -> None:
    expected = _build(tmp_path / "work", tmp_path / "out").manifest.bundle_id
    work, out = disk.path / "work", tmp_path / "bundles" / "out"
    for step in STEPS:
        with pytest.raises(DiskFullError) as caught:
            _build(work, out, FullAt(disk, step, 0))
        said = f"step {step} cannot be written: the disk at {work / 'steps'} is full, 0 bytes left: "
        assert str(caught.value) == said + "make room, then run the same command again to go on from here"
        for n_blocks in (1, 5):  # enough for some steps, and then not for a later one
            with suppress(DiskFullError):
                _build(work, out, FullAt(disk, step, n_blocks))
        disk.free()
        assert not list(out.parent.glob(".*"))
    assert _build(work, out).manifest.bundle_id == expected
    verify_bundle(out)


@pytest.mark.parametrize("n_values", [100, 1000, 1100, 5000])
def test_an_array_is_whole_or_an_error(disk: SmallDisk, n_values: int) -> None:
    """NumPy's own files may be shorter and raise nothing, or end the process by a signal."""
    values, path = np.arange(n_values, dtype=np.float32), disk.path / "a.npy"
    for write in (save_array, lambda path, array: new_mapped_array(path, array.shape).__setitem__(slice(None), array)):
        for n_blocks in range(7):
            disk.fill(n_blocks * BLOCK)
            if 128 + values.nbytes <= n_blocks * BLOCK:
                write(path, values)
                np.testing.assert_array_equal(np.load(path), values)
            else:
                with pytest.raises(OSError, match="No space left") as caught:
                    write(path, values)
                assert caught.value.errno == errno.ENOSPC
            path.unlink()


def test_an_index_is_whole_or_an_error(disk: SmallDisk, tmp_path: Path) -> None:
    """FAISS's own files say nothing when closing them fails: nothing at all was written of a small index."""
    features = np.random.default_rng(0).standard_normal((20, 8)).astype(np.float32)
    save_array(tmp_path / "features.npy", features)
    faiss.write_index(hnsw_index(features), str(tmp_path / "plain.faiss"))
    path = disk.path / "x.faiss"
    disk.fill()
    with pytest.raises(OSError, match="No space left"):
        write_vector_index("hnsw", tmp_path / "features.npy", path)
    assert [file.name for file in disk.path.iterdir()] == ["ballast"]
    disk.free()
    write_vector_index("hnsw", tmp_path / "features.npy", path)
    assert path.read_bytes() == (tmp_path / "plain.faiss").read_bytes()


def test_a_run_of_posting_lists_is_whole_or_an_error(disk: SmallDisk, tmp_path: Path) -> None:
    codes = example_codes(0)
    write_codes(codes, tmp_path, "eye")
    layout, path = KeyLayout(N_LATENTS, N_ITEMS), disk.path / "000000.keys"
    disk.fill()
    with pytest.raises(OSError, match="No space left"):
        write_run(layout, tmp_path, "eye", 0, N_ITEMS, path)
    assert [file.name for file in disk.path.iterdir()] == ["ballast"]
    disk.free()
    write_run(layout, tmp_path, "eye", 0, N_ITEMS, path)
    assert np.fromfile(path, np.uint64).tolist() == layout.keys(tmp_path, "eye", 0, N_ITEMS).tolist()


@pytest.mark.parametrize("looks_before", [True, False])
def test_publishing_on_a_full_disk_leaves_the_old_bundle(
    disk: SmallDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks_before: bool
) -> None:
    out, old = publish_example(disk.path / "here")
    shutil.move(disk.path / "here" / "files", tmp_path / "files")
    (tmp_path / "files" / "media" / "i0.webp").write_bytes(b"another picture")
    if not looks_before:  # somebody else fills the disk while files are copied
        monkeypatch.setattr(writer, "check_room", lambda *arguments: None)
    said = []
    for n_blocks in range(0, 400, 3):
        disk.fill(n_blocks * BLOCK)
        before = disk.left()
        try:
            new = publish([tmp_path / "files"], example_draft(), out)
            break
        except DiskFullError as error:
            said.append(str(error))
        assert disk.left() == before, "the room is given back"
        assert [path.name for path in out.parent.iterdir()] == ["bundle"]
        assert Bundle.open(out, verify=True).manifest == old
    assert Bundle.open(out, verify=True).manifest == new != old
    assert len(said) > 5, "the example is larger than that"
    full = "cannot be written: .* is full, .* left"
    expected = r"needs \d+\.\d kB on the disk at .*, .* are free" if looks_before else full
    assert all(re.search(f"{expected}: make room, then run the same command again", line) for line in said)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus, a configuration and what was built of it."""
    folder = tmp_path_factory.mktemp("built")
    config = write_config(folder / "sparc.toml", write_corpus(folder / "corpus"), folder / "bundle", folder / "work")
    assert sparc_build("run", config).exit_code == 0
    return folder


def _id(bundle: Path) -> str:
    return verify_bundle(bundle).manifest.bundle_id


def test_run_on_a_full_disk(built: Path, disk: SmallDisk, tmp_path: Path) -> None:
    full_work = write_config(tmp_path / "a.toml", built / "corpus", tmp_path / "bundle", disk.path / "work")
    full_out = write_config(tmp_path / "b.toml", built / "corpus", disk.path / "bundle", built / "work")
    disk.fill()
    said = sentence(sparc_build("run", full_work))
    assert said == (
        f"step corpus cannot be written: the disk at {disk.path / 'work' / 'steps'} is full, 0 bytes left: "
        "make room, then run the same command again to go on from here"
    )
    said = sentence(sparc_build("run", full_out))
    assert re.fullmatch(
        rf"bundle {disk.path}/bundle needs \d+\.\d kB on the disk at {disk.path}, 0 bytes are free: "
        "make room, then run the same command again to go on from here", said
    )  # fmt: skip
    disk.free()
    assert sparc_build("run", full_out).exit_code == 0
    assert _id(disk.path / "bundle") == _id(built / "bundle")


def test_import_on_a_full_disk(built: Path, disk: SmallDisk, tmp_path: Path) -> None:
    (model,) = (built / "work" / "steps").glob("training-*/bundle")
    features = [part for s in WIDTHS for part in ("--features", f"{s}={built / 'corpus' / 'features' / s}.npy")]
    arguments = ["import", model, *features, "--images", built / "corpus", "--out", disk.path / "bundle"]
    disk.fill()
    assert "step corpus cannot be written: the disk at" in sentence(sparc_build(*arguments))
    disk.fill(20 * BLOCK)
    assert "make room, then run the same command again" in sentence(sparc_build(*arguments, "--work", tmp_path / "w"))
    disk.free()
    assert sparc_build(*arguments, "--work", tmp_path / "w").exit_code == 0
    verify_bundle(disk.path / "bundle")


def test_evaluate_on_a_full_disk(built: Path, disk: SmallDisk, tmp_path: Path) -> None:
    bundle = disk.path / "bundle"
    shutil.copytree(built / "bundle", bundle)
    before = _id(bundle)
    arguments = ["evaluate", bundle, "--items", "10", "--work", tmp_path / "work"]
    for n_blocks in (0, 2):
        disk.fill(n_blocks * BLOCK)
        assert "make room, then run the same command again" in sentence(sparc_build(*arguments))
        assert _id(bundle) == before
        assert sorted(path.name for path in disk.path.iterdir()) == ["ballast", "bundle"]
    disk.free()
    assert sparc_build(*arguments).exit_code == 0
    assert _id(bundle) != before


@pytest.mark.parametrize("form", ["hdf5", "parquet"])
def test_export_on_a_full_disk(built: Path, disk: SmallDisk, form: str) -> None:
    """HDF5's library would crash the process."""
    arguments = ["export", built / "bundle", "--out", disk.path / "out", "--format", form]
    for n_blocks in (0, 1, 4):
        disk.fill(n_blocks * BLOCK)
        said = sentence(sparc_build(*arguments))
        assert f"{disk.path / 'out'}/eye" in said
        assert "make room, then run the same command again" in said
        disk.free()
        assert not list(disk.path.rglob("*eye*"))
    assert sparc_build(*arguments).exit_code == 0
    if form == "hdf5":
        with h5py.File(disk.path / "out" / "eye.h5") as file:
            assert file["features"].shape == (N_ITEMS_BUILT, WIDTHS["eye"])


def test_what_an_export_needs_is_said_not_too_low(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too low, and HDF5 would meet a full disk."""
    needed: list[int] = []
    monkeypatch.setattr("index_build.export.check_room", lambda what, folder, n_bytes, after: needed.append(n_bytes))
    for form in ("hdf5", "parquet"):
        files = export_bundle(Bundle.open(built / "bundle"), tmp_path / form, form)
        assert all(file.stat().st_size <= n_bytes for file, n_bytes in zip(files, needed, strict=True))
        needed.clear()


def test_init_on_a_full_disk(built: Path, disk: SmallDisk) -> None:
    arguments = ["init", "folder", built / "corpus", "--out", disk.path / "sparc.toml"]
    disk.fill()
    said = sentence(sparc_build(*arguments))
    assert said.startswith(f"{disk.path}/sparc.toml cannot be written: the disk at {disk.path} is full")
    assert [path.name for path in disk.path.iterdir()] == ["ballast"]
    disk.free()
    assert sparc_build(*arguments).exit_code == 0


def test_train_on_a_full_disk(built: Path, disk: SmallDisk, tmp_path: Path) -> None:
    features = [part for s in WIDTHS for part in ("--features", f"{s}={built / 'corpus' / 'features' / s}.npy")]
    flags = [*features, *"--n-latents 16 --k 3 --auxk 3 --batch-size 8 --num-epochs 4 --set checkpoint_every=3".split()]
    assert sparc_build("train", "--out", tmp_path / "run", *flags).exit_code == 0
    run = disk.path / "run"
    disk.fill()
    assert sentence(sparc_build("train", "--out", run, *flags)).endswith("make room, then run the same command again")
    go_on = f'"sparc-build train --out {run} --resume" goes on from the last checkpoint'
    for n_blocks, flags_ in ((1, flags), (0, ["--resume"]), (1, ["--resume"])):  # the first has room for run.json
        disk.fill(n_blocks * BLOCK)
        said = sentence(sparc_build("train", "--out", run, *flags_))
        assert said.startswith(f"run {run} cannot be written: the disk at {run} is full")
        assert said.endswith(f"make room, then {go_on}")
    disk.free()
    assert sparc_build("train", "--out", run, "--resume").exit_code == 0
    assert (run / "sparc.safetensors").read_bytes() == (tmp_path / "run" / "sparc.safetensors").read_bytes()


def test_a_file_that_could_not_be_finished_gives_its_room_back(disk: SmallDisk) -> None:
    disk.fill(3 * BLOCK)
    with pytest.raises(OSError, match="No space left"):
        write_text(disk.path / "a.json", "x" * 4 * BLOCK)
    with pytest.raises(OSError, match="No space left"), whole_file(disk.path / "b") as path:
        path.write_bytes(b"x" * 4 * BLOCK)
    assert disk.left() == 3 * BLOCK
