"""Codes on disk: for every item the k latents of its code and their activations, as two memory-mapped arrays."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float16, Int64, Real, UInt, UInt16

from sparc_core.arrays import save_array, write_header
from sparc_core.errors import BundleError, ShapeError

LARGEST_HALF = 0x7FFF
"""No bits of a non-negative float16 are more; they sort as the numbers do."""


class Codes(NamedTuple):
    """The codes of one stream's items: the strongest latent first, unused slots (latent 0, activation 0) last."""

    latents: UInt[np.ndarray, "n k"]
    activations: Float16[np.ndarray, "n k"]


def latent_dtype(n_latents: int) -> np.dtype[np.unsignedinteger]:
    """The smallest unsigned type that holds every latent's number."""
    return np.min_scalar_type(n_latents - 1)


def pack_codes(latents: Int64[np.ndarray, "n k"], activations: Real[np.ndarray, "n k"], n_latents: int) -> Codes:
    """Bring codes into the form that bundles hold.

    Args:
        latents: The latents of each row's code, in any order.
        activations: Their activations, >= 0; 0 marks an unused slot.
        n_latents: Width of the code; sets the type of the latents.

    Raises:
        ShapeError: A latent is out of range, or an activation is negative, not finite or above float16's 65504.
    """
    if latents.shape != activations.shape or latents.ndim != 2:
        raise ShapeError(f"codes need two [n, k] arrays, got {latents.shape} and {activations.shape}")
    if latents.size and not 0 <= latents.min() <= latents.max() < n_latents:
        raise ShapeError(f"codes name latents {latents.min()} to {latents.max()}, expected 0 to {n_latents - 1}")
    with np.errstate(over="ignore"):
        half = activations.astype(np.float16)
    if not np.isfinite(half).all() or (half < 0).any():
        raise ShapeError("codes hold an activation that is negative, not finite or above 65504")
    # One number to sort by. Ties by latent: the order must not depend on how the caller sorted.
    used = half > 0
    weakness = LARGEST_HALF - np.where(used, half.view(np.uint16), 0)
    keys = weakness.astype(np.uint64) << np.uint64(32) | np.where(used, latents, 0).astype(np.uint64)
    keys.sort(axis=1)
    packed = (keys & np.uint64(0xFFFFFFFF)).astype(latent_dtype(n_latents))
    return Codes(packed, unweaken((keys >> np.uint64(32)).astype(np.uint16)))


def unweaken(weakness: UInt16[np.ndarray, "*shape"]) -> Float16[np.ndarray, "*shape"]:
    """Activations from LARGEST_HALF minus their bits, the number that sorts the strongest first."""
    return (np.uint16(LARGEST_HALF) - weakness).view(np.float16)


def concatenate(parts: Sequence[Codes]) -> Codes:
    """Codes of the items of all parts, one after another."""
    return Codes(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def write_codes(codes: Codes, folder: Path, stream: str) -> None:
    """Write `<stream>.latents.npy` and `<stream>.activations.npy` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    save_array(folder / f"{stream}.latents.npy", codes.latents)
    save_array(folder / f"{stream}.activations.npy", codes.activations)


def join_arrays(parts: Sequence[Path], path: Path) -> None:
    """Write the rows of `.npy` files of one width and type one after another, as `np.save` would write all of them.

    One part is in memory at a time.
    """
    first = np.load(parts[0], mmap_mode="r")
    n_rows = sum(len(np.load(part, mmap_mode="r")) for part in parts)
    with path.open("wb") as file:
        write_header(file, first.dtype, (n_rows, *first.shape[1:]))
        for part in parts:
            file.write(np.load(part).data)


def read_shape(folder: Path, stream: str) -> tuple[int, int]:
    """How many items a stream's codes are of, and how many slots each has; raises as `read_codes`."""
    n_items, k = _load(folder / f"{stream}.latents.npy", "r").shape
    return n_items, k


def read_codes(folder: Path, stream: str, n_items: int, k: int, n_latents: int) -> Codes:
    """Map the codes of a stream; nothing is read until a row is looked at.

    Raises:
        BundleError: A file is not an array, or not of the expected shape and type.
    """
    latents = _map_array(folder / f"{stream}.latents.npy", (n_items, k), latent_dtype(n_latents))
    return Codes(latents, _map_array(folder / f"{stream}.activations.npy", (n_items, k), np.dtype(np.float16)))


def _map_array(path: Path, shape: tuple[int, int], dtype: np.dtype) -> np.ndarray:
    # A mapping of no bytes is impossible, so an empty corpus is read.
    array = _load(path, "r" if shape[0] else None)
    if array.shape != shape or array.dtype != dtype:
        raise BundleError(
            f"{path} holds {array.dtype} {list(array.shape)}, "
            f"the manifest says {dtype} {list(shape)}: rebuild the bundle"
        )
    return array


def _load(path: Path, mode: Literal["r"] | None) -> np.ndarray:
    try:
        return np.load(path, mmap_mode=mode, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BundleError(f"{path} is damaged, not a NumPy array ({error}): rebuild the bundle") from None
