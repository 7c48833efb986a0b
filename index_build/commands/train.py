"""`sparc-build train`: SPARC on feature files. What the flags mean is in `index_build.training.options`."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from index_build.commands.errors import one_line_errors
from sparc_core.errors import InputError

if TYPE_CHECKING:
    from index_build.features.store import FeatureStore
    from index_build.training.run import RunSettings
    from index_build.training.run_folder import RunRequest

_console = Console()
_TUNING = "What the recipe says, unless given"


def _tuning(text: str, *flag: str, **more: Any) -> Any:
    return typer.Option(*flag, help=text, rich_help_panel=_TUNING, **more)


def train(
    out: Annotated[Path, typer.Option(help="The run's folder: checkpoints, metrics, the model.")],
    features: Annotated[
        list[str] | None,
        typer.Option(metavar="STREAM=PATH", help="A stream's features (.npy, .h5); give one per stream."),
    ] = None,
    recipe: Annotated[str | None, typer.Option(help="default: ours. published: the paper's.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out; needs no other flag.")] = False,
    validation_rows: Annotated[int, typer.Option(help="Rows to hold out, drawn at random, measured every epoch.")] = 0,
    n_latents: Annotated[int | None, _tuning("Size of the shared dictionary.")] = None,
    k: Annotated[int | None, _tuning("Active latents per code.")] = None,
    auxk: Annotated[int | None, _tuning("How many dead latents may explain a residual.")] = None,
    auxk_coef: Annotated[float | None, _tuning("Weight of AuxK.")] = None,
    cross_loss_coef: Annotated[float | None, _tuning("Weight of cross-reconstruction.")] = None,
    selection: Annotated[str | None, _tuning("global or local.")] = None,
    lr: Annotated[float | None, _tuning("Adam's highest learning rate.")] = None,
    batch_size: Annotated[int | None, _tuning("Rows per step.")] = None,
    num_epochs: Annotated[int | None, _tuning("Passes over the rows.")] = None,
    dead_neuron_threshold: Annotated[int | None, _tuning("Steps without activation before noise resampling.")] = None,
    seed: Annotated[int | None, _tuning("Fixes weights, row order, mixing and resampling.")] = None,
    clip_grad_norm: Annotated[float | None, _tuning("Gradients are scaled down to this L2 norm.")] = None,
    encoder_dtype: Annotated[str | None, _tuning("float32 or bfloat16.")] = None,
    set_: Annotated[
        list[str] | None,
        _tuning("Any other option; a wrong NAME lists them.", "--set", metavar="NAME=VALUE"),
    ] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write TensorBoard's files too.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Train SPARC on feature files. Safe to kill: --resume goes on, to the same weights.

    Under torchrun, --batch-size is that of all processes together.
    """
    given: dict[str, Any] = {
        "n_latents": n_latents, "k": k, "auxk": auxk, "auxk_coef": auxk_coef, "cross_loss_coef": cross_loss_coef,
        "selection": selection, "lr": lr, "batch_size": batch_size, "num_epochs": num_epochs,
        "dead_neuron_threshold": dead_neuron_threshold, "seed": seed, "clip_grad_norm": clip_grad_norm,
        "encoder_dtype": encoder_dtype,
    }  # fmt: skip
    changes = {name: value for name, value in given.items() if value is not None}
    with one_line_errors(f'"sparc-build train --out {out} --resume" goes on from the last checkpoint'):
        from index_build.training.run_folder import read_request

        if resume and (features or recipe or changes or set_ or validation_rows):
            raise InputError(f"--resume goes on with the run in {out} as it was: leave the other settings out")
        if resume:
            request = read_request(out)
        else:
            request = _request(features or [], recipe or "default", changes, set_ or [], validation_rows)
        _train(request, out, resume, tensorboard, device)


def _request(
    features: list[str], recipe: str, changes: dict[str, Any], settings: list[str], validation_rows: int
) -> "RunRequest":
    from index_build.training.options import TrainingOptions
    from index_build.training.run_folder import RunRequest

    paths = {stream: Path(path) for stream, path in pairs(features, "--features", "STREAM=PATH").items()}
    more = TrainingOptions.parse(pairs(settings, "--set", "NAME=VALUE"))
    twice = sorted(changes.keys() & more.keys())
    if twice:
        raise InputError(f"{twice[0]} is given twice, by its flag and by --set: leave one out")
    return RunRequest(paths, TrainingOptions.of_recipe(recipe, changes | more), validation_rows)


def pairs(texts: list[str], flag: str, form: str) -> dict[str, str]:
    """Options of the form NAME=VALUE as a mapping; InputError where one is not."""
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise InputError(f"{flag} is {text!r}: write it as {form}")
        if name in pairs:
            raise InputError(f"{flag} names {name} twice: leave one out")
        pairs[name] = value
    return pairs


def _train(request: "RunRequest", out: Path, resume: bool, tensorboard: bool, device: str) -> None:
    from index_build.features.store import FeatureStore
    from index_build.folder_lock import locked
    from index_build.training.processes import choose_device, join_processes, leave_processes
    from index_build.training.run import RunSettings, train_sparc
    from index_build.training.run_folder import new_run, split
    from sparc_core.full_disk import full_disk_said

    chosen = choose_device(device)
    features = FeatureStore.open(request.features)
    store, held_out = split(features, request.validation_rows)
    processes = join_processes(chosen)
    if features.without_ids and processes.is_first:
        names = ", ".join(features.without_ids)
        _console.print(f"aligned by row, as its file names no items: {names}", highlight=False, markup=False)
    settings = RunSettings(held_out, tensorboard, chosen, processes)
    if processes.is_first:
        after = f'"sparc-build train --out {out} --resume" goes on from the last checkpoint'
        with locked(out), nullcontext() if resume else new_run(request, out), full_disk_said(f"run {out}", out, after):
            _train_and_measure(request, store, out, settings)
    else:
        train_sparc(store, request.options, out, settings=settings)
    leave_processes()


def _train_and_measure(request: "RunRequest", store: "FeatureStore", out: Path, settings: "RunSettings") -> None:
    from index_build.training.display import TrainingDisplay
    from index_build.training.run import BEST_FILE, train_sparc
    from index_build.training.summary import MODEL_FILE, measure, write_summary
    from sparc_core.checkpoint import load_sparc, save_sparc

    with TrainingDisplay(_console) as display:
        model = train_sparc(store, request.options, out, [display], settings)
    save_sparc(model, out / MODEL_FILE)
    models = {MODEL_FILE: model}
    if settings.validation is not None:
        models[BEST_FILE] = load_sparc(out / BEST_FILE).to(settings.device)
    with _console.status("measuring"):
        summaries = {name: measure(candidate, store, settings.validation) for name, candidate in models.items()}
    for name, summary in summaries.items():
        _console.print(f"{out / name}: {summary}", highlight=False, markup=False, soft_wrap=True)
    write_summary(out, summaries)
