"""Laws of codes and posting lists: writing then reading is the identity, and lists are what a slow reference says."""

import gc
import tempfile
from pathlib import Path
from typing import NamedTuple

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparc_core.bundle.codes import (
    Codes,
    concatenate,
    join_arrays,
    latent_dtype,
    pack_codes,
    read_codes,
    read_shape,
    write_codes,
)
from sparc_core.bundle.postings import Posting, read_postings, write_postings
from sparc_core.bundle.vectors import read_vectors, write_vectors
from sparc_core.errors import BundleError, NotFoundError, ShapeError
from tests.bundle.plain_postings import invert, write_by_faiss


class RawCodes(NamedTuple):
    latents: np.ndarray
    activations: np.ndarray
    n_latents: int


@st.composite
def raw_codes(draw: st.DrawFn) -> RawCodes:
    """Codes as a model gives them: distinct latents per row, some unused slots, many ties."""
    n_latents = draw(st.sampled_from([1, 3, 20, 256, 257, 70_000]))
    k, n = draw(st.integers(1, min(n_latents, 6))), draw(st.integers(1, 25))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    pool = rng.choice(n_latents, min(n_latents, 12), replace=False)
    latents = np.stack([rng.choice(pool, k, replace=False) for _ in range(n)])
    activations = rng.choice(np.array([0, 0.25, 0.5, 1.0, 3.3], np.float32), (n, k))
    return RawCodes(latents.astype(np.int64), activations, n_latents)


def reference_postings(codes: Codes, n_latents: int) -> dict[int, list[tuple[int, float]]]:
    """Posting lists by plain loops; latents without items are left out."""
    lists: dict[int, list[tuple[int, float]]] = {}
    for row, (latents, activations) in enumerate(zip(codes.latents, codes.activations, strict=True)):
        for latent, activation in zip(latents, activations, strict=True):
            if activation > 0:
                lists.setdefault(int(latent), []).append((row, float(activation)))
    return {latent: sorted(entries, key=lambda entry: (-entry[1], entry[0])) for latent, entries in lists.items()}


@settings(deadline=None)
@given(raw_codes())
def test_packed_codes_hold_the_same_pairs_strongest_first(raw: RawCodes) -> None:
    codes = pack_codes(raw.latents, raw.activations, raw.n_latents)
    assert codes.latents.dtype == latent_dtype(raw.n_latents)
    for row in range(len(raw.latents)):
        before = {(int(i), np.float16(a)) for i, a in zip(raw.latents[row], raw.activations[row], strict=True) if a > 0}
        after = {(int(i), a) for i, a in zip(codes.latents[row], codes.activations[row], strict=True) if a > 0}
        assert before == after
    assert (np.diff(codes.activations.astype(np.float32), axis=1) <= 0).all()
    assert (codes.latents[codes.activations == 0] == 0).all()


@settings(deadline=None)
@given(raw_codes())
def test_packing_does_not_depend_on_the_order_of_slots(raw: RawCodes) -> None:
    forward = pack_codes(raw.latents, raw.activations, raw.n_latents)
    backward = pack_codes(raw.latents[:, ::-1], raw.activations[:, ::-1], raw.n_latents)
    assert np.array_equal(forward.latents, backward.latents)
    assert np.array_equal(forward.activations, backward.activations)


@settings(max_examples=40, deadline=None)
@given(raw_codes())
def test_codes_are_read_as_written(raw: RawCodes) -> None:
    codes = pack_codes(raw.latents, raw.activations, raw.n_latents)
    with tempfile.TemporaryDirectory() as folder:
        write_codes(codes, Path(folder), "eye")
        read = read_codes(Path(folder), "eye", *raw.latents.shape, raw.n_latents)
        assert isinstance(read.latents, np.memmap)
        assert not read.latents.flags.writeable
        assert np.array_equal(read.latents, codes.latents)
        assert np.array_equal(read.activations, codes.activations)


def write(postings: list[Posting], path: Path) -> None:
    write_postings(iter(postings), np.array([len(posting.items) for posting in postings]), path)


@settings(max_examples=40, deadline=None)
@given(raw_codes(), st.integers(1, 9))
def test_joined_parts_are_the_whole(raw: RawCodes, rows: int) -> None:
    codes = pack_codes(raw.latents, raw.activations, raw.n_latents)
    cuts = range(0, len(codes.latents), rows)
    parts = [Codes(*(array[start : start + rows] for array in codes)) for start in cuts]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_codes(concatenate(parts), folder / "whole", "eye")
        for number, part in enumerate(parts):
            write_codes(part, folder / str(number), "eye")
        assert read_shape(folder / "whole", "eye") == codes.latents.shape
        for file in ("eye.latents.npy", "eye.activations.npy"):
            join_arrays([folder / str(number) / file for number in range(len(parts))], folder / file)
            assert (folder / file).read_bytes() == (folder / "whole" / file).read_bytes()


def test_minus_zero_is_an_unused_slot() -> None:
    codes = pack_codes(np.array([[3, 1]]), np.array([[-0.0, 2.0]]), 4)
    assert codes.latents.tolist() == [[1, 0]]
    assert codes.activations.view(np.uint16)[0, 1] == 0


@settings(max_examples=40, deadline=None)
@given(raw_codes())
def test_postings_are_the_inversion_of_the_codes(raw: RawCodes) -> None:
    codes = pack_codes(raw.latents, raw.activations, raw.n_latents)
    expected = reference_postings(codes, raw.n_latents)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "eye.faiss"
        write(invert(codes, raw.n_latents), path)
        write_by_faiss(invert(codes, raw.n_latents), Path(folder) / "by_faiss")
        assert path.read_bytes() == (Path(folder) / "by_faiss").read_bytes()
        postings = read_postings(path, raw.n_latents)
        assert postings.n_latents == raw.n_latents
        assert postings.n_entries == sum(map(len, expected.values()))
        for latent in {0, raw.n_latents - 1, *expected}:
            found = postings.of(latent)
            assert postings.n_items_of(latent) == len(found.items)
            assert list(zip(found.items.tolist(), found.activations.tolist(), strict=True)) == expected.get(latent, [])
        for latent, posting in enumerate(postings.in_order()):
            pairs = zip(posting.items.tolist(), posting.activations.tolist(), strict=True)
            assert list(pairs) == expected.get(latent, [])
        assert latent == raw.n_latents - 1


def test_faiss_writes_the_same_bytes_however_many_lists_are_used(tmp_path: Path) -> None:
    full, empty = Posting(np.array([4, 1]), np.array([2.0, 0.5])), Posting(np.array([], np.int64), np.array([]))
    for n_lists in (1, 2, 3, 8, 9):
        for n_full in range(n_lists + 1):
            lists = [empty] * (n_lists - n_full) + [full] * n_full
            write(lists, tmp_path / "ours")
            write_by_faiss(lists, tmp_path / "faiss")
            assert (tmp_path / "ours").read_bytes() == (tmp_path / "faiss").read_bytes()


def test_a_list_of_another_size_than_was_said_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="list 1 has another size"):
        write_postings([Posting(np.array([4]), np.array([2.0]))] * 2, np.array([1, 2]), tmp_path / "a")


def test_a_pass_over_a_truncated_file_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "a.faiss"
    write([Posting(np.arange(5000), np.ones(5000))] * 2, path)
    postings = read_postings(path, 2)
    path.write_bytes(b"")
    with pytest.raises(BundleError, match="truncated"):
        list(postings.in_order())


@pytest.mark.parametrize("n_rows", [1, 1000])
def test_vectors_are_written_as_faiss_writes_them(tmp_path: Path, n_rows: int) -> None:
    rows = np.random.default_rng(0).random((n_rows, 7), np.float32)
    np.save(tmp_path / "rows.npy", rows)
    write_vectors(tmp_path / "rows.npy", tmp_path / "ours")
    index = faiss.IndexFlatIP(7)
    index.add(rows)
    faiss.write_index(index, str(tmp_path / "faiss"))
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "faiss").read_bytes()
    read = read_vectors(tmp_path / "ours", n_rows, 7)
    assert np.array_equal(read.reconstruct_n(0, n_rows), rows)


@pytest.mark.parametrize("rows", [np.ones((3, 2)), np.ones(3, np.float32), np.ones((3, 2), np.float32, order="F")])
def test_vectors_of_another_kind_are_refused(tmp_path: Path, rows: np.ndarray) -> None:
    np.save(tmp_path / "rows.npy", rows)
    with pytest.raises(ShapeError, match="expected float32"):
        write_vectors(tmp_path / "rows.npy", tmp_path / "a")


def test_views_are_read_only_and_outlive_the_postings(tmp_path: Path) -> None:
    items = np.arange(50_000)
    write([Posting(items, np.ones(len(items)))], tmp_path / "a.faiss")
    posting = read_postings(tmp_path / "a.faiss", 1).of(0)
    gc.collect()
    assert np.array_equal(posting.items, items)
    with pytest.raises(ValueError, match="read-only"):
        posting.items[0] = 7


def test_faiss_itself_finds_a_list_by_its_latent(tmp_path: Path) -> None:
    write([Posting(np.array([5]), np.array([1.0])), Posting(np.array([3, 8]), np.array([2.0, 1.5]))], tmp_path / "a")
    index = faiss.read_index(str(tmp_path / "a"))
    assert index.quantizer.search(np.array([[1.0]], np.float32), 1)[1].tolist() == [[1]]
    assert index.ntotal == 3


@pytest.mark.parametrize("latent", [-1, 2])
def test_an_unknown_latent_is_not_found(tmp_path: Path, latent: int) -> None:
    write([Posting(np.array([5]), np.array([1.0]))] * 2, tmp_path / "a.faiss")
    with pytest.raises(NotFoundError, match=f"no latent {latent}: this bundle has 0 to 1"):
        read_postings(tmp_path / "a.faiss", 2).of(latent)


def test_another_faiss_index_is_no_posting_lists(tmp_path: Path) -> None:
    faiss.write_index(faiss.IndexFlatIP(3), str(tmp_path / "a.faiss"))
    with pytest.raises(BundleError, match="does not hold posting lists of 2 latents"):
        read_postings(tmp_path / "a.faiss", 2)


@pytest.mark.parametrize(
    ("latents", "activations", "problem"),
    [
        ([[4]], [[1.0]], "latents 4 to 4, expected 0 to 3"),
        ([[-1]], [[1.0]], "latents -1 to -1"),
        ([[1]], [[-0.5]], "negative"),
        ([[1]], [[np.nan]], "not finite"),
        ([[1]], [[1e6]], "65504"),
        ([[1, 2]], [[1.0]], r"two \[n, k\] arrays"),
    ],
)
def test_codes_that_do_not_fit_are_refused(latents: list, activations: list, problem: str) -> None:
    with pytest.raises(ShapeError, match=problem):
        pack_codes(np.array(latents), np.array(activations, np.float32), 4)
