"""A sample of a corpus for `examine`: some pictures, decoded as a build would, and counts of the rest."""

import tempfile
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Int64
from PIL import Image

from index_build.corpora.base import Corpus, CorpusItem, Rejected
from index_build.items.media import MediaOptions, Outcome, store_picture
from sparc_core.picture_files import open_media

_N_PICTURES = 24
_N_REJECTED_KEPT = 20


@dataclass
class Sample:
    """What was seen.

    Attributes:
        n_items: Usable as far as the corpus knows.
        n_rejected: Entries that the corpus itself rejects; `rejected` has some of them.
        n_pictures: Different pictures.
        n_test: Items held out.
        n_captions: Items with a caption.
        listed: Usable items with `item_id` and `number`.
        sampled: Rows of `listed` whose pictures were read.
        pictures: Those pictures, decoded.
        captions: Their captions.
        unreadable: Sampled pictures that could not be read.
    """

    listed: pa.Table
    n_items: int = 0
    n_rejected: int = 0
    n_pictures: int = 0
    n_test: int = 0
    n_captions: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    sampled: Int64[np.ndarray, " m"] = field(default_factory=lambda: np.empty(0, np.int64))
    pictures: list[Image.Image] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)
    unreadable: list[Outcome] = field(default_factory=list)


def take_sample(corpus: Corpus) -> Sample:
    """List the corpus, and read pictures spread evenly over it."""
    items: list[CorpusItem] = []
    numbers: list[int] = []
    rejected: list[Rejected] = []
    n_rejected = 0
    for number, entry in enumerate(corpus.items()):
        if isinstance(entry, CorpusItem):
            items.append(entry)
            numbers.append(number)
        else:
            n_rejected += 1
            rejected += [entry] if len(rejected) < _N_REJECTED_KEPT else []
    ids = pa.table(
        {"item_id": pa.array([i.item_id for i in items], pa.string()), "number": pa.array(numbers, pa.int64())}
    )
    sample = Sample(
        listed=ids,
        n_items=len(items),
        n_rejected=n_rejected,
        n_pictures=len({item.picture for item in items}),
        n_test=sum(item.split == "test" for item in items),
        n_captions=sum(bool(item.caption) for item in items),
        rejected=rejected,
    )
    _read_some(corpus, items, sample)
    return sample


def _read_some(corpus: Corpus, items: list[CorpusItem], sample: Sample) -> None:
    first_rows: dict[str, int] = {}
    for row, item in enumerate(items):
        first_rows.setdefault(item.picture, row)
    rows = list(first_rows.values())
    step = max(len(rows) // _N_PICTURES, 1)
    good: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        for row in islice(rows, 0, None, step):
            if len(good) == _N_PICTURES:
                break
            outcome = store_picture(corpus.reader, items[row].picture, MediaOptions(), Path(folder))
            if outcome.media is None:
                sample.unreadable.append(outcome)
                continue
            good.append(row)
            sample.pictures.append(open_media(Path(folder) / "bundle" / outcome.media))
    sample.sampled = np.array(good, np.int64)
    sample.captions = [items[row].caption for row in good]
