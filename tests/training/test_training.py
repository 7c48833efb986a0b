"""Training: bits that do not depend on interruptions, what it leaves behind, and what each option does.

The published numbers are in `test_golden_training`.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from index_build.features.store import FeatureStore
from index_build.training.dead_latents import DeadLatents
from index_build.training.progress import TrainingProgress
from index_build.training.resampling import resample_with_noise, resample_with_rows
from index_build.training.run import train_sparc
from index_build.training.schedule import learning_rate
from index_build.training.trainer import Trainer
from sparc_core.errors import InputError, ShapeError
from sparc_core.model import normalize
from sparc_core.sparse import SparseCode
from tests.training.training_examples import (
    N_ROWS,
    RECIPES,
    WIDTHS,
    InterruptionError,
    assert_same_bits,
    initial_model,
    small,
    stop_at,
)


@pytest.mark.parametrize("recipe", RECIPES)
def test_an_interrupted_run_ends_with_the_same_bits(recipe: str, store: FeatureStore, tmp_path: Path) -> None:
    options = small(recipe)
    whole = train_sparc(store, options, tmp_path / "whole")
    for step in (50, 100):  # checkpoints lie at 40 and 90: the steps after them are taken twice
        with pytest.raises(InterruptionError):
            train_sparc(store, options, tmp_path / "cut", [stop_at(step)])
    resumed = train_sparc(store, options, tmp_path / "cut")
    assert_same_bits(whole, resumed)
    steps = [json.loads(line)["step"] for line in (tmp_path / "cut" / "metrics.jsonl").read_text().splitlines()]
    assert steps == [50, 100, 120]


def test_the_same_seed_gives_the_same_bits_and_another_does_not(store: FeatureStore, tmp_path: Path) -> None:
    options = small(num_epochs=3)
    first = train_sparc(store, options, tmp_path / "first")
    assert_same_bits(first, train_sparc(store, options, tmp_path / "second"))
    other = train_sparc(store, small(num_epochs=3, seed=1), tmp_path / "other")
    assert not torch.equal(first.dictionary("dino"), other.dictionary("dino"))


def test_a_finished_run_is_read_back(store: FeatureStore, tmp_path: Path) -> None:
    reports: list[TrainingProgress] = []
    options = small(num_epochs=3)
    first = train_sparc(store, options, tmp_path)
    assert_same_bits(first, train_sparc(store, options, tmp_path, [reports.append]))
    assert reports == []


def test_a_folder_of_another_run_is_refused(store: FeatureStore, tmp_path: Path) -> None:
    train_sparc(store, small(num_epochs=2), tmp_path)
    with pytest.raises(InputError, match="other features or options"):
        train_sparc(store, small(num_epochs=2, lr=1e-4), tmp_path)
    shifted = store.subset(np.arange(N_ROWS)[::-1].copy())
    with pytest.raises(InputError, match="other features or options"):
        train_sparc(shifted, small(num_epochs=2), tmp_path)
    assert train_sparc(store, small(num_epochs=2, checkpoint_every=3), tmp_path) is not None


def test_a_metrics_line_cut_short_is_dropped(store: FeatureStore, tmp_path: Path) -> None:
    with pytest.raises(InterruptionError):
        train_sparc(store, small(), tmp_path, [stop_at(100)])
    path = tmp_path / "metrics.jsonl"
    path.write_text(path.read_text() + '{"epoch": 3, "st')
    train_sparc(store, small(), tmp_path)
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [50, 100, 120]


def test_progress_says_where_the_run_stands(store: FeatureStore, tmp_path: Path) -> None:
    reports: list[TrainingProgress] = []
    train_sparc(store, small(), tmp_path, [reports.append])
    assert [(report.epoch, report.step, report.n_steps) for report in reports] == [
        (13, 50, 120), (25, 100, 120), (30, 120, 120)
    ]  # fmt: skip
    assert list(reports[-1].nmse) == list(WIDTHS)
    assert reports[-1].loss < reports[0].loss
    assert 0 <= reports[-1].dead_share <= 1
    assert reports[-1].rows_per_second > 0
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [report.as_dict() for report in reports]


def test_training_learns_what_the_streams_share(store: FeatureStore, tmp_path: Path) -> None:
    options = small(num_epochs=60)
    x = store.rows(np.arange(N_ROWS))
    before = initial_model(store, options)(x)
    after = train_sparc(store, options, tmp_path)(x)
    for pair, cross in after.cross_reconstructions.items():
        target = x[pair.target]
        error = (cross - target).square().mean()
        assert error < 0.5 * (before.cross_reconstructions[pair] - target).square().mean()
        assert error < 0.5 * (target - target.mean(0)).square().mean()


def test_dictionary_rows_have_unit_norm_after_a_storybook_step(store: FeatureStore) -> None:
    trainer = Trainer(store, small())
    trainer.step()
    for stream in WIDTHS:
        norms = trainer.model.autoencoder(stream).dictionary.norm(dim=1)
        torch.testing.assert_close(norms, torch.ones_like(norms))


def test_initial_latents_point_to_the_same_item_in_every_stream(store: FeatureStore) -> None:
    x = store.rows(np.arange(N_ROWS))
    model = initial_model(store, small())
    nearest = []
    for stream, rows in x.items():
        torch.testing.assert_close(model.autoencoder(stream).pre_bias.detach(), rows.mean(0))
        nearest.append((model.dictionary(stream) @ normalize(rows - rows.mean(0)).T).argmax(1))
    assert torch.equal(nearest[0], nearest[1])
    assert torch.equal(nearest[0], nearest[2])
    assert len(set(nearest[0].tolist())) == 24


def test_a_row_that_points_nowhere_starts_no_latent(features: dict[str, np.ndarray]) -> None:
    spoiled = features["dino"].copy()
    spoiled[:50] = np.nan
    model = initial_model(FeatureStore.of(features | {"dino": spoiled}), small(n_latents=N_ROWS))
    for value in model.state_dict().values():
        assert torch.isfinite(value).all()
    norms = model.autoencoder("dino").dictionary.norm(dim=1)
    torch.testing.assert_close(norms, torch.ones_like(norms))


def test_more_latents_than_rows(store: FeatureStore, tmp_path: Path) -> None:
    few = store.subset(np.arange(5))
    model = train_sparc(few, small(num_epochs=10), tmp_path)
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (0.25, 3), (0.5, 6), (1.0, 12)])
def test_local_share_counts_the_steps(store: FeatureStore, share: float, expected: int) -> None:
    trainer = Trainer(store, small(num_epochs=3, local_share=share))
    used = []
    for _ in range(12):
        used.append(trainer.selection())
        trainer.step()
    assert used.count("local") == expected
    assert used.count("global") == 12 - expected


def test_learning_rate_rises_and_falls() -> None:
    options = small(num_epochs=3, lr=0.12, warmup_steps=3, decay_share=0.5)
    rates = [learning_rate(options, step, 12) for step in range(12)]
    expected = [0.04, 0.08, 0.12, 0.12, 0.12, 0.12, 0.12, 0.10, 0.08, 0.06, 0.04, 0.02]
    assert rates == pytest.approx(expected)


def test_counters_by_hand() -> None:
    dead = DeadLatents(["dino"], n_latents=3, steps_threshold=1, activation_threshold=0.1)
    active = SparseCode(torch.tensor([[0, 1], [0, 2]]), torch.tensor([[0.5, 0.1], [0.3, 0.0]]))
    dead.advance(dead.awake({"dino": active}))
    assert dead.steps_asleep["dino"].tolist() == [1, 1, 1]
    assert not dead.masks()["dino"].any()
    dead.advance(dead.awake({"dino": active}))
    assert dead.steps_asleep["dino"].tolist() == [1, 2, 2]
    assert dead.masks()["dino"].tolist() == [False, True, True]
    assert dead.share() == pytest.approx(2 / 3)
    dead.wake("dino", torch.tensor([2]))
    assert dead.masks()["dino"].tolist() == [False, True, False]


def test_noise_touches_dead_encoder_rows_only(store: FeatureStore) -> None:
    model = initial_model(store, small())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    dead = {"dino": torch.arange(24) < 2, "clip_txt": torch.zeros(24, dtype=torch.bool)}
    changed = resample_with_noise(model, dead, torch.Generator().manual_seed(0))
    assert {stream: latents.tolist() for stream, latents in changed.items()} == {"dino": [0, 1], "clip_txt": []}
    encoder, old = model.autoencoder("dino").encoder, before["streams.dino.encoder"]
    assert torch.equal(encoder[2:], old[2:])
    assert (encoder[:2].norm(dim=1) < 0.1 * old[:2].norm(dim=1)).all()
    for name, value in model.state_dict().items():
        assert name == "streams.dino.encoder" or torch.equal(value, before[name])


def test_resampling_wakes_unused_latents_and_completes_half_used_ones(store: FeatureStore) -> None:
    x = store.rows(np.arange(N_ROWS))
    model = initial_model(store, small(k=6))
    with torch.no_grad():
        for stream in WIDTHS:
            model.autoencoder(stream).latent_bias[:3] = -50  # latents 0 to 2: unused everywhere
        model.autoencoder("dino").latent_bias[3] = -0.9  # latent 3: chosen by the others, silent in dino
        for stream in ("clip_img", "clip_txt"):
            model.autoencoder(stream).latent_bias[3] = 2
    changed = resample_with_rows(model, x, torch.Generator().manual_seed(0))
    assert {0, 1, 2} <= set(changed["clip_img"].tolist()) == set(changed["clip_txt"].tolist())
    assert set(changed["dino"].tolist()) == set(changed["clip_img"].tolist()) | {3}
    for code in model.encode(x).values():
        used = set(code.latents[code.activations > 0].tolist())
        assert {0, 1, 2, 3} <= used


def test_resampling_leaves_a_model_without_dead_latents_alone(store: FeatureStore) -> None:
    x = store.rows(np.arange(N_ROWS))
    model = initial_model(store, small(n_latents=4, k=4))
    with torch.no_grad():
        for stream in WIDTHS:
            model.autoencoder(stream).latent_bias += 2
    before = {name: value.clone() for name, value in model.state_dict().items()}
    changed = resample_with_rows(model, x, torch.Generator().manual_seed(0))
    assert all(len(latents) == 0 for latents in changed.values())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"k": 0}, "k is 0: at least 1"),
        ({"k": 25}, "k is 25: choose from 1 to n_latents, 24"),
        ({"lr": 0.0}, "lr is 0.0: it must be positive"),
        ({"local_share": 1.5}, "local_share is 1.5: a share lies between 0 and 1"),
        ({"auxk_coef": -1.0}, "auxk_coef is -1.0: it cannot be negative"),
        ({"resample": "often"}, "resample is 'often': choose from none, noise, rows"),
    ],
)
def test_options_out_of_range(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        small(**changes)


def test_unusable_features(features: dict[str, np.ndarray], tmp_path: Path) -> None:
    def train(changed: dict[str, np.ndarray]) -> None:
        train_sparc(FeatureStore.of(changed), small(), tmp_path)

    with pytest.raises(InputError, match="no stream was given"):
        train({})
    with pytest.raises(ShapeError, match="dino"):
        train(features | {"dino": features["dino"][:-1]})
    with pytest.raises(InputError, match="stream clip_txt are the same in every row"):
        train(features | {"clip_txt": np.repeat(features["clip_txt"][:1], N_ROWS, axis=0)})
    with pytest.raises(InputError, match="stream dino are not finite in any row"):
        train(features | {"dino": np.full_like(features["dino"], np.nan)})
