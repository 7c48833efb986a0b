"""Our SPARC against the published one: the same inputs and weights give the same numbers, step by step."""

from itertools import permutations
from typing import cast

import pytest
import torch

from index_build.features.store import FeatureStore
from index_build.training.options import TrainingOptions
from index_build.training.processes import Processes
from index_build.training.row_gradients import RowGradient
from index_build.training.trainer import Trainer
from sparc_core.losses import SparcLoss
from sparc_core.model import CrossPair
from sparc_core.selection import Selection
from sparc_core.sparse import to_dense
from tests.core.golden import GoldenRun, load_run, needs_golden

pytestmark = needs_golden
RTOL, ATOL = 1e-5, 1e-6
WEIGHTS = ("encoder", "dictionary", "pre_bias", "latent_bias")


@pytest.fixture(params=["global", "local"])
def run(request: pytest.FixtureRequest) -> GoldenRun:
    return load_run(cast(Selection, request.param))


@pytest.fixture
def trainer(run: GoldenRun) -> Trainer:
    settings = run.settings
    options = TrainingOptions.published(
        n_latents=settings["n_latents"],
        k=settings["k"],
        auxk=settings["auxk"],
        auxk_coef=settings["auxk_coef"],
        cross_loss_coef=settings["cross_loss_coef"],
        selection=settings["topk"],
        lr=settings["optimizer"]["lr"],
        batch_size=settings["batch"],
        num_epochs=1,
        dead_steps_threshold=settings["dead_steps_threshold"],
        auxk_threshold=settings["auxk_threshold"],
        shuffle=False,
    )
    store = FeatureStore.of({stream: x.numpy() for stream, x in run.features().items()})
    return Trainer(store, options, run.model("init"))


def close(actual: torch.Tensor, expected: torch.Tensor, what: str) -> None:
    torch.testing.assert_close(actual, expected, rtol=RTOL, atol=ATOL, msg=lambda text: f"{what}: {text}")


def test_forward_pass(run: GoldenRun) -> None:
    output = run.model("init")(run.features(run.settings["batch"]))
    for stream in run.streams:
        close(output.logits[stream], run.tensors[f"step0.logits.{stream}"], f"logits {stream}")
        code = to_dense(output.codes[stream], run.settings["n_latents"])
        close(code, run.tensors[f"step0.codes.{stream}"], f"code {stream}")
        close(output.reconstructions[stream], run.tensors[f"step0.recon.{stream}"], f"reconstruction {stream}")
    for source, target in permutations(run.streams, 2):
        expected = run.tensors[f"step0.cross_recon.{target}_from_{source}"]
        close(output.cross_reconstructions[CrossPair(source, target)], expected, f"{target} from {source}")


def test_encode_is_the_forward_pass_without_the_rest(run: GoldenRun) -> None:
    codes = run.model("init").encode(run.features(run.settings["batch"]))
    for stream, code in codes.items():
        close(to_dense(code, run.settings["n_latents"]), run.tensors[f"step0.codes.{stream}"], stream)


def test_gradients_of_the_first_step(run: GoldenRun, trainer: Trainer) -> None:
    batch = run.features(run.settings["batch"])
    gradients = trainer.gradient(batch, Processes().share(run.settings["batch"])).streams
    for stream in run.streams:
        for name in WEIGHTS:
            gradient = getattr(gradients[stream], name)
            found = gradient.dense() if isinstance(gradient, RowGradient) else gradient
            close(found, run.weight("step0.grad", stream, name), f"gradient of {stream} {name}")


def check_loss(loss: SparcLoss, expected: dict[str, float], step: int) -> None:
    found = {"total_loss": loss.total}
    found |= {f"mse_loss_{stream}": term for stream, term in loss.reconstruction.items()}
    found |= {f"auxk_loss_{stream}": term for stream, term in loss.auxk.items()}
    found |= {f"cross_loss_{pair.target}_from_{pair.source}": term for pair, term in loss.cross.items()}
    for name, term in found.items():
        assert float(term.detach()) == pytest.approx(expected[name], rel=RTOL, abs=ATOL), f"step {step}, {name}"


def test_every_step_and_the_final_weights(run: GoldenRun, trainer: Trainer) -> None:
    assert trainer.n_steps == run.settings["steps"]
    for step, expected in enumerate(run.settings["metrics"]):
        check_loss(trainer.step(), expected, step)
    for stream in run.streams:
        for name in WEIGHTS:
            weight = getattr(trainer.model.autoencoder(stream), name).detach()
            close(weight, run.weight("final", stream, name), f"{stream} {name}")
        assert torch.equal(trainer.dead.steps_asleep[stream], run.tensors[f"final.stats_last_nonzero_{stream}"])


def test_some_latents_were_dead_in_the_reference(run: GoldenRun) -> None:
    """Without dead latents the run would say nothing about AuxK."""
    threshold = run.settings["dead_steps_threshold"]
    assert any((run.tensors[f"final.stats_last_nonzero_{stream}"] > threshold).any() for stream in run.streams)
