"""Sparse gradients against autograd over dense codes, and what Adam makes of them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from index_build.features.store import FeatureStore
from index_build.training import block_adam
from index_build.training.block_adam import BlockAdam
from index_build.training.encoder import Encoder
from index_build.training.processes import Processes
from index_build.training.row_gradients import RowGradient, order_by_latent, row_term
from index_build.training.trainer import Trainer
from sparc_core.losses import Decoded, sparc_loss
from sparc_core.model import CrossPair, Sparc
from sparc_core.selection import choose, choose_dead
from tests.training.training_examples import N_ROWS, WIDTHS, small

WEIGHTS = ("encoder", "dictionary", "pre_bias", "latent_bias")
N_LATENTS = 24


def plain_gradient(latents: Tensor, weights: Tensor, table: Tensor, n_latents: int) -> Tensor:
    """Slot by slot."""
    gradient = torch.zeros(n_latents, table.shape[1])
    for row in range(len(latents)):
        for latent, weight in zip(latents[row].tolist(), weights[row].tolist(), strict=True):
            gradient[latent] += weight * table[row]
    return gradient


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(1, 9), st.integers(0, 4), st.integers(1, 12))
def test_row_gradient_is_the_sum_over_slots(seed: int, n_rows: int, k: int, n_block: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    terms, expected = [], torch.zeros(11, 5)
    for _ in range(2):
        latents = torch.randint(0, 11, (n_rows, k), generator=generator)
        weights, table = torch.randn(n_rows, k, generator=generator), torch.randn(n_rows, 5, generator=generator)
        terms.append(row_term(order_by_latent(latents, 11), weights, table))
        expected += plain_gradient(latents, weights, table, 11)
    gradient = RowGradient(terms)
    torch.testing.assert_close(gradient.dense(), expected)
    for start in range(0, 11, n_block):
        block = torch.full((min(n_block, 11 - start), 5), torch.nan)  # what was in the buffer does not matter
        torch.testing.assert_close(gradient.write(start, block), expected[start : start + n_block])


def dense_gradients(trainer: Trainer, x: dict[str, Tensor], dead: dict[str, Tensor]) -> Sparc:
    """The trainer's model with autograd's gradients, from codes as wide as the dictionary."""
    model, options = trainer.model, trainer.options
    logits = model.all_logits(x)
    latents = choose(logits, options.k, trainer.selection())
    dictionaries = {stream: model.autoencoder(stream).dictionary for stream in x}
    biases = {stream: model.autoencoder(stream).pre_bias for stream in x}

    def code(stream: str, chosen: Tensor) -> Tensor:
        kept = torch.relu(logits[stream].gather(1, chosen))
        return torch.zeros_like(logits[stream]).scatter(1, chosen, kept)

    codes = {stream: code(stream, chosen) for stream, chosen in latents.items()}
    made = {
        stream: code(stream, choose_dead(logits[stream], dead[stream], options.auxk)) @ dictionaries[stream]
        if dead[stream].any()
        else None
        for stream in x
    }
    decoded = Decoded(
        {s: codes[s] @ dictionaries[s] + biases[s] for s in x},
        {CrossPair(s, t): codes[s] @ dictionaries[t] + biases[t] for s in x for t in x if s != t},
        made,
        biases,
    )
    coefs = {"auxk_coef": options.auxk_coef, "cross_loss_coef": options.cross_loss_coef}
    sparc_loss(x, decoded, **coefs, variance=trainer._variance).total.backward()
    return model


@pytest.mark.parametrize("recipe", ["published", "storybook"])
@pytest.mark.parametrize("selection", ["global", "local"])
@pytest.mark.parametrize("n_dead", [0, 2, 9])
def test_gradients_are_those_of_autograd(recipe: str, selection: str, n_dead: int, store: FeatureStore) -> None:
    options = small(recipe, selection=selection, local_share=0.0, auxk_coef=0.5, auxk_threshold=1e9)
    trainer = Trainer(store, options)
    asleep = torch.where(torch.arange(N_LATENTS) < n_dead, 100, 0)
    for stream, steps in trainer.dead.steps_asleep.items():
        steps.copy_(asleep.roll(1 if stream == "dino" else 0))
    dead = trainer.dead.masks()
    x = store.rows(np.arange(40))
    found = trainer.gradient(x, Processes().share(40)).streams
    expected = dense_gradients(trainer, x, dead)
    for stream in WIDTHS:
        for name in WEIGHTS:
            gradient = getattr(found[stream], name)
            gradient = gradient.dense() if isinstance(gradient, RowGradient) else gradient
            wanted = getattr(expected.autoencoder(stream), name).grad
            torch.testing.assert_close(gradient, wanted, rtol=1e-4, atol=1e-6)


def test_adam_is_torchs_adam_whatever_the_blocks(store: FeatureStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_adam, "_CPU_BLOCK_BYTES", 5 * 4 * max(WIDTHS.values()))  # 5 rows of the widest stream
    trainer = Trainer(store, small("published", lr=0.01))
    reference = Trainer(store, small("published", lr=0.01)).model
    torchs = torch.optim.Adam(reference.parameters(), lr=0.01)
    for _ in range(3):
        gradients = trainer.gradient(store.rows(np.arange(32)), Processes().share(32)).streams
        for stream in WIDTHS:
            for name in WEIGHTS:
                gradient = getattr(gradients[stream], name)
                dense = gradient.dense() if isinstance(gradient, RowGradient) else gradient.clone()
                getattr(reference.autoencoder(stream), name).grad = dense
        trainer.optimizer.step(gradients, 0.01, "never")
        torchs.step()
    for name, value in trainer.model.state_dict().items():
        torch.testing.assert_close(value, reference.state_dict()[name], rtol=1e-5, atol=1e-7)


def test_clipping_scales_all_gradients_together(store: FeatureStore) -> None:
    trainer = Trainer(store, small("published"))
    gradients = trainer.gradient(store.rows(np.arange(32)), Processes().share(32)).streams
    dense = [
        part.dense() if isinstance(part, RowGradient) else part for stream in gradients.values() for part in stream
    ]
    norm = float(torch.sqrt(sum(part.square().sum() for part in dense)))
    for clip_norm, scale in ((norm / 4, 0.25), (norm * 4, 1.0)):
        optimizer = BlockAdam(Trainer(store, small("published")).model, Encoder(trainer.model, "float32"))
        fresh = trainer.gradient(store.rows(np.arange(32)), Processes().share(32)).streams
        optimizer.step(fresh, 0.1, "never", clip_norm)
        # after one step, Adam's first moment is a tenth of the gradient
        first = optimizer.state()["exp_avg.dino.encoder"]
        torch.testing.assert_close(first, 0.1 * scale * dense[0], rtol=1e-4, atol=1e-8)


def test_a_bfloat16_encoder_follows_the_weights(store: FeatureStore) -> None:
    trainer = Trainer(store, small(encoder_dtype="bfloat16", n_latents=12, k=12))
    exact = Trainer(store, small(n_latents=12, k=12))
    for _ in range(20):
        loss, wanted = trainer.step(), exact.step()
    assert float(loss.total) == pytest.approx(float(wanted.total), rel=0.02)
    x = store.rows(np.arange(N_ROWS))
    for stream, logits in trainer.encoder.logits(x).items():
        assert logits.dtype == torch.bfloat16
        torch.testing.assert_close(logits.float(), trainer.model.logits(stream, x[stream]), rtol=0.02, atol=0.02)


def test_weight_decay_shrinks_the_encoder_only(store: FeatureStore) -> None:
    plain, decayed = Trainer(store, small()), Trainer(store, small(encoder_weight_decay=2.0))
    before = {name: value.clone() for name, value in plain.model.state_dict().items()}
    plain.step()
    decayed.step()
    for name, value in decayed.model.state_dict().items():
        shrunk = 3e-3 * 2.0 * before[name] if name.endswith("encoder") else torch.zeros_like(value)
        torch.testing.assert_close(value, plain.model.state_dict()[name] - shrunk, rtol=1e-4, atol=1e-6)
