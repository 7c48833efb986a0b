"""Several processes that train one model together, each on a part of every batch.

They exchange what a batch's gradient is made of (codes, errors, features), not the gradient, which is as large as the
weights; so every process takes the very same step and the weights never need to be compared.
"""

import os
from typing import NamedTuple

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor

from sparc_core.errors import InputError


class Share(NamedTuple):
    """One process's part of a batch.

    Attributes:
        counts: Rows of the batch that each process has, by rank.
        rank: This process.
    """

    counts: tuple[int, ...]
    rank: int

    @property
    def rows(self) -> slice:
        """Where in the batch this process's rows are."""
        start = sum(self.counts[: self.rank])
        return slice(start, start + self.counts[self.rank])

    @property
    def weight(self) -> float:
        """This process's rows as a share of the batch."""
        return self.counts[self.rank] / sum(self.counts)

    def gather(self, rows: Tensor) -> Tensor:
        """All processes' rows, [m ...] in the order of ranks; m is the same multiple of each one's rows."""
        if len(self.counts) == 1:
            return rows
        per_row, longest = len(rows) // max(self.counts[self.rank], 1), max(self.counts)
        padding = [0, 0] * (rows.ndim - 1) + [0, longest * per_row - len(rows)]
        parts = [rows.new_empty(longest * per_row, *rows.shape[1:]) for _ in self.counts]
        dist.all_gather(parts, F.pad(rows, padding))
        return torch.cat([part[: count * per_row] for part, count in zip(parts, self.counts, strict=True)])

    def sum(self, value: Tensor) -> Tensor:
        """The sum of all processes' values."""
        if len(self.counts) == 1:
            return value
        total = value.clone()
        dist.all_reduce(total)
        return total

    def average(self, value: Tensor) -> Tensor:
        """The mean over the batch of a number that is a mean over this process's rows."""
        return value if len(self.counts) == 1 else self.sum(value * self.weight)

    def any(self, mask: Tensor) -> Tensor:
        """Where any process has True."""
        return mask if len(self.counts) == 1 else self.sum(mask.int()) > 0


class Processes(NamedTuple):
    """This process among those that train together."""

    rank: int = 0
    n: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes files and shows progress."""
        return self.rank == 0

    def share(self, n_rows: int) -> Share:
        """Share a batch out: consecutive rows, as even as can be.

        Raises:
            InputError: A process would get no row.
        """
        if n_rows < self.n:
            raise InputError(f"a batch of {n_rows} rows cannot be shared by {self.n} processes: start fewer of them")
        counts = tuple(n_rows // self.n + (rank < n_rows % self.n) for rank in range(self.n))
        return Share(counts, self.rank)

    def wait(self) -> None:
        """Until every process is here."""
        if self.n > 1:
            dist.barrier()


def choose_device(name: str) -> torch.device:
    """The device called "auto" (a GPU where there is one), "cpu" or "cuda"; one GPU per process.

    Raises:
        InputError: It has another name, or is not there.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise InputError(f"device is {name!r}: choose from auto, cpu, cuda")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise InputError('device is "cuda", but torch sees no GPU: check the driver, or use "cpu"')
    if name == "cpu" or not available:
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def join_processes(device: torch.device) -> Processes:
    """Join the others that `torchrun` started, or be alone."""
    n = int(os.environ.get("WORLD_SIZE", "1"))
    if n == 1:
        return Processes()
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return Processes(dist.get_rank(), n)
