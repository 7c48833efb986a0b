"""The published heatmap run of `../shared/golden/heatmaps`: its numbers, its settings, its towers and its SPARC."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from safetensors.torch import load_file, save_file

from sparc_core.backbones import ImageBackbone, TextBackbone, load_backbone
from sparc_core.model import Sparc, SparcConfig
from tests.core.golden import GOLDEN_PATH

FOLDER = GOLDEN_PATH / "heatmaps"
needs_heatmaps = pytest.mark.skipif(not FOLDER.exists(), reason="reference numbers (../shared/golden) are not here")
ROWS = range(3)
STREAMS = ("dino", "clip_img", "clip_txt")
IMAGE_STREAMS = STREAMS[:2]


class Published(NamedTuple):
    """The run."""

    numbers: dict[str, torch.Tensor]
    settings: dict[str, Any]
    dino: ImageBackbone
    clip_img: ImageBackbone
    clip_txt: TextBackbone
    sparc: Sparc

    def inputs(self, stream: str) -> torch.Tensor:
        """What the stream's tower takes, three rows."""
        return self.numbers["text_tokens" if stream == "clip_txt" else "pixel_values"]

    def feature(self, stream: str) -> torch.Tensor:
        """Unit features of the three rows."""
        return torch.nn.functional.normalize(self.numbers[f"feature.{stream}"], dim=1)

    def stack(self, name: str) -> torch.Tensor:
        """The three tensors `name.0` to `name.2`."""
        return torch.stack([self.numbers[f"{name}.{i}"] for i in ROWS])


def read(scratch: Path) -> Published:
    """Read the run; the CLIP's checkpoint is written to `scratch`."""
    numbers = load_file(FOLDER / "heatmaps.safetensors")
    settings = json.loads((FOLDER / "heatmaps.json").read_text())
    (scratch / "open_clip_config.json").write_text(json.dumps({"model_cfg": settings["clip"], "preprocess_cfg": {}}))
    clip = {k.removeprefix("clip."): v for k, v in numbers.items() if k.startswith("clip.")}
    save_file(clip, scratch / "open_clip_model.safetensors")
    dino = load_backbone(f"transformers:{FOLDER / 'dino'}")
    clip_img, clip_txt = (load_backbone(f"open_clip:local-dir:{scratch}#{tower}") for tower in ("image", "text"))
    assert isinstance(dino, ImageBackbone)
    assert isinstance(clip_img, ImageBackbone)
    assert isinstance(clip_txt, TextBackbone)
    return Published(numbers, settings, dino, clip_img, clip_txt, _sparc(numbers, settings["sparc"]))


def _sparc(numbers: dict[str, torch.Tensor], settings: dict[str, Any]) -> Sparc:
    sparc = Sparc(SparcConfig(settings["streams"], settings["n_latents"], settings["k"], settings["topk"]))
    for stream in settings["streams"]:
        own = sparc.autoencoder(stream).requires_grad_(False)
        own.encoder.copy_(numbers[f"sparc.encoders.{stream}.weight"])
        own.dictionary.copy_(numbers[f"sparc.decoders.{stream}.weight"].T)
        own.pre_bias.copy_(numbers[f"sparc.pre_biases.{stream}"])
        own.latent_bias.copy_(numbers[f"sparc.latent_biases.{stream}"])
    return sparc
