"""Attention relevance, Grad-CAM and GradText: equal to the published implementation's numbers, and to their rules."""

import pytest
import torch

from sparc_core.attribution import CodeSum, CrossModal, LatentSum, Similarity, Target, gradcam, per_word, relevance
from sparc_core.backbones.base import HeadOutput
from sparc_core.model import normalize
from tests.core.published_heatmaps import IMAGE_STREAMS, ROWS, STREAMS, Published, needs_heatmaps, read

PARTNERS = {"dino": "clip_txt", "clip_img": "clip_txt", "clip_txt": "clip_img"}
TARGETS = [
    ("cross_modal", "last"),
    ("cross_modal", "all"),
    ("sum", "last"),
    ("sum", "all"),
    ("latents", "last"),
    ("clip_similarity", "last"),
]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    return read(tmp_path_factory.mktemp("clip"))


def run(published: Published, stream: str, layers: str) -> HeadOutput:
    backbone = getattr(published, stream)
    n = backbone.n_blocks if layers == "all" else 1
    return backbone.head(backbone.trunk(published.inputs(stream), n), n)


def target(published: Published, stream: str, name: str) -> Target:
    others = {o: published.sparc.logits(o, published.feature(o)) for o in STREAMS if o != stream}
    k = published.settings["sparc"]["k"]
    if name == "cross_modal":
        return CrossModal(k, others, PARTNERS[stream])
    if name == "sum":
        return CodeSum(k, others)
    partner = "clip_txt" if stream == "clip_img" else "clip_img"
    return Similarity(published.feature(partner))


def total(published: Published, stream: str, name: str, out: HeadOutput) -> torch.Tensor:
    features = normalize(out.features)
    logits = published.sparc.logits(stream, features)
    if name == "latents":
        rows = [LatentSum(published.numbers[f"latents.{i}"], torch.ones(3)) for i in ROWS]
        return torch.cat([row(features[i : i + 1], logits[i : i + 1]).total for i, row in enumerate(rows)])
    score = target(published, stream, name)(features, logits).total
    return score * published.numbers["clip.logit_scale"].exp() if name == "clip_similarity" else score


@needs_heatmaps
@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("n_head_blocks", [0, 1, 2])
def test_features_equal_the_published_ones_however_the_tower_is_split(
    published: Published, stream: str, n_head_blocks: int
) -> None:
    backbone, x = getattr(published, stream), published.inputs(stream)
    expected = published.numbers[f"feature.{stream}"]
    torch.testing.assert_close(backbone.features(x), expected, rtol=1e-5, atol=1e-5)
    trunk = backbone.trunk(x, n_head_blocks)
    split = backbone.head(trunk, n_head_blocks)
    torch.testing.assert_close(split.features, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(backbone.finish(trunk, n_head_blocks), expected, rtol=1e-5, atol=1e-5)
    assert len(split.attention) == n_head_blocks


@needs_heatmaps
@pytest.mark.parametrize("stream", STREAMS)
def test_codes_under_shared_selection_equal_the_published_ones(published: Published, stream: str) -> None:
    others = {o: published.sparc.logits(o, published.feature(o)) for o in STREAMS if o != stream}
    features = published.feature(stream)
    score = CodeSum(24, others)(features, published.sparc.logits(stream, features))
    dense = torch.zeros(3, 128).scatter(1, score.latents, score.parts)
    torch.testing.assert_close(dense, published.stack(f"codes.{stream}"), rtol=1e-4, atol=1e-5)


@needs_heatmaps
@pytest.mark.parametrize(
    ("stream", "name", "layers"),
    [
        *((stream, name, layers) for stream in IMAGE_STREAMS for name, layers in TARGETS[:-1]),
        ("clip_img", "clip_similarity", "last"),
    ],
)
def test_relevance_over_patches_equals_the_published_one(
    published: Published, stream: str, name: str, layers: str
) -> None:
    out = run(published, stream, layers)
    rows = relevance(total(published, stream, name, out), out.attention, out.readout)
    expected = published.stack(f"relevance.{name}.{layers}.{stream}")
    torch.testing.assert_close(rows[:, getattr(published, stream).n_prefix :], expected, rtol=1e-4, atol=1e-7)


@needs_heatmaps
@pytest.mark.parametrize(("name", "layers"), TARGETS)
def test_relevance_between_tokens_of_a_text_equals_the_published_matrix(
    published: Published, name: str, layers: str
) -> None:
    expected = published.stack(f"relevance.{name}.{layers}.clip_txt")
    n_tokens = published.clip_txt.trunk(published.inputs("clip_txt"), 1).tokens.shape[1]
    for position in range(n_tokens):
        out = run(published, "clip_txt", layers)
        readout = torch.zeros_like(out.readout)
        readout[:, 0, position] = 1.0
        rows = relevance(total(published, "clip_txt", name, out), out.attention, readout)
        torch.testing.assert_close(rows, expected[:, position, :n_tokens], rtol=1e-4, atol=1e-6)
    beyond = torch.eye(77).expand(3, 77, 77).clone()
    torch.testing.assert_close(expected[:, n_tokens:], beyond[:, n_tokens:])  # what follows the end matters to nothing


@needs_heatmaps
@pytest.mark.parametrize("stream", IMAGE_STREAMS)
def test_gradcam_equals_the_published_one(published: Published, stream: str) -> None:
    backbone, out = getattr(published, stream), run(published, stream, "last")
    assert out.normed is not None
    values = gradcam(total(published, stream, "cross_modal", out), out.normed, backbone.n_prefix)
    grid = values.view(3, 1, backbone.rows, backbone.columns)
    large = torch.nn.functional.interpolate(grid, size=(64, 64), mode="bilinear", align_corners=False)[:, 0]
    scaled = large - large.amin((1, 2), keepdim=True)
    scaled = scaled / scaled.amax((1, 2), keepdim=True)
    expected = published.stack(f"gradcam.cross_modal.{stream}")
    torch.testing.assert_close(scaled, expected, rtol=1e-4, atol=1e-5)


@needs_heatmaps
def test_gradtext_equals_the_published_scores(published: Published) -> None:
    """Published scores: the text's feature enters SPARC as it is, not at unit norm; the largest token is 1."""
    out = run(published, "clip_txt", "last")
    logits = published.sparc.logits("clip_txt", out.features)
    score = target(published, "clip_txt", "cross_modal")(out.features, logits).total
    assert out.normed is not None
    tokens = gradcam(score, out.normed)
    for i in ROWS:
        words = published.clip_txt.words(published.settings["captions"][i])
        assert [word.text for word in words] == published.settings["words"][str(i)]
        ours, expected = per_word(tokens[i], words), published.numbers[f"gradtext.scores.{i}"]
        # The published scale is the largest of 77 tokens, padding too, which our towers do not compute.
        torch.testing.assert_close(ours / ours.max(), expected / expected.max(), rtol=1e-4, atol=1e-5)


def test_relevance_carries_one_row_of_the_full_recursion() -> None:
    torch.manual_seed(0)
    b, h, t = 2, 3, 5
    mixing = [torch.rand(b, h, t, t, requires_grad=True) for _ in range(3)]
    probabilities = [m.softmax(-1) for m in mixing]
    values = torch.rand(b, t, 1)
    for attention in probabilities:
        values = values + (attention.mean(1) @ values).tanh()
    score = values[torch.arange(b), torch.tensor([0, 4])].sum(1)
    gradients = torch.autograd.grad(score.sum(), probabilities, retain_graph=True)
    rows = relevance(score, probabilities, torch.nn.functional.one_hot(torch.tensor([[0], [4]]), t).float())
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
    score = ((pooling @ (outputs - 1)) * torch.tensor([1.0, 2.0, -1.0])[:, None]).sum((1, 2))
    block, pool = torch.autograd.grad(score.sum(), [mixing, pooling], retain_graph=True)
    # The same by the rule for t + 1 tokens, of which the last is the query that pools.
    full = torch.eye(t + 1).repeat(b, 1, 1)
    flow = torch.zeros(b, t + 1, t + 1)
    flow[:, :t, :t] = (block * mixing).clamp(min=0).mean(1)
    full = full + flow @ full
    flow = torch.zeros(b, t + 1, t + 1)
    flow[:, t, :t] = (pool * pooling).clamp(min=0).mean(1)
    full = full + flow @ full
    torch.testing.assert_close(relevance(score, [mixing], pooling), full[:, t, :t].detach())


def test_gradcam_weighs_channels_by_their_mean_gradient() -> None:
    normed = torch.tensor([[[9.0, 9.0], [1.0, 2.0], [3.0, -1.0]]], requires_grad=True)
    score = (normed[:, 1] * torch.tensor([2.0, 4.0])).sum(1) + 100 * normed[:, 0].sum(1)
    # After the first token: mean gradients (1, 2), so the tokens get 1 + 4 and 3 - 2.
    torch.testing.assert_close(gradcam(score, normed, first=1), torch.tensor([[5.0, 1.0]]))
