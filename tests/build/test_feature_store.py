"""Feature stores: whatever the storage, rows are plain fancy indexing, normalised; every fault has its sentence."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index_build.features.store import FeatureStore
from sparc_core.errors import InputError, ShapeError
from sparc_core.model import normalize

WIDTHS = {"dino": 6, "clip_img": 4, "clip_txt": 3}
N_ROWS = 40


def features(dtype: Any = np.float32, n_rows: int = N_ROWS, seed: int = 0) -> dict[str, np.ndarray]:
    """Random features, every stream with a row of zeros."""
    generator = np.random.default_rng(seed)
    arrays = {stream: generator.standard_normal((n_rows, d)).astype(dtype) for stream, d in WIDTHS.items()}
    for array in arrays.values():
        array[n_rows // 2] = 0
    return arrays


def write_npy(path: Path, array: np.ndarray, ids: Any = None) -> Path:
    np.save(path.with_suffix(".npy"), array)
    return path.with_suffix(".npy")


def write_hdf5(path: Path, array: np.ndarray, ids: Any = None, **options: Any) -> Path:
    path = path.with_suffix(".h5")
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset("features", data=array, **options)
        if ids is not None:
            file["indices"] = ids
    return path


def write_chunked(path: Path, array: np.ndarray, ids: Any = None) -> Path:
    return write_hdf5(path, array, ids, chunks=(min(7, len(array)), array.shape[1]), compression="gzip")


WRITERS = {"npy": write_npy, "hdf5": write_hdf5, "chunked": write_chunked}
KINDS = [*WRITERS, "memory"]
DTYPES = [np.float16, np.float32, np.float64]


def write(folder: Path, arrays: Mapping[str, np.ndarray], kind: str, ids: Any = None) -> dict[str, Path]:
    return {stream: WRITERS[kind](folder / stream, array, ids) for stream, array in arrays.items()}


def store_of(folder: Path, arrays: Mapping[str, np.ndarray], kind: str) -> FeatureStore:
    return FeatureStore.of(arrays) if kind == "memory" else FeatureStore.open(write(folder, arrays, kind))


def check_rows(store: FeatureStore, arrays: Mapping[str, np.ndarray], index: Any) -> None:
    """The reference: numpy's fancy indexing, and norms in double precision."""
    found = store.rows(index)
    assert list(found) == list(arrays)
    for stream, x in found.items():
        rows = arrays[stream][np.asarray(index)].astype(np.float64)
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        np.testing.assert_allclose(x.numpy(), rows / np.where(norms > 0, norms, 1), rtol=1e-5, atol=1e-7)
        assert x.dtype == torch.float32
        assert x.is_contiguous()
        assert x.device.type == "cpu"
        assert torch.equal(x, normalize(torch.from_numpy(arrays[stream][np.asarray(index)]).float()))


@pytest.fixture(scope="module", params=[(kind, dtype) for kind in KINDS for dtype in DTYPES], ids=str)
def stored(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[FeatureStore, dict[str, np.ndarray]]:
    kind, dtype = request.param
    arrays = features(dtype)
    return store_of(tmp_path_factory.mktemp("features"), arrays, kind), arrays


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(index=st.lists(st.integers(0, N_ROWS - 1), max_size=60), as_tensor=st.booleans())
def test_rows_are_plain_indexing(
    stored: tuple[FeatureStore, dict[str, np.ndarray]], index: list[int], as_tensor: bool
) -> None:
    store, arrays = stored
    array = np.array(index, np.int64)
    check_rows(store, arrays, torch.from_numpy(array) if as_tensor else array)


@pytest.mark.parametrize("n_asked", [1023, 1024, 3000])
@pytest.mark.parametrize("dtype", DTYPES)
def test_batches_larger_than_a_block(n_asked: int, dtype: Any) -> None:
    arrays = features(dtype)
    check_rows(FeatureStore.of(arrays), arrays, np.random.default_rng(2).integers(0, N_ROWS, n_asked))


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_subset_of_a_subset(data: st.DataObject) -> None:
    arrays = features()
    rows = st.lists(st.integers(0, N_ROWS - 1), min_size=1, max_size=50)
    outer = np.array(data.draw(rows))
    inner = np.array(data.draw(st.lists(st.integers(0, len(outer) - 1), max_size=50)), np.int64)
    store = FeatureStore.of(arrays).subset(outer).subset(inner)
    assert len(store) == store.n_rows == len(inner)
    check_rows(store, {stream: array[outer][inner] for stream, array in arrays.items()}, np.arange(len(inner)))


@pytest.mark.parametrize("kind", KINDS)
def test_widths_and_length(tmp_path: Path, kind: str) -> None:
    store = store_of(tmp_path, features(), kind)
    assert list(store.widths.items()) == list(WIDTHS.items())
    assert len(store) == store.n_rows == N_ROWS


@pytest.mark.parametrize("kind", ["npy", "hdf5"])
def test_plain_files_are_mapped(tmp_path: Path, kind: str) -> None:
    """What another process writes into the file is seen, so the rows were not read at opening."""
    arrays = features()
    paths = write(tmp_path, arrays, kind)
    store = FeatureStore.open(paths)
    arrays["dino"][3] = np.arange(6)
    if kind == "npy":
        np.load(paths["dino"], mmap_mode="r+")[3] = np.arange(6)
    else:
        with h5py.File(paths["dino"], "r+") as file:
            file["features"][3] = np.arange(6)
    check_rows(store, arrays, np.array([3, 4]))


def test_arrays_and_indices_may_be_read_only_and_oddly_laid_out() -> None:
    arrays = features()
    for array in arrays.values():
        array.flags.writeable = False
    index = np.array([5, 1])
    index.flags.writeable = False
    check_rows(FeatureStore.of(arrays), arrays, index)
    flipped = {stream: np.asfortranarray(array)[::-1] for stream, array in arrays.items()}
    check_rows(FeatureStore.of(flipped), flipped, np.arange(N_ROWS, dtype=np.int32))


def test_rows_and_subsets_are_independent_of_the_caller() -> None:
    arrays = features()
    store, index = FeatureStore.of(arrays), torch.tensor([3, 1])
    view = store.subset(index)
    index[0] = 9
    store.rows(torch.tensor([3]))["dino"].zero_()
    check_rows(view, {stream: array[[3, 1]] for stream, array in arrays.items()}, np.arange(2))


def test_stored_rows_are_those_of_the_file() -> None:
    store = FeatureStore.of(features())
    assert store.stored_row("dino", 5) == 5
    assert store.subset(np.array([8, 2])).subset(np.array([1])).stored_row("dino", 0) == 2


@pytest.mark.parametrize("kind", ["hdf5", "chunked"])
def test_big_endian_hdf5(tmp_path: Path, kind: str) -> None:
    arrays = features()
    store = store_of(tmp_path, {stream: array.astype(">f4") for stream, array in arrays.items()}, kind)
    check_rows(store, arrays, np.arange(N_ROWS))


def test_external_hdf5_storage_is_read(tmp_path: Path) -> None:
    arrays = {"dino": features()["dino"]}
    where = [(str(tmp_path / "outside.bin"), 0, arrays["dino"].nbytes)]
    check_rows(
        FeatureStore.open({"dino": write_hdf5(tmp_path / "dino", arrays["dino"], external=where)}),
        arrays,
        np.arange(N_ROWS),
    )


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(orders=st.tuples(*[st.permutations(range(N_ROWS))] * 3), kind=st.sampled_from(["hdf5", "chunked"]))
def test_streams_are_aligned_by_id(tmp_path: Path, orders: tuple[list[int], ...], kind: str) -> None:
    """Files in three orders; the store has the order of the first."""
    arrays = features()
    ids = np.random.default_rng(1).permutation(10_000)[:N_ROWS].astype(np.int32)
    paths = {
        stream: WRITERS[kind](tmp_path / stream, arrays[stream][order], ids[order])
        for (stream, order) in zip(arrays, map(np.array, orders), strict=True)
    }
    first = np.array(orders[0])
    expected = {stream: array[first] for stream, array in arrays.items()}
    check_rows(FeatureStore.open(paths), expected, np.arange(N_ROWS))
    some = np.array([7, 7, 0])
    check_rows(
        FeatureStore.open(paths).subset(some), {s: array[some] for s, array in expected.items()}, np.array([2, 0, 1])
    )


def test_files_without_ids_beside_files_with_the_same_order(tmp_path: Path) -> None:
    arrays, ids = features(), np.arange(N_ROWS) // 5  # five captions an item: rows still agree
    paths = {
        "dino": write_npy(tmp_path / "dino", arrays["dino"]),
        "clip_img": write_hdf5(tmp_path / "clip_img", arrays["clip_img"], ids),
        "clip_txt": write_chunked(tmp_path / "clip_txt", arrays["clip_txt"], ids.astype(np.uint8)),
    }
    check_rows(FeatureStore.open(paths), arrays, np.arange(N_ROWS))


def two_orders(folder: Path, first: Any, second: Any) -> dict[str, Path]:
    arrays = features()
    return {
        "dino": write_hdf5(folder / "dino", arrays["dino"], first),
        "clip_img": write_hdf5(folder / "clip_img", arrays["clip_img"], second),
    }


def test_ids_that_cannot_be_aligned(tmp_path: Path) -> None:
    ids = np.arange(N_ROWS)
    with pytest.raises(InputError, match="dino and clip_img hold different items: only one of them has item 0"):
        FeatureStore.open(two_orders(tmp_path, ids, ids + 1))
    doubled = np.r_[ids[:-1], 3]
    with pytest.raises(InputError, match="different items: only one of them has item 39"):
        FeatureStore.open(two_orders(tmp_path, ids, doubled))
    with pytest.raises(InputError, match="item 3 more than once"):
        FeatureStore.open(two_orders(tmp_path, doubled, doubled[::-1]))
    nameless = {"clip_txt": write_npy(tmp_path / "clip_txt", features()["clip_txt"])}
    with pytest.raises(InputError, match="different orders and stream clip_txt has no ids"):
        FeatureStore.open(two_orders(tmp_path, ids, ids[::-1]) | nameless)
    again = np.r_[0, 0, 1, np.arange(3, N_ROWS)], np.r_[0, 1, 1, np.arange(3, N_ROWS)]
    with pytest.raises(InputError, match="hold different items; give both the same"):
        FeatureStore.open(two_orders(tmp_path, *again))


@pytest.mark.parametrize("ids", [np.arange(3), np.zeros((N_ROWS, 1), int), np.zeros(N_ROWS)])
def test_ids_that_are_none(tmp_path: Path, ids: np.ndarray) -> None:
    with pytest.raises(ShapeError, match=r'"indices" in .* has shape .* expected 40 whole numbers'):
        FeatureStore.open({"dino": write_hdf5(tmp_path / "dino", features()["dino"], ids)})


def test_a_group_in_place_of_a_dataset(tmp_path: Path) -> None:
    path = write_hdf5(tmp_path / "dino", features()["dino"])
    with h5py.File(path, "r+") as file:
        file.create_group("indices")
    with pytest.raises(ShapeError, match=r'"indices" in .* has shape None'):
        FeatureStore.open({"dino": path})
    with h5py.File(path, "w") as file:
        file.create_group("features")
    with pytest.raises(InputError, match=r"""has no dataset "features", only \['features'\]"""):
        FeatureStore.open({"dino": path})
    with h5py.File(path, "w") as file:
        file["vectors"] = np.zeros((2, 2))
    with pytest.raises(InputError, match=r"""has no dataset "features", only \['vectors'\]"""):
        FeatureStore.open({"dino": path})
    with h5py.File(path, "w") as file:
        file["features"] = h5py.Empty("f4")
    with pytest.raises(ShapeError, match="have shape None"):
        FeatureStore.open({"dino": path})


def test_no_stream() -> None:
    with pytest.raises(InputError, match="no stream was given"):
        FeatureStore.open({})
    with pytest.raises(InputError, match="no stream was given"):
        FeatureStore.of({})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("array", "error", "message"),
    [
        (np.zeros(4, np.float32), ShapeError, r"shape \[4\], expected \[rows, d\]"),
        (np.zeros((2, 3, 4), np.float32), ShapeError, r"shape \[2, 3, 4\], expected"),
        (np.zeros((2, 3), int), ShapeError, "type int64: use float16, float32 or float64"),
        (np.zeros((2, 3), complex), ShapeError, "type complex128: use"),
        (np.zeros((0, 3), np.float32), InputError, r"empty, of shape \[0, 3\]"),
        (np.zeros((3, 0), np.float32), InputError, r"empty, of shape \[3, 0\]"),
    ],
)
def test_arrays_that_are_no_features(
    tmp_path: Path, kind: str, array: np.ndarray, error: type[Exception], message: str
) -> None:
    if kind == "chunked" and (array.ndim != 2 or 0 in array.shape):
        kind = "hdf5"  # there are no such chunks
    with pytest.raises(error, match=message):
        store_of(tmp_path, {"dino": array}, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_different_numbers_of_rows(tmp_path: Path, kind: str) -> None:
    arrays = features() | {"clip_img": features(n_rows=39)["clip_img"]}
    with pytest.raises(ShapeError, match=r"different numbers of rows, .*'dino': 40, 'clip_img': 39"):
        store_of(tmp_path, arrays, kind)


def test_missing_and_unknown_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no features of stream dino at .*nowhere\.npy"):
        FeatureStore.open({"dino": tmp_path / "nowhere.npy"})
    (tmp_path / "folder.h5").mkdir()
    with pytest.raises(InputError, match="no features of stream dino at"):
        FeatureStore.open({"dino": tmp_path / "folder.h5"})
    with pytest.raises(InputError, match=r"unknown kind: use \.npy, \.h5, \.hdf5"):
        FeatureStore.open({"dino": tmp_path / "features.safetensors"})


@pytest.mark.parametrize("kind", [*WRITERS])
@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"nothing like it",
        lambda content: content[:20],
        lambda content: content[: len(content) // 2],
    ],
)
def test_damaged_files(tmp_path: Path, kind: str, damage: Callable[[bytes], bytes]) -> None:
    path = WRITERS[kind](tmp_path / "dino", features()["dino"], np.arange(N_ROWS))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=r"features of stream dino at .* cannot be read"):
        FeatureStore.open({"dino": path})


def test_a_damaged_chunk(tmp_path: Path) -> None:
    path = write_chunked(tmp_path / "dino", np.ones((N_ROWS, 6), np.float32))
    with h5py.File(path) as file:
        chunk = file["features"].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot be read"):
        FeatureStore.open({"dino": path})


def test_npy_files_of_other_kinds(tmp_path: Path) -> None:
    path = tmp_path / "dino.npy"
    np.save(path, np.asfortranarray(features()["dino"]))
    with pytest.raises(ShapeError, match=r"stored by column: save np\.ascontiguousarray"):
        FeatureStore.open({"dino": path})
    np.save(path, features()["dino"].astype(">f4"))
    with pytest.raises(ShapeError, match="type >f4: use float16, float32 or float64 in this machine's byte order"):
        FeatureStore.open({"dino": path})
    np.save(path, np.array([[{}]], object), allow_pickle=True)
    with pytest.raises(InputError, match="cannot be read"):
        FeatureStore.open({"dino": path})
    with path.open("wb") as file:
        np.savez(file, features=features()["dino"])
    with pytest.raises(InputError, match=r"is a \.npz archive"):
        FeatureStore.open({"dino": path})


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (np.array([0, N_ROWS]), "names row 40: the store has rows 0 to 39"),
        (torch.tensor([2, -1]), "names row -1"),
        (np.zeros((2, 2), int), r"shape \[2, 2\]"),
        (np.array([0.0]), "type torch.float64"),
        (np.ones(N_ROWS, bool), "type torch.bool: give a vector of row numbers"),
    ],
)
def test_indices_that_are_none(index: Any, message: str) -> None:
    store = FeatureStore.of(features())
    for ask in (store.rows, store.subset):
        with pytest.raises(ShapeError, match=message):
            ask(index)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_rows_that_are_not_finite(value: float) -> None:
    arrays = features(np.float16)
    arrays["clip_img"][11, 2] = value
    store = FeatureStore.of(arrays).subset(np.arange(N_ROWS)[::-1].copy())
    check_rows(store, arrays | {s: a[::-1] for s, a in arrays.items()}, np.array([0, 1]))
    found = store.rows(np.arange(N_ROWS))
    nan_rows = {stream: x.isnan().any(1).nonzero().flatten().tolist() for stream, x in found.items()}
    assert nan_rows["clip_img"] == [N_ROWS - 1 - 11]
    assert all(rows == [] for stream, rows in nan_rows.items() if stream != "clip_img")
