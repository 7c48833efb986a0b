"""SPARC's training step written plainly: codes as wide as the dictionary, autograd for everything, passes over weights.

What `benchmarks.train_step` compares with. It follows the paper and the published order of operations, and gives the
published numbers (`tests/core/test_dense_sparc.py`).
"""

from collections.abc import Mapping
from itertools import permutations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from index_build.training.options import TrainingOptions
from sparc_core.model import Sparc


class DenseTrainer:
    """A model and its step, from the published options; resampling is left out, as it happens every 100 steps only.

    Attributes:
        encoders, decoders: Linear layers by stream, [l d] and [d l].
        pre_biases, latent_biases: By stream.
        steps_asleep: Steps since each latent was last active, by stream.
    """

    def __init__(self, start: Sparc, options: TrainingOptions, device: torch.device | None = None) -> None:
        """Args: whose weights to start from, the settings, and where to compute."""
        self.options = options
        self.encoders, self.decoders = nn.ModuleDict(), nn.ModuleDict()
        self.pre_biases, self.latent_biases = nn.ParameterDict(), nn.ParameterDict()
        for stream, d in start.config.streams.items():
            weights = start.autoencoder(stream)
            self.encoders[stream] = nn.Linear(d, options.n_latents, bias=False)
            self.decoders[stream] = nn.Linear(options.n_latents, d, bias=False)
            self.encoders[stream].weight.data.copy_(weights.encoder.detach())
            self.decoders[stream].weight.data.copy_(weights.dictionary.detach().T)
            self.pre_biases[stream] = nn.Parameter(weights.pre_bias.detach().clone())
            self.latent_biases[stream] = nn.Parameter(weights.latent_bias.detach().clone())
        parts = (self.encoders, self.decoders, self.pre_biases, self.latent_biases)
        for part in parts:
            part.to(device)
        asleep = torch.zeros(options.n_latents, dtype=torch.long, device=device)
        self.steps_asleep = {stream: asleep.clone() for stream in self.encoders}
        self.optimizer = torch.optim.Adam([weight for part in parts for weight in part.parameters()], lr=options.lr)

    def step(self, x: Mapping[str, Tensor]) -> Tensor:
        """One step on a batch; returns its loss."""
        self.optimizer.zero_grad()
        loss = self.loss(x)
        loss.backward()
        with torch.no_grad():
            for decoder in self.decoders.values():
                weight = decoder.weight
                weight.copy_(F.normalize(weight, dim=0))
                weight.grad -= (weight.grad * weight).sum(0, keepdim=True) * weight
        self.optimizer.step()
        return loss.detach()

    def loss(self, x: Mapping[str, Tensor]) -> Tensor:
        """The batch's loss; advances the counters."""
        options = self.options
        logits = {s: self.encoders[s](x[s] - self.pre_biases[s]) + self.latent_biases[s] for s in x}
        codes = self._codes(logits)
        dead = {s: self.steps_asleep[s] > options.dead_steps_threshold for s in x}
        for s in x:
            awake = (codes[s] > options.auxk_threshold).any(0)
            self.steps_asleep[s] = torch.where(awake, 1, self.steps_asleep[s] + 1)
        if options.selection == "global":
            dead = {s: self.steps_asleep[s] > options.dead_steps_threshold for s in x}
        own = {s: self.decoders[s](codes[s]) + self.pre_biases[s] for s in x}
        loss = torch.stack([_nmse(own[s], x[s]) for s in x]).mean()
        pairs = list(permutations(x, 2))
        cross = [_nmse(self.decoders[t](codes[s]) + self.pre_biases[t], x[t]) for s, t in pairs]
        loss = loss + options.cross_loss_coef * torch.stack(cross).mean()
        auxk = torch.stack([self._auxk(s, x[s], own[s], logits[s], dead[s]) for s in x]).mean()
        return loss + options.auxk_coef * auxk if auxk > 0 else loss

    def _codes(self, logits: Mapping[str, Tensor]) -> dict[str, Tensor]:
        total = sum(logits.values())
        codes = {}
        for s, values in logits.items():
            chosen = (total if self.options.selection == "global" else values).topk(self.options.k, dim=1).indices
            codes[s] = torch.zeros_like(values).scatter(1, chosen, F.relu(values.gather(1, chosen)))
        return codes

    def _auxk(self, s: str, x: Tensor, own: Tensor, logits: Tensor, dead: Tensor) -> Tensor:
        masked = F.relu(logits) * dead
        strongest = masked.topk(self.options.auxk, dim=1)
        code = torch.zeros_like(logits).scatter(1, strongest.indices, strongest.values)
        residual = x - own.detach() + self.pre_biases[s].detach()
        return _nmse(self.decoders[s](code) + self.pre_biases[s], residual)


def _nmse(output: Tensor, target: Tensor) -> Tensor:
    return ((output - target).square().mean(1) / target.square().mean(1)).mean()
