"""`sparc-build export`: features and codes of a bundle, as HDF5 in the published layout or as Parquet.

HDF5: one `<stream>.h5` with `features` [n, d] (unit rows), `indices` [n] and, beyond the published layout, the codes:
`codes/own` and `codes/local`, each with `latents` and `activations` [n, k]. Parquet: `<stream>.parquet` with a row per
item. `indices` are item ids where all of them are whole numbers, else rows of the bundle; `item_ids` names them always.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import faiss
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float32, Int64

from index_build.files import whole_file
from sparc_core.bundle import Bundle
from sparc_core.errors import InputError
from sparc_core.full_disk import check_room, full_disk_said

Format = Literal["hdf5", "parquet"]
_ROWS_AT_A_TIME = 16_384
_POINTER_BYTES, _HEADER_BYTES = 64, 1 << 16  # what HDF5 adds: to a text, and to a file
_SELECTIONS: tuple[Literal["own", "local"], ...] = ("own", "local")


def export_bundle(bundle: Bundle, out: Path, kind: Format) -> list[Path]:
    """Write one file per stream.

    Args:
        bundle: To read.
        out: A folder; it is made, and files in it are replaced whole.
        kind: "hdf5" or "parquet".

    Returns:
        The files.

    Raises:
        InputError: There is no such kind, or the bundle has compressed features only.
        DiskFullError: There is no room.
    """
    writers = {"hdf5": (_write_hdf5, "h5"), "parquet": (_write_parquet, "parquet")}
    if kind not in writers:
        raise InputError(f'format is {kind!r}: use "hdf5" or "parquet"')
    compressed = [stream.name for stream in bundle.manifest.streams if stream.vectors == "ivfpq"]
    if compressed:
        raise InputError(
            f"{bundle.path} keeps the features of {compressed[0]} compressed (ivfpq), which cannot be undone: export "
            "from a bundle with exact or hnsw vectors"
        )
    write, suffix = writers[kind]
    paths = []
    for stream in bundle.manifest.streams:
        path = out / f"{stream.name}.{suffix}"
        _check_room(bundle, stream.name, path)
        with full_disk_said(str(path), out, "run the same command again"), whole_file(path) as temporary:
            write(bundle, stream.name, temporary)
        paths.append(path)
    return paths


def _check_room(bundle: Bundle, stream: str, path: Path) -> None:
    """Refuse what does not fit: HDF5 does not survive a full disk, its library crashes when it closes the file.

    Without compression, whatever the format: 4 bytes a value, and for each of both codes 6 a slot at most.
    """
    manifest, ids = bundle.manifest, bundle.items.ids()
    a_row = 4 * manifest.stream(stream).d + 2 * 6 * manifest.sparc.k + 8
    n_bytes = len(ids) * (a_row + _POINTER_BYTES) + sum(len(text.encode()) for text in ids) + _HEADER_BYTES
    check_room(str(path), path.parent, n_bytes, "run the same command again")


def _write_hdf5(bundle: Bundle, stream: str, path: Path) -> None:
    import h5py

    n_items, d = len(bundle.items), bundle.manifest.stream(stream).d
    with h5py.File(path, "w") as file:
        features = file.create_dataset("features", (n_items, d), np.float32)
        for start, rows in _features(bundle, stream):
            features[start : start + len(rows)] = rows
        file["indices"] = _indices(bundle)
        file["item_ids"] = np.array(bundle.items.ids(), h5py.string_dtype())
        for selection in _SELECTIONS:
            codes = bundle.codes(stream, selection)
            file[f"codes/{selection}/latents"] = codes.latents
            file[f"codes/{selection}/activations"] = codes.activations
        file.attrs["bundle_id"] = bundle.manifest.bundle_id
        file.attrs["n_latents"] = bundle.manifest.sparc.n_latents


def _write_parquet(bundle: Bundle, stream: str, path: Path) -> None:
    ids, indices = bundle.items.ids(), _indices(bundle)
    writer: pq.ParquetWriter | None = None
    for start, rows in _features(bundle, stream):
        part = slice(start, start + len(rows))
        columns = {"item_id": pa.array(ids[part]), "index": pa.array(indices[part]), "features": _vectors(rows)}
        for selection in _SELECTIONS:
            codes = bundle.codes(stream, selection)
            columns[f"{selection}_latents"] = _vectors(codes.latents[part])
            columns[f"{selection}_activations"] = _vectors(codes.activations[part].astype(np.float32))
        table = pa.table(columns).replace_schema_metadata({"bundle_id": bundle.manifest.bundle_id})
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)
    if writer is None:
        raise InputError("the bundle has no items to export")
    writer.close()


def _features(bundle: Bundle, stream: str) -> Iterator[tuple[int, Float32[np.ndarray, "b d"]]]:
    index = faiss.downcast_index(bundle.vectors(stream))
    for start in range(0, index.ntotal, _ROWS_AT_A_TIME):
        yield start, index.reconstruct_n(start, min(_ROWS_AT_A_TIME, index.ntotal - start))


def _vectors(rows: np.ndarray) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(rows).ravel()), rows.shape[1])


def _indices(bundle: Bundle) -> Int64[np.ndarray, " n"]:
    ids = bundle.items.ids()
    if ids and all(text.isdecimal() and len(text) <= 18 for text in ids):
        return np.array([int(text) for text in ids], np.int64)
    return np.arange(len(ids), dtype=np.int64)
