"""Tiny random checkpoints of every architecture, written as their libraries write them. Nothing is downloaded."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

SIZE, PATCH = 32, 8
WORDS = ["a", "cat", "on", "the", "moon", "red", "ball", "##s", "!"]


def pictures(n: int = 2, seed: int = 0) -> list[Image.Image]:
    """Noisy pictures of several aspects."""
    rng = np.random.default_rng(seed)
    sides = [(90, 61), (48, 120), (77, 77)]
    return [Image.fromarray(rng.integers(0, 255, (*sides[i % 3], 3), dtype=np.uint8)) for i in range(n)]


def save_vision(folder: Path, model_type: str, **changes: Any) -> Any:
    """Save a tiny model of transformers and its image processor; returns the model."""
    import transformers

    torch.manual_seed(0)
    common = {
        "hidden_size": 24,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "intermediate_size": 40,
        "image_size": SIZE,
        "patch_size": PATCH,
        "initializer_range": 0.2,
    }
    config_name, model_name, own = {
        "dinov2": ("Dinov2Config", "Dinov2Model", {"mlp_ratio": 2}),
        "dinov2_with_registers": ("Dinov2WithRegistersConfig", "Dinov2WithRegistersModel", {"num_register_tokens": 4}),
        "dinov3_vit": ("DINOv3ViTConfig", "DINOv3ViTModel", {"num_register_tokens": 4, "hidden_size": 32}),
        "vit": ("ViTConfig", "ViTModel", {}),
        "deit": ("DeiTConfig", "DeiTModel", {}),
        "beit": ("BeitConfig", "BeitModel", {"use_relative_position_bias": True}),
        "vit_mae": ("ViTMAEConfig", "ViTMAEModel", {}),
        "ijepa": ("IJepaConfig", "IJepaModel", {}),
        "siglip_vision_model": ("SiglipVisionConfig", "SiglipVisionModel", {}),
        "clip_vision_model": ("CLIPVisionConfig", "CLIPVisionModelWithProjection", {"projection_dim": 16}),
    }[model_type]
    config = getattr(transformers, config_name)(**{**common, **own, **changes})
    model = getattr(transformers, model_name)(config)
    shaken(model).save_pretrained(folder)
    processor = transformers.BitImageProcessor(size={"shortest_edge": 36}, crop_size={"height": SIZE, "width": SIZE})
    processor.save_pretrained(folder)
    return model


def save_clip(folder: Path, **changes: Any) -> Any:
    """Save a tiny CLIP of transformers, with both towers, processor and tokenizer; returns the model."""
    import transformers

    torch.manual_seed(1)
    tower = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 40}
    ids = clip_tokenizer(folder)
    text = {**tower, "vocab_size": len(ids), "max_position_embeddings": 12, "eos_token_id": ids["<|endoftext|>"]}
    vision = {**tower, "image_size": SIZE, "patch_size": PATCH}
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=16, **changes)
    model = shaken(transformers.CLIPModel(config))
    model.save_pretrained(folder)
    size = {"shortest_edge": SIZE}
    transformers.CLIPImageProcessor(size=size, crop_size={"height": SIZE, "width": SIZE}).save_pretrained(folder)
    return model


def save_siglip(folder: Path) -> Any:
    """Save a tiny SigLIP of transformers, with both towers and a fast tokenizer; returns the model."""
    import transformers

    torch.manual_seed(2)
    tower = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 40}
    word_tokenizer(folder)
    text = {**tower, "vocab_size": 14, "max_position_embeddings": 10, "projection_size": 24}
    vision = {**tower, "image_size": SIZE, "patch_size": PATCH}
    model = shaken(transformers.SiglipModel(transformers.SiglipConfig(text_config=text, vision_config=vision)))
    model.save_pretrained(folder)
    transformers.SiglipImageProcessor(size={"height": SIZE, "width": SIZE}).save_pretrained(folder)
    return model


def save_sentences(folder: Path, model_type: str) -> Any:
    """Save a tiny encoder of sentences and its tokenizer; returns the model."""
    import transformers

    torch.manual_seed(3)
    word_tokenizer(folder)
    size = {"vocab_size": 14, "hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 4}
    size |= {"intermediate_size": 40, "max_position_embeddings": 12, "pad_token_id": 0, "initializer_range": 0.3}
    config_name, model_name = {
        "bert": ("BertConfig", "BertModel"),
        "mpnet": ("MPNetConfig", "MPNetModel"),
        "roberta": ("RobertaConfig", "RobertaModel"),
        "distilbert": ("DistilBertConfig", "DistilBertModel"),
        "electra": ("ElectraConfig", "ElectraModel"),
    }[model_type]
    if model_type == "distilbert":
        size = {"vocab_size": 14, "dim": 24, "n_layers": 3, "n_heads": 4, "hidden_dim": 40, "pad_token_id": 0}
        size["max_position_embeddings"] = 12
    model = shaken(getattr(transformers, model_name)(getattr(transformers, config_name)(**size)))
    model.save_pretrained(folder)
    return model


def save_open_clip(folder: Path, vision: dict[str, Any] | None = None, text: dict[str, Any] | None = None) -> Any:
    """Save a tiny OpenCLIP model as a local-dir, in half precision; returns the model in float32."""
    import open_clip

    torch.manual_seed(4)
    config = {
        "embed_dim": 16,
        "custom_text": bool(text and text.pop("custom", False)),
        "vision_cfg": {"image_size": SIZE, "layers": 3, "width": 32, "head_width": 8, "patch_size": PATCH},
        "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 24, "heads": 3, "layers": 3},
    }
    config["vision_cfg"] |= vision or {}  # type: ignore[operator]
    config["text_cfg"] |= text or {}  # type: ignore[operator]
    folder.mkdir(parents=True, exist_ok=True)
    written = {"model_cfg": config, "preprocess_cfg": {"resize_mode": "shortest", "interpolation": "bicubic"}}
    (folder / "open_clip_config.json").write_text(json.dumps(written))
    model = shaken(open_clip.create_model(f"local-dir:{folder}", load_weights=False))
    half = {name: tensor.half() for name, tensor in model.state_dict().items()}
    model.load_state_dict({name: tensor.float() for name, tensor in half.items()})
    save_file(half, folder / "open_clip_model.safetensors")
    return model


def shaken(model: Any) -> Any:
    """A model in evaluation mode whose biases and norms are not the zeros and ones of a fresh one."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    return model.eval()


def word_tokenizer(folder: Path, words: Sequence[str] = WORDS) -> None:
    """Save a WordPiece tokenizer of a few words: [PAD] is 0, [UNK] 1, [CLS] 2, [SEP] 3, [MASK] 4."""
    from transformers import BertTokenizer

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    BertTokenizer(vocab={word: i for i, word in enumerate(vocabulary)}).save_pretrained(folder)


def clip_tokenizer(folder: Path) -> dict[str, int]:
    """Save a CLIP tokenizer that knows the word "cat"; returns its vocabulary."""
    from transformers import CLIPTokenizer

    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    pieces = [*letters, *(letter + "</w>" for letter in letters), "ca", "cat</w>", "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    CLIPTokenizer(vocab=vocabulary, merges=[("c", "a"), ("ca", "t</w>")]).save_pretrained(folder)
    return vocabulary


def sentences(seed: int, n: int) -> list[str]:
    """Texts of different lengths, with words that the tokenizers know and some that they do not."""
    rng = random.Random(seed)
    return [" ".join(rng.choices(["a", "cat", "moon", "zebra", "balls", "!"], k=rng.randint(1, 6))) for _ in range(n)]
