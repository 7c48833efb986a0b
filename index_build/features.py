"""The feature step: every stream's features of every item, in shards that survive an interruption.

Image streams see the decoded media files, so a service that reads the same files computes the same features.
"""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np
from jaxtyping import Float32
from PIL import Image

from index_build.threads import one_thread
from index_build.workers import ProgressReport, run_tasks
from sparc_core.backbones.features import FeatureBackbone, unit_features
from sparc_core.errors import ShapeError

ITEMS_PER_SHARD = 256
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
) -> None:
    """Write `<stream>.npy`, float32 [n, d] with unit rows, for every stream.

    Args:
        streams: Backbone specs by stream name.
        loader: Loads them, once per process.
        media: The pictures, by row.
        captions: The captions, by row.
        folder: Where to write; shards of an interrupted run are found here.
        n_workers: Processes; 0 for none.
        report: Told about finished shards.

    Raises:
        ShapeError: A backbone gave something else than finite features of its width.
    """
    inputs = {
        stream: media if _load(loader, spec).modality == "image" else captions for stream, spec in streams.items()
    }
    starts = range(0, len(media), ITEMS_PER_SHARD)
    # Image streams cost most: first, so that no worker is left with one at the end.
    ordered = sorted(streams, key=lambda stream: inputs[stream] is captions)
    tasks = [
        (loader, streams[stream], list(inputs[stream][start : start + ITEMS_PER_SHARD]), _shard(folder, stream, start))
        for stream in ordered
        for start in starts
    ]
    run_tasks(_write_shard, tasks, n_workers, report)
    for stream in streams:
        np.save(folder / f"{stream}.npy", np.concatenate([np.load(_shard(folder, stream, start)) for start in starts]))
    shutil.rmtree(folder / "shards", ignore_errors=True)


def read_features(folder: Path, streams: Sequence[str]) -> dict[str, Float32[np.ndarray, "n d"]]:
    """The features of these streams, by stream; in memory, as training shuffles them."""
    return {stream: np.load(folder / f"{stream}.npy") for stream in streams}


def compute_features(backbone: FeatureBackbone, inputs: Sequence[str] | Sequence[Path]) -> Float32[np.ndarray, "n d"]:
    """Unit-norm features of texts or picture files.

    One thread, wherever it runs: the sums, and so the features, then do not depend on the number of cores.
    """
    batches, n_batch = [], _BATCH[backbone.modality]
    with one_thread():
        for start in range(0, len(inputs), n_batch):
            batch: Sequence[Any] = inputs[start : start + n_batch]
            if backbone.modality == "image":
                batch = [open_picture(cast(Path, path)) for path in batch]
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


def _write_shard(loader: BackboneLoader, spec: str, inputs: Sequence[str] | Sequence[Path], path: Path) -> None:
    if path.exists():
        return
    features = compute_features(_load(loader, spec), inputs)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    with temporary.open("wb") as file:
        np.save(file, features)
    os.replace(temporary, path)


@lru_cache(maxsize=4)
def _load(loader: BackboneLoader, spec: str) -> FeatureBackbone:
    return loader(spec)
