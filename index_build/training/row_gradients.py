"""Gradients of dictionaries and encoders, [l d], kept as the sparse sums they are.

A batch selects k latents per row, so a latent's gradient is a weighted sum of a few rows of a small table (features, or
gradients of reconstructions). It is written out only a block of latents at a time, where it is needed
(`index_build.training.block_adam`): nothing as large as the weights is ever stored.
"""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int32, Int64
from torch import Tensor

# torch says once per process that CSR is in beta; its products are years old.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    torch.sparse_csr_tensor([0, 0], [], [], (1, 1), check_invariants=False)


class LatentOrder(NamedTuple):
    """The slots of a batch of codes, [b k] read row by row, sorted by latent.

    Attributes:
        slots: Slots of latent 0, then of latent 1, and so on; within a latent in ascending order.
        rows: The batch row of each of these slots.
        starts: Where each latent's slots start; the last entry is their number.
    """

    slots: Int64[Tensor, " e"]
    rows: Int32[Tensor, " e"]
    starts: Int32[Tensor, " l+1"]


def order_by_latent(latents: Int64[Tensor, "b k"], n_latents: int) -> LatentOrder:
    """Sort a batch's slots by the latent they hold."""
    flat = latents.flatten()
    slots = torch.sort(flat, stable=True).indices
    starts = torch.zeros(n_latents + 1, dtype=torch.int32, device=latents.device)
    starts[1:] = torch.bincount(flat, minlength=n_latents).cumsum(0)
    return LatentOrder(slots, (slots // max(latents.shape[1], 1)).int(), starts)


class RowTerm(NamedTuple):
    """One sum over a batch's slots: row l gets weight * table[row] of every slot that holds latent l.

    Attributes:
        order: The slots by latent.
        weights: Of each slot, in that order.
        table: One row per batch row.
    """

    order: LatentOrder
    weights: Float[Tensor, " e"]
    table: Float[Tensor, "b d"]


def row_term(order: LatentOrder, weights: Float[Tensor, "b k"], table: Float[Tensor, "b d"]) -> RowTerm:
    """A term from the slots' weights as the batch has them."""
    return RowTerm(order, weights.flatten()[order.slots], table)


class RowGradient:
    """The gradient of an [l d] parameter: the sum of some terms."""

    def __init__(self, terms: Sequence[RowTerm]) -> None:
        """Args: at least one term, all of the same l and d."""
        self._terms = tuple(terms)

    @property
    def shape(self) -> tuple[int, int]:
        """l and d."""
        first = self._terms[0]
        return len(first.order.starts) - 1, first.table.shape[1]

    def write(self, start: int, out: Float[Tensor, "m d"]) -> Float[Tensor, "m d"]:
        """Write the gradient of latents `start` to `start + m` into `out`, and return that."""
        for position, term in enumerate(self._terms):
            starts = term.order.starts[start : start + len(out) + 1]
            first, last = int(starts[0]), int(starts[-1])
            size = (len(out), len(term.table))
            rows, weights = term.order.rows[first:last], term.weights[first:last]
            matrix = torch.sparse_csr_tensor(starts - first, rows, weights, size, check_invariants=False)
            torch.addmm(out, matrix, term.table, beta=float(position > 0), out=out)
        return out

    def dense(self) -> Float[Tensor, "l d"]:
        """The whole gradient; as large as the parameter."""
        return self.write(0, self._terms[0].table.new_empty(self.shape))

    def is_finite(self) -> bool:
        """Whether the numbers that the sums are made of are finite; their products may still overflow."""
        # A sum is finite only if all it adds up is, and takes one pass.
        return all(bool((term.weights.sum() + term.table.sum()).isfinite()) for term in self._terms)
