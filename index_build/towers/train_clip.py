"""Train the storybook CLIP: an open_clip model on storybook scenes and their captions, from scratch.

    python -m index_build.towers.train_clip --out RUN_DIR [--steps 1400] [--threads 1]

Most batches are hard. Of these, some show all objects once, in the same place and at the same spots, so that only
what the objects are can tell the captions apart; others show the same objects in every place, so that the place
must. A caption that is also true of another picture is no negative for it.
"""

import math
import random
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
import typer
from jaxtyping import Bool, Float, Int64
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from torch import nn

from index_build.storybook.captions import (
    Caption,
    article,
    caption,
    full_caption,
    grammar_words,
    scene_facts,
    with_fillers,
)
from index_build.storybook.drawing import camera, draw
from index_build.storybook.scene import PAGE, Scene, random_scene
from index_build.storybook.world import N_OBJECTS, N_PLACES, OBJECTS, PLACES
from index_build.towers.loop import Phase, Run, adamw, keep_tokens, learning_rate, phase_at, salient_patches, to_input
from sparc_core.backbones.compact_tokenizer import CompactTokenizer

CONTEXT = 32
CONFIG: dict[str, Any] = {
    "embed_dim": 128,
    "vision_cfg": {"image_size": PAGE, "patch_size": 8, "width": 192, "layers": 6, "head_width": 64},
    "text_cfg": {"context_length": CONTEXT, "width": 192, "layers": 4, "heads": 3},
}
PHASES = (Phase(0.4, 40, 108), Phase(0.8, 72, 108), Phase(1.0, 196, 72))
KIND_WEIGHTS = (0.4, 0.25, 0.35)  # of batches with hard objects, hard places, neither
PEAK_RATE = 1.2e-3
EVALUATION_SEED = 999


class KeptPatches(nn.Module):
    """Stands in open_clip's patch dropout: keeps the patches it was told to while training."""

    kept: Int64[torch.Tensor, "b kept"] | None = None

    def forward(self, tokens: Float[torch.Tensor, "b t d"]) -> Float[torch.Tensor, "b s d"]:
        """CLS and the kept patch tokens."""
        return keep_tokens(tokens, self.kept if self.training else None, n_prefix=1)


def build_clip(n_tokens: int) -> CLIP:
    """An untrained storybook CLIP for a vocabulary of `n_tokens`."""
    text = CLIPTextCfg(**CONFIG["text_cfg"], vocab_size=n_tokens)
    return CLIP(CONFIG["embed_dim"], CLIPVisionCfg(**CONFIG["vision_cfg"]), text)


def encode_text(model: CLIP, tokens: Int64[torch.Tensor, "b t"]) -> Float[torch.Tensor, "b d"]:
    """Unit-norm text features, computed only up to the longest text of the batch."""
    ends = tokens.argmax(1)
    length = int(ends.max()) + 1
    x = model.token_embedding(tokens[:, :length]) + model.positional_embedding[:length]
    x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:length, :length]))
    return F.normalize(x[torch.arange(len(tokens)), ends] @ model.text_projection, dim=-1)


def hard_scenes(rng: random.Random, n_blocks: int) -> list[Scene]:
    """Blocks of all objects once (or in overlapping pairs), alike in everything but the objects."""
    scenes = []
    for _ in range(n_blocks):
        pairs, place_id = rng.random() < 0.35, rng.randrange(N_PLACES)
        order = rng.sample(range(N_OBJECTS), N_OBJECTS)
        model = random_scene(rng, n_objects=2 if pairs else 1)
        for i, object_id in enumerate(order):
            ids = (object_id, order[(i + 1) % N_OBJECTS]) if pairs else (object_id,)
            scenes.append(random_scene(rng, object_ids=ids, place_id=place_id, like=model))
    return scenes


def hard_places(rng: random.Random, n: int) -> list[Scene]:
    """`n` scenes in blocks of all places: the same objects at the same spots, only the place (and paint) differs."""
    scenes = []
    for _ in range(n // N_PLACES):
        model = random_scene(rng)
        ids = tuple(item.object_id for item in model.objects)
        scenes += [random_scene(rng, object_ids=ids, place_id=place, like=model) for place in range(N_PLACES)]
    return scenes


def usable(scenes: list[Scene], captions: list[Caption], block: int | None) -> Bool[torch.Tensor, "b b"]:
    """Entry (i, j): caption j is picture i's own, or a fair negative: in the same block and not true of it."""
    facts = [scene_facts(scene) for scene in scenes]
    same = [[block is None or i // block == j // block for j in range(len(scenes))] for i in range(len(scenes))]
    fair = [[same[i][j] and not c.facts <= true for j, c in enumerate(captions)] for i, true in enumerate(facts)]
    return torch.tensor(fair) | torch.eye(len(scenes), dtype=torch.bool)


def pictures(scenes: list[Scene], rng: random.Random | None = None) -> Float[torch.Tensor, "b c h w"]:
    """Scenes as tower inputs; through the camera when a source of chance is given."""
    drawn = [draw(scene) if rng is None else camera(draw(scene), rng) for scene in scenes]
    return to_input(torch.from_numpy(np.stack(drawn)))


class Trainer:
    """One step and one evaluation of the CLIP training."""

    def __init__(self, seed: int) -> None:
        """Args: `seed` fixes the weights and every batch (each step has its own generator)."""
        torch.manual_seed(seed)
        self.seed = seed
        self.tokenizer = CompactTokenizer.for_words(grammar_words(), CONTEXT)
        self.model = build_clip(self.tokenizer.n_tokens)
        self.patches = self.model.visual.patch_dropout = KeptPatches()
        self.optimizer = adamw([self.model], weight_decay=0.1)
        rng = random.Random(EVALUATION_SEED)
        self.single = [random_scene(rng, n_objects=1) for _ in range(600)]
        self.mixed = [random_scene(rng) for _ in range(1000)]
        self.mixed_captions = [full_caption(scene, rng) for scene in self.mixed]

    def step(self, run: Run, number: int, progress: float) -> tuple[int, str]:
        """One optimiser step; returns the samples seen and a line for the log."""
        phase = phase_at(PHASES, progress)
        rng = random.Random(self.seed * 1_000_003 + number)
        torch.manual_seed(self.seed * 1_000_003 + number)
        kind = rng.choices(("objects", "places", "mixed"), KIND_WEIGHTS)[0]
        scenes = self._scenes(rng, kind, phase.batch, progress)
        with_place = 0.9 if kind == "places" else 0.5
        captions = [caption(s, rng, all_objects=0.8, with_place=with_place, with_group=0.06) for s in scenes]
        texts = [with_fillers(c.text, rng) if rng.random() < 0.2 else c.text for c in captions]
        fair = usable(scenes, captions, N_OBJECTS if kind == "objects" else None)
        x = pictures(scenes, rng)
        self.patches.kept = salient_patches(x, phase.n_patches)
        self.model.train()
        run.set_rate(learning_rate(number, progress, PEAK_RATE))
        loss = self._loss(x, self.tokenizer(texts), fair)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        with torch.no_grad():
            self.model.logit_scale.clamp_(0, math.log(100))
        return len(scenes), f"{kind} loss {loss.item():.3f} patches {phase.n_patches}"

    def _scenes(self, rng: random.Random, kind: str, n: int, progress: float) -> list[Scene]:
        if kind == "objects":
            return hard_scenes(rng, n // N_OBJECTS)
        if kind == "places":
            return hard_places(rng, n)
        weights = (0.6, 0.3, 0.1) if progress < 0.4 else (0.35, 0.35, 0.3)
        return [random_scene(rng, weights=weights) for _ in range(n)]

    def _loss(self, x: torch.Tensor, tokens: torch.Tensor, fair: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            image, text = self.model.encode_image(x, normalize=True), encode_text(self.model, tokens)
        logits = (self.model.logit_scale.exp() * (image.float() @ text.float().T)).masked_fill(~fair, -1e4)
        target = torch.arange(len(x))
        return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2

    @torch.no_grad()
    def evaluate(self, n: int = 300) -> str:
        """Zero-shot object and place accuracy, and text-to-image recall, on `n` scenes never trained on."""
        self.model.eval()
        single = self._image_features(self.single[:n])
        objects = self._text_features([article(o.nouns[0]) for o in OBJECTS])
        places = self._text_features([place.phrases[0] for place in PLACES])
        object_ids = torch.tensor([scene.objects[0].object_id for scene in self.single[:n]])
        place_ids = torch.tensor([scene.place_id for scene in self.single[:n]])
        mixed, captions = self._image_features(self.mixed[:n]), self._text_features(self.mixed_captions[:n])
        found = (captions @ mixed.T).topk(10, 1).indices == torch.arange(n)[:, None]
        return (
            f"zero-shot object {((single @ objects.T).argmax(1) == object_ids).float().mean():.3f} "
            f"place {((single @ places.T).argmax(1) == place_ids).float().mean():.3f} "
            f"text->image R@10 of {n} {found.any(1).float().mean():.3f}"
        )

    def _image_features(self, scenes: list[Scene]) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            batches = [scenes[i : i + 100] for i in range(0, len(scenes), 100)]
            return torch.cat([self.model.encode_image(pictures(b), normalize=True).float() for b in batches])

    def _text_features(self, texts: list[str]) -> torch.Tensor:
        return encode_text(self.model, self.tokenizer(texts))


def main(
    out: Annotated[Path, typer.Option(help="Folder of the run: checkpoints go here; run again to resume.")],
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = 1400,
    threads: Annotated[int, typer.Option(help="CPU threads; 1 leaves the other core to the other tower.")] = 1,
    seed: Annotated[int, typer.Option(help="Fixes weights and data.")] = 0,
) -> None:
    """Train the storybook CLIP."""
    torch.set_num_threads(threads)
    trainer = Trainer(seed)
    run = Run(out, {"model": trainer.model}, trainer.optimizer)
    run.train(steps, lambda number, progress: trainer.step(run, number, progress), trainer.evaluate, every=200)


if __name__ == "__main__":
    typer.run(main)
