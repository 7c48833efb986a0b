"""OpenCLIP models by spec: the features of the model itself, however split, whatever it pools by."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from sparc_core.backbones import ImageBackbone, TextBackbone, load_backbone
from sparc_core.errors import InputError
from tests.core import backbone_checks as checks
from tests.core import backbone_examples as examples
from tests.core.backbone_checks import check_features

TEXTS = ["a photo of a cat", "two", "an old bicycle against a brick wall, qzxv, and far more than fits into it"]


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def load_image(folder: Path) -> ImageBackbone:
    return checks.load_image(f"open_clip:local-dir:{folder}#image")


def load_text(folder: Path) -> TextBackbone:
    return checks.load_text(f"open_clip:local-dir:{folder}#text")


@pytest.mark.parametrize(
    "vision", [{}, {"pool_type": "avg"}, {"pool_type": "avg", "final_ln_after_pool": True}, {"ls_init_value": 0.3}]
)
def test_image_towers_give_the_models_features(tmp_path: Path, vision: dict[str, Any]) -> None:
    model = examples.save_open_clip(tmp_path, vision=vision)
    backbone = load_image(tmp_path)
    x = backbone.preprocess(examples.pictures(3))
    assert (backbone.rows, backbone.columns) == (4, 4)
    check_features(backbone, x, model.encode_image(x).detach())
    readout = backbone.head(backbone.trunk(x, 1), 1).readout
    assert float(readout.detach()[0, 0, 0]) == (0.0 if "pool_type" in vision else 1.0)
    assert readout.requires_grad == ("pool_type" in vision)


@pytest.mark.parametrize(
    "text",
    [
        {},
        {"pool_type": "eos", "eos_id": 49407},
        {"pool_type": "last"},
        {"pool_type": "first"},
        {"proj_type": "none"},
        {"custom": True, "proj_bias": True, "no_causal_mask": True, "pool_type": "last"},
        {"custom": True, "pool_type": "eos", "eos_id": 49407},
        {"custom": True, "no_causal_mask": True},
    ],
)
def test_text_towers_give_the_models_features(tmp_path: Path, text: dict[str, Any]) -> None:
    model = examples.save_open_clip(tmp_path, text=text)
    backbone = load_text(tmp_path)
    ids = backbone.preprocess(TEXTS)
    assert ids.shape == (3, backbone.context_length)
    check_features(backbone, ids[:2], model.encode_text(ids[:2]).detach())  # short ones, without padding at the end
    check_features(backbone, ids, model.encode_text(ids).detach())


def test_tokenizers_of_transformers_pad_in_their_own_way(tmp_path: Path) -> None:
    examples.word_tokenizer(tmp_path)
    text = {"custom": True, "hf_tokenizer_name": "some/name", "vocab_size": 14, "no_causal_mask": True}
    model = examples.save_open_clip(
        tmp_path, text={**text, "pool_type": "last", "tokenizer_kwargs": {"clean": "lower"}}
    )
    backbone = load_text(tmp_path)
    ids = backbone.preprocess(["A Cat", "zebra ball"])
    assert ids[0].tolist() == [2, 5, 6, 3] + [0] * 12
    check_features(backbone, ids, model.encode_text(ids).detach())
    assert [tuple(w) for w in backbone.words("A Cats zebra")] == [
        ("a", [1], True),
        ("cats", [2, 3], True),
        ("zebra", [4], False),
    ]


def test_both_towers_share_one_model_in_float32(tmp_path: Path) -> None:
    examples.save_open_clip(tmp_path)
    image, text = load_image(tmp_path), load_text(tmp_path)
    assert image._visual is text._clip.visual  # type: ignore[attr-defined]
    parameters = list(text._clip.parameters())  # type: ignore[attr-defined]
    assert {p.dtype for p in parameters} == {torch.float32}
    assert not any(p.requires_grad for p in parameters)
    assert not text._clip.training  # type: ignore[attr-defined]
    assert image.name == f"open_clip:local-dir:{tmp_path}#image"
    assert load_backbone(f"open_clip:local-dir:{tmp_path}", "image").name == image.name


def test_words_are_open_clips_pieces(tmp_path: Path) -> None:
    examples.save_open_clip(tmp_path)
    text = load_text(tmp_path)
    said = "A bicyclists' 猫 zebra"
    words = text.words(said)
    assert [word.text for word in words] == ["a", "bicyclists", "'", "猫", "zebra"]
    assert [word.known for word in words] == [True, True, True, False, True]
    ids = text.preprocess([said])[0]
    n_tokens = int((ids != 0).sum())
    assert [p for word in words for p in word.positions] == list(range(1, n_tokens - 1))
    cut = text.words("cat " * 30)
    assert sum(bool(word.positions) for word in cut) == text.context_length - 2


def test_pictures_are_prepared_as_the_model_says(tmp_path: Path) -> None:
    import open_clip

    examples.save_open_clip(tmp_path)
    settings = json.loads((tmp_path / "open_clip_config.json").read_text())

    def save(resize_mode: str, interpolation: str) -> Path:
        folder = tmp_path / resize_mode
        folder.mkdir()
        settings["preprocess_cfg"] = {"resize_mode": resize_mode, "interpolation": interpolation, "mean": [0.3] * 3}
        (folder / "open_clip_config.json").write_text(json.dumps(settings))
        (folder / "open_clip_model.safetensors").symlink_to(tmp_path / "open_clip_model.safetensors")
        return folder

    for folder in (save("shortest", "bicubic"), save("squash", "bilinear")):
        _, transform = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
        pictures = examples.pictures(3)
        theirs = torch.stack([transform(picture) for picture in pictures])
        torch.testing.assert_close(load_image(folder).preprocess(pictures), theirs, rtol=0, atol=1e-6)
    with pytest.raises(InputError, match='resizes pictures to 32 x 32 by "longest": expected "squash", or'):
        load_image(save("longest", "bicubic"))


@pytest.mark.parametrize(
    ("vision", "text", "tower", "said"),
    [
        ({"attentional_pool": True, "attn_pooler_heads": 4}, {}, "image", "pools patches by an attention"),
        ({"qk_norm": True}, {}, "image", "has blocks with extra norms or scales"),
        ({"layers": [1, 1, 1, 1], "patch_size": None}, {}, "image", "has a ModifiedResNet as image tower"),
        ({}, {"qk_norm": True}, "text", "has blocks with extra norms or scales"),
        ({}, {"custom": True, "embed_cls": True}, "text", "adds a class token to texts"),
        ({}, {"pool_type": "none"}, "text", 'pools texts by "none"'),
        ({}, {"tokenizer_kwargs": {"reduction_mask": "random"}}, "text", "drops words of long texts by chance"),
    ],
)
def test_towers_that_cannot_be_split_are_refused(
    tmp_path: Path, vision: dict[str, Any], text: dict[str, Any], tower: str, said: str
) -> None:
    examples.save_open_clip(tmp_path, vision, text)
    with pytest.raises(InputError, match=said):
        load_backbone(f"open_clip:local-dir:{tmp_path}#{tower}")


def test_blocks_whose_attention_one_kernel_computes_give_the_same(tmp_path: Path) -> None:
    """What a GPU runs, on the CPU."""
    from sparc_core.backbones.clip import _run_block, _run_block_fused

    model = examples.save_open_clip(tmp_path, vision={"ls_init_value": 0.3})
    tokens = torch.randn(2, 17, 32)
    for block in model.visual.transformer.resblocks:
        expected = _run_block(block, tokens, None).tokens
        torch.testing.assert_close(_run_block_fused(block, tokens), expected, rtol=1e-5, atol=1e-5)
