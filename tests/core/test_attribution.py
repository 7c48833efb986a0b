"""Backbone adapters and attention relevance: against the published implementation's numbers, and against laws."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from safetensors.torch import load_file, save_file

from sparc_core.attribution import blur, caption_heatmaps, caption_score, relevance, word_relevance
from sparc_core.backbones import ImageBackbone, TextBackbone, load_backbone
from sparc_core.sparse import SparseCode

GOLDEN = Path(__file__).parents[3] / "shared" / "golden" / "heatmaps"
needs_golden = pytest.mark.skipif(not GOLDEN.exists(), reason="reference numbers (../shared/golden) are not here")
ROWS = range(3)
IMAGE_STREAMS = ("dino", "clip_img")


class Reference(NamedTuple):
    """The published run: its numbers, its settings, and its three towers, loaded by spec."""

    numbers: dict[str, torch.Tensor]
    settings: dict[str, Any]
    dino: ImageBackbone
    clip_img: ImageBackbone
    clip_txt: TextBackbone


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    numbers = load_file(GOLDEN / "heatmaps.safetensors")
    settings = json.loads((GOLDEN / "heatmaps.json").read_text())
    folder = tmp_path_factory.mktemp("clip")
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": settings["clip"], "preprocess_cfg": {}}))
    clip = {k.removeprefix("clip."): v for k, v in numbers.items() if k.startswith("clip.")}
    save_file(clip, folder / "open_clip_model.safetensors")
    specs = (
        f"transformers:{GOLDEN / 'dino'}",
        f"open_clip:local-dir:{folder}#image",
        f"open_clip:local-dir:{folder}#text",
    )
    dino, clip_img, clip_txt = (load_backbone(spec) for spec in specs)
    assert isinstance(dino, ImageBackbone)
    assert isinstance(clip_img, ImageBackbone)
    assert isinstance(clip_txt, TextBackbone)
    return Reference(numbers, settings, dino, clip_img, clip_txt)


def inputs(reference: Reference, stream: str) -> torch.Tensor:
    return reference.numbers["text_tokens" if stream == "clip_txt" else "pixel_values"]


@needs_golden
@pytest.mark.parametrize("stream", ["dino", "clip_img", "clip_txt"])
@pytest.mark.parametrize("n_head_blocks", [0, 1, 2])
def test_features_equal_the_published_ones_however_the_tower_is_split(
    reference: Reference, stream: str, n_head_blocks: int
) -> None:
    backbone = getattr(reference, stream)
    expected = reference.numbers[f"feature.{stream}"]
    x = inputs(reference, stream)
    torch.testing.assert_close(backbone.features(x), expected, rtol=1e-5, atol=1e-5)
    split = backbone.head(backbone.trunk(x, n_head_blocks), n_head_blocks)
    torch.testing.assert_close(split.features, expected, rtol=1e-5, atol=1e-5)
    assert len(split.attention) == n_head_blocks


@needs_golden
@pytest.mark.parametrize("stream", IMAGE_STREAMS)
@pytest.mark.parametrize(("layers", "n_head_blocks"), [("last", 1), ("all", 3)])
def test_cross_modal_relevance_equals_the_published_one(
    reference: Reference, stream: str, layers: str, n_head_blocks: int
) -> None:
    backbone = getattr(reference, stream)
    out = backbone.head(backbone.trunk(inputs(reference, stream), n_head_blocks), n_head_blocks)
    features = torch.nn.functional.normalize(out.features, dim=1)
    logits = golden_logits(reference, stream, features)
    codes = torch.stack([reference.numbers[f"codes.{stream}.{i}"].flatten() for i in ROWS])
    texts = torch.stack([reference.numbers[f"codes.clip_txt.{i}"].flatten() for i in ROWS])
    active = torch.relu(logits) * (codes > 0)
    torch.testing.assert_close(active, codes, rtol=1e-4, atol=1e-5)
    rows = relevance((active * texts).sum(1), out.attention, out.readout)
    for i in ROWS:
        expected = reference.numbers[f"relevance.cross_modal.{layers}.{stream}.{i}"].flatten()
        torch.testing.assert_close(rows[i, backbone.n_prefix :], expected, rtol=1e-4, atol=1e-7)


@needs_golden
def test_text_relevance_equals_the_published_row(reference: Reference) -> None:
    backbone = reference.clip_txt
    out = backbone.head(backbone.trunk(inputs(reference, "clip_txt"), 2), 2)
    image = torch.nn.functional.normalize(reference.numbers["feature.clip_img"], dim=1)
    text = torch.nn.functional.normalize(out.features, dim=1)
    scale = reference.numbers["clip.logit_scale"].exp()
    ends = inputs(reference, "clip_txt").argmax(1)
    rows = relevance(scale * (image * text).sum(1), out.attention[-1:], out.readout)
    for i in ROWS:
        expected = reference.numbers[f"relevance.clip_similarity.last.clip_txt.{i}"][ends[i]]
        torch.testing.assert_close(rows[i], expected[: rows.shape[1]], rtol=1e-4, atol=1e-6)


def golden_logits(reference: Reference, stream: str, features: torch.Tensor) -> torch.Tensor:
    names = [name for name in reference.numbers if name.startswith("sparc.") and stream in name]
    weights = {name: reference.numbers[name] for name in names}
    encoder = next(v for k, v in weights.items() if "encoder" in k and k.endswith("weight"))
    pre_bias = next(v for k, v in weights.items() if "pre_bias" in k)
    latent_bias = next(v for k, v in weights.items() if "latent_bias" in k)
    return (features - pre_bias) @ encoder.T + latent_bias


def test_relevance_carries_one_row_of_the_full_recursion() -> None:
    torch.manual_seed(0)
    b, h, t = 2, 3, 5
    mixing = [torch.rand(b, h, t, t, requires_grad=True) for _ in range(3)]
    probabilities = [m.softmax(-1) for m in mixing]
    values = torch.rand(b, t, 1)
    for attention in probabilities:
        values = values + (attention.mean(1) @ values).tanh()
    target = values[torch.arange(b), torch.tensor([0, 4])].sum(1)
    gradients = torch.autograd.grad(target.sum(), probabilities, retain_graph=True)
    rows = relevance(target, probabilities, torch.nn.functional.one_hot(torch.tensor([[0], [4]]), t).float())
    full = torch.eye(t).repeat(b, 1, 1)
    for gradient, attention in zip(gradients, probabilities, strict=True):
        full = full + (gradient * attention.detach()).clamp(min=0).mean(1) @ full
    torch.testing.assert_close(rows, full[torch.arange(b), torch.tensor([0, 4])])


def test_a_pooled_readout_is_one_more_attention_by_a_query_of_its_own() -> None:
    torch.manual_seed(1)
    b, h, t = 2, 2, 4
    mixing = torch.rand(b, h, t, t, requires_grad=True).softmax(-1)
    pooling = torch.rand(b, 3, t, requires_grad=True).softmax(-1)
    values = torch.rand(b, t, 1)
    outputs = values + (mixing.mean(1) @ values).tanh()
    target = ((pooling @ (outputs - 1)) * torch.tensor([1.0, 2.0, -1.0])[:, None]).sum((1, 2))
    block, pool = torch.autograd.grad(target.sum(), [mixing, pooling], retain_graph=True)
    # The same by the rule for t + 1 tokens, of which the last is the query that pools.
    full = torch.eye(t + 1).repeat(b, 1, 1)
    flow = torch.zeros(b, t + 1, t + 1)
    flow[:, :t, :t] = (block * mixing).clamp(min=0).mean(1)
    full = full + flow @ full
    flow = torch.zeros(b, t + 1, t + 1)
    flow[:, t, :t] = (pool * pooling).clamp(min=0).mean(1)
    full = full + flow @ full
    torch.testing.assert_close(relevance(target, [mixing], pooling), full[:, t, :t].detach())


def test_caption_score_is_a_cosine_made_of_its_parts_and_ignores_negative_logits() -> None:
    code = SparseCode(torch.tensor([[2, 0]]), torch.tensor([[3.0, 4.0]]))
    score = caption_score(code, torch.tensor([[4.0, 0.0, 3.0], [-1.0, 12.0, 5.0], [-1.0, -1.0, -1.0]]))
    torch.testing.assert_close(score.parts, torch.tensor([[0.36, 0.64], [15 / 65, 0.0], [0.0, 0.0]]))
    torch.testing.assert_close(score.parts[:2].sum(1), score.total[:2])
    torch.testing.assert_close(score.total, torch.tensor([1.0, 3 / 13, 0.0]))
    torch.testing.assert_close(score.activations, torch.tensor([[3.0, 4.0], [5.0, 0.0], [0.0, 0.0]]))


def test_blurring_keeps_the_sum_inside_and_a_flat_map_flat() -> None:
    spike = torch.zeros(1, 5, 5)
    spike[0, 2, 2] = 16.0
    expected = torch.tensor([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]])
    torch.testing.assert_close(blur(spike)[0, 1:4, 1:4], expected)
    assert float(blur(spike).sum()) == 16.0
    torch.testing.assert_close(blur(torch.full((2, 3, 4), 0.7)), torch.full((2, 3, 4), 0.7))


def test_heatmaps_find_the_named_object_and_follow_a_picture_that_is_flipped() -> None:
    """With a SPARC whose latents are CLIP's directions of three nouns, the shipped tower finds the penguin."""
    import random

    from PIL import Image

    from index_build.storybook.drawing import draw, draw_masks
    from index_build.storybook.scene import random_scene
    from index_build.storybook.world import OBJECT_NAMES
    from sparc_core.backbones import ImageBackbone, load_backbone
    from sparc_core.model import Sparc, SparcConfig, normalize

    clip, text = load_backbone("storybook:clip_img"), load_backbone("storybook:clip_txt")
    assert isinstance(clip, ImageBackbone)
    names = ("penguin", "pizza", "castle")
    ids = tuple(OBJECT_NAMES.index(name) for name in names)
    scene = random_scene(random.Random(4), object_ids=ids)
    directions = normalize(text.features(text.preprocess([f"a {name}" for name in names])))
    sparc = Sparc(SparcConfig({"clip_img": clip.d}, n_latents=3, k=1)).requires_grad_(False)
    sparc.autoencoder("clip_img").encoder.copy_(directions)
    code = SparseCode(torch.zeros(1, 1, dtype=torch.int64), torch.ones(1, 1))
    picture = draw(scene, 224)
    x = clip.preprocess([Image.fromarray(picture), Image.fromarray(picture[:, ::-1].copy())])
    maps = caption_heatmaps(sparc, "clip_img", clip, code, x)
    assert maps.values.shape == (2, 2 * clip.rows, 2 * clip.columns)
    assert float(maps.values.min()) >= 0
    torch.testing.assert_close(maps.values.sum((1, 2)), maps.score.total)
    mask = torch.from_numpy(draw_masks(scene, 28)[0])
    for values, own in ((maps.values[0], mask), (maps.values[1], mask.flip(-1))):
        inside, outside = float(values[own].mean()), float(values[~own].mean())
        assert inside > 3 * outside
    whole = caption_heatmaps(sparc, "clip_img", clip, SparseCode(*(t.repeat(2, 1) for t in code)), x)
    torch.testing.assert_close(whole.values, maps.values)


def test_word_relevance_is_how_far_the_code_turns() -> None:
    whole = SparseCode(torch.tensor([[0, 1]]), torch.tensor([[4.0, 3.0]]))
    without = SparseCode(
        torch.tensor([[0, 1], [0, 1], [2, 0], [3, 2]]), torch.tensor([[8.0, 6.0], [4.0, 0], [0, 4.0], [1, 1.0]])
    )
    torch.testing.assert_close(word_relevance(whole, without, 4), torch.tensor([0.0, 0.2, 0.2, 1.0]))
