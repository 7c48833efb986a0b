"""Loss terms by hand; the published numbers are in `test_golden_training`."""

import pytest
import torch

from sparc_core.losses import Decoded, SparcLoss, auxk_nmse, auxk_unexplained, nmse, sparc_loss, unexplained
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
    own, pre_bias = torch.zeros_like(X), torch.tensor([0.0, 1.0])
    # target X + pre_bias = [1, 2], [2, 1]; the pre-bias alone misses by [1, 1] and [2, 0]: 2/5 and 4/5
    assert auxk_nmse(X, own, None, pre_bias).item() == pytest.approx(0.6)
    assert auxk_unexplained(X, own, None).item() == 0


def test_auxk_reconstructs_the_residual_from_dead_latents() -> None:
    made, own = torch.tensor([[1.0, 0.0], [2.0, 0.0]]), torch.zeros_like(X)
    # [1, 1] and [2, 0] less what was made: what is left is 1 of 6
    assert auxk_unexplained(X, own, made).item() == pytest.approx(1 / 6)
    assert auxk_nmse(X, own, made, torch.zeros(2)).item() == pytest.approx((0.5 + 0) / 2)


def test_auxk_sends_no_gradient_into_the_reconstruction() -> None:
    own, made = torch.zeros_like(X).requires_grad_(), torch.zeros_like(X).requires_grad_()
    auxk_unexplained(X, own, made).backward()
    assert own.grad is None
    assert made.grad is not None


def test_one_stream_has_no_cross_term_and_coefficients_weigh() -> None:
    generator = torch.Generator().manual_seed(0)
    features = {stream: normalize(torch.randn(5, 4, generator=generator)) for stream in ("dino", "clip_img")}
    model = Sparc(SparcConfig({"dino": 4, "clip_img": 4}, 9, 3), generator)

    def loss_of(batch: dict[str, torch.Tensor], cross_loss_coef: float) -> SparcLoss:
        output = model(batch)
        made = {stream: torch.randn(5, 4, generator=generator) for stream in batch}
        pre_biases = {stream: model.autoencoder(stream).pre_bias for stream in batch}
        decoded = Decoded(output.reconstructions, output.cross_reconstructions, made, pre_biases)
        return sparc_loss(batch, decoded, auxk_coef=0.5, cross_loss_coef=cross_loss_coef)

    loss = loss_of({"dino": features["dino"]}, 1.0)
    assert loss.cross == {}
    assert loss.total.item() == pytest.approx((loss.reconstruction["dino"] + 0.5 * loss.auxk["dino"]).item())
    both = loss_of(features, 3.0)
    expected = (
        sum(term.item() for term in both.reconstruction.values()) / 2
        + 3 * sum(term.item() for term in both.cross.values()) / 2
        + 0.5 * sum(term.item() for term in both.auxk.values()) / 2
    )
    assert both.total.item() == pytest.approx(expected)
