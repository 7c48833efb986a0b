"""What is our training recipe worth? `python -m benchmarks.recipe --data FOLDER [--variants all] [--quick]`

Trains the published recipe and ours, on three seeds, on features of 5,000 photographs and their captions (`image_a.h5`,
`image_b.h5`, `text.h5`), 4,500 rows to train on and 500 held out, and prints validation errors of the model that did
best on these, and its dead latents on the training rows. `--variants all` also leaves out one part of our recipe at a
time. One run a core at a time; a full run takes about two minutes for ours and six for the published recipe.
"""

import json
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import torch
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.report import Figure, report
from index_build.features.store import FeatureStore
from index_build.training.options import TrainingOptions
from index_build.training.run import BEST_FILE, RunSettings, train_sparc
from index_build.training.run_folder import split
from index_build.training.summary import model_liveness
from index_build.training.validation import validate
from index_build.workers import n_cores
from sparc_core.checkpoint import load_metadata, load_sparc

STREAMS = ("image_a", "image_b", "text")
SIZES: dict[str, Any] = {"n_latents": 2048, "k": 32, "auxk": 64}
N_VALIDATION = 500
VARIANTS: dict[str, dict[str, Any]] = {
    "random directions": {"dictionary_init": "random"},
    "pre-biases at zero": {"pre_bias_init": "zero"},
    "random directions, pre-biases at zero": {"dictionary_init": "random", "pre_bias_init": "zero"},
    "lr 1e-4, 200 epochs": {"lr": 1e-4, "num_epochs": 200},
    "lr 2e-3": {"lr": 2e-3},
    "lr constant": {"decay_share": 0.0},
    "no encoder decay": {"encoder_weight_decay": 0.0},
    "encoder decay 5": {"encoder_weight_decay": 5.0},
    "rows not mixed": {"mix_share": 0.0},
    "neither decay nor mixing": {"encoder_weight_decay": 0.0, "mix_share": 0.0},
    "no resampling": {"resample": "none"},
    "AuxK off": {"auxk_coef": 0.0},
    "AuxK x 8": {"auxk_coef": 0.25},
    "cross loss x 2": {"cross_loss_coef": 2.0},
    "half of the steps local": {"local_share": 0.5},
    "errors over variance": {"loss_scale": "variance"},
    "warm-up of 100 steps": {"warmup_steps": 100},
    "80 epochs": {"num_epochs": 80},
    "bfloat16 encoder": {"encoder_dtype": "bfloat16"},
}


class Outcome(NamedTuple):
    """What one run's best model does; errors on held-out rows, shares in percent of the latents."""

    epoch: float
    nmse: dict[str, float]
    cross_nmse: float
    dead: float
    alive_in_some: float


def run(data: Path, options: TrainingOptions) -> Outcome:
    """Train once, on one thread."""
    torch.set_num_threads(1)
    store = FeatureStore.open({stream: data / f"{stream}.h5" for stream in STREAMS})
    train, held_out = split(store, N_VALIDATION)
    assert held_out is not None, "rows are held out"
    with tempfile.TemporaryDirectory() as folder:
        train_sparc(train, options, Path(folder), settings=RunSettings(held_out))
        model, step = load_sparc(Path(folder) / BEST_FILE), int(load_metadata(Path(folder) / BEST_FILE)["step"])
    errors, alive = validate(model, held_out), model_liveness(model, train)
    percent = 100 / options.n_latents
    epoch = step / -(-len(train) // options.batch_size)
    return Outcome(
        epoch, dict(errors.nmse), errors.mean_cross_nmse, percent * alive.dead_in_all, percent * alive.alive_in_some
    )


def main(
    data: Annotated[Path, typer.Option(help="Folder of the three feature files.")] = Path("../shared/data/flickr"),
    variants: Annotated[str, typer.Option(help="none, or all: our recipe with one part changed.")] = "none",
    quick: Annotated[bool, typer.Option(help="Small and short, one seed: only shows that it runs.")] = False,
) -> None:
    """Published against ours."""
    if not data.is_dir():
        Console(stderr=True).print(f"there is no {data}: give --data a folder with {', '.join(STREAMS)} as .h5")
        raise typer.Exit(2)
    sizes = SIZES | ({"n_latents": 256, "k": 16} if quick else {})
    seeds = (0,) if quick else (0, 1, 2)
    jobs: dict[str, TrainingOptions] = {}
    for seed in seeds:
        jobs[f"published, seed {seed}"] = TrainingOptions.published(**sizes, seed=seed, num_epochs=4 if quick else 200)
        jobs[f"ours, seed {seed}"] = TrainingOptions(**sizes, seed=seed, num_epochs=4 if quick else 40)
    if variants == "all":
        jobs |= {name: TrainingOptions(**(SIZES | {"num_epochs": 40} | changes)) for name, changes in VARIANTS.items()}
    outcomes = _run_all(data, jobs)
    _print_table(outcomes)
    report("recipes, means over seeds", _figures(outcomes))


def _run_all(data: Path, jobs: dict[str, TrainingOptions]) -> dict[str, Outcome]:
    """Every job, one a core; each is printed as it ends."""
    with ProcessPoolExecutor(n_cores()) as pool:
        futures = {name: pool.submit(run, data, options) for name, options in jobs.items()}
        outcomes = {}
        for name, future in futures.items():
            outcomes[name] = future.result()
            print(json.dumps({"run": name, **outcomes[name]._asdict()}), flush=True)
        return outcomes


def _print_table(outcomes: dict[str, Outcome]) -> None:
    table = Table(title="validation errors of the best model, dead latents in percent")
    for column in ("run", *STREAMS, "cross", "dead", "alive in some", "epoch"):
        table.add_column(column)
    for name, outcome in outcomes.items():
        errors = [f"{error:.4f}" for error in (*outcome.nmse.values(), outcome.cross_nmse)]
        shares = [f"{outcome.dead:.2f}", f"{outcome.alive_in_some:.2f}", f"{outcome.epoch:.0f}"]
        table.add_row(name, *errors, *shares)
    Console(width=120).print(table)


def _figures(outcomes: dict[str, Outcome]) -> dict[str, Figure]:
    """Ours against the published recipe's best."""
    ours = [outcome for name, outcome in outcomes.items() if name.startswith("ours")]
    published = [outcome for name, outcome in outcomes.items() if name.startswith("published")]
    figures = {}
    for stream in STREAMS:
        theirs, us = (sum(run.nmse[stream] for run in runs) / len(runs) for runs in (published, ours))
        asked = "<= 0.95 of published"
        figures[f"nmse_{stream}"] = Figure(f"NMSE of {stream}, ours (published {theirs:.4f})", us, asked)
        figures[f"nmse_share_{stream}"] = Figure("as a share of published", us / theirs, "<= 0.95")
    theirs, us = (sum(run.cross_nmse for run in runs) / len(runs) for runs in (published, ours))
    figures["cross_nmse"] = Figure(f"cross-NMSE, ours (published {theirs:.4f})", us, "<= 0.95 of published")
    figures["cross_nmse_share"] = Figure("as a share of published", us / theirs, "<= 0.95")
    figures["dead_percent"] = Figure("dead, worst seed", max(run.dead for run in ours), "<= 0.5", "%")
    some = max(run.alive_in_some for run in ours)
    figures["alive_in_some_percent"] = Figure("alive in some streams only, worst seed", some, "<= 0.5", "%")
    return figures


if __name__ == "__main__":
    typer.run(main)
