"""The plain step that the benchmark compares with is the published one."""

from typing import cast

import pytest
import torch

from benchmarks.dense_sparc import DenseTrainer
from index_build.training.options import TrainingOptions
from sparc_core.selection import Selection
from tests.core.golden import load_run, needs_golden

pytestmark = needs_golden


@pytest.mark.parametrize("selection", ["global", "local"])
def test_every_step_and_the_final_weights(selection: str) -> None:
    run = load_run(cast(Selection, selection))
    settings = run.settings
    names = ("n_latents", "k", "auxk", "auxk_coef", "cross_loss_coef", "dead_steps_threshold", "auxk_threshold")
    options = TrainingOptions.published(
        **{name: settings[name] for name in names}, selection=settings["topk"], lr=settings["optimizer"]["lr"]
    )
    trainer, n_batch = DenseTrainer(run.model("init"), options), settings["batch"]
    for step, expected in enumerate(settings["metrics"]):
        rows = slice(step * n_batch, (step + 1) * n_batch)
        loss = trainer.step({stream: x[rows] for stream, x in run.features().items()})
        assert float(loss) == pytest.approx(expected["total_loss"], rel=1e-5, abs=1e-6)
    for stream in run.streams:
        found = {
            "encoder": trainer.encoders[stream].weight,
            "dictionary": trainer.decoders[stream].weight.T,
            "pre_bias": trainer.pre_biases[stream],
            "latent_bias": trainer.latent_biases[stream],
        }
        for name, weight in found.items():
            expected_weight = run.weight("final", stream, name)
            torch.testing.assert_close(weight.detach(), expected_weight, rtol=1e-5, atol=1e-6)
