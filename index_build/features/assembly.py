"""The feature step: every stream's features of every item, as one mapped matrix a stream.

Towers see the stored media files, so a service that reads the same files computes the same features. A picture that
several items share is looked at once.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from jaxtyping import Float32, Int64

from index_build.features.extraction import ROWS_PER_SHARD, BackboneLoader, Shard, plan_shards, shard_path
from index_build.workers import ProgressReport
from sparc_core.arrays import new_mapped_array
from sparc_core.backbones.spec import Modality
from sparc_core.bundle.manifest import StreamManifest
from sparc_core.errors import InputError


class Extractor(Protocol):
    """Computes shards, somewhere."""

    def extract(self, loader: BackboneLoader, shards: Sequence[Shard], report: ProgressReport) -> None:
        """Write the files of all shards that are not there yet; `report` counts inputs."""
        ...


@dataclass(frozen=True)
class FeatureInputs:
    """What there is to look at and to read.

    Attributes:
        media: The paths of the pictures, each once.
        picture_rows: For every item, which of them it shows.
        captions: For every item.
    """

    media: Sequence[str]
    picture_rows: Int64[np.ndarray, " n"]
    captions: Sequence[str]


def write_features(
    streams: Mapping[str, str],
    modalities: Mapping[str, Modality],
    loader: BackboneLoader,
    inputs: FeatureInputs,
    folder: Path,
    extractor: Extractor,
    report: ProgressReport,
) -> tuple[StreamManifest, ...]:
    """Write `<stream>.npy`, float32 [n, d] with unit rows, for every stream.

    Args:
        streams: Backbone specs by stream name.
        modalities: Of every stream.
        loader: Loads backbones, once per process.
        inputs: Pictures and captions.
        folder: Where to write; shards of an interrupted run are found here.
        extractor: Does the work.
        report: Told about inputs that are done.

    Returns:
        What the streams turned out to be. Only workers load backbones: here, it would cost seconds before they start.

    Raises:
        InputError: A backbone takes inputs of the other modality.
        ShapeError: A backbone gave something else than finite features of its width.
    """
    by_modality: dict[Modality, dict[str, str]] = {"image": {}, "text": {}}
    for stream, spec in streams.items():
        by_modality[modalities[stream]][stream] = spec
    images = plan_shards("image", inputs.media, by_modality["image"], folder)
    texts = plan_shards("text", inputs.captions, by_modality["text"], folder)
    extractor.extract(loader, [*images, *texts], report)
    for stream in streams:
        rows = inputs.picture_rows if modalities[stream] == "image" else None
        n_inputs = len(inputs.media) if modalities[stream] == "image" else len(inputs.captions)
        _assemble(folder, stream, n_inputs, rows)
    described = {stream: json.loads(_description(folder, stream)) for stream in streams}
    shutil.rmtree(folder / "shards", ignore_errors=True)
    return tuple(StreamManifest(name=stream, **description) for stream, description in described.items())


def feature_path(folder: Path, stream: str) -> Path:
    """Where a stream's features are in the folder of the feature step."""
    return folder / f"{stream}.npy"


def _description(folder: Path, stream: str) -> str:
    return shard_path(folder, stream, 0).with_suffix(".json").read_text()


def _assemble(folder: Path, stream: str, n_inputs: int, rows: Int64[np.ndarray, " n"] | None) -> None:
    """Shards -> one matrix over inputs, and where items share pictures, over items."""
    target = feature_path(folder, stream)
    shared = rows is not None and (len(rows) != n_inputs or not np.array_equal(rows, np.arange(n_inputs)))
    over_inputs = folder / f"{stream}.inputs.npy" if shared else target
    first = np.load(shard_path(folder, stream, 0))
    matrix = new_mapped_array(over_inputs, (n_inputs, first.shape[1]))
    for start in range(0, n_inputs, ROWS_PER_SHARD):
        path = shard_path(folder, stream, start)
        shard = np.load(path)
        if shard.shape != matrix[start : start + ROWS_PER_SHARD].shape:
            raise InputError(f"{path} has shape {list(shard.shape)}, not that of its shard: remove it and run again")
        matrix[start : start + ROWS_PER_SHARD] = shard
    if shared:
        assert rows is not None, "only pictures are shared"
        _expand(matrix, rows, target)
        over_inputs.unlink()


def _expand(matrix: Float32[np.ndarray, "m d"], rows: Int64[np.ndarray, " n"], target: Path) -> None:
    expanded = new_mapped_array(target, (len(rows), matrix.shape[1]))
    for start in range(0, len(rows), 8192):
        expanded[start : start + 8192] = matrix[rows[start : start + 8192]]
