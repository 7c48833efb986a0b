"""Codes of a corpus: exactly the plain selection's, whatever the shards, workers and interruptions."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from index_build.indexing import codes as code_step
from index_build.indexing import encoding
from index_build.indexing.codes import write_all_codes, write_code_shard
from index_build.indexing.encoding import BatchEncoder
from index_build.indexing.top_latents import top_latents
from index_build.workers import LocalTasks
from sparc_core.bundle.codes import Codes, join_arrays, pack_codes, read_codes
from sparc_core.checkpoint import save_sparc
from sparc_core.errors import InputError
from sparc_core.model import Sparc, SparcConfig
from sparc_core.selection import Selection
from sparc_core.sparse import SparseCode

WIDTHS = {"eye": 6, "camera": 9, "text": 5}
N_LATENTS, K, N_ITEMS = 300, 8, 230
ROOT = Path(__file__).parents[2]


def quiet(done: int, total: int) -> None:
    """Nobody listens."""


def make_model(selection: Selection = "global", n_latents: int = N_LATENTS) -> Sparc:
    model = Sparc(SparcConfig(WIDTHS, n_latents, K, selection), torch.Generator().manual_seed(0))
    with torch.no_grad():
        for number, parameter in enumerate(model.parameters()):
            parameter += 0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(number))
    return model.eval()


def make_features(n_items: int = N_ITEMS) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    rows = {stream: rng.normal(size=(n_items, d)).astype(np.float32) for stream, d in WIDTHS.items()}
    return {stream: x / np.linalg.norm(x, axis=1, keepdims=True) for stream, x in rows.items()}


def plain_codes(model: Sparc, features: Mapping[str, np.ndarray], selection: Selection | None) -> dict[str, Codes]:
    """By the model's own `encode`, in batches of 1,024 from the first item on."""
    parts: dict[str, list[SparseCode]] = {stream: [] for stream in features}
    n_items = len(next(iter(features.values())))
    with torch.inference_mode():
        for start in range(0, n_items, 1024):
            batch = {stream: torch.from_numpy(x[start : start + 1024]) for stream, x in features.items()}
            for stream, code in model.encode(batch, selection).items():
                parts[stream].append(code)
    return {
        stream: pack_codes(*(torch.cat(part).numpy() for part in zip(*found, strict=True)), model.config.n_latents)
        for stream, found in parts.items()
    }


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.npy")}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Path]]:
    """A model's file and feature files."""
    folder = tmp_path_factory.mktemp("inputs")
    save_sparc(make_model(), folder / "sparc.safetensors")
    paths = {stream: folder / f"{stream}.npy" for stream in WIDTHS}
    for stream, rows in make_features().items():
        np.save(paths[stream], rows)
    return folder / "sparc.safetensors", paths


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four shards of 64 items and less, in batches of 32."""
    monkeypatch.setattr(code_step, "SHARD_ITEMS", 64)
    monkeypatch.setattr(encoding, "MOST_ITEMS", 32)
    code_step._encoder.cache_clear()


def plain_top(row: np.ndarray, k: int) -> list[int]:
    return sorted(range(len(row)), key=lambda latent: (-row[latent], latent))[:k]


VALUES = {
    "ties": np.array([-2.0, -0.0, 0.0, 1.0, 1.0, 3.0], np.float32),
    "all equal": np.array([0.5], np.float32),
    "extremes": np.array([-np.inf, -3e38, -1e-45, 0.0, 1e-45, 1.0000001, 1.0, 3e38, np.inf], np.float32),
}


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 400), st.sampled_from([*VALUES, "any"]), st.data())
def test_the_largest_logits_are_those_of_a_plain_sort(
    seed: int, n_rows: int, n_latents: int, kind: str, data: st.DataObject
) -> None:
    k = data.draw(st.integers(1, min(n_latents, 80)))
    rng = np.random.default_rng(seed)
    shape = (n_rows, n_latents)
    logits = rng.normal(size=shape).astype(np.float32) if kind == "any" else rng.choice(VALUES[kind], shape)
    assert top_latents(logits, k).tolist() == [plain_top(row, k) for row in logits]


def test_the_largest_of_a_whole_dictionary_are_torchs() -> None:
    logits = np.random.default_rng(0).normal(size=(40, 8192)).astype(np.float32)
    assert np.array_equal(top_latents(logits, 64), torch.from_numpy(logits).topk(64, dim=1).indices.numpy())


@pytest.mark.parametrize("column", [0, 255, 299])
def test_a_logit_that_is_nan_is_refused(column: int) -> None:
    logits = np.zeros((3, 300), np.float32)
    logits[1, column] = np.nan
    with pytest.raises(InputError, match="NaN"):
        top_latents(logits, 8)


@pytest.mark.parametrize("selection", ["global", "local"])
@pytest.mark.parametrize("streams", [("eye", "camera", "text"), ("text", "eye"), ("camera",)])
def test_both_codes_are_those_of_the_plain_selection(selection: Selection, streams: tuple[str, ...]) -> None:
    model, features = make_model(selection), {stream: make_features()[stream] for stream in streams}
    encoder = BatchEncoder(model)
    for _ in range(2):  # the second time in memory that holds other logits
        found = encoder.encode(features)
        for codes, wanted in ((found.own, None), (found.local, "local")):
            expected = plain_codes(model, features, wanted)
            assert codes.keys() == expected.keys()
            for stream in streams:
                assert np.array_equal(codes[stream].latents, expected[stream].latents)
                assert np.array_equal(codes[stream].activations, expected[stream].activations)


@pytest.mark.parametrize("n_items", [1, 63, 64, 65, 129])
def test_batches_of_every_size_are_encoded_whole(n_items: int) -> None:
    model = make_model()
    features = {stream: rows[:n_items] for stream, rows in make_features().items()}
    found, expected = BatchEncoder(model).encode(features).own, plain_codes(model, features, None)
    assert all(np.array_equal(found[stream].latents, expected[stream].latents) for stream in WIDTHS)


def test_logits_are_the_models_to_the_bit() -> None:
    model, features = make_model(), make_features()
    found = BatchEncoder(model)._logits(features)
    with torch.inference_mode():
        expected = model.all_logits({stream: torch.from_numpy(x) for stream, x in features.items()})
    assert all(np.array_equal(found[stream], expected[stream].numpy()) for stream in WIDTHS)


def test_a_batch_of_a_wide_dictionary_is_smaller() -> None:
    assert BatchEncoder(make_model()).batch_size == 1024
    assert BatchEncoder(make_model(n_latents=40_000)).batch_size == (1 << 24) // 40_000


def test_a_corpus_has_the_codes_of_the_plain_selection(inputs: tuple[Path, dict[str, Path]], tmp_path: Path) -> None:
    model, paths = inputs
    reports: list[tuple[int, int]] = []
    write_all_codes(model, paths, tmp_path, LocalTasks(0), lambda done, total: reports.append((done, total)))
    assert reports[0] == (0, N_ITEMS)
    assert reports[-1] == (N_ITEMS, N_ITEMS)
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    for folder, selection in (("codes", None), ("codes_local", "local")):
        for stream, expected in plain_codes(make_model(), make_features(), selection).items():
            found = read_codes(tmp_path / "bundle" / folder, stream, N_ITEMS, K, N_LATENTS)
            assert np.array_equal(found.latents, expected.latents)
            assert np.array_equal(found.activations, expected.activations)


def test_the_order_of_streams_does_not_matter(inputs: tuple[Path, dict[str, Path]], tmp_path: Path) -> None:
    model, paths = inputs
    backwards = dict(reversed(paths.items()))
    for name, features in (("one", paths), ("two", backwards)):
        write_all_codes(model, features, tmp_path / name, LocalTasks(0), quiet)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


class Backwards(LocalTasks):
    """Runs the last task first."""

    def run(self, function, tasks, report, sizes=None):  # type: ignore[no-untyped-def]
        super().run(function, list(reversed(tasks)), report, sizes and list(reversed(sizes)))


@pytest.mark.usefixtures("small_shards")
def test_the_order_and_the_number_of_shards_do_not_matter(
    inputs: tuple[Path, dict[str, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, paths = inputs
    write_all_codes(model, paths, tmp_path / "four", LocalTasks(0), quiet)
    write_all_codes(model, paths, tmp_path / "backwards", Backwards(0), quiet)
    monkeypatch.setattr(code_step, "SHARD_ITEMS", 9 * 32)
    write_all_codes(model, paths, tmp_path / "one", LocalTasks(0), quiet)
    whole = files_of(tmp_path / "one")
    assert len(whole) == 12
    assert files_of(tmp_path / "four") == files_of(tmp_path / "backwards") == whole


@pytest.mark.slow
def test_the_number_of_workers_does_not_matter(tmp_path: Path) -> None:
    """Two whole shards and a bit, as workers do not see patched sizes."""
    n_items = 2 * code_step.SHARD_ITEMS + 100
    save_sparc(make_model(n_latents=64), tmp_path / "sparc.safetensors")
    paths = {stream: tmp_path / f"{stream}.npy" for stream in WIDTHS}
    for stream, rows in make_features(n_items).items():
        np.save(paths[stream], rows)
    for n_workers in (0, 2):
        write_all_codes(tmp_path / "sparc.safetensors", paths, tmp_path / str(n_workers), LocalTasks(n_workers), quiet)
    assert files_of(tmp_path / "0") == files_of(tmp_path / "2")


class Interrupt(LocalTasks):
    """Stops after so many tasks."""

    left = 0

    def run(self, function, tasks, report, sizes=None):  # type: ignore[no-untyped-def]
        def counted(*task: object) -> None:
            if self.left == 0:
                raise KeyboardInterrupt
            type(self).left -= 1
            function(*task)

        super().run(counted, tasks, report, sizes)


@pytest.mark.usefixtures("small_shards")
def test_an_interrupted_step_goes_on(inputs: tuple[Path, dict[str, Path]], tmp_path: Path) -> None:
    model, paths = inputs
    write_all_codes(model, paths, tmp_path / "whole", LocalTasks(0), quiet)
    for n_done in range(4):
        Interrupt.left = n_done
        with pytest.raises(KeyboardInterrupt):
            write_all_codes(model, paths, tmp_path / "part", Interrupt(0), quiet)
    assert sorted(path.name for path in (tmp_path / "part" / "shards").iterdir()) == ["000000", "000001", "000002"]
    write_all_codes(model, paths, tmp_path / "part", LocalTasks(0), quiet)
    assert files_of(tmp_path / "part") == files_of(tmp_path / "whole")


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("n_joined", range(12))
def test_an_interrupted_join_goes_on(
    inputs: tuple[Path, dict[str, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_joined: int
) -> None:
    model, paths = inputs
    write_all_codes(model, paths, tmp_path / "whole", LocalTasks(0), quiet)
    joins = iter(range(n_joined))

    def join_some(parts: list[Path], path: Path) -> None:
        join_arrays(parts, path)
        if next(joins, None) is None:
            raise KeyboardInterrupt  # the file is written, but has not got its name

    monkeypatch.setattr(code_step, "join_arrays", join_some)
    with pytest.raises(KeyboardInterrupt):
        write_all_codes(model, paths, tmp_path / "part", LocalTasks(0), quiet)
    assert len(list((tmp_path / "part" / "bundle").glob("*/*.npy"))) == n_joined
    monkeypatch.setattr(code_step, "join_arrays", join_arrays)
    write_all_codes(model, paths, tmp_path / "part", LocalTasks(0), quiet)
    assert files_of(tmp_path / "part") == files_of(tmp_path / "whole")


def test_a_finished_step_computes_nothing(
    inputs: tuple[Path, dict[str, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, paths = inputs
    write_all_codes(model, paths, tmp_path, LocalTasks(0), quiet)
    (tmp_path / "shards" / "000000").mkdir(parents=True)  # killed while tidying up
    monkeypatch.setattr(code_step, "write_code_shard", _must_not_run)
    write_all_codes(model, paths, tmp_path, LocalTasks(0), quiet)
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def _must_not_run(*task: object) -> None:
    pytest.fail("there is nothing to do")


def test_a_model_that_was_replaced_is_read_again(inputs: tuple[Path, dict[str, Path]], tmp_path: Path) -> None:
    _, paths = inputs
    model = tmp_path / "sparc.safetensors"
    found = []
    for selection in ("global", "local"):
        save_sparc(make_model(selection), model)
        write_code_shard(model, paths, tmp_path / selection, 0, 50)
        found.append(files_of(tmp_path / selection))
    assert found[0]["codes/eye.latents.npy"] != found[0]["codes_local/eye.latents.npy"]
    assert found[1]["codes/eye.latents.npy"] == found[1]["codes_local/eye.latents.npy"]


KILLED_STEP = """
import sys
from pathlib import Path
from index_build.indexing.codes import write_all_codes
from index_build.workers import LocalTasks

if __name__ == "__main__":
    folder, n_workers = Path(sys.argv[1]), int(sys.argv[2])
    paths = {stream: folder / f"{stream}.npy" for stream in ("eye", "camera", "text")}
    tell = lambda done, total: print(done, flush=True)
    write_all_codes(folder / "sparc.safetensors", paths, folder / "out", LocalTasks(n_workers), tell)
"""


@pytest.mark.slow
@pytest.mark.parametrize("n_workers", [0, 2])
def test_a_killed_step_goes_on(
    tmp_path: Path, n_workers: int, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    n_items = 3 * code_step.SHARD_ITEMS
    save_sparc(make_model(n_latents=64), tmp_path / "sparc.safetensors")
    paths = {stream: tmp_path / f"{stream}.npy" for stream in WIDTHS}
    for stream, rows in make_features(n_items).items():
        np.save(paths[stream], rows)
    (tmp_path / "step.py").write_text(KILLED_STEP)
    command = [sys.executable, str(tmp_path / "step.py"), str(tmp_path), str(n_workers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)}) as step:
        wait_until(lambda: (tmp_path / "out" / "shards" / "000000").is_dir())
        step.send_signal(signal.SIGKILL)
    wait_until(lambda: not _is_changing(tmp_path / "out"))
    assert not (tmp_path / "out" / "bundle").exists()
    write_all_codes(tmp_path / "sparc.safetensors", paths, tmp_path / "out", LocalTasks(0), quiet)
    write_all_codes(tmp_path / "sparc.safetensors", paths, tmp_path / "whole", LocalTasks(0), quiet)
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


def _is_changing(folder: Path) -> bool:
    before = sorted(folder.rglob("*"))
    time.sleep(1)
    return sorted(folder.rglob("*")) != before


@pytest.fixture
def wait_until() -> Callable[[Callable[[], bool]], None]:
    """Waits for something, a minute at most."""

    def wait(happened: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not happened():
            assert time.monotonic() < deadline, "it did not happen within a minute"
            time.sleep(0.02)

    return wait
