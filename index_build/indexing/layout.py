"""Where latents lie to each other: their nearest neighbours, and a map in the plane.

A dictionary may have a hundred thousand rows: everything is computed in blocks of them.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int32
from threadpoolctl import threadpool_limits

from sparc_core.bundle.tables import N_NEAREST

_ROWS_AT_A_TIME = 2048
# Of the map: so many alive latents at least, and at most; axes of their rows; how many neighbours each is placed by.
_FEWEST_PLACED, _MOST_PLACED, _N_AXES, _PERPLEXITY, _LATENTS_PER_NEIGHBOUR = 10, 20_000, 50, 30, 10
_DEAD = 4.0  # subtracted from a dead latent's cosine: behind every alive one, in the same order


def nearest_latents(
    dictionaries: Sequence[Float[np.ndarray, "l d"]], alive: Bool[np.ndarray, "l"]
) -> Int32[np.ndarray, "l near"]:
    """The latents whose dictionary rows are most alike (cosine averaged over streams), the most alike first.

    At most 8, never the latent itself, dead latents only where there are not enough alive ones; equal ones by number.
    """
    joint = _Joint(dictionaries)
    n_near = min(N_NEAREST, len(joint) - 1)
    found = np.zeros((len(joint), n_near), np.int32)
    for start in range(0, len(joint), _ROWS_AT_A_TIME):
        rows = joint.block(start)
        cosines = np.empty((len(rows), 0))
        latents = np.empty((len(rows), 0), np.int64)
        for other in range(0, len(joint), _ROWS_AT_A_TIME):
            block = rows @ joint.block(other).T
            block[:, ~alive[other : other + _ROWS_AT_A_TIME]] -= _DEAD
            if other == start:
                np.fill_diagonal(block, -np.inf)
            columns = _largest(block, n_near)
            # What was found before has lower numbers and comes first, so that a stable sort keeps ties in order.
            cosines = np.concatenate([cosines, np.take_along_axis(block, columns, 1)], axis=1)
            latents = np.concatenate([latents, columns + other], axis=1)
            order = np.argsort(-cosines, axis=1, kind="stable")[:, :n_near]
            cosines, latents = np.take_along_axis(cosines, order, 1), np.take_along_axis(latents, order, 1)
        found[start : start + len(rows)] = latents
    return found


def places(
    dictionaries: Sequence[Float[np.ndarray, "l d"]], alive: Bool[np.ndarray, "l"]
) -> tuple[Float32[np.ndarray, "l"], Float32[np.ndarray, "l"]]:
    """Map coordinates in [-1, 1] on which the latents most alike lie together: t-SNE of the dictionary rows.

    Likeness is the cosine averaged over streams. Dead latents have NaN. Fewer than 10 alive latents, or more than
    20,000, lie on the `plane`, from which t-SNE starts otherwise.

    The same dictionaries have the same map on one machine: one thread does all of it, since sums of several depend on
    which of them is done first. 8,192 latents of 2,560 numbers take about a minute on one core.

    Source: van der Maaten and Hinton 2008; Barnes-Hut approximation, van der Maaten 2014.
    """
    joint = _Joint(dictionaries)
    if not _FEWEST_PLACED <= alive.sum() <= _MOST_PLACED or joint.width < 2:
        return plane(dictionaries, alive)
    with threadpool_limits(1):
        rows = _principal(joint, alive, _N_AXES)
        points = _neighbourhoods(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12), rows[:, :2])
    low, high = points.min(0), points.max(0)
    xy = np.full((len(alive), 2), np.nan, np.float32)
    xy[alive] = (points - (low + high) / 2) / max(float((high - low).max()) / 2, 1e-12)
    return xy[:, 0], xy[:, 1]


def plane(
    dictionaries: Sequence[Float[np.ndarray, "l d"]], alive: Bool[np.ndarray, "l"]
) -> tuple[Float32[np.ndarray, "l"], Float32[np.ndarray, "l"]]:
    """Map coordinates in [-1, 1]: the plane that best keeps the cosines between alive latents (classical scaling).

    Dead latents have NaN.
    """
    joint = _Joint(dictionaries)
    xy = np.full((len(joint), 2), np.nan, np.float32)
    if alive.sum() >= 3 and joint.width >= 2:
        points = _principal(joint, alive, 2)
        xy[alive] = points / max(float(np.abs(points).max()), 1e-12)
    elif alive.any():
        xy[alive] = 0
    return xy[:, 0], xy[:, 1]


def _principal(joint: "_Joint", alive: Bool[np.ndarray, "l"], n_axes: int) -> Float[np.ndarray, "m axes"]:
    """The alive rows on the axes along which they differ most, the first of them first; fewer where rows are short."""
    mean = np.sum([block.sum(0) for block in joint.blocks(alive)], axis=0) / alive.sum()
    products = np.zeros((joint.width, joint.width))
    for block in joint.blocks(alive):
        centred = block - mean
        products += centred.T @ centred
    _, axes = np.linalg.eigh(products)
    axes = axes[:, ::-1][:, :n_axes]
    # An eigenvector's sign is arbitrary; fix it, so that the map of a model is always the same.
    axes = axes * np.sign(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])])
    return np.concatenate([(block - mean) @ axes for block in joint.blocks(alive)])


def _neighbourhoods(rows: Float[np.ndarray, "m axes"], start: Float[np.ndarray, "m 2"]) -> Float[np.ndarray, "m 2"]:
    """t-SNE of rows, begun from points whose first coordinate it shrinks to a spread of 1e-4, as is usual."""
    from sklearn.manifold import TSNE

    spread = max(float(start[:, 0].std()), 1e-12)
    tsne = TSNE(
        perplexity=min(_PERPLEXITY, len(rows) / _LATENTS_PER_NEIGHBOUR),
        init=(1e-4 / spread * start).astype(np.float32),
        random_state=0,
        n_jobs=1,
    )
    found: Float[np.ndarray, "m 2"] = tsne.fit_transform(rows.astype(np.float32))
    return found


class _Joint:
    """Rows whose inner products are the cosines averaged over streams, [l, sum of d], made block by block.

    Attributes:
        width: Of a row.
    """

    def __init__(self, dictionaries: Sequence[Float[np.ndarray, "l d"]]) -> None:
        self._dictionaries = dictionaries
        self.width = sum(rows.shape[1] for rows in dictionaries)

    def __len__(self) -> int:
        return len(self._dictionaries[0])

    def block(self, start: int) -> Float[np.ndarray, "m sum_d"]:
        """`_ROWS_AT_A_TIME` rows, in float64."""
        blocks = [rows[start : start + _ROWS_AT_A_TIME] for rows in self._dictionaries]
        units = [rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12) for rows in blocks]
        return np.concatenate(units, axis=1).astype(np.float64) / np.sqrt(len(units))

    def blocks(self, chosen: Bool[np.ndarray, "l"]) -> Iterator[Float[np.ndarray, "m sum_d"]]:
        """All chosen rows."""
        for start in range(0, len(self), _ROWS_AT_A_TIME):
            yield self.block(start)[chosen[start : start + _ROWS_AT_A_TIME]]


def _largest(values: Float[np.ndarray, "m n"], k: int) -> Int[np.ndarray, "m j"]:
    """Columns of each row's k largest values (all, where there are fewer), the largest first, equal ones by column."""
    n_rows, n_columns = values.shape
    if k >= n_columns:
        return np.argsort(-values, axis=1, kind="stable")
    bound = np.partition(values, n_columns - k, axis=1)[:, n_columns - k]
    rows, columns = np.nonzero(values >= bound[:, None])  # more than k where values tie
    order = np.lexsort((columns, -values[rows, columns], rows))
    firsts = np.searchsorted(rows, np.arange(n_rows))
    return columns[order][firsts[:, None] + np.arange(k)]
