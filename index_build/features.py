"""The feature step: every stream's features of every item, in shards that survive an interruption.

Image streams see the decoded media files, so a service that reads the same files computes the same features.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32
from PIL import Image

from index_build.threads import one_thread
from index_build.workers import ProgressReport, run_tasks
from sparc_core.backbones.features import FeatureBackbone, unit_features
from sparc_core.bundle.manifest import StreamManifest
from sparc_core.errors import ShapeError

ITEMS_PER_SHARD = 125
# Small batches of pictures stay in a core's cache: a tenth faster than large ones.
_BATCH = {"image": 8, "text": 128}


BackboneLoader = Callable[[str], FeatureBackbone]
"""Makes a backbone from its spec; a module-level function, so that worker processes can call it too."""


def write_features(
    streams: Mapping[str, str],
    loader: BackboneLoader,
    media: Sequence[Path],
    captions: Sequence[str],
    folder: Path,
    n_workers: int,
    report: ProgressReport,
) -> tuple[StreamManifest, ...]:
    """Write `<stream>.npy`, float32 [n, d] with unit rows, for every stream.

    Args:
        streams: Backbone specs by stream name.
        loader: Loads them, once per process.
        media: The pictures, by row.
        captions: The captions, by row.
        folder: Where to write; shards of an interrupted run are found here.
        n_workers: Processes; 0 for none.
        report: Told about finished shards.

    Returns:
        What the streams turned out to be. Only workers load backbones: here, it would cost seconds before they start.

    Raises:
        ShapeError: A backbone gave something else than finite features of its width.
    """
    starts = range(0, len(media), ITEMS_PER_SHARD)
    tasks = []
    for start in starts:
        rows = slice(start, start + ITEMS_PER_SHARD)
        shards = {spec: _shard(folder, stream, start) for stream, spec in streams.items()}
        tasks.append((loader, shards, list(media[rows]), list(captions[rows])))
    run_tasks(_write_shards, tasks, n_workers, report)
    for stream in streams:
        np.save(folder / f"{stream}.npy", np.concatenate([np.load(_shard(folder, stream, start)) for start in starts]))
    described = {stream: json.loads(_shard(folder, stream, 0).with_suffix(".json").read_text()) for stream in streams}
    shutil.rmtree(folder / "shards", ignore_errors=True)
    return tuple(StreamManifest(name=stream, **description) for stream, description in described.items())


def read_features(folder: Path, streams: Sequence[str]) -> dict[str, Float32[np.ndarray, "n d"]]:
    """The features of these streams, by stream; in memory, as training shuffles them."""
    return {stream: np.load(folder / f"{stream}.npy") for stream in streams}


def compute_features(
    backbone: FeatureBackbone, inputs: Sequence[str] | Sequence[Image.Image]
) -> Float32[np.ndarray, "n d"]:
    """Unit-norm features of texts or pictures.

    One thread, wherever it runs: the sums, and so the features, then do not depend on the number of cores.
    """
    batches, n_batch = [], _BATCH[backbone.modality]
    with one_thread():
        for start in range(0, len(inputs), n_batch):
            batch = inputs[start : start + n_batch]
            features = unit_features(backbone, backbone.preprocess(batch))
            if features.shape != (len(batch), backbone.d) or not features.isfinite().all():
                raise ShapeError(
                    f"backbone gave features of shape {list(features.shape)}, expected finite [b, {backbone.d}]"
                )
            batches.append(features.cpu().numpy())
    return np.concatenate(batches)


def open_picture(path: Path) -> Image.Image:
    """A media file, decoded."""
    with Image.open(path) as picture:
        picture.load()
        return picture


def _shard(folder: Path, stream: str, start: int) -> Path:
    return folder / "shards" / f"{stream}-{start:08d}.npy"


def _write_shards(
    loader: BackboneLoader, shards: Mapping[str, Path], media: Sequence[Path], captions: Sequence[str]
) -> None:
    """Write some items' features by every backbone; the pictures are decoded once for all of them."""
    pictures: list[Image.Image] = []
    for spec, path in shards.items():
        if path.exists():
            continue
        backbone = _load(loader, spec)
        if backbone.modality == "image" and not pictures:
            pictures = [open_picture(file) for file in media]
        inputs = pictures if backbone.modality == "image" else captions
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".json").write_text(json.dumps(_describe(backbone, spec, inputs[0])))
        temporary = path.with_suffix(".part")
        with temporary.open("wb") as file:
            np.save(file, compute_features(backbone, inputs))
        os.replace(temporary, path)


def _describe(backbone: FeatureBackbone, spec: str, sample: str | Image.Image) -> dict[str, Any]:
    """The fields of a StreamManifest, but for the name."""
    x = backbone.preprocess([sample])
    shape = " x ".join(map(str, x.shape[1:]))
    return {
        "modality": backbone.modality,
        "d": backbone.d,
        "backbone": spec,
        "preprocessing": f"{str(x.dtype).removeprefix('torch.')} {shape}",
    }


@lru_cache(maxsize=4)
def _load(loader: BackboneLoader, spec: str) -> FeatureBackbone:
    return loader(spec)
