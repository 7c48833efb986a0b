"""Extraction on one fast device: other processes read, decode and resize, this one feeds the device and writes shards.

torch's DataLoader moves the batches (prefetched, in pinned memory); a shard is a batch, cut in halves where the
device's memory does not hold it.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from index_build.features.extraction import (
    BackboneLoader,
    Shard,
    check_modality,
    checked_features,
    is_first,
    load_once,
    read_inputs,
    save_description,
    save_features,
)
from index_build.workers import Counted, ProgressReport
from sparc_core.backbones.features import FeatureBackbone
from sparc_core.device_memory import in_parts, is_out_of_memory
from sparc_core.errors import InputError

_PREFETCHED_SHARDS = 2


class _PreparedShards(Dataset[dict[str, torch.Tensor]]):
    """Shard number -> every missing tower's input batch, made in a worker process."""

    def __init__(self, shards: Sequence[Shard], prepare: dict[str, Any]) -> None:
        """Args: `prepare` has, by spec, what turns pictures or texts into a batch; it pickles small."""
        self._shards, self._prepare = shards, prepare

    def __len__(self) -> int:
        return len(self._shards)

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        shard = self._shards[number]
        inputs = read_inputs(shard)
        return {spec: self._prepare[spec](inputs) for spec in shard.missing()}


def extract_on_device(
    loader: BackboneLoader, shards: Sequence[Shard], device: torch.device, n_workers: int, report: ProgressReport
) -> None:
    """Write the files of all shards that are not there yet.

    Args:
        loader: Loads backbones.
        shards: Of any modality.
        device: Runs the towers.
        n_workers: Processes that prepare pictures; 0 prepares them here. Texts are prepared here: they cost nothing.
        report: Told about inputs that are done.
    """
    counted = Counted(report, [len(shard.inputs) for shard in shards])
    pending = {number: shard for number, shard in enumerate(shards) if shard.missing()}
    for number in range(len(shards)):
        if number not in pending:
            counted.finished(number)
    backbones = _on_device(loader, pending.values(), device)
    for modality, workers in (("text", 0), ("image", n_workers)):
        numbers = [number for number, shard in pending.items() if shard.modality == modality]
        for number, batch in zip(numbers, _batches([shards[n] for n in numbers], backbones, workers), strict=True):
            _write(shards[number], batch, backbones, device)
            counted.finished(number)


def _on_device(loader: BackboneLoader, shards: Any, device: torch.device) -> dict[str, FeatureBackbone]:
    backbones: dict[str, FeatureBackbone] = {}
    for shard in shards:
        for spec in shard.targets:
            if spec not in backbones:
                backbone: Any = load_once(loader, spec)
                check_modality(backbone, spec, shard.modality)
                # What only makes features (see FeatureBackbone) may have no weights to move.
                backbones[spec] = backbone.to(device) if hasattr(backbone, "to") else backbone
    return backbones


def _batches(
    shards: Sequence[Shard], backbones: dict[str, FeatureBackbone], n_workers: int
) -> Iterator[dict[str, torch.Tensor]]:
    # A picture input alone pickles small; a whole backbone would carry its weights into every process.
    used = {spec for shard in shards for spec in shard.targets}
    prepare = {spec: getattr(backbones[spec], "picture_input", None) or backbones[spec].preprocess for spec in used}
    return iter(
        DataLoader(
            _PreparedShards(shards, prepare),
            batch_size=None,
            num_workers=n_workers,
            prefetch_factor=_PREFETCHED_SHARDS if n_workers else None,
            multiprocessing_context="spawn" if n_workers else None,
            pin_memory=torch.cuda.is_available(),
        )
    )


def _write(
    shard: Shard, batch: dict[str, torch.Tensor], backbones: dict[str, FeatureBackbone], device: torch.device
) -> None:
    for spec, x in batch.items():
        path = shard.targets[spec]
        if is_first(path):
            save_description(path, backbones[spec], spec, read_inputs(shard)[:1])
        features = features_in_parts(backbones[spec], x.to(device, non_blocking=True))
        save_features(path, features.cpu().numpy())


def features_in_parts(backbone: FeatureBackbone, x: torch.Tensor) -> torch.Tensor:
    """Features of a batch, in halves of halves where the device has no memory for all of it.

    Raises:
        InputError: Not even one input fits.
    """
    try:
        return torch.cat(in_parts(partial(checked_features, backbone), x))
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise InputError("the device has no memory for a single input: free it, or use --device cpu") from None
