"""Approximate indexes of features: equal bytes every time, sizes that fit the corpus, mapped as they were written."""

import gc
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np
import pytest

from index_build.indexing import vector_indexes
from index_build.indexing.vector_indexes import hnsw_index, ivfpq_index, write_all_vectors, write_vector_index
from index_build.workers import LocalTasks
from sparc_core.bundle.manifest import VectorKind
from sparc_core.bundle.vectors import read_vectors
from sparc_core.errors import BundleError, InputError

APPROXIMATE: tuple[VectorKind, ...] = ("hnsw", "ivfpq")
KINDS: tuple[VectorKind, ...] = ("exact", *APPROXIMATE)
N_ITEMS, D = 600, 32


def unit_rows(n: int = N_ITEMS, d: int = D, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes an index of rows under a name."""

    def make(kind: VectorKind, rows: np.ndarray, name: str = "index") -> Path:
        np.save(tmp_path / "rows.npy", rows)
        write_vector_index(kind, tmp_path / "rows.npy", tmp_path / f"{name}.faiss")
        return tmp_path / f"{name}.faiss"

    return make


@pytest.mark.parametrize("kind", APPROXIMATE)
def test_two_builds_give_equal_bytes_whatever_the_threads(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, kind: VectorKind
) -> None:
    rows, before, seen = unit_rows(2000), faiss.omp_get_max_threads(), set()
    build = vector_indexes._BUILDERS[kind]
    monkeypatch.setitem(
        vector_indexes._BUILDERS, kind, lambda features: (seen.add(faiss.omp_get_max_threads()), build(features))[1]
    )
    try:
        files = []
        for name, n_threads in (("a", 1), ("b", 1), ("c", 3)):
            faiss.omp_set_num_threads(n_threads)
            files.append(write(kind, rows, name).read_bytes())
            assert faiss.omp_get_max_threads() == n_threads
    finally:
        faiss.omp_set_num_threads(before)
    assert files[0] == files[1] == files[2]
    assert seen == {1}  # FAISS before 1.15 builds another graph with several


@pytest.mark.parametrize("kind", KINDS)
def test_an_index_is_mapped_with_its_settings_and_finds_what_lies_in_it(
    write: Callable[..., Path], kind: VectorKind
) -> None:
    rows = unit_rows()
    path = write(kind, rows)
    index = read_vectors(path, N_ITEMS, D, kind)
    gc.collect()
    scores, found = index.search(rows, 5)
    assert np.mean(found[:, 0] == np.arange(N_ITEMS)) > 0.97
    np.testing.assert_allclose(scores[:, 0], 1, atol=0.15)
    if kind == "hnsw":
        assert (index.hnsw.efSearch, index.hnsw.efConstruction, index.hnsw.nb_neighbors(1)) == (128, 200, 32)
        np.testing.assert_array_equal(index.reconstruct_n(0, N_ITEMS), rows)
    if kind == "ivfpq":
        assert (index.nlist, index.nprobe, index.pq.M, index.pq.nbits) == (30, 30, 16, 8)
        assert faiss.downcast_InvertedLists(index.invlists).prefetch_nthread == 0
    assert str(path) in Path("/proc/self/maps").read_text()


@pytest.mark.parametrize(
    ("n", "d", "lists", "parts", "bits"),
    [
        (200, 32, 10, 16, 7), (200, 33, 10, 33, 7), (64, 8, 3, 4, 6), (255, 1, 12, 1, 7), (1000, 10, 50, 5, 8)
    ],
)  # fmt: skip
def test_lists_and_centroids_fit_the_corpus(
    capfd: pytest.CaptureFixture[str], n: int, d: int, lists: int, parts: int, bits: int
) -> None:
    rows = unit_rows(n, d)
    index = ivfpq_index(rows)
    assert (index.nlist, index.pq.M, index.pq.nbits, index.ntotal) == (lists, parts, bits, n)
    _, found = index.search(rows, 1)
    assert np.mean([rows[a] @ rows[b] for a, b in enumerate(found[:, 0])]) > 0.95
    assert capfd.readouterr() == ("", "")


def test_many_items_are_trained_on_by_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []
    train = faiss.IndexIVFPQ.train
    monkeypatch.setattr(
        faiss.IndexIVFPQ, "train", lambda index, rows: (seen.append(np.array(rows)), train(index, rows))
    )
    monkeypatch.setattr(vector_indexes, "MOST_TRAINED", 400)
    monkeypatch.setattr(vector_indexes, "_ROWS_AT_A_TIME", 170)
    rows = unit_rows(900)
    index = ivfpq_index(rows)
    assert (index.nlist, index.ntotal) == (20, 900)
    assert len(np.unique(seen[0], axis=0)) == 400
    assert {row.tobytes() for row in seen[0]} < {row.tobytes() for row in rows}
    assert np.array_equal(faiss.serialize_index(ivfpq_index(rows)), faiss.serialize_index(index))
    index.nprobe = index.nlist
    assert np.mean(index.search(rows, 1)[1][:, 0] == np.arange(900)) > 0.97


@pytest.mark.parametrize(("n_items", "expected"), [(50_000, (892, 64)), (4_000_000, (5000, 156))])
def test_large_corpora_have_more_lists_and_look_into_more(
    monkeypatch: pytest.MonkeyPatch, n_items: int, expected: tuple[int, int]
) -> None:
    for method in ("train", "add"):
        monkeypatch.setattr(faiss.IndexIVFPQ, method, lambda index, rows: None)
    index = ivfpq_index(np.broadcast_to(np.float32(0), (n_items, 2)))
    assert (index.nlist, index.nprobe) == expected


def test_too_few_items_are_refused_in_one_sentence(write: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match='64 items at least, the corpus has 63: set vectors = "exact"'):
        write("ivfpq", unit_rows(63))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.npy"]


def test_a_graph_of_one_item_finds_it() -> None:
    assert hnsw_index(unit_rows(1)).search(unit_rows(1), 1)[1].tolist() == [[0]]


def _write_all(kind: VectorKind, folder: Path, n_workers: int) -> dict[str, bytes]:
    features = {}
    folder.mkdir(parents=True, exist_ok=True)
    for seed, stream in enumerate(("eye", "text")):
        features[stream] = folder / f"{stream}.npy"
        np.save(features[stream], unit_rows(300, 16, seed))
    told: list[tuple[int, int]] = []
    write_all_vectors(kind, features, folder, LocalTasks(n_workers), lambda *done: told.append(done))
    assert told[-1] == (2, 2)
    return {path.name: path.read_bytes() for path in (folder / "bundle" / "vectors").iterdir()}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_there_is_kept_and_what_is_not_is_written(tmp_path: Path, kind: VectorKind) -> None:
    whole = _write_all(kind, tmp_path, 0)
    assert sorted(whole) == ["eye.faiss", "text.faiss"]
    vectors = tmp_path / "bundle" / "vectors"
    (vectors / "text.faiss").unlink()
    (vectors / ".text.faiss.tmp").write_bytes(b"half of it")
    (vectors / "eye.faiss").write_bytes(b"is there")
    assert _write_all(kind, tmp_path, 0) == whole | {"eye.faiss": b"is there"}


@pytest.mark.slow
def test_workers_write_the_same_bytes(tmp_path: Path) -> None:
    for kind in KINDS:
        assert _write_all(kind, tmp_path / kind / "a", 0) == _write_all(kind, tmp_path / kind / "b", 2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_another_kind_than_the_manifest_says_is_named(
    write: Callable[..., Path], kind: VectorKind, other: VectorKind
) -> None:
    path = write(kind, unit_rows(100))
    if kind == other:
        assert read_vectors(path, 100, D, other).ntotal == 100
        return
    with pytest.raises(BundleError, match=rf"index.faiss is not .* the manifest says \({other}\): rebuild"):
        read_vectors(path, 100, D, other)


@pytest.mark.parametrize("kind", KINDS)
def test_another_size_than_the_manifest_says_is_named(write: Callable[..., Path], kind: VectorKind) -> None:
    path = write(kind, unit_rows(100))
    for n_items, d in ((99, D), (100, D + 1)):
        with pytest.raises(BundleError, match=f"100 vectors of width 32, the manifest says {n_items} of width {d}"):
            read_vectors(path, n_items, d, kind)


def test_distances_are_no_inner_products(tmp_path: Path) -> None:
    rows, centroids = unit_rows(100), faiss.IndexFlatL2(D)
    for kind, index in (("hnsw", faiss.IndexHNSWFlat(D, 32)), ("ivfpq", faiss.IndexIVFPQ(centroids, D, 1, 16, 4))):
        index.train(rows)
        index.add(rows)
        faiss.write_index(index, str(tmp_path / kind))
        with pytest.raises(BundleError, match="is not the index of inner products"):
            read_vectors(tmp_path / kind, 100, D, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_index_is_named(write: Callable[..., Path], kind: VectorKind) -> None:
    path = write(kind, unit_rows(100))
    data = path.read_bytes()
    for size in {0, 3, 20, 60, *range(100, len(data), len(data) // 20), len(data) - 1}:
        path.write_bytes(data[:size])
        with pytest.raises(BundleError, match="is damaged, not a FAISS index") as caught:
            read_vectors(path, 100, D, kind)
        assert "\n" not in str(caught.value)
