"""The media step: every item's picture, drawn and stored as WebP. Towers and pages both read these files."""

import os
from pathlib import Path

from PIL import Image

from index_build.corpus import Corpus
from index_build.workers import ProgressReport, run_tasks

_QUALITY = 85
_METHOD = 1  # 0 is fastest, 6 smallest; 1 costs no more than 0 here and saves a sixth of the bytes
_ITEMS_PER_TASK = 50


def media_name(item_id: str) -> str:
    """Where an item's picture lies in the bundle."""
    return f"media/{item_id}.webp"


def write_media(corpus: Corpus, folder: Path, n_workers: int, report: ProgressReport) -> None:
    """Write every picture below `folder`; those that an interrupted run left there are kept."""
    (folder / "media").mkdir(parents=True, exist_ok=True)
    n_items = len(corpus.items)
    starts = range(0, n_items, _ITEMS_PER_TASK)
    tasks = [(corpus, folder, start, min(start + _ITEMS_PER_TASK, n_items)) for start in starts]
    run_tasks(_write_some, tasks, n_workers, report)


def _write_some(corpus: Corpus, folder: Path, start: int, end: int) -> None:
    for row in range(start, end):
        path = folder / media_name(corpus.items[row].item_id)
        if path.exists():
            continue
        temporary = path.with_suffix(".part")
        Image.fromarray(corpus.picture(row)).save(temporary, "WEBP", quality=_QUALITY, method=_METHOD)
        os.replace(temporary, path)
