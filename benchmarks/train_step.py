"""How fast does SPARC train? `python -m benchmarks.train_step [--quick]`

One step against the plain dense one (`benchmarks.dense_sparc`), and against the least that any step must do. All
variants take turns within each round of one run; figures are medians over the rounds. 15 % of the latents count as
dead, as at the end of the published run, so AuxK has work. Larger sizes, and memory, are measured in a process of its
own for each variant, in turns. At the end: how fast random rows are read from mapped feature files.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Annotated, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
import typer
from torch import Tensor

from benchmarks.dense_sparc import DenseTrainer
from benchmarks.report import Figure, report
from index_build.features.store import FeatureStore
from index_build.training.block_adam import block_rows
from index_build.training.options import TrainingOptions
from index_build.training.processes import choose_device
from index_build.training.row_gradients import RowGradient, order_by_latent, row_term
from index_build.training.start import initial_model
from index_build.training.trainer import Trainer
from sparc_core.sparse import SparseCode, weighted_sum

WIDTHS = {"dino": 768, "clip_img": 512, "clip_txt": 512}
BATCH, K, DEAD_SHARE = 256, 64, 0.15
VARIANTS = ("dense", "float32", "bfloat16")
ASLEEP = 1_000_000


def seconds(action: Callable[[], object], device: torch.device) -> float:
    """What an action takes, until the device is done with it."""
    _finish(device)
    begun = time.perf_counter()
    action()
    _finish(device)
    return time.perf_counter() - begun


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Contest:
    """The variants at one size, ready to take steps on the same batches."""

    def __init__(self, n_latents: int, device: torch.device, variants: tuple[str, ...] = VARIANTS) -> None:
        self._device = device
        generator = torch.Generator().manual_seed(0)
        features = {s: torch.randn(4 * BATCH, d, generator=generator).numpy() for s, d in WIDTHS.items()}
        self.store, self.n_latents = FeatureStore.of(features), n_latents
        self.steps: dict[str, Callable[[], object]] = {}
        for variant in variants:
            if variant == "dense":
                start = initial_model(self.store, self._options("float32"), {})
                self._add_dense(DenseTrainer(start, self._options("float32"), device))
            else:
                self._add_sparse(variant, Trainer(self.store, self._options(variant), device=device))

    def step(self, variant: str) -> float:
        """Seconds that one step takes."""
        return seconds(self.steps[variant], self._device)

    def _options(self, dtype: str) -> TrainingOptions:
        return TrainingOptions.published(
            n_latents=self.n_latents, k=K, batch_size=BATCH, num_epochs=1000, resample="none", encoder_dtype=dtype
        )

    def _add_sparse(self, variant: str, trainer: Trainer) -> None:
        def step() -> None:
            self._put_to_sleep(trainer.dead.steps_asleep)
            trainer.step()

        self.steps[variant] = step

    def _add_dense(self, trainer: DenseTrainer) -> None:
        def step() -> None:
            self._put_to_sleep(trainer.steps_asleep)
            trainer.step({s: x.to(self._device) for s, x in self.store.rows(np.arange(BATCH)).items()})

        self.steps["dense"] = step

    def _put_to_sleep(self, steps_asleep: dict[str, Tensor]) -> None:
        for steps in steps_asleep.values():
            steps[: int(DEAD_SHARE * self.n_latents)] = ASLEEP


class Floors:
    """What no step can do without, one by one, on tensors that lie ready."""

    def __init__(self, n_latents: int, device: torch.device) -> None:
        self._device = device
        generator = torch.Generator().manual_seed(0)

        def random(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator).to(device)

        self.weights = {s: random(n_latents, d) for s, d in WIDTHS.items()}
        x = {s: F.normalize(random(BATCH, d)) for s, d in WIDTHS.items()}
        low, low_x = ({s: values.bfloat16() for s, values in part.items()} for part in (self.weights, x))
        logits, n_dead = random(BATCH, n_latents), int(DEAD_SHARE * n_latents)
        # Every target has the codes of all streams, and AuxK's.
        latents = logits.topk(K, dim=1).indices.repeat(len(WIDTHS), 1)
        latents = torch.cat([latents, logits[:, :n_dead].topk(K, dim=1).indices])
        self.code = SparseCode(latents, random(*latents.shape).abs())
        self.tables = {s: random(len(latents), d) for s, d in WIDTHS.items()}
        order = order_by_latent(latents, n_latents)
        self.gradients = {s: RowGradient([row_term(order, self.code.activations, t)]) for s, t in self.tables.items()}
        self.parts: dict[str, Callable[[], object]] = {
            "encoder products, float32": lambda: [F.linear(x[s], w) for s, w in self.weights.items()],
            "encoder products, bfloat16": lambda: [F.linear(low_x[s], w) for s, w in low.items()],
            "top-k": lambda: [logits.topk(K, dim=1)] + [logits[:, :n_dead].topk(K, dim=1) for _ in WIDTHS],
            "sparse decode": lambda: [weighted_sum(self.code, w) for w in self.weights.values()],
            "its gradient by dictionaries": self._by_dictionaries,
            "fused Adam": self._adam(),
        }

    def time(self) -> dict[str, float]:
        """Seconds of every part."""
        taken = {part: seconds(action, self._device) for part, action in self.parts.items()}
        activations = self.code.activations.clone().requires_grad_()
        sums = [weighted_sum(SparseCode(self.code.latents, activations), w) for w in self.weights.values()]
        backward = partial(torch.autograd.backward, sums, list(self.tables.values()))
        return taken | {"its gradient by activations": seconds(backward, self._device)}

    def _by_dictionaries(self) -> None:
        for stream, gradient in self.gradients.items():
            weights = self.weights[stream]
            buffer = weights.new_empty(block_rows(weights.shape[1], self._device.type), weights.shape[1])
            for start in range(0, len(weights), len(buffer)):
                gradient.write(start, buffer[: len(weights) - start])

    def _adam(self) -> Callable[[], object]:
        parameters = [w.clone().requires_grad_() for w in (*self.weights.values(), *self.weights.values())]
        for parameter in parameters:
            parameter.grad = torch.zeros_like(parameter)
        return torch.optim.Adam(parameters, lr=1e-4, fused=True).step


class Times(NamedTuple):
    """Median milliseconds of each variant's step, and of each floor."""

    steps: dict[str, float]
    floors: dict[str, float]


def race(rounds: int, device: torch.device) -> Times:
    """Let the variants take turns; a dense step and three of each other one a round, after a round to warm up."""
    contest, floors = Contest(8192, device), Floors(8192, device)
    steps: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
    parts: dict[str, list[float]] = {}
    for is_warm in [False] + [True] * rounds:
        for variant, taken in steps.items():
            measured = [contest.step(variant) for _ in range(1 if variant == "dense" else 3)]
            taken += measured if is_warm else []
        for _ in range(3 if is_warm else 1):
            for part, value in floors.time().items():
                parts.setdefault(part, []).append(value)
    return Times(_medians(steps), _medians(parts))


def _medians(seconds: dict[str, list[float]]) -> dict[str, float]:
    return {name: 1e3 * median(values) for name, values in seconds.items()}


class Alone(NamedTuple):
    """A variant in a process of its own: milliseconds of a step, and MB at the peak (of the GPU's memory, if there)."""

    ms: float
    peak_mb: float


def alone(variant: str, n_latents: int, device: torch.device) -> Alone:
    """Start the process and wait for what it prints."""
    command = [sys.executable, "-m", "benchmarks.train_step", "--alone", variant]
    command += ["--n-latents", str(n_latents), "--device", device.type]
    return Alone(*json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def in_turns(n_latents: int, rounds: int, device: torch.device) -> dict[str, Alone]:
    """Processes one after the other, in turns: the largest sizes do not fit into memory side by side."""
    seen: dict[str, list[Alone]] = {variant: [] for variant in VARIANTS}
    for _ in range(rounds):
        for variant, runs in seen.items():
            runs.append(alone(variant, n_latents, device))
    return {v: Alone(median(x.ms for x in runs), max(x.peak_mb for x in runs)) for v, runs in seen.items()}


def _run_alone(variant: str, n_latents: int, device: torch.device) -> None:
    """Print the median of three steps after one to warm up, and the MB that they add to an idle process."""
    torch.zeros(1, device=device)
    before = _highest_mb(device)
    contest = Contest(n_latents, device, (variant,))
    contest.step(variant)
    ms = 1e3 * median(contest.step(variant) for _ in range(3))
    print(json.dumps([ms, _highest_mb(device) - before]))


def _highest_mb(device: torch.device) -> float:
    """The most memory this process has had; getrusage would count its parent's too."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    status = Path("/proc/self/status").read_text()
    return float(status.partition("VmHWM:")[2].split()[0]) / 1e3


def _weight_bytes(n_latents: int) -> int:
    return 4 * 2 * n_latents * sum(WIDTHS.values())


def rows_per_second(n_rows: int) -> float:
    """Random rows of three float16 streams from mapped files: an epoch in batches, after one to warm up."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {stream: Path(folder) / f"{stream}.npy" for stream in WIDTHS}
        for stream, d in WIDTHS.items():
            np.save(paths[stream], np.random.default_rng(0).random((n_rows, d), np.float32).astype(np.float16))
        store = FeatureStore.open(paths)
        for _ in range(2):
            order, begun = torch.randperm(n_rows), time.perf_counter()
            for rows in order.split(BATCH):
                store.rows(rows)
            seconds = time.perf_counter() - begun
        return n_rows / seconds


def main(
    quick: Annotated[bool, typer.Option(help="The smallest size only, fewer rounds.")] = False,
    alone: Annotated[str, typer.Option(hidden=True)] = "",
    n_latents: Annotated[int, typer.Option(hidden=True)] = 8192,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "cpu",
) -> None:
    """Steps, floors, memory, reading."""
    chosen = choose_device(device)
    if alone:
        _run_alone(alone, n_latents, chosen)
        return
    figures = _at_8192(race(4 if quick else 12, chosen))
    for size in (8192,) if quick else (8192, 32768, 131072):
        runs = in_turns(size, 1 if size == 8192 else 2, chosen)
        figures |= _memory_figures(size, runs)
        if size > 8192:
            figures |= _ratio_figures(size, runs)
    rate = rows_per_second(40_000 if quick else 200_000)
    figures["rows_per_s"] = Figure("random rows read, three float16 streams", rate, ">= 200 k/s", "/s")
    figures["read_gb_per_s"] = Figure("that is, from the maps", rate * 2 * sum(WIDTHS.values()) / 1e9, "", "GB/s")
    report(f"training step on {chosen.type}, {torch.get_num_threads()} threads", figures)


def _at_8192(times: Times) -> dict[str, Figure]:
    steps, floors = times
    shared = sum(value for part, value in floors.items() if not part.startswith("encoder"))
    least = {dtype: shared + floors[f"encoder products, {dtype}"] for dtype in VARIANTS[1:]}
    gflop = 2 * BATCH * 8192 * sum(WIDTHS.values()) / 1e9
    adam_gb = 7 * _weight_bytes(8192) / 1e9  # reads weights, gradients, moments; writes all but gradients
    return {
        "dense_ms": Figure("plain dense step", steps["dense"], "", "ms"),
        "step_ms": Figure("our step, float32 encoder", steps["float32"], "", "ms"),
        "step_ms_bf16": Figure("our step, bfloat16 encoder", steps["bfloat16"], "", "ms"),
        "ratio": Figure("ratio, float32", steps["dense"] / steps["float32"], ">= 4.5"),
        "ratio_bf16": Figure("ratio, bfloat16", steps["dense"] / steps["bfloat16"], ">= 6.5"),
        "samples_per_s": Figure("samples, float32", 1e3 * BATCH / steps["float32"], "", "/s"),
        "samples_per_s_bf16": Figure("samples, bfloat16", 1e3 * BATCH / steps["bfloat16"], "", "/s"),
        **{f"floor {part}": Figure(f"floor: {part}", value, "", "ms") for part, value in floors.items()},
        "gflop_per_s": Figure("encoder products", 1e3 * gflop / floors["encoder products, float32"], "", "GFLOP/s"),
        "adam_gb_per_s": Figure("fused Adam, memory moved", adam_gb / floors["fused Adam"] * 1e3, "", "GB/s"),
        "floor_multiple": Figure("step / sum of floors, float32", steps["float32"] / least["float32"], "<= 1.5"),
        "floor_multiple_bf16": Figure("step / sum of floors, bf16", steps["bfloat16"] / least["bfloat16"], "<= 1.5"),
    }  # fmt: skip


def _ratio_figures(n_latents: int, runs: dict[str, Alone]) -> dict[str, Figure]:
    figures = {}
    for variant, name in (("float32", "ratio"), ("bfloat16", "ratio_bf16")):
        what = f"ratio at {n_latents} latents, {variant} ({runs['dense'].ms:,.0f} against {runs[variant].ms:,.0f} ms)"
        figures[f"{name}_{n_latents}"] = Figure(what, runs["dense"].ms / runs[variant].ms, "not lower")
    return figures


def _memory_figures(n_latents: int, runs: dict[str, Alone]) -> dict[str, Figure]:
    dense, ours = runs["dense"].peak_mb, runs["float32"].peak_mb
    state = 3 * _weight_bytes(n_latents) / 1e6
    return {
        f"memory_mb_{n_latents}": Figure(f"peak memory at {n_latents} latents", ours, "", "MB"),
        f"dense_memory_mb_{n_latents}": Figure("the dense step's", dense, "", "MB"),
        f"memory_share_{n_latents}": Figure("share of the dense step's", ours / dense),
        f"step_memory_share_{n_latents}": Figure(
            "share, without the weights and moments of both", (ours - state) / (dense - state), "< 1/3"
        ),
    }


if __name__ == "__main__":
    typer.run(main)
