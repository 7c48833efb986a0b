"""How blocks are replayed: fused where nothing is recorded, the same attention where it is, apart in every thread."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.core import backbone_examples as examples
from tests.core.backbone_checks import load_image


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("mask", ["none", "bool", "added"])
@pytest.mark.parametrize("biased", [False, True])
def test_recorded_attention_is_sdpa(causal: bool, mask: str, biased: bool) -> None:
    from sparc_core.backbones.replay import Pass, recorded_attention, running

    torch.manual_seed(0)
    q, k, v = torch.randn(3, 2, 4, 5, 6)
    kept = torch.rand(2, 1, 5, 5) < 0.7
    kept[..., 0] = True
    given = {"none": None, "bool": kept, "added": torch.randn(2, 1, 5, 5)}[mask]
    options: dict[str, Any] = {"position_bias": torch.randn(1, 4, 5, 5)} if biased else {}
    module = torch.nn.Identity()
    expected, _ = recorded_attention(module, q, k, v, given, 0.3, causal, **options)
    with running(Pass(0, 1, records=True)) as run:
        ours, _ = recorded_attention(module, q, k, v, given, 0.3, causal, **options)
    torch.testing.assert_close(ours, expected)
    torch.testing.assert_close((run.attention[0] @ v).transpose(1, 2), expected)


def test_features_and_trunk_run_the_fused_kernel_and_only_the_head_writes_attention_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples.save_vision(tmp_path, "dinov2")
    backbone = load_image(f"transformers:{tmp_path}")
    x, fused, calls = backbone.preprocess(examples.pictures(1)), torch.nn.functional.scaled_dot_product_attention, []
    monkeypatch.setattr(
        torch.nn.functional, "scaled_dot_product_attention", lambda *a, **k: (calls.append(1), fused(*a, **k))[1]
    )
    backbone.features(x)
    assert len(calls) == 3
    trunk = backbone.trunk(x, 1)
    assert len(calls) == 5
    backbone.head(trunk, 1)
    assert len(calls) == 5


def test_threads_do_not_see_each_others_passes(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    examples.save_vision(tmp_path, "dinov2")
    backbone = load_image(f"transformers:{tmp_path}")
    x = backbone.preprocess(examples.pictures(2))
    expected = backbone.features(x)

    def run(i: int) -> torch.Tensor:
        n = i % 4
        return backbone.features(x) if n == 3 else backbone.head(backbone.trunk(x, n), n).features.detach()

    with ThreadPoolExecutor(4) as pool:
        for features in pool.map(run, range(40)):
            torch.testing.assert_close(features, expected, rtol=1e-5, atol=1e-5)
