"""Resampling: new weights for latents that sleep for good.

Two ways: the published one, a small random encoder row per stream; and ours, which looks at the items, turns latents
that none of them activates towards badly reconstructed ones, and completes latents that work in some streams only.
When it happens is the trainer's business (`index_build.training.trainer`).
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from sparc_core.model import Sparc
from sparc_core.sparse import SparseCode, concatenate

SWEEP_ROWS = 8192
"""How many rows a sweep looks at, at most."""
_NOISE_SCALE = 0.01
_LEAST_CHANCE = 1e-20
_SWEEP_BATCH = 1024


@torch.no_grad()
def resample_with_noise(
    model: Sparc, dead: Mapping[str, Bool[Tensor, " l"]], generator: torch.Generator
) -> dict[str, Int64[Tensor, " m"]]:
    """Give each stream's dead latents a small random encoder row.

    Returns:
        Per stream, the latents that changed.
    """
    changed = {}
    for stream, mask in dead.items():
        latents = mask.nonzero().squeeze(1)
        encoder = model.autoencoder(stream).encoder
        noise = F.normalize(torch.randn(len(latents), encoder.shape[1], generator=generator), dim=1)
        encoder[latents] = _NOISE_SCALE * noise.to(encoder)
        changed[stream] = latents
    return changed


@torch.no_grad()
def resample_with_rows(
    model: Sparc, sample: Mapping[str, Float[Tensor, "n d"]], generator: torch.Generator
) -> dict[str, Int64[Tensor, " m"]]:
    """Give latents that no item of a sample activates, in one stream or in all, a direction that items need.

    One sweep over the sample under the model's own selection finds them. A latent unused in every stream takes one
    item, drawn with a chance proportional to the square of its squared error, and points to that item's residual in
    every stream, so that the streams agree on its meaning from the start. A latent used in some streams points, in the
    others, to the mean feature of the items that use it.

    Returns:
        Per stream, the latents that changed; nothing for a sample without rows.
    """
    if not len(next(iter(sample.values()))):
        return {}
    swept = _sweep(model, sample)
    unused = torch.stack([_unused(code, model.config.n_latents) for code in swept.codes.values()])
    everywhere = unused.all(0).nonzero().squeeze(1)
    chosen = _badly_reconstructed(swept.residuals, len(everywhere), generator)
    changed = {}
    for stream, mask in zip(swept.codes, unused, strict=True):
        elsewhere = (mask & ~unused.all(0)).nonzero().squeeze(1)
        centred = sample[stream] - model.autoencoder(stream).pre_bias
        means = [centred[_users(swept.codes, int(latent))].mean(0) for latent in elsewhere]
        latents = torch.cat([everywhere, elsewhere])
        _point(model, stream, latents, torch.cat([swept.residuals[stream][chosen], *(mean[None] for mean in means)]))
        changed[stream] = latents
    return changed


class _Sweep(NamedTuple):
    """Codes and residuals of all rows, per stream."""

    codes: dict[str, SparseCode]
    residuals: dict[str, Tensor]


def _sweep(model: Sparc, features: Mapping[str, Tensor]) -> _Sweep:
    codes: dict[str, list[SparseCode]] = {stream: [] for stream in features}
    residuals: dict[str, list[Tensor]] = {stream: [] for stream in features}
    for start in range(0, len(next(iter(features.values()))), _SWEEP_BATCH):
        batch = {stream: x[start : start + _SWEEP_BATCH] for stream, x in features.items()}
        for stream, code in model.encode(batch).items():
            codes[stream].append(code)
            residuals[stream].append(batch[stream] - model.decode(stream, code))
    return _Sweep(
        {stream: concatenate(parts) for stream, parts in codes.items()},
        {stream: torch.cat(parts) for stream, parts in residuals.items()},
    )


def _unused(code: SparseCode, n_latents: int) -> Bool[Tensor, " l"]:
    unused = torch.ones(n_latents, dtype=torch.bool, device=code.latents.device)
    unused[code.latents[code.activations > 0]] = False
    return unused


def _users(codes: Mapping[str, SparseCode], latent: int) -> Bool[Tensor, " n"]:
    """Rows that activate a latent in any stream."""
    per_stream = [((code.latents == latent) & (code.activations > 0)).any(1) for code in codes.values()]
    return torch.stack(per_stream).any(0)


def _badly_reconstructed(
    residuals: Mapping[str, Tensor], n_rows: int, generator: torch.Generator
) -> Int64[Tensor, " m"]:
    """Draw rows with a chance proportional to the square of their squared error, every stream weighing the same."""
    if not n_rows:
        return torch.empty(0, dtype=torch.int64, device=next(iter(residuals.values())).device)
    squares = [residual.square().sum(1) for residual in residuals.values()]
    error = torch.stack([square / square.sum().clamp_min(_LEAST_CHANCE) for square in squares]).sum(0)
    # Rows without error may be drawn too: there may be fewer others than latents to fill.
    chance = error.square().clamp_min(_LEAST_CHANCE).cpu()
    drawn = torch.multinomial(chance, n_rows, replacement=n_rows > len(error), generator=generator)
    return drawn.to(error.device)


def _point(model: Sparc, stream: str, latents: Int64[Tensor, " m"], directions: Float[Tensor, "m d"]) -> None:
    """Make latents read and write a direction, as strongly as the stream's others do."""
    weights = model.autoencoder(stream)
    unit = F.normalize(directions, dim=1)
    weights.dictionary[latents] = unit
    weights.encoder[latents] = unit * weights.encoder.norm(dim=1).median()
    weights.latent_bias[latents] = weights.latent_bias.median()
