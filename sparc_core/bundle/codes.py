"""Codes on disk: for every item the k latents of its code and their activations, as two memory-mapped arrays."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float16, Int64, Real, UInt

from sparc_core.errors import BundleError, ShapeError


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
    used = np.where(half > 0, latents, 0)
    # Ties by latent: the order must not depend on how the caller sorted.
    order = np.lexsort((used, -half.astype(np.float32)), axis=1)
    return Codes(np.take_along_axis(used, order, 1).astype(latent_dtype(n_latents)), np.take_along_axis(half, order, 1))


def write_codes(codes: Codes, folder: Path, stream: str) -> None:
    """Write `<stream>.latents.npy` and `<stream>.activations.npy` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"{stream}.latents.npy", np.ascontiguousarray(codes.latents))
    np.save(folder / f"{stream}.activations.npy", np.ascontiguousarray(codes.activations))


def read_codes(folder: Path, stream: str, n_items: int, k: int, n_latents: int) -> Codes:
    """Map the codes of a stream; nothing is read until a row is looked at.

    Raises:
        BundleError: A file is not an array, or not of the expected shape and type.
    """
    latents = _map_array(folder / f"{stream}.latents.npy", (n_items, k), latent_dtype(n_latents))
    return Codes(latents, _map_array(folder / f"{stream}.activations.npy", (n_items, k), np.dtype(np.float16)))


def _map_array(path: Path, shape: tuple[int, int], dtype: np.dtype) -> np.ndarray:
    try:
        # A mapping of no bytes is impossible, so an empty corpus is read.
        array = np.load(path, mmap_mode="r" if shape[0] else None, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BundleError(f"{path} is damaged, not a NumPy array ({error}): rebuild the bundle") from None
    if array.shape != shape or array.dtype != dtype:
        raise BundleError(
            f"{path} holds {array.dtype} {list(array.shape)}, "
            f"the manifest says {dtype} {list(shape)}: rebuild the bundle"
        )
    return array
