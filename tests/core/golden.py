"""Reference numbers of the published SPARC implementation, as our types.

They lie beside the repository, in `shared/golden`; where they are absent, tests that need them skip. Their README says
how they were made. Weights named after the published modules become ours here and nowhere else.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from sparc_core.model import Sparc, SparcConfig
from sparc_core.selection import Selection

GOLDEN_PATH = Path(__file__).resolve().parents[3] / "shared" / "golden"

needs_golden = pytest.mark.skipif(
    not GOLDEN_PATH.is_dir(), reason="needs the reference numbers in ../shared/golden, which this checkout has not"
)


class GoldenRun(NamedTuple):
    """One published training run: settings and log, and all its tensors by name."""

    settings: dict[str, Any]
    tensors: dict[str, Tensor]

    @property
    def streams(self) -> list[str]:
        return list(self.settings["streams"])

    def features(self, n_rows: int | None = None) -> dict[str, Tensor]:
        return {stream: self.tensors[f"input.{stream}"][:n_rows] for stream in self.streams}

    def weight(self, moment: str, stream: str, name: str) -> Tensor:
        """A tensor of "init", "final" or "step0.grad", by our name, in our orientation."""
        published = {
            "encoder": f"encoders.{stream}.weight",
            "dictionary": f"decoders.{stream}.weight",
            "pre_bias": f"pre_biases.{stream}",
            "latent_bias": f"latent_biases.{stream}",
        }
        tensor = self.tensors[f"{moment}.{published[name]}"]
        return tensor.T.contiguous() if name == "dictionary" else tensor

    def model(self, moment: str) -> Sparc:
        """The model "init" or "final"."""
        settings = self.settings
        model = Sparc(SparcConfig(settings["streams"], settings["n_latents"], settings["k"], settings["topk"]))
        with torch.no_grad():
            for stream in self.streams:
                for name, parameter in model.autoencoder(stream).named_parameters():
                    parameter.copy_(self.weight(moment, stream, name))
        return model


class GoldenRetrieval(NamedTuple):
    """Local codes of the published model for its 300 feature rows, and what its retrieval measured on them."""

    codes: dict[str, Tensor]
    recall: dict[tuple[str, str], dict[int, float]]


def load_retrieval(selection: Selection) -> GoldenRetrieval:
    """Retrieval by codes; `recall` by (query stream, item stream), then by k."""
    folder = GOLDEN_PATH / selection
    tensors = load_file(folder / "analysis.safetensors")
    codes = {
        name.removeprefix("codes.local."): tensor for name, tensor in tensors.items() if name.startswith("codes.local.")
    }
    published = json.loads((folder / "retrieval.json").read_text())
    recall = {
        (source, target): {k: published[f"latent.{target}_from_{source}"][f"R@{k}"] for k in (1, 5, 10)}
        for source in codes
        for target in codes
        if source != target
    }
    return GoldenRetrieval(codes, recall)


def load_run(selection: Selection) -> GoldenRun:
    folder = GOLDEN_PATH / selection
    return GoldenRun(json.loads((folder / "training.json").read_text()), load_file(folder / "training.safetensors"))
