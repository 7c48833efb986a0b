"""What every backbone must do, checked against the model that it is made of."""

from typing import Any

import torch

from sparc_core.attribution import relevance
from sparc_core.backbones import ImageBackbone, TextBackbone, load_backbone


def load_image(spec: str) -> ImageBackbone:
    backbone = load_backbone(spec)
    assert isinstance(backbone, ImageBackbone)
    return backbone


def load_text(spec: str) -> TextBackbone:
    backbone = load_backbone(spec)
    assert isinstance(backbone, TextBackbone)
    return backbone


def check_features(backbone: Any, x: torch.Tensor, expected: torch.Tensor) -> None:
    """The features are these, wherever the tower is split, and attention adds up to 1."""
    assert expected.std() > 0.05, "features must differ for this to say anything"
    torch.testing.assert_close(backbone.features(x), expected, rtol=1e-5, atol=1e-5)
    assert backbone.d == expected.shape[1]
    for n_head_blocks in range(backbone.n_blocks + 1):
        trunk = backbone.trunk(x, n_head_blocks)
        assert not trunk.tokens.requires_grad
        out = backbone.head(trunk, n_head_blocks)
        torch.testing.assert_close(out.features.detach(), expected, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(backbone.finish(trunk, n_head_blocks), expected, rtol=1e-5, atol=1e-5)
        assert out.tokens.requires_grad
        assert (out.normed is None) == (n_head_blocks == 0)
        assert len(out.attention) == n_head_blocks
        for attention in [*out.attention, out.readout]:
            torch.testing.assert_close(attention.sum(-1), torch.ones(attention.shape[:-1]))


def check_relevance(backbone: Any, x: torch.Tensor, features: torch.Tensor, attentions: Any, readout: Any) -> None:
    """Relevance of a target is that which the eager model's own attention gives."""
    target = torch.linspace(-1, 1, features.shape[1])
    expected = relevance(features @ target, list(attentions), readout)
    out = backbone.head(backbone.trunk(x, backbone.n_blocks), backbone.n_blocks)
    ours = relevance(out.features @ target, out.attention, out.readout)
    assert float(expected.std()) > 1e-4
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-6)


def eager(model: Any, **inputs: torch.Tensor) -> Any:
    """The model's output with the attention that it shows by itself, which gradients flow through."""
    model.set_attn_implementation("eager")
    return model(**inputs, output_attentions=True)


def first_token(tokens: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.one_hot(torch.zeros(len(tokens), 1, dtype=torch.int64), tokens.shape[1]).float()
