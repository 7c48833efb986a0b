"""Batches that a device's memory does not hold: computed in halves of halves, the same for builder and service."""

import logging
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import torch

S = TypeVar("S", bound="Divisible")
R = TypeVar("R")

log = logging.getLogger(__name__)

# What errors say that have no class of their own: the CPU's allocator, CUDA's and its libraries'.
_SAID = ("out of memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")


class Divisible(Protocol):
    """A batch: a tensor, or a list."""

    def __len__(self) -> int:
        """How many inputs it has."""

    def __getitem__(self, part: slice, /) -> Any:
        """Some of them."""


def in_parts(compute: Callable[[S], R], inputs: S) -> list[R]:
    """Results of a batch as one piece; where memory does not hold that, of its halves, or of their halves, in order.

    Args:
        compute: From a batch to its results.
        inputs: The whole batch.

    Raises:
        Exception: What `compute` raises, for want of memory only where it does for a single input (`is_out_of_memory`).
    """
    try:
        return [compute(inputs)]
    except Exception as error:
        if len(inputs) <= 1 or not is_out_of_memory(error):
            raise
    # Only here, outside of the handler: the error held on to what was computed so far.
    log.warning("the device's memory does not hold %d inputs at once: they are computed in halves", len(inputs))
    release_memory()
    half = len(inputs) // 2
    return [*in_parts(compute, inputs[:half]), *in_parts(compute, inputs[half:])]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device, or the machine, has not enough memory."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _SAID)


def release_memory() -> None:
    """Give back what torch keeps of the device's memory for later."""
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
