"""A corpus of random features under a random model, of any size: for benchmarks of indexing and serving."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from index_build.indexing.codes import FOLDERS, write_all_codes
from index_build.indexing.posting_lists import POSTING_FOLDERS, write_all_postings
from index_build.indexing.statistics import corpus_facts, latent_table
from index_build.workers import LocalTasks
from sparc_core.bundle.codes import read_codes
from sparc_core.bundle.postings import Postings, read_postings
from sparc_core.bundle.tables import write_latents
from sparc_core.bundle.vectors import write_vectors
from sparc_core.checkpoint import load_sparc, save_sparc
from sparc_core.model import Sparc, SparcConfig

WIDTHS = {"dino": 768, "clip_img": 512, "clip_txt": 512}
N_LATENTS, K = 8192, 64
N_LABELS, N_WORDS = 600, 20_000
_BLOCK = 16_384


class Corpus:
    """Random features and a random model in a folder, and what indexing makes of them."""

    def __init__(self, folder: Path, n_items: int, widths: Mapping[str, int] = WIDTHS) -> None:
        """Args: where, how many items, and the streams' widths; nothing is written yet."""
        self.folder, self.n_items, self.widths = folder, n_items, dict(widths)
        self.model = folder / "sparc.safetensors"
        self.features = {stream: folder / f"{stream}.npy" for stream in widths}
        self.bundle = folder / "bundle"

    def write_inputs(self) -> None:
        """The model, and unit rows block by block."""
        generator = torch.Generator().manual_seed(0)
        save_sparc(Sparc(SparcConfig(self.widths, N_LATENTS, K), generator), self.model)
        for seed, (stream, d) in enumerate(self.widths.items()):
            rng = np.random.default_rng(seed)
            out = np.lib.format.open_memmap(self.features[stream], "w+", np.float32, (self.n_items, d))
            for start in range(0, self.n_items, _BLOCK):
                rows = rng.standard_normal((min(_BLOCK, self.n_items - start), d), np.float32)
                out[start : start + len(rows)] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
            out.flush()

    def write_codes(self, runner: LocalTasks) -> None:
        """The code step."""
        write_all_codes(self.model, self.features, self.folder, runner, _unheard)

    def write_postings(self, runner: LocalTasks) -> None:
        """The posting step."""
        write_all_postings(self.bundle, self.folder, list(self.widths), N_LATENTS, runner, _unheard)

    def write_vectors(self) -> None:
        """The vector step."""
        for stream, path in self.features.items():
            write_vectors(path, self.bundle / "vectors" / f"{stream}.faiss")

    def write_statistics(self, captions: list[str], labels: list[list[str]]) -> None:
        """The statistics step, but for reading the items' table."""
        facts = corpus_facts(captions, labels, {f"label {number}": "object" for number in range(N_LABELS)})
        model = load_sparc(self.model)
        dictionaries = {stream: model.dictionary(stream).numpy() for stream in self.widths}
        own, local = (self.postings(folder) for folder in POSTING_FOLDERS)
        write_latents(latent_table(own, local, dictionaries, facts, ["clip_txt"]), self.bundle / "latents.parquet")

    def postings(self, folder: str) -> dict[str, Postings]:
        """Mapped lists by stream."""
        return {stream: read_postings(self.bundle / folder / f"{stream}.faiss", N_LATENTS) for stream in self.widths}

    def open(self) -> None:
        """Map all codes and lists, and look at one of each."""
        for folder in FOLDERS:
            for stream in self.widths:
                codes = read_codes(self.bundle / folder, stream, self.n_items, K, N_LATENTS)
                assert codes.activations[self.n_items // 2, 0] > 0, "every item has a code"
        for folder in POSTING_FOLDERS:
            for postings in self.postings(folder).values():
                assert postings.of(17).activations[:20].any(), "every latent is active somewhere"

    def bytes_of(self, *folders: str) -> int:
        """Size of some folders of the bundle."""
        return sum(path.stat().st_size for folder in folders for path in (self.bundle / folder).iterdir())


def captions_and_labels(n_items: int, n_labels: int = N_LABELS) -> tuple[list[str], list[list[str]]]:
    """Ten words a caption, as frequent as words are; three labels an item."""
    rng, captions, labels = np.random.default_rng(9), [], []
    for start in range(0, n_items, _BLOCK):
        n = min(_BLOCK, n_items - start)
        words = np.minimum(rng.zipf(1.3, (n, 10)), N_WORDS)
        captions += [" ".join([f"w{word}" for word in row]) for row in words.tolist()]
        labels += [[f"label {label}" for label in row] for row in rng.integers(0, n_labels, (n, 3)).tolist()]
    return captions, labels


def _unheard(done: int, total: int) -> None:
    """Progress that nobody looks at."""
