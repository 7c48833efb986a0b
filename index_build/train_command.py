"""`sparc-build train`: SPARC on feature files. What the flags mean is in `index_build.training.options`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from index_build.command_errors import one_line_errors
from sparc_core.errors import InputError

if TYPE_CHECKING:
    from index_build.training.run_folder import RunRequest
    from sparc_core.model import Sparc

_console = Console()
_TUNING = "What the recipe says, unless given"
_Whole = Annotated[int | None, typer.Option(rich_help_panel=_TUNING)]
_Number = Annotated[float | None, typer.Option(rich_help_panel=_TUNING)]
_Choice = Annotated[str | None, typer.Option(rich_help_panel=_TUNING)]


def train(
    out: Annotated[Path, typer.Option(help="The run's folder: checkpoints, metrics, the model.")],
    features: Annotated[
        list[str] | None,
        typer.Option(metavar="STREAM=PATH", help="A stream's features (.npy, .h5); give one per stream."),
    ] = None,
    recipe: Annotated[str, typer.Option(help="default, or published: the paper's.")] = "default",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out; needs no other flag.")] = False,
    validation_rows: Annotated[int, typer.Option(help="Rows to hold out, drawn at random, measured every epoch.")] = 0,
    n_latents: _Whole = None,
    k: _Whole = None,
    auxk: _Whole = None,
    auxk_coef: _Number = None,
    cross_loss_coef: _Number = None,
    selection: _Choice = None,
    lr: _Number = None,
    batch_size: _Whole = None,
    num_epochs: _Whole = None,
    dead_neuron_threshold: _Whole = None,
    seed: _Whole = None,
    clip_grad_norm: _Number = None,
    encoder_dtype: _Choice = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any other option of the recipe.", rich_help_panel=_TUNING),
    ] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write TensorBoard's files too.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Train SPARC on feature files. Safe to kill: --resume goes on, to the same weights.

    Example: sparc-build train --features dino=dino.h5 --features clip_img=img.h5 --features clip_txt=txt.h5
    --out runs/first --validation-rows 500. Under torchrun, --batch-size is that of all processes together.
    """
    given: dict[str, Any] = {
        "n_latents": n_latents, "k": k, "auxk": auxk, "auxk_coef": auxk_coef, "cross_loss_coef": cross_loss_coef,
        "selection": selection, "lr": lr, "batch_size": batch_size, "num_epochs": num_epochs,
        "dead_neuron_threshold": dead_neuron_threshold, "seed": seed, "clip_grad_norm": clip_grad_norm,
        "encoder_dtype": encoder_dtype,
    }  # fmt: skip
    changes = {name: value for name, value in given.items() if value is not None}
    with one_line_errors("add --resume to the same command to go on from here"):
        from index_build.training.run import STATE_FILE
        from index_build.training.run_folder import read_request

        if resume:
            if features or changes or set_ or validation_rows:
                raise InputError(f"--resume goes on with the run in {out} as it was: leave the other settings out")
            request = read_request(out)
        else:
            if (out / STATE_FILE).exists():
                raise InputError(f"{out} holds a run already: add --resume to go on with it, or choose another folder")
            request = _request(features or [], recipe, changes, set_ or [], validation_rows)
        _train(request, out, tensorboard, device)


def _request(
    features: list[str], recipe: str, changes: dict[str, Any], settings: list[str], validation_rows: int
) -> "RunRequest":
    from index_build.training.options import TrainingOptions
    from index_build.training.run_folder import RunRequest

    paths = {stream: Path(path) for stream, path in (_pair(text, "--features", "STREAM=PATH") for text in features)}
    if len(paths) < len(features):
        raise InputError(f"--features names a stream twice: {' '.join(features)}")
    more = dict(_pair(text, "--set", "NAME=VALUE") for text in settings)
    return RunRequest(paths, TrainingOptions.of_recipe(recipe, changes | TrainingOptions.parse(more)), validation_rows)


def _pair(text: str, flag: str, form: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise InputError(f"{flag} is {text!r}: write it as {form}")
    return name, value


def _train(request: "RunRequest", out: Path, tensorboard: bool, device: str) -> None:
    from index_build.feature_store import FeatureStore
    from index_build.training.display import TrainingDisplay
    from index_build.training.processes import choose_device, join_processes
    from index_build.training.run import RunSettings, train_sparc
    from index_build.training.run_folder import MODEL_FILE, split
    from sparc_core.checkpoint import save_sparc

    chosen = choose_device(device)
    processes = join_processes(chosen)
    store, held_out = split(FeatureStore.open(request.features), request.validation_rows)
    if not processes.is_first:
        train_sparc(store, request.options, out, settings=RunSettings(device=chosen, processes=processes))
        return
    request.write(out)
    settings = RunSettings(held_out, tensorboard, chosen, processes)
    with TrainingDisplay(_console) as display:
        model = train_sparc(store, request.options, out, [display], settings).cpu()
    save_sparc(model, out / MODEL_FILE)
    _summarise(model, store, held_out, out)


def _summarise(model: "Sparc", store: Any, held_out: Any, out: Path) -> None:
    """Measure what came out; keep it and say it."""
    from index_build.training.run import BEST_FILE
    from index_build.training.run_folder import MODEL_FILE, model_liveness, write_summary
    from index_build.training.validation import validate
    from sparc_core.checkpoint import load_metadata, load_sparc

    models = {MODEL_FILE: model}
    if held_out is not None:
        models[BEST_FILE] = load_sparc(out / BEST_FILE)
    summary: dict[str, Any] = {}
    for name, candidate in models.items():
        alive = model_liveness(candidate, store)
        dead, some = alive.dead_in_all / candidate.config.n_latents, alive.alive_in_some / candidate.config.n_latents
        summary[name] = {"dead_share": dead, "alive_in_some_share": some}
        line = f"{out / name}: dead {dead:.1%} of {candidate.config.n_latents}, alive in some streams only {some:.1%}"
        if held_out is not None:
            errors = validate(candidate, held_out)
            summary[name] |= {"nmse": dict(errors.nmse), "mean_cross_nmse": errors.mean_cross_nmse}
            line += "; validation NMSE " + " ".join(f"{stream} {error:.4f}" for stream, error in errors.nmse.items())
            line += f", cross {errors.mean_cross_nmse:.4f}"
        if name == BEST_FILE:
            summary[name]["step"] = int(load_metadata(out / BEST_FILE)["step"])
            line += f", from step {summary[name]['step']}"
        _console.print(line, highlight=False, soft_wrap=True)
    write_summary(out, summary)
