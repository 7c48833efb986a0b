"""Posting lists of a corpus: those of a plain sort, byte for byte, whatever the shards and interruptions."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index_build.indexing import posting_lists
from index_build.indexing.posting_lists import KeyLayout, write_all_postings
from index_build.workers import LocalTasks
from sparc_core.bundle.codes import Codes, pack_codes, write_codes
from sparc_core.errors import InputError
from tests.bundle.plain_postings import write_inverted

STREAMS = ("eye", "text")
N_LATENTS, K, N_ITEMS = 20, 4, 60


def quiet(done: int, total: int) -> None:
    """Nobody listens."""


def random_codes(rng: np.random.Generator, n_items: int, n_latents: int, k: int) -> Codes:
    """Some slots unused, many activations equal, and some of the least and the greatest there are."""
    pool = rng.choice(n_latents, min(n_latents, 12), replace=False)
    latents = np.stack([rng.choice(pool, k, replace=False) for _ in range(n_items)])
    values = np.array([0, 6e-8, 0.25, 0.5, 1.0, 3.3, 65504])
    return pack_codes(latents, rng.choice(values, (n_items, k)), n_latents)


def write_corpus(folder: Path, rng: np.random.Generator, n_items: int, n_latents: int, k: int) -> dict[str, bytes]:
    """Write codes of two streams; the posting files that they must give."""
    expected = {}
    for codes_name, name in (("codes", "postings"), ("codes_local", "postings_local")):
        for stream in STREAMS:
            codes = random_codes(rng, n_items, n_latents, k)
            write_codes(codes, folder / "codes" / codes_name, stream)
            write_inverted(codes, n_latents, folder / "plain.faiss")
            expected[f"{name}/{stream}.faiss"] = (folder / "plain.faiss").read_bytes()
    return expected


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.faiss")}


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([1, 2, 20, 256, 257, 70_000]),
    st.integers(1, 40),
    st.sampled_from([1, 7, 30, 1 << 22]),
)
def test_the_files_are_those_of_a_plain_sort(seed: int, n_latents: int, n_items: int, at_a_time: int) -> None:
    rng = np.random.default_rng(seed)
    k = int(rng.integers(1, min(n_latents, 6) + 1))
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(posting_lists, "ENTRIES_AT_A_TIME", at_a_time)
        folder = Path(name)
        expected = write_corpus(folder, rng, n_items, n_latents, k)
        write_all_postings(folder / "codes", folder / "out", STREAMS, n_latents, LocalTasks(0), quiet)
        assert files_of(folder / "out" / "bundle") == expected
        assert [path.name for path in (folder / "out").iterdir()] == ["bundle"]


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Codes in `tmp_path / "codes"`, to be sorted in six runs a stream."""
    monkeypatch.setattr(posting_lists, "ENTRIES_AT_A_TIME", 40)
    monkeypatch.setattr(posting_lists, "_FEW_ENTRIES", 0)
    return write_corpus(tmp_path, np.random.default_rng(0), N_ITEMS, N_LATENTS, K)


def _write(folder: Path, runner: LocalTasks) -> dict[str, bytes]:
    write_all_postings(folder / "codes", folder / "out", STREAMS, N_LATENTS, runner, quiet)
    return files_of(folder / "out" / "bundle")


class Odd(LocalTasks):
    """Runs the last task first, and stops after so many tasks."""

    left = 1_000_000

    def run(self, function, tasks, report, sizes=None):  # type: ignore[no-untyped-def]
        def counted(*task: object) -> None:
            if self.left == 0:
                raise KeyboardInterrupt
            type(self).left -= 1
            function(*task)

        super().run(counted, list(reversed(tasks)), report, sizes and list(reversed(sizes)))


def test_the_order_of_shards_does_not_matter(corpus: dict[str, bytes], tmp_path: Path) -> None:
    Odd.left = 1_000_000
    assert _write(tmp_path, Odd(0)) == corpus


def test_workers_give_the_same_files(corpus: dict[str, bytes], tmp_path: Path) -> None:
    assert _write(tmp_path, LocalTasks(2)) == corpus


def test_an_interrupted_step_goes_on(corpus: dict[str, bytes], tmp_path: Path) -> None:
    n_runs = 4 * 6
    for n_done in range(n_runs + 2):
        Odd.left = n_done
        with pytest.raises(KeyboardInterrupt):
            _write(tmp_path, Odd(0))
    assert len(list((tmp_path / "out" / "runs").rglob("*.keys"))) == n_runs
    assert list(files_of(tmp_path / "out" / "bundle")) == ["postings_local/text.faiss"]
    Odd.left = 1_000_000
    assert _write(tmp_path, Odd(0)) == corpus


def test_a_run_that_is_there_is_not_sorted_again(corpus: dict[str, bytes], tmp_path: Path) -> None:
    Odd.left = 24
    with pytest.raises(KeyboardInterrupt):
        _write(tmp_path, Odd(0))
    (tmp_path / "codes").rename(tmp_path / "gone")
    for name in ("codes", "codes_local"):
        (tmp_path / "codes" / name).mkdir(parents=True)
    (tmp_path / "gone" / "codes" / "eye.latents.npy").rename(tmp_path / "codes" / "codes" / "eye.latents.npy")
    assert _write(tmp_path, LocalTasks(0)) == corpus


def test_progress_counts_both_halves(corpus: dict[str, bytes], tmp_path: Path) -> None:
    reports: list[tuple[int, int]] = []
    write_all_postings(
        tmp_path / "codes", tmp_path / "out", STREAMS, N_LATENTS, LocalTasks(0), lambda *now: reports.append(now)
    )
    total = 2 * 4 * N_ITEMS * K
    assert reports[0] == (0, total)
    assert reports[-1] == (total, total)
    assert reports == sorted(reports)


@pytest.mark.parametrize(
    ("n_latents", "n_items", "fits"), [(1 << 17, 1 << 32, True), (1 << 17, (1 << 32) + 1, False), (8192, 10**9, True)]
)
def test_numbers_that_do_not_fit_a_key_are_refused(n_latents: int, n_items: int, fits: bool) -> None:
    if fits:
        KeyLayout(n_latents, n_items)
    else:
        with pytest.raises(InputError, match="4294967297 items with 131072 latents are too many"):
            KeyLayout(n_latents, n_items)


def test_keys_of_the_largest_numbers_give_them_back() -> None:
    layout = KeyLayout(1 << 17, 1 << 32)
    item, activation = (1 << 32) - 1, np.float16(6e-8)
    key = ((1 << 17) - 1) << 47 | (0x7FFF - int(activation.view(np.uint16))) << 32 | item
    entries = layout.entries(np.array([key], np.uint64))
    assert entries.items.tolist() == [item]
    assert entries.activations.tolist() == [float(activation)]
    assert layout.bounds(np.array([key], np.uint64))[-2:].tolist() == [0, 1]
