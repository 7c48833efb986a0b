"""Does the service stay well under a crowd? `python -m benchmarks.soak [--bundle PATH] [--clients N] [--quick]`

Starts the real server with small caches, so that they are full soon and turn over all the time, and lets a crowd visit
it from another process: pages, searches, retrieval, heatmaps, pictures sent and shown; some leave early, some are in a
hurry. Meanwhile its memory, open handles and threads are taken down every second. Ends with exit code 1 if an answer
was dishonest (any 5xx but 503 with its reason and Retry-After), or if something grew.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.process_watch import Watch, footprint
from benchmarks.report import Figure, report
from benchmarks.serving import serving
from benchmarks.soak_clients import Record
from benchmarks.soak_findings import MOST_GROWTH, MOST_MORE, Findings
from benchmarks.soak_requests import Known
from server.client import SparcClient

_STATIC = Path(__file__).resolve().parents[1] / "frontend" / "static"
_MB = 2**20
# Small enough to be full soon, in the warm-up: from then on every entry that comes pushes out another.
CACHES = {
    "look_cache_bytes": str(16 * _MB),
    "reading_cache_bytes": str(_MB),
    "thumbnail_cache_bytes": str(2 * _MB),
    "upload_cache_bytes": str(4 * _MB),
}
_FULL = 0.9
# Ten without pauses keep a server as busy as it can be, and none waits for long.
_WARM_CLIENTS, _WARM_ANSWERS, _WARM_SLICE_S, _MOST_SLICES = 10, 3000, 20.0, 24
_SHORTEST_S = 120  # of runs that tell whether something grows
_MOST_ITEMS = 2000
_SETTLING_S = 12.0  # in which the service gives back what it can


def learn(address: str) -> Known:
    """Ask a service for what a crowd should know of it."""
    with SparcClient(address) as client:
        info = client.info()
        items = list(islice(client.every_item(), _MOST_ITEMS))
        return Known(
            bundle_ids=(info.bundle_id, *(one.bundle_id for one in info.beside)),
            n_latents=info.n_latents,
            image_streams=tuple(one.name for one in info.streams if one.modality == "image"),
            text_streams=tuple(one.name for one in info.streams if one.modality == "text"),
            items=tuple(item.item_id for item in items),
            words=tuple(sorted({word.strip(".,") for item in items for word in item.caption.lower().split()} - {""})),
            labels=tuple(label.name for label in client.labels()),
            tables=tuple(table.name for table in client.evaluation_tables()),
            files=tuple(str(path.relative_to(_STATIC)) for path in sorted(_STATIC.rglob("*.*")) if path.is_file()),
        )


def crowd(
    address: str, known: Known, n_clients: int, seconds: float, pause_s: float, seed: int = 0
) -> tuple[list[Record], list[str]]:
    """Let a crowd visit the service from a process of its own; all answers, and those that were wrong."""
    wanted = {
        "host": httpx.URL(address).host,
        "port": httpx.URL(address).port,
        "known": known.to_json(),
        "n_clients": n_clients,
        "seconds": seconds,
        "pause_s": pause_s,
        "seed": seed,
    }
    command = [sys.executable, "-m", "benchmarks.soak_clients"]
    done = subprocess.run(command, input=json.dumps(wanted), stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return [Record(*record) for record in found["records"]], found["surprises"]


def warm_up(address: str) -> None:
    """Let a small crowd come, without pauses, until caches are full and nearly everything has been asked for once."""
    known, n_answers = learn(address), 0
    for number in range(_MOST_SLICES):
        records, _ = crowd(address, known, _WARM_CLIENTS, _WARM_SLICE_S, pause_s=0, seed=100 + number)
        n_answers += len(records)
        if n_answers >= _WARM_ANSWERS and are_full(address):
            return


def are_full(address: str) -> bool:
    """Whether the caches that a crowd can fill hold nearly all that they may."""
    metrics = httpx.get(f"{address}/metrics", timeout=60).text
    held = {name: float(value) for name, value in re.findall(r'^sparc_cache_bytes{cache="(\w+)"} (.*)$', metrics, re.M)}
    limits = {
        "looks": "look_cache_bytes",
        "texts": "reading_cache_bytes",
        "thumbnails": "thumbnail_cache_bytes",
        "uploads": "upload_cache_bytes",
    }
    return all(held[name] >= _FULL * int(CACHES[setting]) for name, setting in limits.items())


def soak(
    address: str,
    process: int,
    log: Path,
    n_clients: int,
    seconds: float,
    pause_s: float,
    settling_s: float = _SETTLING_S,
) -> Findings:
    """Visit a running service, and watch its process and its log; it rests for `settling_s` before and after."""
    known = learn(address)
    time.sleep(settling_s)
    before = footprint(process)
    with Watch(process) as watch:
        records, surprises = crowd(address, known, n_clients, seconds, pause_s)
    time.sleep(settling_s)  # what was left behind is finished or dropped
    errors = [line for line in log.read_text().splitlines() if " ERROR " in line or line.startswith("Traceback")]
    return Findings(
        records,
        surprises,
        watch.moments,
        seconds >= _SHORTEST_S,
        before,
        footprint(process),
        errors,
    )


def show(findings: Findings) -> None:
    """Print times and statuses by kind, and every surprise."""
    table = Table(title="milliseconds, and statuses (-1: left before the answer)")
    for column in ("kind", "n", "p50", "p95", "p99", "statuses"):
        table.add_column(column)
    for kind in (*findings.kinds, None):
        times, statuses = findings.times(kind), sorted(findings.statuses(kind).items())
        numbers = (str(times.n), *(f"{value:.1f}" for value in times[1:]))
        table.add_row(kind or "all", *numbers, ", ".join(f"{status}: {n}" for status, n in statuses))
    Console(width=120).print(table)
    for sentence in (*findings.surprises, *findings.log_errors[:20]):
        print(sentence)


def figures(findings: Findings, alone: list[Record]) -> dict[str, Figure]:
    """By their JSON names."""
    everything, memory, loaded = findings.times(), findings.memory, findings.change("own")
    asked = f"< {MOST_GROWTH:.0%}" if findings.tells_growth else "too short to tell"
    rss, handles, threads = (findings.change(field) for field in ("rss", "handles", "threads"))
    return {
        "requests_per_s": Figure("answers a second", findings.per_second, "", "/s"),
        "alone_per_s": Figure(
            "one client alone, without pauses", len(alone) / max(record.at_s for record in alone), "", "/s"
        ),
        "p50_ms": Figure("answer, median", everything.p50, "", "ms"),
        "p95_ms": Figure("95 of 100 within", everything.p95, "", "ms"),
        "p99_ms": Figure("99 of 100 within", everything.p99, "", "ms"),
        "n_answers": Figure("answers in all", len(findings.records)),
        "n_5xx": Figure("failed, or refused without a reason", findings.n_5xx, "0"),
        "n_503": Figure("refused honestly, most for deadlines", findings.n_unavailable),
        "n_surprises": Figure("not as expected", len(findings.surprises), "0"),
        "memory_before_mb": Figure("own memory at rest, before", memory.first, "", "MB"),
        "memory_after_mb": Figure("own memory at rest, once all had gone", memory.last, "", "MB"),
        "memory_growth": Figure("growth", 100 * memory.share, asked, "%"),
        "memory_first_mb": Figure("own memory under load, first fifth of the time", loaded.first, "", "MB"),
        "memory_last_mb": Figure("own memory under load, last fifth", loaded.last, "", "MB"),
        "rss_last_mb": Figure("resident, with mapped pages of the bundle", rss.last, "", "MB"),
        "handles_growth": Figure("open handles, last fifth less first", handles.more, f"<= {MOST_MORE}"),
        "handles_left": Figure(
            "still open once all had gone", findings.after.handles - findings.before.handles, f"<= {MOST_MORE}"
        ),
        "threads_growth": Figure("threads, last fifth less first", threads.more, f"<= {MOST_MORE}"),
    }


def main(
    bundle: Annotated[Path, typer.Option(help="A bundle; its twin beside it is served, too.")] = Path(
        "bundles/storybook"
    ),
    n_clients: Annotated[int, typer.Option("--clients", help="That come at once.")] = 50,
    seconds: Annotated[float, typer.Option(help="For how long, once caches are full.")] = 300,
    pause_s: Annotated[float, typer.Option("--pause", help="Mean seconds between two visits of a client.")] = 2.0,
    quick: Annotated[
        bool, typer.Option(help="For 30 seconds, without warm-up: too short to tell whether memory grows.")
    ] = False,
) -> None:
    """Serve, let the crowd come, judge."""
    seconds = min(seconds, 30) if quick else seconds
    twin = bundle.with_name(f"{bundle.name}-local")
    settings = {**CACHES, **({"beside": str(twin)} if twin.exists() else {})}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "server.log"
        with serving(bundle, log, **settings) as server:
            if not quick:
                warm_up(server.address)
            findings = soak(server.address, server.process.pid, log, n_clients, seconds, pause_s)
            alone, _ = crowd(server.address, learn(server.address), 1, seconds / 15, pause_s=0, seed=1)
    show(findings)
    report(f"{n_clients} clients for {seconds:g} s", figures(findings, alone))
    broken = findings.broken_promises()
    for sentence in broken:
        print(sentence, file=sys.stderr)
    sys.exit(bool(broken))


if __name__ == "__main__":
    typer.run(main)
