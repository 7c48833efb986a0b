"""Conservative propagation: what torch's functions give stays, their gradients are those of constants."""

import pytest
import torch
import torch.nn.functional as F

from sparc_core.attribution.propagation import Linearised, propagate
from sparc_core.backbones import load_backbone


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.layer_norm(x, (4,)),
        lambda x: F.layer_norm(x, (4,), torch.arange(4.0), torch.ones(4), 1e-3),
        torch.nn.LayerNorm(4),
        F.gelu,
        lambda x: F.gelu(x, approximate="tanh"),
        torch.nn.SiLU(),
        lambda x: x.softmax(-1),
        lambda x: x * torch.sigmoid(1.702 * x),
        lambda x: F.layer_norm(x.view(-1, 2, 4), (2, 4)),
    ],
)
def test_values_stay_the_same(function: object) -> None:
    assert callable(function)
    x = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    with Linearised():
        ours = function(x)
    torch.testing.assert_close(ours, function(x), rtol=1e-5, atol=1e-6)


def test_gradients_are_those_of_constants() -> None:
    x = torch.tensor([1.0, -2.0, 0.0], requires_grad=True)
    with Linearised():
        gates = torch.autograd.grad(F.gelu(x).sum(), x)[0]
        softmax = x.softmax(-1)
        quick = torch.autograd.grad((x * torch.sigmoid(x)).sum(), x)[0]
        normed = F.layer_norm(x, (3,), eps=0.0)
        (scale,) = torch.autograd.grad(normed[0], x)
    torch.testing.assert_close(gates, torch.tensor([0.841345, 0.022750, 0.5]), rtol=1e-4, atol=1e-5)
    assert not softmax.requires_grad
    torch.testing.assert_close(quick, torch.sigmoid(x.detach()))
    deviation = x.detach().std(unbiased=False)
    torch.testing.assert_close(scale, torch.tensor([2 / 3, -1 / 3, -1 / 3]) / deviation)


def test_tokens_share_out_all_of_a_score_where_nothing_has_a_bias() -> None:
    """Attention, norms and activations without biases: the parts of the tokens add up to the score."""
    torch.manual_seed(0)
    tokens = torch.randn(2, 5, 8, requires_grad=True)
    weights = [torch.randn(8, 8) / 3 for _ in range(3)]
    with Linearised():
        normed = F.layer_norm(tokens, (8,))
        attention = (normed @ weights[0] @ normed.transpose(1, 2)).softmax(-1)
        x = tokens + attention @ normed @ weights[1]
        x = x + F.gelu(F.layer_norm(x, (8,)) @ weights[2])
        score = x[:, 0].sum(1)
    parts = propagate(score, tokens)
    torch.testing.assert_close(parts.sum(1), score.detach(), rtol=1e-4, atol=1e-4)
    assert float(parts[:, 1:].abs().sum()) > 0.1, "other tokens count, through attention"


@pytest.mark.parametrize("stream", ["clip_img", "dino"])
def test_a_shipped_tower_is_linear_inside_so_that_parts_of_scores_add_up(stream: str) -> None:
    backbone = load_backbone(f"storybook:{stream}")
    x = torch.randn(2, 3, 112, 112, generator=torch.Generator().manual_seed(1))
    trunk = backbone.trunk(x, 2)
    directions = torch.randn(3, backbone.d, generator=torch.Generator().manual_seed(2))

    def parts(direction: torch.Tensor) -> torch.Tensor:
        with Linearised():
            out = backbone.head(trunk, 2)
        return propagate(out.features @ direction, out.tokens)

    together = parts(directions.sum(0))
    torch.testing.assert_close(sum(parts(d) for d in directions), together, rtol=1e-3, atol=1e-4)
    plain = backbone.head(trunk, 2).features
    torch.testing.assert_close(plain.detach(), backbone.features(x), rtol=1e-4, atol=1e-4)
