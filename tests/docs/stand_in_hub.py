"""The hub and OpenCLIP's built-in models, small: random weights of a few kB under the names in the documents."""

import json
import threading
from pathlib import Path

from tests.core.hub_mirror import serve

DINO = ("facebook/dinov2-with-registers-base", "facebook/dinov2-with-registers-large")
CLIP = {
    "ViT-B-16": "laion/CLIP-ViT-B-16-DataComp.XL-s13B-b90K",
    "ViT-L-14": "laion/CLIP-ViT-L-14-DataComp.XL-s13B-b90K",
}


def serve_hub(folder: Path) -> str:
    """Serve the models of a folder until this process ends; returns what HF_ENDPOINT must be."""
    server = serve(folder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


def write_hub(folder: Path) -> None:
    """Write the models, as their repositories have them."""
    from tests.core.backbone_examples import save_open_clip, save_vision

    for name in DINO:
        save_vision(folder / name, "dinov2_with_registers")
    for name in CLIP.values():
        save_open_clip(folder / name)


def write_small_open_clip(folder: Path, hub: Path) -> None:
    """Write an `open_clip` package to put before the installed one: the same files, but its models are small."""
    import open_clip

    installed, package = Path(open_clip.__file__).parent, folder / "open_clip"
    package.mkdir(parents=True)
    for path in installed.iterdir():
        if path.name not in ("model_configs", "__pycache__"):
            (package / path.name).symlink_to(path)
    (package / "model_configs").mkdir()
    for model, name in CLIP.items():
        config = json.loads((hub / name / "open_clip_config.json").read_text())["model_cfg"]
        (package / "model_configs" / f"{model}.json").write_text(json.dumps(config))
