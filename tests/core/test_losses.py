"""Loss terms by hand; the published numbers are in `test_golden_training`."""

import pytest
import torch

from sparc_core.losses import auxk_nmse, auxk_unexplained, nmse, sparc_loss, unexplained
from sparc_core.model import Sparc, SparcConfig, normalize

X = torch.tensor([[1.0, 1.0], [2.0, 0.0]])


def test_nmse_weighs_rows_by_their_own_size() -> None:
    # rows: (1 + 0) / (1 + 1) = 0.5 and (0 + 1) / (4 + 0) = 0.25
    assert nmse(torch.tensor([[0.0, 1.0], [2.0, 1.0]]), X).item() == pytest.approx(0.375)
    assert nmse(X, X).item() == 0
    assert nmse(torch.zeros_like(X), X).item() == 1


def test_unexplained_weighs_all_rows_the_same() -> None:
    assert unexplained(torch.tensor([[0.0, 1.0], [2.0, 1.0]]), X, torch.tensor(2.0)).item() == pytest.approx(0.25)


def test_auxk_with_nothing_dead() -> None:
    nothing, logits, dictionary = torch.zeros(3, dtype=torch.bool), torch.ones(2, 3), torch.eye(3)[:, :2]
    own, pre_bias = torch.zeros_like(X), torch.tensor([0.0, 1.0])
    # target X + pre_bias = [1, 2], [2, 1]; the pre-bias alone misses by [1, 1] and [2, 0]: 2/5 and 4/5
    assert auxk_nmse(X, own, logits, nothing, 2, dictionary, pre_bias).item() == pytest.approx(0.6)
    assert auxk_unexplained(X, own, logits, nothing, 2, dictionary).item() == 0


def test_auxk_reconstructs_the_residual_from_dead_latents() -> None:
    dead, logits = torch.tensor([True, False, True]), torch.tensor([[1.0, 9.0, -1.0], [2.0, 9.0, -1.0]])
    dictionary, own = torch.tensor([[1.0, 0.0], [7.0, 7.0], [0.0, 1.0]]), torch.zeros_like(X)
    # latent 0 gives [1, 0] and [2, 0]: what is left is 1 of 6
    assert auxk_unexplained(X, own, logits, dead, 2, dictionary).item() == pytest.approx(1 / 6)
    assert auxk_nmse(X, own, logits, dead, 2, dictionary, torch.zeros(2)).item() == pytest.approx((0.5 + 0) / 2)


def test_auxk_sends_no_gradient_into_the_reconstruction() -> None:
    own = torch.zeros_like(X).requires_grad_()
    logits, dictionary = torch.ones(2, 3, requires_grad=True), torch.eye(3)[:, :2].clone().requires_grad_()
    auxk_unexplained(X, own, logits, torch.ones(3, dtype=torch.bool), 2, dictionary).backward()
    assert own.grad is None
    assert logits.grad is not None
    assert dictionary.grad is not None


def test_one_stream_has_no_cross_term_and_coefficients_weigh() -> None:
    generator = torch.Generator().manual_seed(0)
    features = {stream: normalize(torch.randn(5, 4, generator=generator)) for stream in ("dino", "clip_img")}
    dead = {stream: torch.ones(9, dtype=torch.bool) for stream in features}
    model = Sparc(SparcConfig({"dino": 4, "clip_img": 4}, 9, 3), generator)
    alone = {"dino": features["dino"]}
    loss = sparc_loss(model, alone, model(alone), dead, auxk=2, auxk_coef=0.5, cross_loss_coef=1.0)
    assert loss.cross == {}
    assert loss.total.item() == pytest.approx((loss.reconstruction["dino"] + 0.5 * loss.auxk["dino"]).item())
    both = sparc_loss(model, features, model(features), dead, auxk=2, auxk_coef=0.5, cross_loss_coef=3.0)
    expected = (
        sum(term.item() for term in both.reconstruction.values()) / 2
        + 3 * sum(term.item() for term in both.cross.values()) / 2
        + 0.5 * sum(term.item() for term in both.auxk.values()) / 2
    )
    assert both.total.item() == pytest.approx(expected)
