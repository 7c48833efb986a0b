"""A hand-made bundle of a few items, for tests of the format alone: no corpus, no model, no torch."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from sparc_core.bundle.codes import Codes, pack_codes, write_codes
from sparc_core.bundle.latent_evaluation import write_latent_evaluation
from sparc_core.bundle.manifest import (
    CorpusManifest,
    LabelManifest,
    Manifest,
    ManifestDraft,
    SparcManifest,
    StreamManifest,
)
from sparc_core.bundle.tables import (
    ITEM_SCHEMA,
    REJECTED_SCHEMA,
    LabelShare,
    LatentTable,
    write_items,
    write_latents,
    write_table,
)
from sparc_core.bundle.vectors import write_vectors
from sparc_core.bundle.writer import publish
from tests.bundle.plain_postings import write_inverted

N_ITEMS, N_LATENTS, K = 9, 12, 3
STREAMS = {"eye": 4, "text": 5}


def example_draft(created_at: str = "2026-01-01T00:00:00+00:00") -> ManifestDraft:
    """The manifest's part that is not about files."""
    return ManifestDraft(
        created_at=created_at,
        versions={"numpy": np.__version__},
        seed=0,
        streams=(
            StreamManifest(name="eye", modality="image", d=STREAMS["eye"], backbone="fake:eye"),
            StreamManifest(name="text", modality="text", d=STREAMS["text"], backbone="fake:text"),
        ),
        sparc=SparcManifest(n_latents=N_LATENTS, k=K, selection="global", recipe={"lr": 0.1}),
        corpus=CorpusManifest(name="example", n_items=N_ITEMS, n_rejected=1, licence="CC0-1.0"),
        labels=(LabelManifest(name="cat", kind="object", parent=""),),
        metrics={"latents_dead": 0.0},
    )


def example_codes(seed: int = 0) -> Codes:
    """Random codes in which some slots are unused."""
    rng = np.random.default_rng(seed)
    latents = np.stack([rng.permutation(N_LATENTS)[:K] for _ in range(N_ITEMS)])
    return pack_codes(latents, np.maximum(rng.normal(0.5, 0.6, (N_ITEMS, K)), 0).astype(np.float32), N_LATENTS)


def example_features(d: int) -> np.ndarray:
    """Unit rows."""
    rows = np.random.default_rng(d).normal(size=(N_ITEMS, d)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def example_latents() -> LatentTable:
    """A table with a null wherever one may be."""
    column = np.linspace(0, 1, N_LATENTS, dtype=np.float32)
    holed = np.where(np.arange(N_LATENTS) % 3 == 0, np.nan, column).astype(np.float32)
    return LatentTable(
        name=[f"name {latent}" for latent in range(N_LATENTS)],
        name_source=["labels"] * N_LATENTS,
        alive=["all"] * N_LATENTS,
        n_alive_streams=np.full(N_LATENTS, 2, np.int32),
        alignment=holed,
        pair_alignment={("eye", "text"): holed},
        purity=column,
        label=[None, *["cat"] * (N_LATENTS - 1)],
        top_labels=[[], *[[LabelShare("cat", 0.5)]] * (N_LATENTS - 1)],
        map_x=column,
        map_y=holed,
        nearest=np.tile(np.arange(8, dtype=np.int32), (N_LATENTS, 1)),
        density={"eye": column, "text": holed},
        density_local={"eye": holed, "text": column},
        mean={"eye": column, "text": holed},
        max={"eye": column, "text": holed},
        stream_purity={"eye": column, "text": holed},
        stream_label={"eye": ["cat"] * N_LATENTS, "text": [None] * N_LATENTS},
    )


def write_example(folder: Path) -> Path:
    """Every file of a bundle but those that publishing adds."""
    folder.mkdir(parents=True)
    (folder / "sparc.safetensors").write_bytes(b"weights")
    (folder / "evaluation.json").write_text(json.dumps({"skipped": {"probes": "an example has none"}}))
    measured = {"name_auroc": np.where(np.arange(N_LATENTS) % 2, np.nan, 0.75).astype(np.float32)}
    write_latent_evaluation(measured, list(STREAMS), N_LATENTS, folder / "latent_evaluation.parquet")
    rows = [
        {
            "item_id": f"i{row}",
            "media": f"media/i{row}.webp",
            "caption": f"cat {row}",
            "labels": ["cat"] if row % 2 else [],
            "width": 4,
            "height": 3,
            "split": "train" if row < 6 else "test",
            "source": f"pictures/{row}.jpg",
            "sha256": f"{row:064x}",
        }
        for row in range(N_ITEMS)
    ]
    write_items(pa.Table.from_pylist(rows, schema=ITEM_SCHEMA), folder / "items.parquet")
    rejected = [{"item_id": "", "source": "pictures/x.jpg", "reason": "the file is empty"}]
    write_table(pa.Table.from_pylist(rejected, schema=REJECTED_SCHEMA), folder / "rejected.parquet")
    write_latents(example_latents(), folder / "latents.parquet")
    (folder / "media").mkdir()
    for row in rows:
        (folder / row["media"]).write_bytes(b"picture of " + row["item_id"].encode())
    for seed, (stream, d) in enumerate(STREAMS.items()):
        with TemporaryDirectory() as elsewhere:
            features = Path(elsewhere) / "features.npy"
            np.save(features, example_features(d))
            write_vectors(features, folder / "vectors" / f"{stream}.faiss")
        for local, (codes, postings) in enumerate((("codes", "postings"), ("codes_local", "postings_local"))):
            example = example_codes(2 * seed + local)
            write_codes(example, folder / codes, stream)
            write_inverted(example, N_LATENTS, folder / postings / f"{stream}.faiss")
    return folder


def publish_example(folder: Path) -> tuple[Path, Manifest]:
    """A published example below `folder`."""
    out = folder / "bundle"
    return out, publish([write_example(folder / "files")], example_draft(), out)
