"""What both tower trainings share: patch dropout, the learning-rate schedule, checkpoints that survive kill -9."""

import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int64, UInt8
from torch import nn

MEAN, STD = 0.5, 0.27  # of all pictures and channels; stored with the towers' preprocessing
PATCH = 8


@dataclass(frozen=True)
class Phase:
    """Part of a training: until this share of the steps, keep so many patches of 196 and take so large a batch."""

    until: float
    n_patches: int
    batch: int


def phase_at(phases: tuple[Phase, ...], progress: float) -> Phase:
    """The phase that a progress in [0, 1) falls into."""
    return next(phase for phase in phases if progress < phase.until)


def to_input(pictures: UInt8[torch.Tensor, "b h w c"]) -> Float[torch.Tensor, "b c h w"]:
    """Pictures as the towers take them: channels first, centred and scaled."""
    return (pictures.permute(0, 3, 1, 2).float() / 255 - MEAN) / STD


def salient_patches(x: Float[torch.Tensor, "b c h w"], n_patches: int) -> Int64[torch.Tensor, "b kept"] | None:
    """Patches to keep: those with most contrast, with enough chance that plain ones are seen too; None for all.

    Objects cover a sixth of a page, so uniform patch dropout would mostly show a young tower background.
    """
    b, c, h, w = x.shape
    rows, columns = h // PATCH, w // PATCH
    if n_patches >= rows * columns:
        return None
    tiles = x[:, :, ::2, ::2].reshape(b, c, rows, PATCH // 2, columns, PATCH // 2)
    contrast = tiles.permute(0, 2, 4, 3, 5, 1).reshape(b, rows * columns, -1, c).std(2).mean(-1) * STD * 255
    return (torch.log(contrast + 2) + 0.35 * torch.randn_like(contrast)).topk(n_patches, 1).indices


def keep_tokens(
    tokens: Float[torch.Tensor, "b t d"], kept: Int64[torch.Tensor, "b kept"] | None, n_prefix: int
) -> Float[torch.Tensor, "b s d"]:
    """The prefix tokens (CLS, registers) and the kept patch tokens."""
    if kept is None:
        return tokens
    index = kept[..., None].expand(-1, -1, tokens.shape[-1])
    return torch.cat([tokens[:, :n_prefix], tokens[:, n_prefix:].gather(1, index)], dim=1)


def adamw(modules: list[nn.Module], weight_decay: float) -> torch.optim.AdamW:
    """AdamW that decays matrices and leaves biases, gains and scales alone."""
    parameters = [p for module in modules for p in module.parameters()]
    matrices = [p for p in parameters if p.ndim >= 2]
    vectors = [p for p in parameters if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.98))


def learning_rate(step: int, progress: float, peak: float, warmup: int = 50) -> float:
    """Linear warm-up, then half a cosine down to 2 % of the peak."""
    return peak * min(1.0, (step + 1) / warmup) * (0.49 * (1 + math.cos(math.pi * progress)) + 0.02)


@dataclass
class Clock:
    """Where a training stands; saved with every checkpoint, so that wall-clock and samples add up over restarts."""

    step: int = 0
    samples: int = 0
    seconds: float = 0.0


class Run:
    """A training of `n_steps` steps: checkpoints into `folder`, a log line every 20 steps, resumes by itself."""

    def __init__(self, folder: Path, modules: dict[str, nn.Module], optimizer: torch.optim.Optimizer) -> None:
        """Args: `modules` are saved and restored by name, with the optimizer and the clock."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.modules, self.optimizer = folder, modules, optimizer
        self.clock = Clock()
        self._restore()

    @property
    def checkpoint_path(self) -> Path:
        """The newest checkpoint."""
        return self.folder / "checkpoint.pt"

    def train(
        self, n_steps: int, step: Callable[[int, float], tuple[int, str]], evaluate: Callable[[], str], every: int
    ) -> None:
        """Call `step(number, progress)` until `n_steps` are done; every `every` steps evaluate and checkpoint."""
        while self.clock.step < n_steps:
            begun = time.monotonic()
            samples, line = step(self.clock.step, self.clock.step / n_steps)
            self.clock.step += 1
            self.clock.samples += samples
            self.clock.seconds += time.monotonic() - begun
            if self.clock.step % 20 == 0:
                self._log(f"step {self.clock.step}/{n_steps} {self.clock.seconds:.0f} s {line}")
            if self.clock.step % every == 0 or self.clock.step == n_steps:
                self._log(f"evaluation at step {self.clock.step}: {evaluate()}")
                self._save()

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the next step."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def _log(self, line: str) -> None:
        print(line, flush=True)

    def _save(self) -> None:
        state = {name: module.state_dict() for name, module in self.modules.items()}
        temporary = self.checkpoint_path.with_suffix(".part")
        torch.save({"modules": state, "optimizer": self.optimizer.state_dict(), "clock": asdict(self.clock)}, temporary)
        os.replace(temporary, self.checkpoint_path)
        (self.folder / "clock.json").write_text(json.dumps(asdict(self.clock)))

    def _restore(self) -> None:
        if not self.checkpoint_path.exists():
            return
        saved = torch.load(self.checkpoint_path, weights_only=True)
        for name, module in self.modules.items():
            module.load_state_dict(saved["modules"][name])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.clock = Clock(**saved["clock"])
        self._log(f"resumed at step {self.clock.step}")
