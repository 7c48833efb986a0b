"""How latents are used: how many are alive where, how often each is active, how many an item takes."""

from collections import Counter

import numpy as np
from jaxtyping import Float32

from index_build.evaluation.subject import Subject
from sparc_core.bundle.manifest import Selection
from sparc_core.evaluation.results import Liveness, Pattern, Sparsity
from sparc_core.metrics import liveness

_DIGITS = 6
_BINS_PER_DECADE = 5


def alive_where(subject: Subject) -> Liveness:
    """Which latents are ever active in which streams, over all items, under the model's own selection."""
    alive = {
        stream: np.array([postings.n_items_of(latent) > 0 for latent in range(subject.n_latents)])
        for stream, postings in subject.postings().items()
    }
    rows = zip(*alive.values(), strict=True)
    counted = Counter(tuple(s for s, is_alive in zip(alive, row, strict=True) if is_alive) for row in rows)
    place = {stream: number for number, stream in enumerate(alive)}
    patterns = sorted(counted, key=lambda streams: (len(streams), [place[stream] for stream in streams]))
    return Liveness(
        **liveness(alive)._asdict(),
        dead_in={stream: int((~found).sum()) for stream, found in alive.items()},
        patterns=tuple(Pattern(alive_in=streams, n_latents=counted[streams]) for streams in patterns),
    )


def sparsity(subject: Subject, stream: str, selection: Selection) -> Sparsity:
    """How one stream uses the latents, over all items."""
    table = subject.latents
    density = (table.density if selection == "own" else table.density_local)[stream]
    edges = density_edges(len(subject.items))
    return Sparsity(
        stream=stream,
        selection=selection,
        l0=round(float(density.sum(dtype=np.float64)), _DIGITS),
        edges=tuple(round(float(edge), 9) for edge in edges),
        counts=tuple(int(count) for count in histogram(density, edges)),
        n_never=int((density <= 0).sum()),
    )


def density_edges(n_items: int) -> np.ndarray:
    """Five bins to a decade, from the density of a latent that is active once to 1."""
    decades = int(np.ceil(np.log10(max(n_items, 2))))
    return np.logspace(-decades, 0, decades * _BINS_PER_DECADE + 1)


def histogram(density: Float32[np.ndarray, "l"], edges: np.ndarray) -> np.ndarray:
    """Latents per bin of density; those that are never active are in none."""
    bins = np.searchsorted(edges, density[density > 0], side="right") - 1
    return np.bincount(np.clip(bins, 0, len(edges) - 2), minlength=len(edges) - 1)
