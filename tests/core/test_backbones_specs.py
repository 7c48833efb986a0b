"""Spec strings, and what is said when a backbone is not to be had. Nothing here reaches for the network."""

import json
from pathlib import Path
from typing import Any

import pytest

from sparc_core.backbones import BackboneSpec, load_backbone, parse_spec
from sparc_core.errors import InputError
from tests.core import backbone_examples as examples


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("storybook:dino", BackboneSpec("storybook", "dino")),
        ("open_clip:ViT-B-16/openai#text", BackboneSpec("open_clip", "ViT-B-16/openai", "text")),
        ("open_clip:local-dir:/a/b#image", BackboneSpec("open_clip", "local-dir:/a/b", "image")),
        ("transformers:/data/run#3/dino", BackboneSpec("transformers", "/data/run#3/dino")),
    ],
)
def test_specs_are_taken_apart_and_put_together(spec: str, expected: BackboneSpec) -> None:
    assert parse_spec(spec) == expected
    assert str(expected) == spec


def test_the_modality_may_be_said_beside_the_spec_but_not_against_it() -> None:
    assert str(parse_spec("open_clip:ViT-B-16/openai", "image")) == "open_clip:ViT-B-16/openai#image"
    assert str(parse_spec("open_clip:ViT-B-16/openai#text", "text")) == "open_clip:ViT-B-16/openai#text"
    with pytest.raises(InputError, match=r'was asked for as image: write "open_clip:ViT-B-16/openai#image"'):
        parse_spec("open_clip:ViT-B-16/openai#text", "image")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("hub:x", r'"hub:x" is unknown: use a spec such as "storybook:dino", "open_clip:'),
        ("transformers:", '"transformers:" is unknown'),
        ("open_clip:#image", 'has no name before "#image"'),
        ("storybook:clip_img#text", "takes image, not text"),
        ("open_clip:ViT-B-16/openai", 'two towers: write "open_clip:ViT-B-16/openai#image" or'),
        ("open_clip:ViT-B-61/openai#image", r'no model "ViT-B-61" \(similar ones: .*ViT-B-16'),
        ("open_clip:ViT-B-16/nonsense#image", 'no pretrained tag "nonsense"; it has .*datacomp_xl_s13b_b90k'),
        ("open_clip:ViT-B-16#image", 'no pretrained tag ""; it has'),
        ("open_clip:local-dir:/no/such#image", "there is no folder /no/such"),
        ("transformers:/no/such", "there is no folder /no/such; expected a folder as transformers saves them"),
        ("transformers:./such", r"there is no folder \./such"),
        (
            "transformers:facebook/dinov2-base",
            r'"transformers:facebook/dinov2-base" has no weights here \(offline\): download it on a connected machine '
            r'with "hf download facebook/dinov2-base --local-dir FOLDER" and use "transformers:FOLDER", or unset',
        ),
        (
            "open_clip:ViT-B-16/datacomp_xl_s13b_b90k#text",
            r'\(offline\): .* "hf download laion/CLIP-ViT-B-16-DataComp\.XL-s13B-b90K --local-dir FOLDER" and use '
            '"open_clip:local-dir:FOLDER"',
        ),
        ("open_clip:hf-hub:some/where#image", r'\(offline\): .*"hf download some/where --local-dir FOLDER"'),
        ("open_clip:RN50/yfcc15m#image", r"\(offline\)"),
    ],
)
def test_backbones_that_are_not_to_be_had_are_explained_in_one_sentence(
    spec: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(InputError, match=said) as caught:
        load_backbone(spec)
    assert "\n" not in str(caught.value)


def test_a_failed_download_names_the_network_and_the_mirror(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import transformers

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("we couldn't connect\nto the hub")

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", refuse)
    with pytest.raises(InputError, match=r"we couldn't connect\): check the name, the network and HF_ENDPOINT, or"):
        load_backbone("transformers:some/where")


def damage(folder: Path, file: str, content: bytes) -> None:
    (folder / file).unlink()
    (folder / file).write_bytes(content)


def test_damaged_and_missing_files_are_explained(tmp_path: Path) -> None:
    for name, file, content, said in [
        ("weights", "model.safetensors", b"x" * 100, r"does not load \(SafetensorError: .* expected a folder as"),
        ("config", "config.json", b"{", "does not load"),
        ("type", "config.json", b'{"model_type": "nonsense"}', "does not load"),
    ]:
        examples.save_vision(tmp_path / name, "vit")
        damage(tmp_path / name, file, content)
        with pytest.raises(InputError, match=said) as caught:
            load_backbone(f"transformers:{tmp_path / name}")
        assert "\n" not in str(caught.value)
    (tmp_path / "weights" / "model.safetensors").unlink()
    with pytest.raises(InputError, match="does not load"):
        load_backbone(f"transformers:{tmp_path / 'weights'}")


def test_checkpoints_that_lack_weights_are_refused_not_filled_with_noise(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    examples.save_vision(tmp_path, "vit")
    weights = load_file(tmp_path / "model.safetensors")
    weights.pop("layernorm.weight")
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"lacks 1 weights of a ViTModel \(layernorm\.weight\): expected a complete"):
        load_backbone(f"transformers:{tmp_path}")


def test_pictures_need_a_preprocessor_config(tmp_path: Path) -> None:
    examples.save_vision(tmp_path, "vit")
    (tmp_path / "preprocessor_config.json").unlink()
    backbone = load_backbone(f"transformers:{tmp_path}")
    with pytest.raises(InputError, match=r"lacks preprocessor_config\.json, which says how pictures are resized"):
        backbone.preprocess(examples.pictures(1))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"do_center_crop": False}, "keeps the aspect of pictures"),
        ({"size": {"longest_edge": 32}}, "resizes pictures to {'longest_edge': 32}"),
        ({"do_resize": False}, "takes pictures of any size"),
        ({"resample": 5}, 'resamples pictures by "hamming"'),
    ],
)
def test_preprocessing_that_is_not_ours_is_refused(tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    examples.save_vision(tmp_path, "vit")
    path = tmp_path / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    with pytest.raises(InputError, match=said):
        load_backbone(f"transformers:{tmp_path}")


def test_open_clip_folders_are_checked(tmp_path: Path) -> None:
    spec = f"open_clip:local-dir:{tmp_path}#image"
    with pytest.raises(InputError, match=r"lacks open_clip_config\.json: copy it"):
        load_backbone(spec)
    (tmp_path / "open_clip_config.json").write_text("{}")
    with pytest.raises(
        InputError, match=r'does not load \(KeyError.*expected a open_clip_config\.json with "model_cfg"'
    ):
        load_backbone(spec)
    examples.save_open_clip(tmp_path)
    (tmp_path / "open_clip_model.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(
        InputError, match=r"does not load .*expected the weights of the model that its config describes"
    ):
        load_backbone(spec)
    (tmp_path / "open_clip_model.safetensors").unlink()
    with pytest.raises(InputError, match="has no weights in its folder: copy open_clip_model"):
        load_backbone(spec)


def test_pickled_weights_run_no_code(tmp_path: Path) -> None:
    import torch

    class Trap:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "sprung",))

    for folder, file, save in (
        ("clip", "open_clip_model.safetensors", examples.save_open_clip),
        ("vit", "model.safetensors", lambda path: examples.save_vision(path, "vit")),
    ):
        save(tmp_path / folder)
        (tmp_path / folder / file).unlink()
        name = "open_clip_pytorch_model.bin" if folder == "clip" else "pytorch_model.bin"
        torch.save({"trap": Trap()}, tmp_path / folder / name)
    for spec in (f"open_clip:local-dir:{tmp_path / 'clip'}#image", f"transformers:{tmp_path / 'vit'}"):
        with pytest.raises(InputError, match="does not load"):
            load_backbone(spec)
    assert not (tmp_path / "sprung").exists()
