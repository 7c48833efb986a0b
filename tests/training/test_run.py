"""Runs: skipped batches, validation, the files a run leaves, kill -9, and two processes against one."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from index_build.cli import app
from index_build.features.store import FeatureStore
from index_build.folder_lock import locked
from index_build.training.processes import Processes
from index_build.training.progress import MetricsFile, TrainingProgress
from index_build.training.run import BEST_FILE, METRICS_FILE, STATE_FILE, RunSettings, train_sparc
from index_build.training.run_folder import RunRequest, new_run, read_request, split
from index_build.training.summary import model_liveness
from index_build.training.trainer import MOST_SKIPPED, Trainer
from index_build.training.validation import validate
from sparc_core.checkpoint import load_metadata, load_sparc
from sparc_core.errors import InputError
from tests.training.training_examples import N_ROWS, WIDTHS, small

ROOT = Path(__file__).resolve().parents[2]
FLAGS = "--n-latents 24 --k 3 --auxk 4 --batch-size 32 --lr 0.003 --set checkpoint_every=10".split()


def spoiled(features: dict[str, np.ndarray], row: int) -> dict[str, np.ndarray]:
    clip_img = features["clip_img"].copy()
    clip_img[row, 1] = np.nan
    return features | {"clip_img": clip_img}


def test_a_batch_without_a_finite_loss_is_skipped_and_counted(features: dict[str, np.ndarray]) -> None:
    trainer = Trainer(FeatureStore.of(spoiled(features, 40)), small("published", shuffle=False, resample="none"))
    trainer.step()  # rows 0 to 31
    weights = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    moments = {name: value.clone() for name, value in trainer.optimizer.state().items()}
    counters = trainer.dead.copy()
    loss = trainer.step()  # rows 32 to 63
    assert math.isnan(float(loss.total))
    assert (trainer.n_skipped, trainer.steps_done, trainer.optimizer.steps_done) == (1, 2, 1)
    assert all(torch.equal(value, weights[name]) for name, value in trainer.model.state_dict().items())
    assert all(torch.equal(value, moments[name]) for name, value in trainer.optimizer.state().items())
    assert all(torch.equal(steps, counters[stream]) for stream, steps in trainer.dead.steps_asleep.items())
    trainer.step()
    assert (trainer.n_skipped, trainer.skipped_in_a_row, trainer.optimizer.steps_done) == (1, 0, 2)


def test_too_many_skipped_batches_end_the_run_and_name_the_row(features: dict[str, np.ndarray], tmp_path: Path) -> None:
    store = FeatureStore.of(spoiled(features, 40)).subset(np.arange(32, 64))
    message = rf"not finite in {MOST_SKIPPED} batches in a row.*stream clip_img are not finite, or all zero, in row 40"
    with pytest.raises(InputError, match=message):
        train_sparc(store, small("published", resample="none", num_epochs=50), tmp_path)


def test_a_short_run_without_a_usable_batch_is_an_error_too(features: dict[str, np.ndarray], tmp_path: Path) -> None:
    store = FeatureStore.of(spoiled(features, 40)).subset(np.arange(32, 64))
    with pytest.raises(InputError, match="not finite in 1 batches in a row"):
        train_sparc(store, small("published", num_epochs=1), tmp_path)


@pytest.mark.parametrize("changes", [{"mix_share": 0.5}, {"loss_scale": "variance"}, {}])
def test_a_row_of_zeros_has_its_batch_skipped(changes: dict[str, Any], features: dict[str, np.ndarray]) -> None:
    dino = features["dino"].copy()
    dino[7] = 0
    trainer = Trainer(FeatureStore.of(features | {"dino": dino}), small("published", shuffle=False, **changes))
    for _ in range(5):
        trainer.step()
    assert trainer.n_skipped == 2  # the first batch of each epoch


def test_held_out_rows_that_cannot_be_used_end_the_run(features: dict[str, np.ndarray], tmp_path: Path) -> None:
    held_out = FeatureStore.of(spoiled(features, 40)).subset(np.array([40]))
    with pytest.raises(InputError, match="hold out rows of which at least one is finite"):
        train_sparc(FeatureStore.of(features), small(), tmp_path, settings=RunSettings(held_out))


def test_batches_that_processes_cannot_share_are_refused_at_the_start(store: FeatureStore) -> None:
    with pytest.raises(InputError, match="the last batch of an epoch has 2 of 110 rows, too few for 3 processes"):
        Trainer(store, small(batch_size=36), processes=Processes(0, 3))


def test_a_run_that_diverges_says_so(store: FeatureStore, tmp_path: Path) -> None:
    options = small("published", lr=1e30, num_epochs=40, resample="none")
    with pytest.raises(InputError, match=r"training diverged; start afresh with a lower lr than 1e\+30"):
        train_sparc(store, options, tmp_path)


def test_spoiled_rows_count_nowhere_in_the_storybook_recipe(features: dict[str, np.ndarray], tmp_path: Path) -> None:
    model = train_sparc(FeatureStore.of(spoiled(features, 40)), small(num_epochs=10), tmp_path)
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())
    last = json.loads((tmp_path / METRICS_FILE).read_text().splitlines()[-1])
    assert last["n_skipped"] == 10


def test_validation_is_measured_and_the_best_model_kept(store: FeatureStore, tmp_path: Path) -> None:
    train, held_out = split(store, 20)
    assert held_out is not None
    reports: list[TrainingProgress] = []
    model = train_sparc(train, small(), tmp_path, [reports.append], RunSettings(held_out))
    measured = [report.validation for report in reports if report.validation is not None]
    assert len(measured) == 30
    scores = [validation.score(2.0) for validation in measured]
    assert scores[-1] < scores[0]
    best = load_sparc(tmp_path / BEST_FILE)
    assert validate(best, held_out).score(2.0) == pytest.approx(min(scores))
    assert int(load_metadata(tmp_path / BEST_FILE)["step"]) == 3 * (scores.index(min(scores)) + 1)
    assert validate(model, held_out) == measured[-1]


def test_validation_by_hand(store: FeatureStore) -> None:
    model = Trainer(store, small(n_latents=24)).model
    x = store.rows(np.arange(N_ROWS))
    with torch.no_grad():
        output, found = model(x), validate(model, store)
    for stream, decoded in output.reconstructions.items():
        errors = ((decoded - x[stream]) ** 2).sum(1) / (x[stream] ** 2).sum(1)
        assert found.nmse[stream] == pytest.approx(float(errors.mean()), rel=1e-5)
    crossed = [
        float((((decoded - x[pair.target]) ** 2).sum(1) / (x[pair.target] ** 2).sum(1)).mean())
        for pair, decoded in output.cross_reconstructions.items()
    ]
    assert found.mean_cross_nmse == pytest.approx(sum(crossed) / 6, rel=1e-5)
    assert found.score(3.0) == pytest.approx(sum(found.nmse.values()) / 3 + 3 * sum(crossed) / 6, rel=1e-5)


def test_rows_that_cannot_be_used_count_in_no_mean(features: dict[str, np.ndarray], store: FeatureStore) -> None:
    model = Trainer(store, small()).model
    others = store.subset(np.delete(np.arange(N_ROWS), 40))
    found, expected = validate(model, FeatureStore.of(spoiled(features, 40))), validate(model, others)
    assert found.nmse == pytest.approx(expected.nmse)


def test_the_split_is_fixed_and_shares_no_row(features: dict[str, np.ndarray]) -> None:
    numbered = np.arange(1, N_ROWS + 1, dtype=np.float32)
    store = FeatureStore.of({"dino": np.stack([numbered, np.ones_like(numbered)], 1)})
    train, held_out = split(store, 20)
    assert held_out is not None
    assert (len(train), len(held_out)) == (90, 20)
    rows = [part.rows(np.arange(len(part)))["dino"] for part in (train, held_out)]
    numbers = torch.cat([(x[:, 0] / x[:, 1]).round().int() for x in rows])
    assert sorted(numbers.tolist()) == list(range(1, N_ROWS + 1))
    again = split(store, 20)[1]
    assert again is not None
    assert torch.equal(again.rows(np.arange(20))["dino"], rows[1])
    for wrong in (N_ROWS, -1):
        with pytest.raises(InputError, match="hold out at least 1 and leave some"):
            split(store, wrong)


def test_liveness_of_a_model_by_hand(store: FeatureStore) -> None:
    model = Trainer(store, small(n_latents=24, k=24)).model
    with torch.no_grad():
        for stream in WIDTHS:
            model.autoencoder(stream).latent_bias += 5
        model.autoencoder("dino").latent_bias[:3] = -50
        for stream in WIDTHS:
            model.autoencoder(stream).latent_bias[3:5] = -50
    assert model_liveness(model, store) == (19, 3, 2)


def test_metrics_are_strict_json_even_where_a_loss_is_not_finite(tmp_path: Path) -> None:
    nan = float("nan")
    progress = TrainingProgress(1, 2, 3, 6, nan, {"dino": nan}, nan, 0.0, 1, 1e-3, 10.0, 1.0)
    MetricsFile(tmp_path / "metrics.jsonl", 0)(progress)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    line = json.loads((tmp_path / "metrics.jsonl").read_text(), parse_constant=refuse)
    assert line["loss"] is None
    assert line["nmse"] == {"dino": None}


# The command


@pytest.fixture
def feature_flags(features: dict[str, np.ndarray], tmp_path: Path) -> list[str]:
    flags = []
    for stream, x in features.items():
        np.save(tmp_path / f"{stream}.npy", x)
        flags += ["--features", f"{stream}={tmp_path / stream}.npy"]
    return flags


def train(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, ["train", *map(str, arguments)])


def test_a_run_from_the_command_line(feature_flags: list[str], tmp_path: Path) -> None:
    out = tmp_path / "run"
    result = train("--out", out, *feature_flags, *FLAGS, "--num-epochs", 5, "--validation-rows", 20, "--tensorboard")
    assert result.exit_code == 0, result.output
    assert "epoch 5: validation NMSE dino" in result.output
    assert "step 15/15: loss" in result.output
    assert f"{out / 'best.safetensors'}: dead" in result.output
    model = load_sparc(out / "sparc.safetensors")
    assert (model.config.n_latents, model.config.k, model.config.streams) == (24, 3, WIDTHS)
    request = read_request(out)
    assert request.options.checkpoint_every == 10
    assert request.validation_rows == 20
    summary = json.loads((out / "summary.json").read_text())
    assert set(summary) == {"sparc.safetensors", "best.safetensors"}
    assert 0 < summary["sparc.safetensors"]["validation"]["mean_cross_nmse"] < 2
    assert list((out / "tensorboard").glob("events*"))
    validated = [json.loads(line)["validation"] for line in (out / METRICS_FILE).read_text().splitlines()]
    assert len([entry for entry in validated if entry]) == 5


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--features", "dino"], "--features is 'dino': write it as STREAM=PATH"),
        (["--features", "dino=a.npy", "--features", "dino=b.npy"], "--features names dino twice: leave one out"),
        (["--features", "dino=nowhere.npy"], "there are no features of stream dino at nowhere.npy"),
        ([], "no stream was given"),
        (["--recipe", "best"], "recipe is 'best': choose from default, published"),
        (["--k", "0"], "k is 0: at least 1 is needed"),
        (["--set", "speed=9"], "there is no option 'speed': choose from n_latents"),
        (["--set", "warmup_steps=soon"], "warmup_steps is 'soon': give a whole number"),
        (["--selection", "both"], "selection is 'both': choose from global, local"),
        (["--device", "tpu"], "device is 'tpu': choose from auto, cpu, cuda"),
        (["--resume"], "there is no run to resume in"),
        (["--resume", "--recipe", "published"], "leave the other settings out"),
        (["--k", "4", "--set", "k=5"], "k is given twice"),
        (["--lr", "nan"], "lr is nan: give a finite number"),
        (["--seed", "99999999999"], "seed is 99999999999: it must be below 2^31"),
        (["--set", "shuffle=0"], "shuffle is '0': give true or false"),
    ],
)
def test_mistakes_are_one_line(flags: list[str], message: str, tmp_path: Path) -> None:
    result = train("--out", tmp_path / "run", *flags)
    assert result.exit_code == 2
    assert message in result.output
    assert result.output.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_what_cannot_start_leaves_the_folder_as_it_was(
    feature_flags: list[str], features: dict[str, np.ndarray], tmp_path: Path
) -> None:
    np.save(tmp_path / "dino.npy", np.full_like(features["dino"], np.nan))
    result = train("--out", tmp_path / "run", *feature_flags, *FLAGS)
    assert result.exit_code == 2
    assert "features of stream dino are not finite in any row" in result.output
    np.save(tmp_path / "dino.npy", features["dino"])
    assert train("--out", tmp_path / "run", *feature_flags, *FLAGS, "--num-epochs", 1).exit_code == 0


@pytest.mark.parametrize("reported", [True, False])
def test_a_folder_is_free_again_only_if_nothing_was_reported(reported: bool, tmp_path: Path) -> None:
    def fail() -> None:
        (tmp_path / METRICS_FILE).write_text('{"step": 50}\n' if reported else "")
        raise InputError("diverged")

    with pytest.raises(InputError, match="diverged"), new_run(RunRequest({}, small()), tmp_path):
        fail()
    assert (tmp_path / "run.json").exists() == reported


def test_trouble_with_the_disk_is_one_line(feature_flags: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "run"):
        result = train("--out", out, *feature_flags, *FLAGS)
        assert (result.exit_code, result.output.count("\n")) == (2, 1)
        assert f"folder {out} cannot be written" in result.output
    out = tmp_path / "run"
    (out / METRICS_FILE).mkdir(parents=True)  # stands for any file that cannot be written
    result = train("--out", out, *feature_flags, *FLAGS)
    assert (result.exit_code, result.output.count("\n")) == (2, 1)
    assert "Is a directory" in result.output


def test_streams_that_cannot_be_aligned_by_item_are_named(
    feature_flags: list[str], features: dict[str, np.ndarray], tmp_path: Path
) -> None:
    with h5py.File(tmp_path / "dino.h5", "w") as file:
        file["features"], file["indices"] = features["dino"], np.arange(N_ROWS)
    flags = [flag.replace("dino.npy", "dino.h5") for flag in feature_flags]
    assert "aligned by row" not in train("--out", tmp_path / "a", *feature_flags, *FLAGS, "--num-epochs", 1).output
    mixed = train("--out", tmp_path / "b", *flags, *FLAGS, "--num-epochs", 1)
    assert "aligned by row, as its file names no items: clip_img, clip_txt" in mixed.output


def test_one_run_at_a_time_in_a_folder(feature_flags: list[str], tmp_path: Path) -> None:
    with locked(tmp_path / "run"):
        result = train("--out", tmp_path / "run", *feature_flags, *FLAGS)
    assert result.exit_code == 2
    assert "is in use by another process" in result.output


def test_tensorboard_is_asked_for_by_name(
    feature_flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    result = train("--out", tmp_path / "run", *feature_flags, *FLAGS, "--tensorboard")
    assert result.exit_code == 2
    assert 'pip install "sparc-explorer[tensorboard]"' in result.output


def test_half_an_environment_of_torchrun(
    feature_flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    result = train("--out", tmp_path / "run", *feature_flags, *FLAGS)
    assert result.exit_code == 2
    assert "start with torchrun, or unset WORLD_SIZE" in result.output


def test_a_finished_folder_is_neither_overwritten_nor_bent(feature_flags: list[str], tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert train("--out", out, *feature_flags, *FLAGS, "--num-epochs", 2).exit_code == 0
    before = (out / "sparc.safetensors").read_bytes()
    again = train("--out", out, *feature_flags, *FLAGS, "--num-epochs", 3)
    assert again.exit_code == 2
    assert "holds a run already: " in again.output
    bent = train("--out", out, "--resume", "--lr", 1)
    assert bent.exit_code == 2
    assert "leave the other settings out" in bent.output
    assert train("--out", out, "--resume").exit_code == 0
    assert (out / "sparc.safetensors").read_bytes() == before


# Processes


@pytest.fixture
def environment() -> dict[str, str]:
    loopback = {"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}
    return os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | loopback


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "index_build.cli", "train", *map(str, arguments)]


def torchrun(n_processes: int, *arguments: str | Path) -> list[str]:
    # --standalone finds a free port by itself
    flags = ["--standalone", "--nproc-per-node", str(n_processes)]
    return [sys.executable, "-m", "torch.distributed.run", *flags, *map(str, arguments)]


def succeed(arguments: list[str], environment: dict[str, str]) -> None:
    result = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=150, cwd=ROOT)
    assert result.returncode == 0, result.stderr


def wait_for_steps(process: subprocess.Popen[bytes], path: Path, n_steps: int) -> None:
    for _ in range(600):
        if path.exists() and path.read_text().count("\n") >= n_steps:
            return
        assert process.poll() is None, "the run ended before it was killed"
        time.sleep(0.05)
    raise AssertionError("the run took no steps within 30 seconds")


@pytest.mark.slow
def test_kill_9_and_resume_give_the_same_bits(
    feature_flags: list[str], environment: dict[str, str], tmp_path: Path
) -> None:
    flags = [*feature_flags, *FLAGS, "--num-epochs", "200", "--validation-rows", "20"]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    succeed(command("--out", whole, *flags), environment)
    arguments: list[str | Path] = ["--out", cut, *flags]
    for n_lines in (40, 150):
        process = subprocess.Popen(command(*arguments), env=environment, stdout=subprocess.DEVNULL)
        try:
            wait_for_steps(process, cut / METRICS_FILE, n_lines)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        arguments = ["--out", cut, "--resume"]
    succeed(command(*arguments), environment)
    for name in ("sparc.safetensors", BEST_FILE, STATE_FILE):
        assert (cut / name).read_bytes() == (whole / name).read_bytes(), name
    steps = [json.loads(line)["step"] for line in (cut / METRICS_FILE).read_text().splitlines()]
    assert steps == [json.loads(line)["step"] for line in (whole / METRICS_FILE).read_text().splitlines()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_says_how_to_go_on(
    number: signal.Signals, feature_flags: list[str], environment: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    arguments = ["--out", out, *feature_flags, *FLAGS, "--num-epochs", "100000"]
    process = subprocess.Popen(command(*arguments), env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    wait_for_steps(process, out / METRICS_FILE, 1)
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert (
        errors.decode() == f'interrupted: "sparc-build train --out {out} --resume" goes on from the last checkpoint\n'
    )


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["published", "default"])
def test_two_processes_equal_one(
    recipe: str, feature_flags: list[str], environment: dict[str, str], tmp_path: Path
) -> None:
    flags = [*feature_flags, *FLAGS, "--recipe", recipe, "--num-epochs", "6", "--validation-rows", "21"]
    flags += ["--set", "dead_steps_threshold=3", "--set", "resample_every=4", "--dead-neuron-threshold", "4"]
    one, two = tmp_path / "one", tmp_path / "two"
    succeed(command("--out", one, *flags), environment)
    succeed(torchrun(2, *command("--out", two, *flags)[1:]), environment)
    counters = [load_file(out / STATE_FILE) for out in (one, two)]
    for stream in WIDTHS:
        assert torch.equal(counters[0][f"steps_asleep.{stream}"], counters[1][f"steps_asleep.{stream}"])
    first, second = load_sparc(one / "sparc.safetensors"), load_sparc(two / "sparc.safetensors")
    for name, value in first.state_dict().items():
        torch.testing.assert_close(second.state_dict()[name], value, rtol=1e-5, atol=1e-5)
    losses = [
        [json.loads(line)["loss"] for line in (out / METRICS_FILE).read_text().splitlines()] for out in (one, two)
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)


@pytest.mark.slow
def test_three_processes_agree_on_everything(environment: dict[str, str], tmp_path: Path) -> None:
    """Weights and counters of every rank, where batches do not divide evenly."""
    succeed(torchrun(3, "-m", "tests.training.train_a_rank", tmp_path), environment)
    first, *others = (load_file(tmp_path / f"rank{rank}.safetensors") for rank in range(3))
    assert first["steps_asleep.dino"].max() > 1
    for other in others:
        assert other.keys() == first.keys()
        assert all(torch.equal(value, first[name]) for name, value in other.items())
