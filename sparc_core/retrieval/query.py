"""What is searched with: one code, or a weighted sum of several."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int64


class QueryCode(NamedTuple):
    """A code without its unused slots: latents and their activations, strongest first.

    Activations of one code are positive; a sum may hold negative ones, strongest by absolute value.
    """

    latents: Int64[np.ndarray, " k"]
    activations: Float32[np.ndarray, " k"]

    @property
    def norm(self) -> float:
        """Euclidean norm."""
        return float(np.linalg.norm(self.activations))


def query_code(latents: np.ndarray, activations: np.ndarray) -> QueryCode:
    """A code's used slots."""
    used = activations > 0
    return QueryCode(latents[used].astype(np.int64), activations[used].astype(np.float32))


def weighted_sum(codes: Sequence[QueryCode], weights: Sequence[float]) -> QueryCode:
    """Codes added up, each with its weight; a latent whose parts cancel out is no part of the sum."""
    parts = [w * code.activations.astype(np.float64) for code, w in zip(codes, weights, strict=True)]
    latents, slot = np.unique(np.concatenate([code.latents for code in codes]), return_inverse=True)
    sums = np.bincount(slot, np.concatenate(parts), minlength=len(latents)).astype(np.float32)
    order = np.argsort(-np.abs(sums), kind="stable")
    order = order[sums[order] != 0]
    return QueryCode(latents[order].astype(np.int64), sums[order])
