"""Where latents lie to each other: their nearest neighbours, and a map in the plane."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Float32, Int32

from sparc_core.bundle.tables import N_NEAREST

_ROWS_AT_A_TIME = 1024


def nearest_latents(
    dictionaries: Sequence[Float[np.ndarray, "l d"]], alive: Bool[np.ndarray, "l"]
) -> Int32[np.ndarray, "l near"]:
    """The latents whose dictionary rows are most alike (cosine averaged over streams), the most alike first.

    At most 8, never the latent itself, dead latents only where there are not enough alive ones.
    """
    joint = _joint(dictionaries)
    n_latents = len(joint)
    n_near = min(N_NEAREST, n_latents - 1)
    found = np.zeros((n_latents, n_near), np.int32)
    for start in range(0, n_latents, _ROWS_AT_A_TIME):
        cosine = joint[start : start + _ROWS_AT_A_TIME] @ joint.T
        cosine[:, ~alive] -= 4
        cosine[np.arange(len(cosine)), start + np.arange(len(cosine))] = -np.inf
        found[start : start + len(cosine)] = np.argsort(-cosine, axis=1, kind="stable")[:, :n_near]
    return found


def plane(
    dictionaries: Sequence[Float[np.ndarray, "l d"]], alive: Bool[np.ndarray, "l"]
) -> tuple[Float32[np.ndarray, "l"], Float32[np.ndarray, "l"]]:
    """Map coordinates in [-1, 1]: the plane that best keeps the cosines between alive latents (classical scaling).

    Dead latents have NaN.
    """
    joint = _joint(dictionaries)
    xy = np.full((len(joint), 2), np.nan, np.float32)
    if alive.sum() >= 3 and joint.shape[1] >= 2:
        centred = joint[alive] - joint[alive].mean(0)
        _, axes = np.linalg.eigh(centred.T @ centred)
        axes = axes[:, [-1, -2]]
        # An eigenvector's sign is arbitrary; fix it, so that the map of a model is always the same.
        axes = axes * np.sign(axes[np.abs(axes).argmax(0), [0, 1]])
        points = centred @ axes
        xy[alive] = points / max(float(np.abs(points).max()), 1e-12)
    elif alive.any():
        xy[alive] = 0
    return xy[:, 0], xy[:, 1]


def _joint(dictionaries: Sequence[Float[np.ndarray, "l d"]]) -> Float[np.ndarray, "l sum_d"]:
    """Unit rows whose inner products are the cosines averaged over streams."""
    units = [rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12) for rows in dictionaries]
    return np.concatenate(units, axis=1).astype(np.float64) / np.sqrt(len(units))
