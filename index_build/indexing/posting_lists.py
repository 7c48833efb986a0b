"""The posting step: codes by item turned into lists by latent, in pieces that fit in memory.

An entry (latent, activation, item) is one 64-bit number that sorts as posting lists do: by latent, the strongest first,
equal ones by item. Shards of items are sorted independently into *runs* on disk; each stream's runs are merged into its
file, a range of latents at a time. Runs and files are written whole, so a killed step goes on.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt64

from index_build.files import whole_file
from index_build.workers import LocalTasks, ProgressReport, TaskRunner
from sparc_core.arrays import write_values
from sparc_core.bundle.codes import LARGEST_HALF, read_codes, read_shape, unweaken
from sparc_core.bundle.postings import Posting, write_postings
from sparc_core.errors import InputError

POSTING_FOLDERS = ("postings", "postings_local")
"""Folders of the bundle, under the model's own selection and under per-stream selection."""
ENTRIES_AT_A_TIME = 1 << 22
# Not from `indexing.codes`: sorting needs no torch, nor do its workers.
_CODE_FOLDERS = ("codes", "codes_local")
_FEW_ENTRIES = 1 << 25  # sorted before workers have started
_WEAKNESS_BITS = LARGEST_HALF.bit_length()
_KEY_BITS = 64


@dataclass(frozen=True)
class KeyLayout:
    """Where a key's parts are: latent, then weakness (LARGEST_HALF minus the activation's bits), then item.

    Attributes:
        n_latents: Of the model.
        n_items: Of the corpus.

    Raises:
        InputError: The three do not fit into 64 bits.
    """

    n_latents: int
    n_items: int

    def __post_init__(self) -> None:
        if (self.n_latents - 1).bit_length() + _WEAKNESS_BITS + self._item_bits > _KEY_BITS:
            raise InputError(
                f"{self.n_items} items with {self.n_latents} latents are too many for one bundle: numbers of latents "
                f"and items may have {_KEY_BITS - _WEAKNESS_BITS} bits together"
            )

    def keys(self, codes_folder: Path, stream: str, start: int, stop: int) -> UInt64[np.ndarray, "m"]:
        """Sorted keys of all entries in rows `start` to `stop` of a stream's codes."""
        shape = read_shape(codes_folder, stream)
        codes = read_codes(codes_folder, stream, *shape, self.n_latents)
        bits = np.array(codes.activations[start:stop]).view(np.uint16)
        rows, slots = np.nonzero(bits)
        weakness = LARGEST_HALF - bits[rows, slots]
        latents = np.array(codes.latents[start:stop])[rows, slots]
        keys = latents.astype(np.uint64) << np.uint64(_WEAKNESS_BITS + self._item_bits)
        keys |= weakness.astype(np.uint64) << np.uint64(self._item_bits)
        keys |= (rows + start).astype(np.uint64)
        keys.sort()
        return keys

    def bounds(self, keys: UInt64[np.ndarray, "m"]) -> Int64[np.ndarray, "l_and_1"]:
        """Where each latent's entries begin in sorted keys, and where the last one's end."""
        beginnings = np.arange(self.n_latents, dtype=np.uint64) << np.uint64(_WEAKNESS_BITS + self._item_bits)
        return np.append(np.searchsorted(keys, beginnings), len(keys))

    def entries(self, keys: UInt64[np.ndarray, "m"]) -> Posting:
        """Items and activations of keys."""
        items = keys & np.uint64((1 << self._item_bits) - 1)
        weakness = (keys >> np.uint64(self._item_bits)).astype(np.uint16) & np.uint16(LARGEST_HALF)
        return Posting(items.astype(np.int64), unweaken(weakness).astype(np.float32))

    @property
    def _item_bits(self) -> int:
        return (self.n_items - 1).bit_length()


def write_all_postings(
    codes: Path, folder: Path, streams: Sequence[str], n_latents: int, runner: TaskRunner, report: ProgressReport
) -> None:
    """Write `postings/` and `postings_local/` below `folder / "bundle"`, going on where a killed run stopped.

    Args:
        codes: Holds the folders `codes` and `codes_local`.
        folder: Takes `bundle/` and, until that is whole, `runs/`.
        streams: Whose codes there are.
        n_latents: Of the model.
        runner: Runs the shards and the merges.
        report: Told the entries sorted and merged, as if every slot of every code were used.

    Raises:
        InputError: Numbers of items and latents do not fit into 64 bits.
    """
    n_items, k = read_shape(codes / _CODE_FOLDERS[0], streams[0])
    layout, step = KeyLayout(n_latents, n_items), max(1, ENTRIES_AT_A_TIME // k)
    bounds = [(start, min(start + step, n_items)) for start in range(0, n_items, step)]
    sorts: list[tuple[KeyLayout, Path, str, int, int, Path]] = []
    merges: list[tuple[KeyLayout, list[Path], Path]] = []
    for name, source in zip(POSTING_FOLDERS, _CODE_FOLDERS, strict=True):
        for stream in streams:
            target, runs = folder / "bundle" / name / f"{stream}.faiss", folder / "runs" / name / stream
            paths = [runs / f"{number:06d}.keys" for number in range(len(bounds))]
            merges.append((layout, paths, target))
            if not target.exists():
                sorts += [(layout, codes / source, stream, *b, p) for b, p in zip(bounds, paths, strict=True)]
    half = n_items * k * len(merges)
    if half < _FEW_ENTRIES:
        runner = LocalTasks(0)
    sizes = [(stop - start) * k for *_, start, stop, _ in sorts]
    runner.run(write_run, sorts, lambda done, _: report(done, 2 * half), sizes)
    runner.run(merge_runs, merges, lambda done, _: report(half + done, 2 * half), [n_items * k] * len(merges))
    shutil.rmtree(folder / "runs", ignore_errors=True)


def write_run(layout: KeyLayout, codes: Path, stream: str, start: int, stop: int, path: Path) -> None:
    """Sort the entries of a shard of items into a run; nothing if it is there."""
    if not path.exists():
        with whole_file(path) as temporary, temporary.open("wb") as file:
            write_values(file, layout.keys(codes, stream, start, stop))


def merge_runs(layout: KeyLayout, runs: Sequence[Path], path: Path) -> None:
    """Merge the runs of all shards of a stream into its posting lists; nothing if they are there."""
    if not path.exists():
        bounds = np.stack([layout.bounds(np.fromfile(run, np.uint64)) for run in runs])
        with whole_file(path) as temporary:
            write_postings(_merged(layout, runs, bounds), np.diff(bounds).sum(0), temporary)


def _merged(layout: KeyLayout, runs: Sequence[Path], bounds: Int64[np.ndarray, "run l_and_1"]) -> Iterator[Posting]:
    """Every latent's list in turn."""
    ends = bounds.sum(0)
    for first, last in _ranges(ends):
        pieces = bounds[:, [first, last]]
        keys = np.concatenate(
            [np.fromfile(run, np.uint64, b - a, offset=8 * a) for run, (a, b) in zip(runs, pieces, strict=True)]
        )
        keys.sort(kind="stable")  # merges what is sorted already: four times as fast as sorting anew
        entries, cuts = layout.entries(keys), ends[first : last + 1] - ends[first]
        for start, stop in pairwise(cuts):
            yield Posting(entries.items[start:stop], entries.activations[start:stop])


def _ranges(ends: Int64[np.ndarray, "l_and_1"]) -> Iterator[tuple[int, int]]:
    """Ranges of latents with `ENTRIES_AT_A_TIME` entries at most, or of one latent that has more."""
    first = 0
    while first < len(ends) - 1:
        fitting = int(np.searchsorted(ends, ends[first] + ENTRIES_AT_A_TIME, side="right")) - 1
        last = max(first + 1, fitting)
        yield first, last
        first = last
