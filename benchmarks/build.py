"""How long does the demo take, and how good is its bundle? `python -m benchmarks.build [--quick]`

Builds the bundle and its twin from nothing in a temporary folder, as `make demo` does. `--quick` builds a tenth of the
corpus, whose quality means nothing.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.report import Figure, report

N_TRAIN, N_TEST = 6000, 1000


def main(quick: Annotated[bool, typer.Option(help="A tenth of the corpus.")] = False) -> None:
    """Seconds of the demo, and headline metrics of its bundle."""
    part = 10 if quick else 1
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "bundle"
        sizes = ["--train-items", str(N_TRAIN // part), "--test-items", str(N_TEST // part)]
        begun = time.perf_counter()
        command = [
            sys.executable,
            "-m",
            "index_build.cli",
            "demo",
            "--out",
            str(out),
            "--work",
            f"{folder}/work",
            *sizes,
        ]
        subprocess.run(command, check=True)
        seconds = time.perf_counter() - begun
        metrics = json.loads((out / "manifest.json").read_text())["metrics"]
        megabytes = sum(file.stat().st_size for file in out.rglob("*") if file.is_file()) / 1e6
    r10, r1 = "recall_at_10.latent.clip_txt.", "recall_at_1.latent.clip_txt."
    report(
        f"the demo bundle, {N_TRAIN // part} + {N_TEST // part} items",
        {
            "build_s": Figure("build both bundles from nothing, processes started and all", seconds, "<= 150 s", "s"),
            "bundle_mb": Figure("size of the bundle", megabytes, "", "MB"),
            "r10_clip_img": Figure("text->clip_img R@10 through latents", metrics[r10 + "clip_img"], ">= 0.92"),
            "r10_dino": Figure("text->dino R@10 through latents", metrics[r10 + "dino"], ">= 0.88"),
            "r1_clip_img": Figure("text->clip_img R@1 through latents", metrics[r1 + "clip_img"]),
            "r1_dino": Figure("text->dino R@1 through latents", metrics[r1 + "dino"]),
            "r1_plain_clip": Figure(
                "text->clip_img R@1, plain CLIP features", metrics["recall_at_1.backbone.clip_txt.clip_img"]
            ),
            "pure_objects": Figure(
                "objects with one latent pure in all streams", metrics["objects_with_pure_latent"], ">= 0.90"
            ),
            "latents_dead": Figure("latents dead in all streams", metrics["latents_dead"], "<= 0.10"),
            "latents_mixed": Figure("latents alive in some streams only", metrics["latents_alive_in_some"], "<= 0.02"),
        },
    )


if __name__ == "__main__":
    typer.run(main)
