"""Write trained towers as the package ships them: float16 safetensors, configs, preprocessing.

python -m index_build.towers.export --clip RUN_DIR --dino RUN_DIR [--out sparc_core/backbones/towers]
"""

import json
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from safetensors.torch import save_file
from torch import nn

from index_build.storybook.captions import grammar_words
from index_build.towers.loop import MEAN, STD
from index_build.towers.train_clip import CONFIG, CONTEXT, build_clip
from index_build.towers.train_dino import build_dino
from sparc_core.backbones.compact_tokenizer import CompactTokenizer
from sparc_core.backbones.storybook import TOWERS_PATH


def export_clip(run: Path, folder: Path) -> None:
    """Write the CLIP tower of a training run."""
    tokenizer = CompactTokenizer.for_words(grammar_words(), CONTEXT)
    model = build_clip(tokenizer.n_tokens)
    _write_weights(model, run, folder / "open_clip_model.safetensors")
    text = {**CONFIG["text_cfg"], "vocab_size": tokenizer.n_tokens}
    _write_json(folder / "open_clip_config.json", {"model_cfg": {**CONFIG, "text_cfg": text}})
    _write_json(folder / "vocabulary.json", {"context_length": CONTEXT, "clip_token_ids": tokenizer.kept_ids})
    _write_preprocessing(folder)


def export_dino(run: Path, folder: Path) -> None:
    """Write the DINO tower of a training run."""
    model = build_dino()
    _write_weights(model, run, folder / "model.safetensors")
    config = {key: value for key, value in model.config.to_diff_dict().items() if key != "transformers_version"}
    _write_json(folder / "config.json", config)
    _write_preprocessing(folder)


def _write_weights(model: nn.Module, run: Path, path: Path) -> None:
    saved = torch.load(run / "checkpoint.pt", weights_only=True)
    model.load_state_dict(saved["modules"]["model"])
    path.parent.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.half().contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, path)
    path.chmod(0o644)  # safetensors writes for the owner alone


def _write_preprocessing(folder: Path) -> None:
    size = CONFIG["vision_cfg"]["image_size"]
    _write_json(
        folder / "preprocessor_config.json",
        {"size": {"height": size, "width": size}, "resample": 3, "image_mean": [MEAN] * 3, "image_std": [STD] * 3},
    )


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def main(
    clip: Annotated[Path, typer.Option(help="Run folder of train_clip.")],
    dino: Annotated[Path, typer.Option(help="Run folder of train_dino.")],
    out: Annotated[Path, typer.Option(help="Folder of the shipped towers.")] = TOWERS_PATH,
) -> None:
    """Export both towers."""
    export_clip(clip, out / "clip")
    export_dino(dino, out / "dino")


if __name__ == "__main__":
    typer.run(main)
