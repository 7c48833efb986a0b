"""How many threads torch uses in a build: one per process."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread in this process for a while.

    Sums then do not depend on the number of cores, and neither does a bundle's id. It is faster too: the matrices of a
    small model keep no second core busy, and threads that wait for each other on a busy machine cost minutes.
    """
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)
