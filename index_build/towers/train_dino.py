"""Train the storybook DINO: a transformers DINOv2-with-registers on storybook scenes, without captions.

    python -m index_build.towers.train_dino --out RUN_DIR [--steps 1200] [--threads 1]

It sees two drawings of the same objects, re-posed, and learns to find one from the other among many: it is told
which objects are the same, never what anything is called. Some of a batch are twins: the same objects in other
colours and another place, so that colour and place matter too; fewer of them once it knows both, as otherwise
place outweighs the objects.
"""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import torch
import torch.nn.functional as F
import typer
from jaxtyping import Float, Int64
from torch import nn
from transformers import Dinov2WithRegistersConfig, Dinov2WithRegistersModel

from index_build.storybook.scene import PAGE, Scene, random_scene, repaint
from index_build.storybook.world import COLOUR_NAMES, N_OBJECTS, N_PLACES, PLACES
from index_build.towers.loop import Phase, Run, adamw, keep_tokens, learning_rate, phase_at, salient_patches
from index_build.towers.train_clip import EVALUATION_SEED, pictures

WIDTH, DEPTH, N_REGISTERS = 192, 6, 4
PHASES = (Phase(0.5, 40, 96), Phase(0.85, 72, 96), Phase(1.0, 196, 48))  # batch in pairs
PEAK_RATE = 1.2e-3
TEMPERATURE = 0.12


def build_dino() -> Dinov2WithRegistersModel:
    """An untrained storybook DINO. Its initial scale is that of a network this narrow, not DINOv2's 0.02."""
    model = Dinov2WithRegistersModel(
        Dinov2WithRegistersConfig(
            hidden_size=WIDTH,
            num_hidden_layers=DEPTH,
            num_attention_heads=3,
            patch_size=8,
            image_size=PAGE,
            num_register_tokens=N_REGISTERS,
            layerscale_value=1.0,
            attn_implementation="sdpa",
        )
    )
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2 and name.endswith("weight"):
            residual = (2 * DEPTH) ** -0.5 if name.endswith(("dense.weight", "o_proj.weight", "fc2.weight")) else 1.0
            nn.init.normal_(parameter, std=residual * parameter.shape[1] ** -0.5)
        elif parameter.ndim == 4 or "token" in name or "position" in name:
            nn.init.normal_(parameter, std=WIDTH**-0.5)
    return model


def encode(
    model: Dinov2WithRegistersModel, x: Float[torch.Tensor, "b c h w"], kept: Int64[torch.Tensor, "b kept"] | None
) -> Float[torch.Tensor, "b d"]:
    """The CLS token after the last layer norm, from the kept patches only."""
    tokens = keep_tokens(model.embeddings(x), kept, n_prefix=1 + N_REGISTERS)
    for layer in model.encoder.layer:
        out = layer(tokens)
        tokens = out[0] if isinstance(out, tuple) else out
    return model.layernorm(tokens)[:, 0]


def object_sets(rng: random.Random, n: int, progress: float) -> list[tuple[int, ...]]:
    """`n` different sets of objects: every object alone, then pairs, later triples too."""
    sets: list[tuple[int, ...]] = [(object_id,) for object_id in rng.sample(range(N_OBJECTS), N_OBJECTS)]
    seen = set()
    while len(sets) < n:
        size = 3 if progress > 0.4 and rng.random() < 0.35 else 2
        ids = tuple(rng.sample(range(N_OBJECTS), size))
        if tuple(sorted(ids)) not in seen:
            seen.add(tuple(sorted(ids)))
            sets.append(ids)
    return sets[:n]


def scene_pairs(rng: random.Random, n: int, progress: float) -> list[tuple[Scene, Scene]]:
    """`n` positive pairs; the last ones are twins of earlier ones: same objects, another place and other colours."""
    early = progress < 0.4
    n_twins = n // 3 if early else n // 8
    sets = object_sets(rng, n - n_twins, progress)
    pairs = []
    for ids in sets:
        first = random_scene(rng, object_ids=ids)
        alike = rng.random() < (0.5 if early else 0.3)
        second = random_scene(rng, object_ids=ids, place_id=first.place_id if alike else None)
        pairs.append((first, repaint(rng, second, first) if alike else second))
    for position in rng.sample(range(len(sets)), n_twins):
        original, ids = pairs[position][0], sets[position]
        pairs[position] = (original, _same_look(rng, original, ids))
        place_id = (original.place_id + rng.randrange(1, N_PLACES)) % N_PLACES
        twin = random_scene(rng, object_ids=ids, place_id=place_id)
        pairs.append((twin, _same_look(rng, twin, ids)))
    return pairs


def _same_look(rng: random.Random, scene: Scene, ids: tuple[int, ...]) -> Scene:
    return repaint(rng, random_scene(rng, object_ids=ids, place_id=scene.place_id), scene)


def nearest_labels(
    queries: Float[torch.Tensor, "q d"],
    bank: Float[torch.Tensor, "n d"],
    labels: Int64[torch.Tensor, " n"],
    k: int = 10,
) -> Int64[torch.Tensor, " q"]:
    """The most frequent label among each query's k nearest rows of the bank (cosine)."""
    near = (F.normalize(queries, dim=1) @ F.normalize(bank, dim=1).T).topk(k, 1).indices
    return F.one_hot(labels[near], int(labels.max()) + 1).sum(1).argmax(1)


class Trainer:
    """One step and one evaluation of the DINO training."""

    def __init__(self, seed: int) -> None:
        """Args: `seed` fixes the weights and every batch."""
        torch.manual_seed(seed)
        self.seed = seed
        self.model = build_dino()
        self.head = nn.Sequential(nn.Linear(WIDTH, 384), nn.BatchNorm1d(384), nn.GELU(), nn.Linear(384, 96))
        self.optimizer = adamw([self.model, self.head], weight_decay=0.05)
        rng = random.Random(EVALUATION_SEED)
        self.single = [random_scene(rng, n_objects=1) for _ in range(1200)]

    def step(self, run: Run, number: int, progress: float) -> tuple[int, str]:
        """One optimiser step; returns the samples seen and a line for the log."""
        phase = phase_at(PHASES, progress)
        rng = random.Random(self.seed * 1_000_003 + number)
        torch.manual_seed(self.seed * 1_000_003 + number)
        pairs = scene_pairs(rng, phase.batch, progress)
        x = pictures([a for a, _ in pairs] + [b for _, b in pairs], rng)
        self.model.train()
        run.set_rate(learning_rate(number, progress, PEAK_RATE))
        with torch.autocast("cpu", torch.bfloat16):
            features = encode(self.model, x, salient_patches(x, phase.n_patches))
        projected = F.normalize(self.head(features.float()), dim=1)
        similarity = (projected @ projected.T / TEMPERATURE).fill_diagonal_(-1e4)
        partner = torch.arange(2 * len(pairs)).roll(len(pairs))
        loss = F.cross_entropy(similarity, partner)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        found = (similarity.argmax(1) == partner).float().mean().item()
        return len(x), f"loss {loss.item():.3f} partner found {found:.3f} patches {phase.n_patches}"

    @torch.no_grad()
    def evaluate(self) -> str:
        """kNN accuracy (object, colour, place) of single-object scenes never trained on."""
        self.model.eval()
        with torch.autocast("cpu", torch.bfloat16):
            batches = [pictures(self.single[i : i + 100]) for i in range(0, len(self.single), 100)]
            features = torch.cat([encode(self.model, batch, None).float() for batch in batches])
        features -= features.mean(0)
        scores = []
        for name, n_labels, label_of in _LABELS:
            labels = torch.tensor([label_of(scene) for scene in self.single])
            known = (labels >= 0).nonzero()[:, 0]
            queries, bank = known[: len(known) // 4], known[len(known) // 4 :]
            guess = nearest_labels(features[queries], features[bank], labels[bank])
            scores.append(f"{name} of {n_labels} {(guess == labels[queries]).float().mean():.3f}")
        return "kNN " + ", ".join(scores)


_LABELS: tuple[tuple[str, int, Callable[[Scene], int]], ...] = (
    ("object", N_OBJECTS, lambda scene: scene.objects[0].object_id),
    ("colour", len(COLOUR_NAMES), lambda scene: scene.objects[0].colour_id),
    ("place", len(PLACES), lambda scene: scene.place_id),
)


def main(
    out: Annotated[Path, typer.Option(help="Folder of the run: checkpoints go here; run again to resume.")],
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = 1200,
    threads: Annotated[int, typer.Option(help="CPU threads; 1 leaves the other core to the other tower.")] = 1,
    seed: Annotated[int, typer.Option(help="Fixes weights and data.")] = 0,
) -> None:
    """Train the storybook DINO."""
    torch.set_num_threads(threads)
    trainer = Trainer(seed)
    run = Run(out, {"model": trainer.model, "head": trainer.head}, trainer.optimizer)
    run.train(steps, lambda number, progress: trainer.step(run, number, progress), trainer.evaluate, every=200)


if __name__ == "__main__":
    typer.run(main)
