"""How well a model does on rows that it was not trained on."""

from collections.abc import Mapping
from itertools import permutations
from typing import Any, NamedTuple

import torch
from torch import Tensor

from index_build.features.store import FeatureStore
from sparc_core.losses import nmse
from sparc_core.model import CrossPair, Sparc

_ROWS_AT_A_TIME = 1024


class Validation(NamedTuple):
    """Reconstruction errors on held-out rows, with the model's own selection; published scale (1: no better than 0).

    Attributes:
        nmse: Of each stream from its own code.
        cross_nmse: Of each target from every other stream's code.
    """

    nmse: Mapping[str, float]
    cross_nmse: Mapping[CrossPair, float]

    @property
    def mean_cross_nmse(self) -> float:
        """Over all pairs; 0 for a single stream."""
        return sum(self.cross_nmse.values()) / max(len(self.cross_nmse), 1)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; pairs of streams as "source->target"."""
        cross = {f"{pair.source}->{pair.target}": error for pair, error in self.cross_nmse.items()}
        return {"nmse": dict(self.nmse), "cross_nmse": cross, "mean_cross_nmse": self.mean_cross_nmse}

    def score(self, cross_loss_coef: float) -> float:
        """What training minimises, without AuxK: the smaller, the better."""
        return sum(self.nmse.values()) / len(self.nmse) + cross_loss_coef * self.mean_cross_nmse


@torch.no_grad()
def validate(model: Sparc, store: FeatureStore) -> Validation:
    """Measure a model on all rows of a store.

    Rows that are not finite, or all zero, count in no mean.
    """
    device = next(model.parameters()).device
    own: dict[str, list[Tensor]] = {stream: [] for stream in store.widths}
    cross: dict[CrossPair, list[Tensor]] = {CrossPair(*pair): [] for pair in permutations(store.widths, 2)}
    n_rows = 0
    for start in range(0, store.n_rows, _ROWS_AT_A_TIME):
        x = _usable(store.rows(torch.arange(start, min(start + _ROWS_AT_A_TIME, store.n_rows))))
        x = {stream: rows.to(device) for stream, rows in x.items()}
        n_batch = len(next(iter(x.values())))
        n_rows += n_batch
        if not n_batch:
            continue
        output = model(x)
        for stream, decoded in output.reconstructions.items():
            own[stream].append(nmse(decoded, x[stream]) * n_batch)
        for pair, decoded in output.cross_reconstructions.items():
            cross[pair].append(nmse(decoded, x[pair.target]) * n_batch)
    return Validation(
        {stream: _mean(parts, n_rows) for stream, parts in own.items()},
        {pair: _mean(parts, n_rows) for pair, parts in cross.items()},
    )


def _usable(x: Mapping[str, Tensor]) -> dict[str, Tensor]:
    good = torch.stack([rows.isfinite().all(1) & (rows != 0).any(1) for rows in x.values()]).all(0)
    return {stream: rows[good] for stream, rows in x.items()}


def _mean(parts: list[Tensor], n_rows: int) -> float:
    return float(torch.stack(parts).sum() / n_rows) if parts else float("nan")
