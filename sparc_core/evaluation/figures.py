"""Figures of an evaluation by what they say, so that those of several evaluations can be set side by side.

Each function names figures in words that are the same in every evaluation that has them; `comparison` makes the tables.
"""

from collections.abc import Iterator

from sparc_core.evaluation.results import Evaluation, Retrieval

Figure = tuple[str, float | None]


def profiles(evaluation: Evaluation) -> Iterator[Figure]:
    """Jaccard of class profiles, by depth, under the model's own selection."""
    for row in evaluation.profiles:
        if row.selection == "own":
            yield f"depth {row.depth}, all latents", row.jaccard_of_all
            yield f"depth {row.depth}, latents active in two streams", row.jaccard


def active_items(evaluation: Evaluation) -> Iterator[Figure]:
    """Jaccard of sets of items, by pair of streams."""
    for row in evaluation.active_items:
        for pair in row.pairs:
            # Sorted: bundles may have the same streams in another order.
            yield f"{' and '.join(sorted((pair.first, pair.second)))}, {row.selection} selection", pair.jaccard


def dead_latents(evaluation: Evaluation) -> Iterator[Figure]:
    """Shares of the dictionary."""
    found = evaluation.liveness
    n_latents = found.alive_in_all + found.alive_in_some + found.dead_in_all
    if n_latents:
        yield "alive in every stream", found.alive_in_all / n_latents
        yield "alive in some streams only", found.alive_in_some / n_latents
        yield "dead in every stream", found.dead_in_all / n_latents
        for stream in sorted(found.dead_in):
            yield f"dead in {stream}", found.dead_in[stream] / n_latents


def probes(evaluation: Evaluation) -> Iterator[Figure]:
    """Cross-entropy and accuracy, by stream."""
    for row in evaluation.probe_means:
        yield f"{row.stream}, cross-entropy", row.cross_entropy
        yield f"{row.stream}, accuracy", row.accuracy


def classification(evaluation: Evaluation) -> Iterator[Figure]:
    """Mean average precision, by stream and what is read."""
    for row in evaluation.classification:
        yield f"{row.stream}, {row.source}", row.mean_average_precision


def recalls(evaluation: Evaluation) -> Iterator[Figure]:
    """Recalls, by way and direction."""
    for row in evaluation.retrieval:
        yield f"{_direction(row)}, R@1", row.at_1
        yield f"{_direction(row)}, R@10", row.at_10


def median_ranks(evaluation: Evaluation) -> Iterator[Figure]:
    """Median ranks, by way and direction."""
    for row in evaluation.retrieval:
        yield _direction(row), row.median_rank


def _direction(row: Retrieval) -> str:
    return f"{'own corpus' if row.inside else row.corpus}, {row.way}, {row.query} to {row.target}"


def reconstruction(evaluation: Evaluation) -> Iterator[Figure]:
    """Errors, by streams and selection."""
    for row in evaluation.reconstruction:
        direction = f"{row.target} from {row.source}, {row.selection} selection"
        yield f"{direction}, normalised squared error", row.nmse
        yield f"{direction}, explained variance", row.explained_variance


def sparsity(evaluation: Evaluation) -> Iterator[Figure]:
    """Active latents, by stream and selection."""
    for row in evaluation.sparsity:
        yield f"{row.stream}, {row.selection} selection", row.l0


def segmentation(evaluation: Evaluation) -> Iterator[Figure]:
    """Of heatmaps, by method."""
    for row in evaluation.segmentation:
        method = f"{row.method}, {row.blocks} block{'s' if row.blocks == 'all' else ''}"
        yield f"{method}, pointing", row.pointing
        yield f"{method}, mean IoU", row.iou
        yield f"{method}, average precision at 0.2", row.average_precision


def names(evaluation: Evaluation) -> Iterator[Figure]:
    """AUROC of names, by stream and source."""
    for row in evaluation.names:
        yield f"{row.stream}, {row.source}, AUROC", row.auroc
        yield f"{row.stream}, {row.source}, share at 0.9 or more", row.share_above_09


def pure_objects(evaluation: Evaluation) -> Iterator[Figure]:
    """Shares of objects."""
    found = evaluation.pure_objects
    if found.n_objects:
        yield "in every stream at once", found.n_with_pure_latent / found.n_objects
        for stream in sorted(found.by_stream):
            yield f"in {stream}", found.by_stream[stream] / found.n_objects


def stability(evaluation: Evaluation) -> Iterator[Figure]:
    """Likeness to other models, by model and stream."""
    for row in evaluation.stability:
        yield f"with {row.other}, {row.stream}, mean cosine", row.cosine
        yield f"with {row.other}, {row.stream}, share at 0.9 or more", row.share_above_09
