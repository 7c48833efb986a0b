"""The code step: every item's codes under the model's own selection and under per-stream selection."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32

from index_build.workers import ProgressReport
from sparc_core.bundle.codes import pack_codes, write_codes
from sparc_core.model import Sparc
from sparc_core.selection import Selection
from sparc_core.sparse import SparseCode

_BATCH = 1024
FOLDERS: dict[str, Selection | None] = {"codes": None, "codes_local": "local"}
"""Folder of the bundle -> selection; None is the model's own."""


def write_all_codes(
    model: Sparc, features: Mapping[str, Float32[np.ndarray, "n d"]], folder: Path, report: ProgressReport
) -> None:
    """Write `codes/` and `codes_local/` below `folder` for all streams of `features` (unit-norm rows)."""
    for done, (name, selection) in enumerate(FOLDERS.items(), 1):
        for stream, code in encode_all(model, features, selection).items():
            packed = pack_codes(code.latents.numpy(), code.activations.numpy(), model.config.n_latents)
            write_codes(packed, folder / name, stream)
        report(done, len(FOLDERS))


def encode_all(
    model: Sparc, features: Mapping[str, Float32[np.ndarray, "n d"]], selection: Selection | None
) -> dict[str, SparseCode]:
    """The codes of all rows, by stream, computed in batches."""
    n_items = len(next(iter(features.values())))
    parts: dict[str, list[SparseCode]] = {stream: [] for stream in features}
    with torch.inference_mode():
        for start in range(0, n_items, _BATCH):
            batch = {stream: torch.from_numpy(rows[start : start + _BATCH]) for stream, rows in features.items()}
            for stream, code in model.encode(batch, selection).items():
                parts[stream].append(code)
    return {
        stream: SparseCode(torch.cat([code.latents for code in codes]), torch.cat([code.activations for code in codes]))
        for stream, codes in parts.items()
    }
