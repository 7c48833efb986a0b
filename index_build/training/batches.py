"""The batches of a run: which rows, in which order, and mixed with which others.

Everything is a function of the seed and the step, so that a run that stops and continues sees the same batches.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from index_build.features.store import FeatureStore
from index_build.training.options import TrainingOptions
from index_build.training.processes import Share
from index_build.training.start import generator_for


class Batches:
    """A store's rows, batch by batch.

    Attributes:
        n_rows: Rows of the store.
        per_epoch: Batches of an epoch; the last may be smaller.
    """

    def __init__(self, store: FeatureStore, options: TrainingOptions) -> None:
        self._store, self._options = store, options
        self.n_rows = store.n_rows
        self.per_epoch = -(-self.n_rows // options.batch_size)
        self._order: tuple[int, Tensor] | None = None

    def row_numbers(self, step: int) -> Int64[Tensor, " b"]:
        """The rows of batch `step`, counted from 0 over all epochs."""
        epoch, position = divmod(step, self.per_epoch)
        if self._order is None or self._order[0] != epoch:
            self._order = (epoch, self._epoch_order(epoch))
        start = position * self._options.batch_size
        return self._order[1][start : start + self._options.batch_size]

    def features(self, step: int, share: Share) -> dict[str, Float[Tensor, "b d"]]:
        """One process's share of a batch, as the recipe wants it."""
        rows = self.row_numbers(step)
        x = self._marked(rows[share.rows])
        if not self._options.mix_share:
            return x
        generator = generator_for(self._options.seed, "mixing", step)
        partners = rows[torch.randperm(len(rows), generator=generator)][share.rows]
        amount = self._options.mix_share * torch.rand(len(rows), 1, generator=generator)[share.rows]
        others = self._marked(partners)
        return {stream: F.normalize(torch.lerp(x[stream], others[stream], amount), dim=1) for stream in x}

    def _marked(self, rows: Int64[Tensor, " b"]) -> dict[str, Float[Tensor, "b d"]]:
        """Features in which a row of zeros, which has no direction, is NaN, so that its batch is skipped."""
        return {s: x.masked_fill_((x == 0).all(1, keepdim=True), torch.nan) for s, x in self._store.rows(rows).items()}

    def sample(self, n_rows: int, generator: torch.Generator) -> dict[str, Float[Tensor, "n d"]]:
        """Random rows, at most so many, of which those that are finite in every stream."""
        chosen = torch.randperm(self.n_rows, generator=generator)[:n_rows].sort().values
        sample = self._store.rows(chosen)
        finite = torch.stack([x.isfinite().all(1) for x in sample.values()]).all(0)
        return {stream: x[finite] for stream, x in sample.items()}

    def unusable_row(self, step: int) -> tuple[str, int] | None:
        """The first stream of a batch with a row that is not finite or all zero, and which row of its file that is."""
        rows = self.row_numbers(step)
        for stream, x in self._store.rows(rows).items():
            unusable = ~x.isfinite().all(1) | (x == 0).all(1)
            if unusable.any():
                return stream, self._store.stored_row(stream, int(rows[unusable][0]))
        return None

    def _epoch_order(self, epoch: int) -> Int64[Tensor, " n"]:
        if not self._options.shuffle:
            return torch.arange(self.n_rows)
        return torch.randperm(self.n_rows, generator=generator_for(self._options.seed, "order", epoch))
