"""From media files and captions to feature shards, in worker processes or on a GPU, and from shards to matrices.

A shard is some consecutive rows of one modality, seen by all of its towers; each tower's features of it are one file.
Files that are there are kept, so extraction goes on where it was interrupted, with the same bytes: a shard's batches
depend on nothing else, and on a CPU one thread computes them.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from PIL import Image

from index_build.files import own_name, write_text
from index_build.threads import one_thread
from sparc_core.arrays import save_array
from sparc_core.backbones.features import FeatureBackbone, unit_features
from sparc_core.backbones.spec import Modality
from sparc_core.errors import InputError, ShapeError
from sparc_core.picture_files import open_media

ROWS_PER_SHARD = 128
# On a CPU small batches of pictures stay in a core's cache: a tenth faster than large ones.
_CPU_BATCH: dict[Modality, int] = {"image": 8, "text": 128}
BackboneLoader = Callable[[str], FeatureBackbone]
"""Makes a backbone from its spec; a module-level function, so that worker processes can call it too."""


@dataclass(frozen=True)
class Shard:
    """Consecutive inputs of one modality and where each tower's features of them go.

    Attributes:
        modality: Of the inputs.
        inputs: Media paths, or texts.
        targets: The file for each backbone, by spec.
    """

    modality: Modality
    inputs: tuple[str, ...]
    targets: Mapping[str, Path]

    def missing(self) -> dict[str, Path]:
        """The files that are not there yet."""
        return {spec: path for spec, path in self.targets.items() if not path.exists()}


def plan_shards(modality: Modality, inputs: Sequence[str], specs: Mapping[str, str], folder: Path) -> list[Shard]:
    """Cut inputs into shards.

    Args:
        modality: Of all inputs.
        inputs: Media paths, or texts.
        specs: Backbone specs by stream; none gives no shards.
        folder: Where the shards' files go.
    """
    starts = range(0, len(inputs), ROWS_PER_SHARD) if specs else ()
    return [
        Shard(
            modality,
            tuple(inputs[start : start + ROWS_PER_SHARD]),
            {spec: shard_path(folder, stream, start) for stream, spec in specs.items()},
        )
        for start in starts
    ]


def shard_path(folder: Path, stream: str, start: int) -> Path:
    """Where a stream's features of the shard that begins at a row are."""
    return folder / "shards" / stream / f"{start:010d}.npy"


def write_shard(loader: BackboneLoader, shard: Shard) -> None:
    """Compute what is missing of a shard, on the CPU; pictures are decoded once for all towers."""
    missing = shard.missing()
    inputs = read_inputs(shard) if missing else []
    for spec, path in missing.items():
        backbone = load_once(loader, spec)
        check_modality(backbone, spec, shard.modality)
        if is_first(path):
            save_description(path, backbone, spec, inputs[:1])
        save_features(path, compute_features(backbone, inputs))


def read_inputs(shard: Shard) -> list[Any]:
    """What the towers take: decoded pictures, or texts."""
    if shard.modality == "text":
        return list(shard.inputs)
    return [open_media(Path(path)) for path in shard.inputs]


def compute_features(
    backbone: FeatureBackbone, inputs: Sequence[str] | Sequence[Image.Image]
) -> Float32[np.ndarray, "n d"]:
    """Unit-norm features of texts or pictures, on the CPU.

    One thread, wherever it runs: the sums, and so the features, then do not depend on the number of cores.
    """
    n_batch = _CPU_BATCH["image" if backbone.modality == "image" else "text"]
    with one_thread():
        batches = [
            checked_features(backbone, backbone.preprocess(inputs[start : start + n_batch])).numpy()
            for start in range(0, len(inputs), n_batch)
        ]
    return np.concatenate(batches)


def checked_features(backbone: FeatureBackbone, x: torch.Tensor) -> Float32[torch.Tensor, "b d"]:
    """Unit-norm features of one batch.

    Raises:
        ShapeError: The backbone gave something else than finite features of its width.
    """
    features = unit_features(backbone, x)
    if features.shape != (len(x), backbone.d) or not features.isfinite().all():
        raise ShapeError(f"backbone gave features of shape {list(features.shape)}, expected finite [b, {backbone.d}]")
    return features


def check_modality(backbone: FeatureBackbone, spec: str, modality: Modality) -> None:
    """Raise InputError where a tower cannot take such inputs."""
    if backbone.modality != modality:
        raise InputError(f'backbone "{spec}" takes {backbone.modality}s, its stream is of modality {modality}')


def save_features(path: Path, features: Float32[np.ndarray, "b d"]) -> None:
    """Write a shard's file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{own_name()}")
    save_array(temporary, features)
    temporary.replace(path)


def is_first(path: Path) -> bool:
    """Whether a shard's file is its stream's first, which has a description beside it."""
    return int(path.stem) == 0


def save_description(path: Path, backbone: FeatureBackbone, spec: str, sample: Sequence[Any]) -> None:
    """Write, beside a stream's first shard, what its tower is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path.with_suffix(".json"), json.dumps(describe(backbone, spec, sample)))


def describe(backbone: FeatureBackbone, spec: str, sample: Sequence[Any]) -> dict[str, Any]:
    """The fields of a StreamManifest, but for the name."""
    x = backbone.preprocess(sample)
    shape = " x ".join(map(str, x.shape[1:]))
    return {
        "modality": backbone.modality,
        "d": backbone.d,
        "backbone": spec,
        "preprocessing": f"{str(x.dtype).removeprefix('torch.')} {shape}",
    }


@lru_cache(maxsize=4)
def load_once(loader: BackboneLoader, spec: str) -> FeatureBackbone:
    """A backbone, loaded once per process."""
    return loader(spec)
