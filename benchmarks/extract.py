"""Does the loader keep up with the towers? `python -m benchmarks.extract [--device cuda] [--quick]`

Extraction (files read, decoded, resized, a tower's forward pass, shards written) against the bare forward pass of the
same tower over batches that lie ready, in turns in the same processes: on a CPU one process a core, as a build runs;
on a GPU the whole feeding pipeline against the device alone. The media step, which decodes originals, is beside it.
Weights are random: speed does not depend on them.
"""

import io
import json
import random
import tempfile
import time
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from PIL import Image

from benchmarks.report import Figure, report
from index_build.features.extraction import Shard, checked_features, load_once, write_shard
from index_build.items.media import MediaOptions, write_media
from index_build.threads import one_thread
from index_build.workers import LocalTasks, n_cores
from sparc_core.backbones import load_backbone

GFLOP = {"open_clip:ViT-B-16": 35.1, "storybook:dino": 1.2}
"""Per picture, a multiplication and an addition counted as two."""
BF16_PEAK_TFLOPS = {"H100": 989.0, "H200": 989.0, "A100": 312.0}
CPU_BATCH = 8


@lru_cache(maxsize=2)
def load_random(spec: str) -> Any:
    """A tower of a published shape with random weights; the storybook's own are so small that they ship."""
    if spec.startswith("storybook:"):
        return load_backbone(spec)
    import open_clip

    from sparc_core.backbones.clip import ClipImage
    from sparc_core.backbones.geometry import Geometry
    from sparc_core.backbones.pictures import PictureInput

    clip = open_clip.create_model(spec.partition(":")[2], pretrained=None).eval().requires_grad_(False)
    picture_input = PictureInput(Geometry.crop(224, 224, 16), (0.48, 0.46, 0.41), (0.27, 0.26, 0.28))
    return ClipImage(spec, clip, picture_input)


class PhotoReader:
    """Photographs as cameras leave them: JPEGs of 1600 x 1200, drawn once from noise of several sizes."""

    def read(self, picture: str) -> bytes:
        """One of eight."""
        return _photograph(int(picture) % 8)


@lru_cache(maxsize=8)
def _photograph(seed: int) -> bytes:
    rng = np.random.RandomState(seed)
    layers = [rng.randint(0, 256, (3 * 4**i, 4 * 4**i, 3), np.uint8) for i in range(1, 5)]
    big = [
        np.asarray(Image.fromarray(layer).resize((1600, 1200), Image.Resampling.BICUBIC), np.float32)
        for layer in layers
    ]
    pixels = (big[0] * 0.5 + big[1] * 0.3 + big[2] * 0.15 + big[3] * 0.05).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=92)
    return out.getvalue()


def stored(n: int, options: MediaOptions, folder: Path) -> tuple[list[str], float]:
    """Paths of so many stored pictures, and how many a second the media step made."""
    begun = time.perf_counter()
    names = [str(i) for i in range(n)]
    table = write_media(names, PhotoReader(), options, folder, LocalTasks(n_cores()), lambda done, total: None)
    seconds = time.perf_counter() - begun
    return [str(folder / "bundle" / path) for path in table["media"].to_pylist()], n / seconds


def compare(spec: str, media: list[str], folder: Path, rounds: int, log: Path) -> None:
    """One process's part: shards extracted and the bare tower run over as many pictures, in turns."""
    backbone = load_once(load_random, spec)
    with one_thread():
        ready = backbone.preprocess([Image.open(path).convert("RGB") for path in media[:CPU_BATCH]])
        checked_features(backbone, ready)  # the first pass allocates
        seconds: dict[str, float] = {"extract": 0.0, "bare": 0.0}
        for turn in range(rounds):
            shard = Shard("image", tuple(media), {spec: folder / f"{turn:010d}.npy"})
            begun = time.perf_counter()
            write_shard(load_random, shard)
            seconds["extract"] += time.perf_counter() - begun
            begun = time.perf_counter()
            for _ in range(0, len(media), CPU_BATCH):
                checked_features(backbone, ready)
            seconds["bare"] += time.perf_counter() - begun
    log.write_text(json.dumps(seconds | {"pictures": rounds * len(media)}))


def on_cpu(spec: str, media: list[str], folder: Path, rounds: int) -> tuple[float, float]:
    """Pictures a second of all cores together: extracted, and through the bare tower."""
    n = n_cores()
    folder.mkdir()
    tasks = [(spec, media, folder / f"{spec}-{i}", rounds, folder / f"{i}.json") for i in range(n)]
    LocalTasks(n).run(compare, tasks, lambda done, total: None)
    logs = [json.loads((folder / f"{i}.json").read_text()) for i in range(n)]
    extract, bare = (sum(log["pictures"] / log[what] for log in logs) for what in ("extract", "bare"))
    return extract, bare


def on_device(spec: str, media: list[str], folder: Path, device: torch.device) -> tuple[float, float]:
    """Pictures a second, extracted by the feeding pipeline, and through the bare tower on the device."""
    from index_build.features.extraction import plan_shards
    from index_build.features.on_device import extract_on_device

    shards = plan_shards("image", media, {"stream": spec}, folder)
    begun = time.perf_counter()
    extract_on_device(load_random, shards, device, n_cores(), lambda done, total: None)
    extract = len(media) / (time.perf_counter() - begun)
    backbone = load_once(load_random, spec)
    ready = backbone.preprocess([Image.open(path).convert("RGB") for path in media[:128]]).to(device)
    checked_features(backbone, ready)
    torch.cuda.synchronize()
    begun = time.perf_counter()
    for _ in range(10):
        checked_features(backbone, ready)
    torch.cuda.synchronize()
    return extract, 10 * len(ready) / (time.perf_counter() - begun)


def main(
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    quick: Annotated[bool, typer.Option(help="A few pictures.")] = False,
) -> None:
    """Extraction against the bare forward pass."""
    random.seed(0)
    figures: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        n_media = (48 if quick else 256) if device == "cpu" else 8192
        media, media_speed = stored(n_media, MediaOptions(), folder / "large")
        small, _ = stored(n_media, MediaOptions(side=224), folder / "small")
        figures["media_per_s"] = Figure(
            "media step: JPEGs of 1600 x 1200 decoded, resized, stored", media_speed, "", "pictures/s"
        )
        for key, spec, paths, side, n, rounds in (
            ("", "open_clip:ViT-B-16", media, 640, 8 if quick else 32, 1 if quick else 4),
            ("storybook_", "storybook:dino", small, 224, 48 if quick else 128, 2 if quick else 6),
            ("storybook_640_", "storybook:dino", media, 640, 48 if quick else 128, 2 if quick else 6),
        ):
            if device == "cpu":
                extract, bare = on_cpu(spec, paths[:n], folder / f"{key}cpu", rounds)
            else:
                extract, bare = on_device(spec, paths, folder / f"{key}device", torch.device(device))
            what = f"{spec}, media of {side} px"
            figures[f"{key}pictures_per_s"] = Figure(f"{what}: extracted", extract, "", "pictures/s")
            figures[f"{key}bare_per_s"] = Figure(f"{what}: bare forward pass", bare, "", "pictures/s")
            figures[f"{key}ratio"] = Figure(f"{what}: extracted / bare", extract / bare, ">= 0.9")
            figures[f"{key}tflops"] = Figure(f"{what}: products", extract * GFLOP[spec] / 1000, "", "TFLOP/s")
        if device == "cuda":
            name = torch.cuda.get_device_name()
            peak = next((tflops for chip, tflops in BF16_PEAK_TFLOPS.items() if chip in name), float("nan"))
            figures["peak_share"] = Figure(f"share of the bf16 limit of {name}", figures["tflops"].value / peak)
    report(f"extraction on {device}, {n_cores()} cores", figures)


if __name__ == "__main__":
    typer.run(main)
