"""transformers' vision models by spec: the features of the model itself, however split, and its own attention."""

from pathlib import Path

import pytest
import torch

from sparc_core.backbones import load_backbone
from sparc_core.errors import InputError
from tests.core import backbone_examples as examples
from tests.core.backbone_checks import check_features, check_relevance, eager, first_token, load_image, load_text

CLS_MODELS = ["dinov2", "dinov2_with_registers", "dinov3_vit", "vit", "deit", "beit"]


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.mark.parametrize("model_type", CLS_MODELS)
def test_vision_models_give_their_cls_token(tmp_path: Path, model_type: str) -> None:
    model = examples.save_vision(tmp_path, model_type)
    backbone = load_image(f"transformers:{tmp_path}")
    x = backbone.preprocess(examples.pictures(3))
    assert x.shape == (3, 3, examples.SIZE, examples.SIZE)
    n_tokens = backbone.n_prefix + backbone.rows * backbone.columns
    assert n_tokens == model(x).last_hidden_state.shape[1]
    check_features(backbone, x, model(x).last_hidden_state[:, 0].detach())
    out = eager(model, pixel_values=x)
    tokens = out.last_hidden_state
    check_relevance(backbone, x, tokens[:, 0], out.attentions, first_token(tokens))


def test_prefix_tokens_are_counted(tmp_path: Path) -> None:
    for model_type, n_prefix in {"vit": 1, "deit": 2, "dinov3_vit": 5, "ijepa": 0}.items():
        examples.save_vision(tmp_path / model_type, model_type)
        assert load_image(f"transformers:{tmp_path / model_type}").n_prefix == n_prefix


def test_models_without_cls_give_the_mean_of_their_patches(tmp_path: Path) -> None:
    model = examples.save_vision(tmp_path, "ijepa")
    backbone = load_image(f"transformers:{tmp_path}")
    x = backbone.preprocess(examples.pictures(2))
    check_features(backbone, x, model(x).last_hidden_state.mean(1).detach())
    out = eager(model, pixel_values=x)
    weights = torch.full((2, 1, 16), 1 / 16, requires_grad=True)
    check_relevance(backbone, x, (weights @ out.last_hidden_state)[:, 0], out.attentions, weights)


def test_clip_vision_gives_its_projection(tmp_path: Path) -> None:
    model = examples.save_vision(tmp_path, "clip_vision_model")
    backbone = load_image(f"transformers:{tmp_path}")
    x = backbone.preprocess(examples.pictures(2))
    check_features(backbone, x, model(x).image_embeds.detach())
    model.set_attn_implementation("eager")
    out = model(x, output_attentions=True)
    check_relevance(backbone, x, out.image_embeds, out.attentions, first_token(out.last_hidden_state))


def test_siglip_vision_gives_what_its_attention_pools(tmp_path: Path) -> None:
    model = examples.save_vision(tmp_path, "siglip_vision_model")
    backbone = load_image(f"transformers:{tmp_path}")
    x = backbone.preprocess(examples.pictures(2))
    check_features(backbone, x, model(x).pooler_output.detach())
    out = backbone.head(backbone.trunk(x, 1), 1)
    tokens = model(x).last_hidden_state
    probe = model.head.probe.expand(2, -1, -1)
    weights = model.head.attention(probe, tokens, tokens, average_attn_weights=False)[1]
    torch.testing.assert_close(out.readout, weights[:, :, 0])
    (gradient,) = torch.autograd.grad(out.features.sum(), out.readout)
    assert float(gradient.abs().max()) > 1e-3


@pytest.mark.parametrize("two_towers", ["clip", "siglip"])
def test_both_towers_of_one_checkpoint(tmp_path: Path, two_towers: str) -> None:
    save = examples.save_clip if two_towers == "clip" else examples.save_siglip
    model = save(tmp_path)
    image, text = load_image(f"transformers:{tmp_path}#image"), load_text(f"transformers:{tmp_path}#text")
    x = image.preprocess(examples.pictures(2))
    check_features(image, x, model.get_image_features(x).pooler_output.detach())
    ids = text.preprocess(examples.sentences(0, 5))
    check_features(text, ids, model.get_text_features(ids).pooler_output.detach())
    assert load_backbone(f"transformers:{tmp_path}", "text").name == f"transformers:{tmp_path}#text"
    with pytest.raises(InputError, match=r'two towers: write "transformers:.*#image" or'):
        load_backbone(f"transformers:{tmp_path}")


@pytest.mark.parametrize("model_type", ["dinov2", "vit", "siglip_vision_model", "clip_vision_model", "dinov3_vit"])
def test_inputs_of_another_size_than_the_model_was_trained_at(tmp_path: Path, model_type: str) -> None:
    model = examples.save_vision(tmp_path, model_type, image_size=48)
    backbone = load_image(f"transformers:{tmp_path}")
    x = backbone.preprocess(examples.pictures(2))
    assert (backbone.rows, backbone.columns) == (4, 4)
    options = {} if model_type.startswith("dino") else {"interpolate_pos_encoding": True}
    out = model(x, **options)
    expected = getattr(out, "image_embeds", None)
    if expected is None:
        expected = out.pooler_output if model_type.startswith("siglip") else out.last_hidden_state[:, 0]
    check_features(backbone, x, expected.detach())


def test_half_precision_checkpoints_become_float32_and_stay_frozen(tmp_path: Path) -> None:
    model = examples.save_vision(tmp_path, "vit")
    model.half().save_pretrained(tmp_path)
    backbone = load_image(f"transformers:{tmp_path}")
    x = backbone.preprocess(examples.pictures(1))
    expected = model.float()(x).last_hidden_state[:, 0].detach()
    torch.testing.assert_close(backbone.features(x), expected, rtol=1e-5, atol=1e-5)
    parameters = list(backbone._model.parameters())
    assert {p.dtype for p in parameters} == {torch.float32}
    assert not any(p.requires_grad for p in parameters)
    assert not backbone._model.training


def test_models_that_cannot_be_split_are_refused(tmp_path: Path) -> None:
    import transformers

    examples.save_vision(tmp_path / "mae", "vit_mae")
    with pytest.raises(InputError, match="is a ViTMAEModel, which has no blocks over one token a patch"):
        load_backbone(f"transformers:{tmp_path / 'mae'}")
    config = transformers.GPT2Config(vocab_size=10, n_embd=8, n_layer=1, n_head=1, bos_token_id=1, eos_token_id=2)
    transformers.GPT2Model(config).save_pretrained(tmp_path / "gpt2")
    with pytest.raises(InputError, match="is a gpt2, which is no vision model and no text encoder that is known"):
        load_backbone(f"transformers:{tmp_path / 'gpt2'}")
    examples.save_vision(tmp_path / "vit", "vit")
    with pytest.raises(InputError, match="takes image, not text"):
        load_backbone(f"transformers:{tmp_path / 'vit'}#text")


def test_processors_saved_with_a_tokenizer_are_found(tmp_path: Path) -> None:
    """transformers 5 writes processor_config.json where image processor and tokenizer are saved as one."""
    import transformers

    examples.save_clip(tmp_path)
    (tmp_path / "preprocessor_config.json").unlink()
    size = {"shortest_edge": 40}
    images = transformers.CLIPImageProcessor(size=size, crop_size={"height": 32, "width": 32}, image_mean=[0.1] * 3)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    transformers.CLIPProcessor(images, tokenizer).save_pretrained(tmp_path)
    assert not (tmp_path / "preprocessor_config.json").exists()
    backbone = load_image(f"transformers:{tmp_path}#image")
    assert backbone.geometry.resize == 40
    same = transformers.CLIPImageProcessorPil(size=size, crop_size={"height": 32, "width": 32}, image_mean=[0.1] * 3)
    pictures = examples.pictures(3)
    theirs = torch.cat([torch.as_tensor(same(p, return_tensors="pt")["pixel_values"]) for p in pictures])
    torch.testing.assert_close(backbone.preprocess(pictures), theirs, rtol=0, atol=1e-6)


def test_heatmaps_of_pooled_towers_add_up_to_their_score_and_differ_by_text(tmp_path: Path) -> None:
    from sparc_core.attribution import CaptionMatch, Method, heatmaps, look_for
    from sparc_core.model import Sparc, SparcConfig
    from sparc_core.sparse import SparseCode

    examples.save_vision(tmp_path, "siglip_vision_model")
    backbone = load_image(f"transformers:{tmp_path}")
    torch.manual_seed(0)
    sparc = Sparc(SparcConfig({"siglip": backbone.d}, n_latents=12, k=2)).requires_grad_(False)
    sparc.autoencoder("siglip").encoder.copy_(torch.randn(12, backbone.d))
    looks, maps = look_for(Method.glances, backbone, backbone.preprocess(examples.pictures(2))), []
    for latents in torch.arange(12).split(6):
        code = SparseCode(latents[None], torch.ones(1, 6))
        out = heatmaps(Method.glances, sparc, "siglip", backbone, looks, CaptionMatch(code))
        assert out.values.shape == (2, 2 * backbone.rows, 2 * backbone.columns)
        assert float(out.score.total.min()) > 0.1
        torch.testing.assert_close(out.values.sum((1, 2)), out.score.total)
        maps.append(out.values / out.values.sum((1, 2), keepdim=True))
    spread = maps[0].std() / maps[0].mean()
    assert float((maps[0] - maps[1]).abs().mean() / maps[0].mean()) > 0.05
    assert float(spread) > 0.1


@pytest.mark.parametrize(
    ("model_type", "drops"),
    [
        ("dinov2_with_registers", True),
        ("vit", True),
        ("clip_vision_model", True),
        ("siglip_vision_model", True),
        ("dinov3_vit", False),
        ("beit", False),
    ],
)
def test_towers_say_whether_they_take_some_of_the_patches_and_all_have_heatmaps(
    tmp_path: Path, model_type: str, drops: bool
) -> None:
    """Positions that are turned into the attention (DINOv3, BEiT) want all patches; others take any of them."""
    from sparc_core.attribution import LatentSum, Method, heatmaps, look_for
    from sparc_core.attribution.faithfulness import curves, ends
    from sparc_core.attribution.methods import Scorer
    from sparc_core.model import Sparc, SparcConfig

    examples.save_vision(tmp_path, model_type)
    backbone = load_image(f"transformers:{tmp_path}")
    assert backbone.drops_patches == drops
    torch.manual_seed(0)
    sparc = Sparc(SparcConfig({"eye": backbone.d}, n_latents=8, k=2)).requires_grad_(False)
    target = LatentSum(torch.arange(8), torch.ones(8))
    looks = look_for(Method.glances, backbone, backbone.preprocess(examples.pictures(2)))
    maps = heatmaps(Method.glances, sparc, "eye", backbone, looks, target)
    torch.testing.assert_close(maps.values.sum((1, 2)), maps.score.total, rtol=1e-3, atol=1e-4)
    assert looks.embedded is not None
    score = Scorer(sparc, "eye", target)
    measured = curves(backbone, looks.embedded, maps.values, score, ends(backbone, looks.embedded, score))
    torch.testing.assert_close(measured.deletion[:, 0], torch.ones(2), rtol=1e-4, atol=1e-4)
