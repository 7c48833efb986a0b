"""Several processes that train one model together, each on a part of every batch.

They exchange what a batch's gradient is made of (codes, errors, features), not the gradient, which is as large as the
weights; so every process takes the same step, up to the rounding of its machine. After every epoch all take over what
the first one has.
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

    def follow_first(self, tensor: Tensor) -> None:
        """Take over, in place, what the first process has."""
        if self.n > 1:
            dist.broadcast(tensor, 0)

    def same(self, value: int) -> bool:
        """Whether all processes have the same number."""
        if self.n == 1:
            return True
        mine = torch.tensor([value])
        values = [torch.zeros_like(mine) for _ in range(self.n)]
        dist.all_gather(values, mine)
        return all(int(other) == value for other in values)

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
    position, n_gpus = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if position >= n_gpus:
        raise InputError(f"there are more processes than GPUs on this machine, {n_gpus}: start one for each")
    return torch.device("cuda", position)


def join_processes(device: torch.device) -> Processes:
    """Join the others that `torchrun` started, or be alone.

    Raises:
        InputError: There should be others, but the environment does not say how to reach them.
    """
    if os.environ.get("WORLD_SIZE", "1") == "1":
        return Processes()
    missing = [name for name in ("RANK", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]
    if missing:
        raise InputError(f"WORLD_SIZE is set but {', '.join(missing)} is not: start with torchrun, or unset WORLD_SIZE")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    return Processes(dist.get_rank(), dist.get_world_size())


def leave_processes() -> None:
    """Part from the others, if there are any."""
    if dist.is_initialized():
        dist.destroy_process_group()
