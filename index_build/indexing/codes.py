"""The code step: every item's codes under the model's own selection and under per-stream selection.

Shards of items are encoded independently, each into a folder of its own that is renamed when it is whole, and joined at
the end. So any number of workers, in any order, killed at any time, gives the same bytes.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from index_build.files import whole_file
from index_build.fingerprints import file_fingerprint
from index_build.indexing.encoding import MOST_ITEMS, BatchEncoder, BothCodes
from index_build.threads import one_thread
from index_build.workers import ProgressReport, TaskRunner
from sparc_core.bundle.codes import concatenate, join_arrays, write_codes
from sparc_core.checkpoint import load_sparc

OWN, LOCAL = "codes", "codes_local"
FOLDERS = (OWN, LOCAL)
"""Folders of the bundle: codes under the model's own selection, and under per-stream selection."""
SHARD_ITEMS = 16 * MOST_ITEMS


def write_all_codes(
    model: Path, features: Mapping[str, Path], folder: Path, runner: TaskRunner, report: ProgressReport
) -> None:
    """Write `codes/` and `codes_local/` of all streams below `folder / "bundle"`, going on where a killed run stopped.

    Args:
        model: A checkpoint, as `save_sparc` writes it.
        features: `.npy` files by stream, float32 [n, d], unit rows.
        folder: Takes `bundle/` and, until that is whole, `shards/`.
        runner: Runs the shards.
        report: Told the items done.

    Raises:
        InputError: A feature is NaN.
        ShapeError: An activation is infinite or above float16's 65504.
    """
    bundle, shards = folder / "bundle", folder / "shards"
    joined = [Path(name) / file for name in FOLDERS for stream in features for file in _file_names(stream)]
    if not all((bundle / path).exists() for path in joined):
        n_items = len(np.load(next(iter(features.values())), mmap_mode="r"))
        bounds = [(start, min(start + SHARD_ITEMS, n_items)) for start in range(0, n_items, SHARD_ITEMS)]
        folders = [shards / f"{number:06d}" for number in range(len(bounds))]
        tasks = [(model, dict(features), path, *bound) for path, bound in zip(folders, bounds, strict=True)]
        runner.run(write_code_shard, tasks, report, [stop - start for start, stop in bounds])
        for path in joined:
            _join(folders, path, bundle / path)
    shutil.rmtree(shards, ignore_errors=True)


def write_code_shard(model: Path, features: Mapping[str, Path], folder: Path, start: int, stop: int) -> None:
    """Encode the items of rows `start` to `stop` into `folder`, laid out as in the bundle; nothing if it is there."""
    if folder.is_dir():
        return
    with one_thread():
        encoder = _encoder(model, str(file_fingerprint(model)))
        batches = list(_encoded(encoder, features, start, stop))
    partial = folder.with_name(folder.name + ".part")
    for name, parts in ((OWN, [batch.own for batch in batches]), (LOCAL, [batch.local for batch in batches])):
        for stream in features:
            write_codes(concatenate([part[stream] for part in parts]), partial / name, stream)
    partial.rename(folder)


def _encoded(encoder: BatchEncoder, features: Mapping[str, Path], start: int, stop: int) -> Iterator[BothCodes]:
    """The codes of a shard, batch by batch. Batches begin at multiples of their size, whatever the shard."""
    mapped = {stream: np.load(path, mmap_mode="r") for stream, path in features.items()}
    for first in range(start, stop, encoder.batch_size):
        last = min(first + encoder.batch_size, stop)
        yield encoder.encode({stream: np.array(rows[first:last], np.float32) for stream, rows in mapped.items()})


@lru_cache(maxsize=1)
def _encoder(model: Path, fingerprint: str) -> BatchEncoder:
    """A process's encoder: loading a model takes as long as encoding a thousand items."""
    return BatchEncoder(load_sparc(model))


def _join(folders: Sequence[Path], name: Path, path: Path) -> None:
    if not path.exists():
        with whole_file(path) as temporary:
            join_arrays([folder / name for folder in folders], temporary)


def _file_names(stream: str) -> tuple[str, str]:
    return f"{stream}.latents.npy", f"{stream}.activations.npy"
