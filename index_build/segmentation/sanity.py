"""A sanity check: heatmaps of a tower whose weights are shuffled must not look like those of the tower.

A method that gives the same map for a tower that has learnt nothing shows the picture, not the model. Source: Adebayo
et al. 2018 (arXiv 1810.03292).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import spearmanr

from index_build.segmentation.cases import Case
from index_build.segmentation.methods import Models, Named, read, values
from sparc_core.backbones import ImageBackbone

_BATCH = 16


@contextmanager
def shuffled(backbone: ImageBackbone, seed: int) -> Iterator[None]:
    """Inside, each of the tower's weights has its values in another order."""
    generator = torch.Generator().manual_seed(seed)
    weights = list(backbone.weights())
    kept = [weight.detach().clone() for weight in weights]
    try:
        with torch.no_grad():
            for weight in weights:
                order = torch.randperm(weight.numel(), generator=generator).to(weight.device)
                weight.copy_(weight.flatten()[order].view_as(weight))
        yield
    finally:
        with torch.no_grad():
            for weight, value in zip(weights, kept, strict=True):
                weight.copy_(value)


def agreement(models: Models, method: Named, cases: Sequence[Case], seed: int = 0) -> Float[np.ndarray, " n"]:
    """Rank correlation, case by case, of a method's heatmaps with those of the shuffled tower; 0 where one is flat."""
    own = _maps(models, method, cases)
    with shuffled(models.images[method.stream], seed):
        other = _maps(models, method, cases)
    pairs = zip(own, other, strict=True)
    return np.array([0.0 if min(np.ptp(a), np.ptp(b)) == 0 else spearmanr(a, b).statistic for a, b in pairs])


def _maps(models: Models, method: Named, cases: Sequence[Case]) -> Float[np.ndarray, "n cells"]:
    backbone, made = models.images[method.stream], []
    for start in range(0, len(cases), _BATCH):
        batch = cases[start : start + _BATCH]
        x, question = backbone.preprocess([case.picture for case in batch]), read(models, [case.text for case in batch])
        made.append(values(models, method, x, question, None).flatten(1))
    return torch.cat(made).numpy()
