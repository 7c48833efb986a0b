"""What came out of a training run: dead latents on the training rows, errors on those held out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from index_build.features.store import FeatureStore
from index_build.files import write_text
from index_build.training.validation import Validation, validate
from sparc_core.metrics import Liveness, active_counts, liveness
from sparc_core.model import Sparc

MODEL_FILE = "sparc.safetensors"
SUMMARY_FILE = "summary.json"
_ROWS_AT_A_TIME = 1024


@torch.no_grad()
def model_liveness(model: Sparc, store: FeatureStore) -> Liveness:
    """Which latents some row activates, with the model's own selection."""
    device, n_latents = next(model.parameters()).device, model.config.n_latents
    counts = {stream: np.zeros(n_latents, np.int64) for stream in store.widths}
    for start in range(0, store.n_rows, _ROWS_AT_A_TIME):
        rows = store.rows(torch.arange(start, min(start + _ROWS_AT_A_TIME, store.n_rows)))
        for stream, code in model.encode({stream: x.to(device) for stream, x in rows.items()}).items():
            counts[stream] += active_counts(code.latents.cpu().numpy(), code.activations.cpu().numpy(), n_latents)
    return liveness(counts)


@dataclass(frozen=True)
class ModelSummary:
    """What a trained model does; `str` of it is a line.

    Attributes:
        n_latents: Its latents.
        dead_share: Share of them that no training row activates in any stream.
        alive_in_some_share: Share that training rows activate in some streams, not in all.
        validation: Errors on held-out rows, if there are any.
    """

    n_latents: int
    dead_share: float
    alive_in_some_share: float
    validation: Validation | None

    def __str__(self) -> str:
        text = f"dead {self.dead_share:.1%} of {self.n_latents}"
        text += f", alive in some streams only {self.alive_in_some_share:.1%}"
        if self.validation is None:
            return text
        errors = " ".join(f"{stream} {error:.4f}" for stream, error in self.validation.nmse.items())
        return f"{text}; validation NMSE {errors}, cross {self.validation.mean_cross_nmse:.4f}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        shares = {"dead_share": self.dead_share, "alive_in_some_share": self.alive_in_some_share}
        return shares | {"validation": self.validation.as_dict() if self.validation else None}


def measure(model: Sparc, store: FeatureStore, held_out: FeatureStore | None) -> ModelSummary:
    """Look at all training rows, and at those held out."""
    alive, n_latents = model_liveness(model, store), model.config.n_latents
    errors = None if held_out is None else validate(model, held_out)
    return ModelSummary(n_latents, alive.dead_in_all / n_latents, alive.alive_in_some / n_latents, errors)


def write_summary(folder: Path, summaries: Mapping[str, ModelSummary]) -> None:
    """Keep what came out, by file of the model."""
    content = {name: summary.as_dict() for name, summary in summaries.items()}
    write_text(folder / SUMMARY_FILE, json.dumps(content, indent=1) + "\n")
