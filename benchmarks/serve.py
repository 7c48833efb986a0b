"""How fast is retrieval? `python -m benchmarks.serve [--quick] [--items N]`

A synthetic bundle (random features, a random model of 8,192 latents, k 64, the storybook towers) is built and served by
the real server; a second process asks it over loopback. Then the search alone against scipy and FAISS, in turns in
this process, over the same codes: every method finds the best 50 of all items for the same queries. At last the
server's memory over many mixed requests.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import faiss
import numpy as np
import pyarrow as pa
import typer
from PIL import Image
from scipy import sparse

from benchmarks.report import Figure, report
from benchmarks.serving import Server, get, post, serving
from benchmarks.synthetic_corpus import N_LABELS, N_LATENTS, Corpus, K, captions_and_labels
from index_build.threads import one_thread
from index_build.workers import LocalTasks, n_cores
from sparc_core.backbones import load_backbone
from sparc_core.bundle import Bundle
from sparc_core.bundle.latent_evaluation import write_latent_evaluation
from sparc_core.bundle.manifest import CorpusManifest, LabelManifest, ManifestDraft, SparcManifest, StreamManifest
from sparc_core.bundle.tables import ITEM_SCHEMA, REJECTED_SCHEMA, write_items, write_table
from sparc_core.bundle.writer import publish
from sparc_core.evaluation import Evaluation
from sparc_core.retrieval import SparseSearch, query_code, strongest

BACKBONES = {"dino": "storybook:dino", "clip_img": "storybook:clip_img", "clip_txt": "storybook:clip_txt"}
TARGET, LIMIT = "clip_img", 50
N_CAPTIONS, N_CONNECTIONS = 64, 4
_N_PICTURES, _SIDE = 64, 112
_OBJECTS = ("cat", "dog", "red car", "balloon", "penguin", "house", "boat", "tree")
_PLACES = ("in the snow", "at night", "on the grass", "by the sea", "in a room", "on the moon", "in a wood", "at home")


def build(folder: Path, n_items: int, widths: dict[str, int] | None = None, n_labels: int = N_LABELS) -> Path:
    """Build the synthetic bundle below a folder; with widths of its own, streams have no towers, all is held out."""
    specs = BACKBONES if widths is None else dict.fromkeys(widths, "")
    widths = widths or {stream: load_backbone(spec).d for stream, spec in BACKBONES.items()}
    folder.mkdir(parents=True, exist_ok=True)
    corpus, runner = Corpus(folder, n_items, widths), LocalTasks(n_cores())
    corpus.write_inputs()
    captions, labels = captions_and_labels(n_items, n_labels)
    with one_thread():
        corpus.write_codes(runner)
        corpus.write_postings(runner)
        corpus.write_vectors()
        corpus.write_statistics(captions, labels)
    corpus.model.rename(corpus.bundle / "sparc.safetensors")
    _write_tables(corpus.bundle, captions, labels, every=10 if specs is BACKBONES else 1)
    out = folder / "published"
    publish([corpus.bundle], _draft(n_items, widths, specs, labels), out)
    return out


def _draft(n_items: int, widths: dict[str, int], specs: dict[str, str], labels: list[list[str]]) -> ManifestDraft:
    names = sorted({name for row in labels for name in row})
    return ManifestDraft(
        created_at="2026-01-01T00:00:00+00:00",
        versions={},
        seed=0,
        streams=tuple(
            StreamManifest(name=s, modality="text" if s == "clip_txt" else "image", d=d, backbone=specs[s])
            for s, d in widths.items()
        ),
        sparc=SparcManifest(n_latents=N_LATENTS, k=K, selection="global", recipe={}),
        corpus=CorpusManifest(name="synthetic", n_items=n_items, n_rejected=0, licence="none"),
        labels=tuple(LabelManifest(name=name, kind="object", parent="") for name in names),
        metrics={},
    )


def _write_tables(bundle: Path, captions: list[str], labels: list[list[str]], every: int) -> None:
    rng, n = np.random.default_rng(0), len(captions)
    (bundle / "media").mkdir()
    for i in range(_N_PICTURES):
        Image.fromarray(rng.integers(0, 255, (_SIDE, _SIDE, 3), np.uint8)).save(bundle / "media" / f"{i}.webp")
    columns = {
        "item_id": [f"i{row:06d}" for row in range(n)],
        "media": [f"media/{row % _N_PICTURES}.webp" for row in range(n)],
        "caption": captions,
        "labels": labels,
        "width": [_SIDE] * n,
        "height": [_SIDE] * n,
        "split": ["train" if row % every else "test" for row in range(n)],
        "source": [""] * n,
        "sha256": ["0" * 64] * n,
    }
    write_items(pa.table(columns, schema=ITEM_SCHEMA), bundle / "items.parquet")
    write_table(pa.Table.from_pylist([], schema=REJECTED_SCHEMA), bundle / "rejected.parquet")
    (bundle / "evaluation.json").write_text(Evaluation().model_dump_json())
    write_latent_evaluation({}, list(BACKBONES), N_LATENTS, bundle / "latent_evaluation.parquet")


def captions() -> list[str]:
    """Captions to retrieve by."""
    return [f"a {what} {where}" for what in _OBJECTS for where in _PLACES][:N_CAPTIONS]


def retrieval_requests() -> list[str]:
    """Latent retrieval of the best 50 by each caption."""
    body = {"target": TARGET, "limit": LIMIT}
    return [post("/api/v1/retrieve", {"query": [{"text": caption}], **body}) for caption in captions()]


def mixed_requests(n_items: int) -> list[str]:
    """What people and programs ask, with texts, items, pages and pictures that do not repeat for a while."""
    rng, requests = np.random.default_rng(1), retrieval_requests()
    for i in range(300):
        item, latent = f"i{rng.integers(n_items):06d}", int(rng.integers(N_LATENTS))
        text = f"a {_OBJECTS[i % 8]} and {i} {_OBJECTS[i // 8 % 8]}s"
        requests += [
            get(f"/api/v1/latents/{latent}"),
            get(f"/api/v1/items/{item}/image?size={64 + i % 48}"),
            get(f"/api/v1/latents/{latent}/items?stream=dino&interval=random&seed={i}"),
            get(f"/latents/{latent}"),
            post(
                "/api/v1/retrieve", {"query": [{"item_id": item}, {"latent": latent, "weight": -0.5}], "target": "dino"}
            ),
            post("/api/v1/retrieve", {"query": [{"item_id": item}], "target": "clip_txt", "way": "reconstruction"}),
            post("/api/v1/retrieve", {"query": [{"text": text}], "where": {"labels": [f"label {i}"]}, "limit": 10}),
        ]
        if i % 10 == 0:
            requests.append(post("/api/v1/latents/search", {"text": text}))
            requests.append(post("/api/v1/heatmaps", {"caption": text, "n_items": 1, "streams": ["clip_img"]}))
    np.random.default_rng(2).shuffle(requests)  # type: ignore[arg-type]
    return requests


class Contest:
    """The best 50 items for a code: ours, scipy and FAISS over the same codes."""

    def __init__(self, bundle: Bundle, n_queries: int) -> None:
        """Reads the codes into each method's own form; queries are codes of items in another stream."""
        codes = bundle.codes(TARGET, "local")
        self._search = SparseSearch(bundle.local_postings(TARGET), codes)
        n_items = len(codes.latents)
        latents, values = np.asarray(codes.latents, np.int32), np.asarray(codes.activations, np.float32)
        values = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
        pointers = np.arange(0, n_items * K + 1, K)
        self._csr = sparse.csr_array((values.ravel(), latents.ravel(), pointers), shape=(n_items, N_LATENTS))
        self._csr.sort_indices()
        self._faiss = faiss.IndexFlatIP(N_LATENTS)
        for start in range(0, n_items, 4096):
            self._faiss.add(self._csr[start : start + 4096].toarray())
        rows = np.random.default_rng(0).choice(n_items, n_queries, replace=False)
        queries = bundle.codes("clip_txt", "local")
        self.queries = [query_code(queries.latents[row], queries.activations[row]) for row in rows]
        lists = bundle.local_postings(TARGET)
        touched = [sum(lists.n_items_of(int(latent)) for latent in query.latents) for query in self.queries]
        self.entries_per_query = float(np.mean(touched))

    def ours(self, number: int) -> np.ndarray:
        """Over posting lists."""
        return strongest(self._search.scores(self.queries[number]), LIMIT).scores

    def scipy(self, number: int) -> np.ndarray:
        """All codes as a sparse matrix, times the query."""
        query = self.queries[number]
        dense = np.zeros(N_LATENTS, np.float32)
        dense[query.latents] = query.activations / query.norm
        scores = self._csr @ dense
        best = np.argpartition(-scores, LIMIT)[:LIMIT]
        return np.sort(scores[best])[::-1]

    def faiss(self, number: int) -> np.ndarray:
        """All codes as dense rows."""
        query = self.queries[number]
        dense = np.zeros((1, N_LATENTS), np.float32)
        dense[0, query.latents] = query.activations / query.norm
        return self._faiss.search(dense, LIMIT)[0][0]

    def duel(self, other: Callable[[int], np.ndarray]) -> tuple[float, float]:
        """Median milliseconds a query of ours and of another method, in turns, after checking that both agree.

        A duel each, since FAISS sweeps the processor's caches for whoever comes next.
        """
        times: list[list[float]] = []
        for number in range(len(self.queries)):
            self.ours(number)  # lists are mapped when they are first touched, and stay
        for number in range(len(self.queries)):
            found, took = [], []
            for method in (self.ours, other):
                begun = time.perf_counter()
                found.append(method(number))
                took.append(1000 * (time.perf_counter() - begun))
            np.testing.assert_allclose(*found, atol=1e-4)
            times.append(took)
        ours, others = np.median(times[1:], axis=0)
        return float(ours), float(others)


def memory(server: Server, requests: Sequence[str], n: int) -> tuple[float, float]:
    """The server's own memory in MB after a fifth of the requests, which fills its caches, and after all."""
    server.load(requests, n // 5, N_CONNECTIONS)
    before = server.own_memory_mb()
    answers = server.load(requests, n - n // 5, N_CONNECTIONS)
    assert set(answers.statuses) == {"200"}, answers.statuses
    return before, server.own_memory_mb()


def main(
    n_items: Annotated[int, typer.Option("--items", help="Items of the synthetic bundle.")] = 120_000,
    quick: Annotated[bool, typer.Option(help="20,000 items and fewer requests.")] = False,
    folder: Annotated[Path | None, typer.Option(help="Keep the bundle here, and use it again.")] = None,
) -> None:
    """Build, serve, ask, compare."""
    n_items = 20_000 if quick else n_items
    n_requests, n_queries, n_mixed = (600, 10, 1500) if quick else (3000, 50, 20_000)
    with tempfile.TemporaryDirectory() as temporary:
        place = folder or Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        path = place / "published"
        if not path.exists():
            path = build(place, n_items)
        bundle = Bundle.open(path)
        n_items = bundle.manifest.corpus.n_items
        with serving(path, search_threads="1") as server:
            requests = retrieval_requests()
            server.load(requests, len(requests), N_CONNECTIONS)  # now the captions are cached
            alone = server.load(requests, n_requests // 3, 1)
            loaded = server.load(requests, n_requests, N_CONNECTIONS)
            assert set(loaded.statuses) == {"200"}, loaded.statuses
            before, after = memory(server, mixed_requests(n_items), n_mixed)
        contest = Contest(bundle, n_queries)
        ours_ms, scipy_ms = contest.duel(contest.scipy)
        ours_swept_ms, faiss_ms = contest.duel(contest.faiss)
    gb = n_items * N_LATENTS * 4 / 1e9
    report(
        f"retrieval of {LIMIT} among {n_items:,} items, {N_LATENTS:,} latents, k {K}",
        {
            "p50_ms": Figure(
                f"answer, {N_CONNECTIONS} connections, median", float(np.median(loaded.milliseconds)), "<= 10 ms", "ms"
            ),
            "p99_ms": Figure("99 of 100 answers within", float(np.percentile(loaded.milliseconds, 99)), "", "ms"),
            "alone_p50_ms": Figure("answer, one connection, median", float(np.median(alone.milliseconds)), "", "ms"),
            "requests_per_s": Figure("answers a second", loaded.per_second, ">= 300", "/s"),
            "answer_kb": Figure("an answer", loaded.n_bytes / len(loaded.milliseconds) / 1e3, "", "kB"),
            "search_ms": Figure("the search alone", ours_ms, "", "ms"),
            "search_swept_ms": Figure("the same after FAISS swept the caches", ours_swept_ms, "", "ms"),
            "scipy_ms": Figure("csr @ vector and argpartition", scipy_ms, "", "ms"),
            "faiss_ms": Figure("FAISS IndexFlatIP over dense codes", faiss_ms, "", "ms"),
            "vs_scipy": Figure("scipy's time over ours", scipy_ms / ours_ms, ">= 5", "x"),
            "vs_faiss": Figure("FAISS's time over ours", faiss_ms / ours_swept_ms, ">= 50", "x"),
            "entries_per_query": Figure("entries of posting lists that a query touches", contest.entries_per_query),
            "entries_mb": Figure("that is, read", contest.entries_per_query * 12 / 1e6, "", "MB"),
            "csr_mb": Figure("scipy reads", n_items * K * 8 / 1e6, "", "MB"),
            "dense_gb": Figure("FAISS reads", gb, "", "GB"),
            "memory_before_mb": Figure(f"server's own memory after {n_mixed // 5:,} mixed requests", before, "", "MB"),
            "memory_after_mb": Figure(f"after {n_mixed:,}", after, "no growth", "MB"),
        },
    )


if __name__ == "__main__":
    typer.run(main)
