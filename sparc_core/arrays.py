"""`.npy` files that are whole or an error.

NumPy writes through C's buffered files and does not look at what closing them says, so on a full disk `np.save` may
leave a shorter file and raise nothing; and storing into a mapped file that has no room on the disk ends the process.
Here Python writes, and mapped files get their room first.
"""

import errno
import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

_AT_A_TIME = 1 << 24


def save_array(path: Path, array: np.ndarray) -> None:
    """Write what `np.save` would write."""
    array = np.ascontiguousarray(array)
    with path.open("wb") as file:
        write_header(file, array.dtype, array.shape)
        write_values(file, array)


def write_header(file: BinaryIO, dtype: np.dtype, shape: tuple[int, ...]) -> None:
    """Write the header that `np.save` would write for values that follow row by row."""
    described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, described)


def write_values(file: BinaryIO, array: np.ndarray) -> None:
    """Write an array's values row by row, without a copy of all of them."""
    flat = array.reshape(-1).view(np.uint8) if array.size else np.empty(0, np.uint8)
    for start in range(0, len(flat), _AT_A_TIME):
        file.write(flat[start : start + _AT_A_TIME].data)


def new_mapped_array(path: Path, shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
    """A mapped `.npy` file to write into, zero at first; OSError where the disk has no room for it."""
    with path.open("wb") as file:
        write_header(file, np.dtype(dtype), shape)
        n_bytes = file.tell() + int(np.prod(shape)) * np.dtype(dtype).itemsize
        file.flush()
        _take_room(file.fileno(), n_bytes)
        file.truncate(n_bytes)
    return np.load(path, mmap_mode="r+" if 0 not in shape else None)


def _take_room(descriptor: int, n_bytes: int) -> None:
    if not hasattr(os, "posix_fallocate"):  # macOS
        return
    try:
        os.posix_fallocate(descriptor, 0, n_bytes)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # a file system that cannot
            raise
