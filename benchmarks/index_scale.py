"""How does indexing scale? `python -m benchmarks.index_scale [--quick]`

Features of random unit rows at published widths and a random model: codes under both selections, posting lists of both,
vectors, statistics, for growing corpora, each in a process of its own with as many workers as cores. Then against a
plain loop (`benchmarks.plain_index`), in turns in this process and on the same features; and the least that indexing
must do. Needs 25 GB below the temporary folder (`--folder`) for the million items.
"""

import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.plain_index import BATCH, N_TOP, PlainIndex
from benchmarks.report import Figure, report
from benchmarks.synthetic_corpus import N_LATENTS, WIDTHS, Corpus, K, captions_and_labels
from index_build.indexing.codes import FOLDERS
from index_build.indexing.posting_lists import POSTING_FOLDERS
from index_build.indexing.top_latents import top_latents
from index_build.threads import one_thread
from index_build.workers import LocalTasks, n_cores
from sparc_core.checkpoint import load_sparc

SIZES, QUICK_SIZES = (10_000, 100_000, 1_000_000), (2_000, 8_000)
PUBLISHED_US = 11_400
"""An item of the published loop, measured before on such a machine; ours is another loop after its description."""
STEPS = ("codes", "postings", "vectors", "statistics")


class Meter:
    """The memory of this process and its children, looked at ten times a second.

    Attributes:
        peak_mb: The most that was seen, mapped files included and counted once for each process.
        peak_own_mb: The same without mapped files.
    """

    def __init__(self) -> None:
        self.peak_mb = self.peak_own_mb = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Look while the block runs."""
        done = threading.Event()
        thread = threading.Thread(target=self._watch, args=(done,))
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _watch(self, done: threading.Event) -> None:
        while not done.wait(0.1):
            found = [_memory(pid) for pid in ("self", *_children())]
            mb, own = (sum(values) for values in zip(*found, strict=True))
            self.peak_mb, self.peak_own_mb = max(self.peak_mb, mb), max(self.peak_own_mb, own)


def _children() -> list[str]:
    found = []
    for task in Path("/proc/self/task").iterdir():
        try:
            found += (task / "children").read_text().split()
        except OSError:  # a thread that has just ended
            continue
    return found


def _memory(pid: str) -> tuple[float, float]:
    """MB that are resident, and those of them that no file backs."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        resident, own = (float(status.partition(f"{name}:")[2].split()[0]) / 1e3 for name in ("VmRSS", "RssAnon"))
    except (OSError, IndexError):  # a process that has just ended
        return 0.0, 0.0
    return resident, own


def measure(folder: Path, n_items: int) -> dict[str, float]:
    """Index a corpus in this process and its workers; figures by name."""
    corpus, runner = Corpus(folder, n_items), LocalTasks(n_cores())
    corpus.write_inputs()
    described = captions_and_labels(n_items)
    actions: dict[str, Callable[[], None]] = {
        "codes": partial(corpus.write_codes, runner),
        "postings": partial(corpus.write_postings, runner),
        "vectors": corpus.write_vectors,
        "statistics": partial(corpus.write_statistics, *described),
    }
    found, meters = {}, {step: Meter() for step in STEPS}
    with one_thread():  # as in a build
        for step, action in actions.items():
            with meters[step].running():
                found[f"{step}_s"], found[f"{step}_cpu_s"] = _spent(action)
    for kind in ("s", "cpu_s"):
        found[f"total_{kind}"] = sum(found[f"{step}_{kind}"] for step in STEPS)
    found["us_per_item"] = 1e6 * found["total_s"] / n_items
    found["cpu_us_per_item"] = 1e6 * found["total_cpu_s"] / n_items
    found["list_us_per_item"] = 1e6 * (found["codes_cpu_s"] + found["postings_cpu_s"]) / n_items
    for step, meter in meters.items():
        found[f"{step}_mb"] = meter.peak_mb
    found["peak_mb"] = max(meter.peak_mb for meter in meters.values())
    found["peak_own_mb"] = max(meter.peak_own_mb for meter in meters.values())
    found["bytes_per_item_and_stream"] = corpus.bytes_of(*FOLDERS, *POSTING_FOLDERS) / n_items / len(WIDTHS)
    found["open_s"] = _spent(corpus.open).wall
    return found


def in_own_process(folder: Path, n_items: int) -> dict[str, float]:
    """`measure` in a new process and a folder that is deleted afterwards."""
    with tempfile.TemporaryDirectory(dir=folder) as inside:
        command = [sys.executable, "-m", "benchmarks.index_scale", "--measure", str(n_items), "--folder", inside]
        return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


class Contest:
    """Ours and the plain loop on the same features, from features to the strongest items of every latent and codes."""

    def __init__(self, folder: Path, n_items: int, runner: LocalTasks) -> None:
        """Writes the features, and indexes them once untimed: a plain loop does not count the start of its process."""
        self.corpus = Corpus(folder, n_items)
        self.corpus.write_inputs()
        self.ours_spent: list[Spent] = []
        self.plain_spent: list[Spent] = []
        self._runner = runner
        self._rounds = 0
        with tempfile.TemporaryDirectory(dir=folder) as inside, one_thread():
            warm = Corpus(self.corpus.folder, n_items)
            warm.folder = Path(inside)
            warm.write_codes(runner)

    def round(self) -> None:
        """Each once. Ours does both selections, the plain loop one."""
        with tempfile.TemporaryDirectory(dir=self.corpus.folder) as inside, one_thread():
            self.ours = Corpus(self.corpus.folder, self.corpus.n_items)
            self.ours.folder = Path(inside)
            self.ours.bundle = self.corpus.folder / f"bundle {self._rounds}"
            self.ours_spent.append(_spent(self._index))
        self.plain = PlainIndex(load_sparc(self.corpus.model))
        self.saved = self.corpus.folder / f"plain {self._rounds}"
        self.plain_spent.append(_spent(self._index_plainly))
        self._rounds += 1

    def agreement(self) -> float:
        """Share of the plain loop's strongest items that ours has too, at the same activation but for rounding."""
        same = total = 0
        for stream, postings in self.ours.postings(POSTING_FOLDERS[0]).items():
            for latent, posting in enumerate(postings.in_order()):
                plain = self.plain.top[stream][latent]
                # One more than float16 can tell apart is allowed in, as equal activations may be cut anywhere.
                reach = posting.activations[: N_TOP + 1]
                cut = posting.activations >= (reach[-1] if len(reach) else 0)
                ours = dict(zip(posting.items[cut].tolist(), posting.activations[cut].tolist(), strict=True))
                same += sum(abs(ours.get(item, -1) - value) <= 1e-3 * value for item, value in plain)
                total += max(len(plain), min(N_TOP, len(posting.items)))
        return same / total

    def _index(self) -> None:
        self.ours.write_codes(self._runner)
        (self.ours.folder / "bundle").rename(self.ours.bundle)
        self.ours.write_postings(self._runner)
        for name in POSTING_FOLDERS:
            (self.ours.folder / "bundle" / name).rename(self.ours.bundle / name)

    def _index_plainly(self) -> None:
        features = {stream: np.load(path, mmap_mode="r") for stream, path in self.corpus.features.items()}
        for start in range(0, self.corpus.n_items, BATCH):
            batch = {stream: torch.from_numpy(np.array(x[start : start + BATCH])) for stream, x in features.items()}
            self.plain.add(start, batch)
        self.plain.save(self.saved)


def floors() -> dict[str, float]:
    """What no indexing can do without: encoder products and one selection, per item, on all cores and on one."""
    generator = torch.Generator().manual_seed(0)
    x = {s: F.normalize(torch.randn(1024, d, generator=generator)) for s, d in WIDTHS.items()}
    weights = {s: torch.randn(N_LATENTS, d, generator=generator) for s, d in WIDTHS.items()}
    logits = F.linear(x["dino"], weights["dino"])
    rows = logits.numpy()

    def products() -> None:
        for stream, values in x.items():
            F.linear(values, weights[stream])

    def ours() -> None:
        for start in range(0, len(rows), 64):
            top_latents(rows[start : start + 64], K)

    timed: dict[str, Callable[[], Any]] = {
        "products_us": products,
        "products_one_core_us": products,
        "torch_topk_us": partial(logits.topk, K, 1),
        "topk_us": ours,
    }
    found = {}
    for name, action in timed.items():
        if name == "products_us":
            found[name] = _per_item(action)
        else:
            with one_thread():
                found[name] = _per_item(action)
    found["gflop_per_s"] = 2e-3 * N_LATENTS * sum(WIDTHS.values()) / found["products_us"]
    return found


def _per_item(action: Callable[[], Any]) -> float:
    """Microseconds."""
    action()
    return 1e6 * median(_spent(action).wall for _ in range(7)) / 1024


class Spent(NamedTuple):
    """Seconds of the clock, and of processors, those of workers included: the machine may have other work."""

    wall: float
    cpu: float


def _spent(action: Callable[[], Any]) -> Spent:
    wall, cpu = time.perf_counter(), _cpu_seconds()
    action()
    return Spent(time.perf_counter() - wall, _cpu_seconds() - cpu)


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _show(sizes: dict[int, dict[str, float]]) -> None:
    table = Table(title=f"indexing, {N_LATENTS} latents, k {K}, three streams, {n_cores()} workers")
    rows = {
        "total, s": "total_s",
        **{f"{step}, s": f"{step}_s" for step in STEPS},
        "total, s of processors": "total_cpu_s",
        **{f"{step}, s of processors": f"{step}_cpu_s" for step in STEPS},
        "us an item": "us_per_item",
        "us of processors an item": "cpu_us_per_item",
        "of it codes and lists": "list_us_per_item",
        "peak memory, MB": "peak_mb",
        "of it no mapped files, MB": "peak_own_mb",
        **{f"peak of {step}, MB": f"{step}_mb" for step in STEPS},
        "bytes of codes and lists, item and stream": "bytes_per_item_and_stream",
        "opening, s": "open_s",
    }
    for column in ("", *(f"{n:,} items" for n in sizes)):
        table.add_column(column, justify="right" if column else "left")
    for title, name in rows.items():
        table.add_row(title, *(f"{found[name]:,.4g}" for found in sizes.values()))
    Console(width=120).print(table)


def _size_figures(sizes: dict[int, dict[str, float]]) -> dict[str, Figure]:
    asked = {"peak_mb": "< 4000", "bytes_per_item_and_stream": "<= 2000", "open_s": "< 1"}
    figures = {
        f"{name}_{n}": Figure(f"{name} at {n:,}", value, asked.get(name, ""))
        for n, found in sizes.items()
        for name, value in found.items()
    }
    first, *_, last = sizes.values()
    growth = last["list_us_per_item"] / first["list_us_per_item"]
    what = "processor time of codes and lists an item, largest / smallest corpus"
    return figures | {"growth": Figure(what, growth, "about 1, or less")}


def _contest_figures(contest: Contest) -> dict[str, Figure]:
    n_items, n_streams = contest.corpus.n_items, len(WIDTHS)
    spent = (contest.ours_spent, contest.plain_spent)
    ours, plain = (1e6 * median(each.wall for each in rounds) / n_items for rounds in spent)
    codes, lists = (contest.ours.bytes_of(name) / n_items for name in (FOLDERS[0], POSTING_FOLDERS[0]))
    cache, top = ((contest.saved / name).stat().st_size / n_items for name in ("cache.pt", "top.pt"))
    return {
        "contest_items": Figure("items of the contest", n_items),
        "plain_us": Figure("plain loop, one selection", plain, "", "us an item"),
        "ours_us": Figure("ours, both selections and all posting lists", ours, "", "us an item"),
        "ratio": Figure("ratio", plain / ours, ">= 40"),
        "ratio_to_published": Figure(
            f"{PUBLISHED_US:,} us, as the published loop was once measured, to ours", PUBLISHED_US / ours, ">= 40"
        ),
        "agreement": Figure("share of its strongest items that ours has", contest.agreement(), "1"),
        "plain_bytes": Figure(f"its cache: dense float16 codes of {n_streams} streams", cache, "", "bytes an item"),
        "our_bytes": Figure("our codes under the same selection", codes, "", "bytes an item"),
        "bytes_ratio": Figure("ratio", cache / codes, ">= 40"),
        "bytes_ratio_with_lists": Figure(
            f"with its {N_TOP} strongest items, and all of ours", (cache + top) / (codes + lists)
        ),
    }


def _floor_figures() -> dict[str, Figure]:
    found = floors()
    return {
        "products_us": Figure("floor: encoder products, all cores", found["products_us"], "", "us an item"),
        "gflop_per_s": Figure("that is", found["gflop_per_s"], "", "GFLOP/s"),
        "products_one_core_us": Figure("the same, one core", found["products_one_core_us"], "", "us an item"),
        "topk_us": Figure("one exact top-k of 64 among 8,192, one core", found["topk_us"], "", "us an item"),
        "torch_topk_us": Figure("torch.topk of the same", found["torch_topk_us"], "", "us an item"),
    }


def main(
    quick: Annotated[bool, typer.Option(help="Small corpora only.")] = False,
    contest_only: Annotated[bool, typer.Option("--contest", help="Only against the plain loop; 6 minutes.")] = False,
    folder: Annotated[Path | None, typer.Option(help="Holds the features and what is made of them.")] = None,
    measure_items: Annotated[int, typer.Option("--measure", hidden=True)] = 0,
) -> None:
    """Sizes, contest, floors."""
    if measure_items:
        assert folder is not None, "the parent says where"
        print(json.dumps(measure(folder, measure_items)))
        return
    root = folder or Path(tempfile.gettempdir())
    wanted = () if contest_only else QUICK_SIZES if quick else SIZES
    sizes = {n: in_own_process(root, n) for n in wanted}
    if sizes:
        _show(sizes)
    with tempfile.TemporaryDirectory(dir=root) as inside, LocalTasks(n_cores()) as runner:
        contest = Contest(Path(inside), 2_000 if quick else 32_768, runner)
        for _ in range(1 if quick else 2):
            contest.round()
        figures = _contest_figures(contest)
    report("indexing", figures | _floor_figures() | (_size_figures(sizes) if sizes else {}))


if __name__ == "__main__":
    typer.run(main)
