"""The published figures of SPARC, to set beside our own: the four models of the paper and of its notebooks.

Source: arXiv 2507.06265 and its notebooks. All are of Open Images' test pictures, but for segmentation, which is of
COCO's validation pictures. What was not published is empty, or None.
"""

from collections.abc import Mapping
from typing import NamedTuple

from sparc_core.evaluation.results import (
    Evaluation,
    Liveness,
    Pattern,
    ProbeMean,
    ProfileAlignment,
    Retrieval,
    Segmentation,
    Settings,
)

MAIN = "global, λ 1"
"""The model that the paper is about."""
CORPUS = "Open Images test"
STREAMS = ("clip_img", "clip_txt", "dino")
N_ITEMS, _N_LATENTS, _N_CLASSES, _N_CASES = 126_020, 8192, 432, 14_631


class _Run(NamedTuple):
    """What was published of one model.

    Attributes:
        jaccard: Mean over all latents, by depth.
        alive_in: How many latents are alive in exactly these streams.
        cross_entropy: Mean over classes, in the order of STREAMS.
        segmentation: Mean intersection over union and average precision, by method.
    """

    jaccard: tuple[float, ...]
    alive_in: Mapping[tuple[str, ...], int]
    cross_entropy: tuple[float, float, float]
    segmentation: Mapping[str, tuple[float, float]] = {}


_RUNS = {
    "global, λ 1": _Run(
        jaccard=(0.8118, 0.8056, 0.8032, 0.8020, 0.8018, 0.8018),
        alive_in={(): 1280, STREAMS: 6912},
        cross_entropy=(0.535446, 0.564620, 0.540910),
        segmentation={
            "dino_sparc_sum": (0.1368, 0.2218),
            "clip_sparc_sum": (0.1307, 0.2225),
            "clip_sparc_cross": (0.1381, 0.2230),
            "dino_sparc_cross": (0.1429, 0.2222),
            "clip_sim": (0.1567, 0.2477),
        },
    ),
    "global, λ 0": _Run(
        jaccard=(0.8054, 0.7633, 0.7451, 0.7359, 0.7344, 0.7344),
        alive_in={
            (): 131,
            ("dino",): 2,
            ("clip_img", "clip_txt"): 2,
            ("clip_img", "dino"): 11,
            ("clip_txt", "dino"): 2,
            STREAMS: 8044,
        },
        cross_entropy=(0.533646, 0.494226, 0.519378),
    ),
    "local, λ 1": _Run(
        jaccard=(0.3238, 0.2866, 0.2706, 0.2615, 0.2600, 0.2599),
        alive_in={
            ("clip_img",): 25,
            ("clip_txt",): 67,
            ("dino",): 530,
            ("clip_img", "clip_txt"): 104,
            ("clip_img", "dino"): 3133,
            ("clip_txt", "dino"): 758,
            STREAMS: 3575,
        },
        cross_entropy=(0.499004, 0.536341, 0.517021),
        segmentation={
            "dino_sparc_sum": (0.1364, 0.2124),
            "clip_sparc_sum": (0.1233, 0.2025),
            "clip_sparc_cross": (0.1016, 0.1760),
            "dino_sparc_cross": (0.1286, 0.1937),
            "clip_sim": (0.1567, 0.2477),
        },
    ),
    "local, λ 0": _Run(
        jaccard=(0.3458, 0.2031, 0.1783, 0.1666, 0.1652, 0.1651),
        alive_in={("dino",): 2, ("clip_img", "dino"): 1152, ("clip_txt", "dino"): 19, STREAMS: 7019},
        cross_entropy=(0.523822, 0.490372, 0.526473),
    ),
}


def _retrieval(query: str, target: str, recalls: tuple[float, float, float], median: int, mean: float) -> Retrieval:
    at_1, at_5, at_10 = recalls
    return Retrieval(
        corpus=CORPUS,
        inside=True,
        way="backbone",
        query=query,
        target=target,
        n_queries=N_ITEMS,
        n_items=N_ITEMS,
        at_1=at_1,
        at_5=at_5,
        at_10=at_10,
        median_rank=median,
        mean_reciprocal_rank=mean,
    )


# CLIP's features are those of every model, so these rows are the same for all four.
_RETRIEVAL = (
    _retrieval("clip_img", "clip_txt", (0.098294, 0.206864, 0.269497), 79, 0.155983),
    _retrieval("clip_txt", "clip_img", (0.077051, 0.171751, 0.226670), 124, 0.128005),
)


def _profile(depth: int, jaccard_of_all: float) -> ProfileAlignment:
    return ProfileAlignment(depth=depth, selection="own", jaccard_of_all=jaccard_of_all)


def _liveness(alive_in: Mapping[tuple[str, ...], int]) -> Liveness:
    some = sum(n_latents for streams, n_latents in alive_in.items() if 0 < len(streams) < len(STREAMS))
    dead = {stream: sum(n for streams, n in alive_in.items() if stream not in streams) for stream in STREAMS}
    return Liveness(
        alive_in_all=alive_in[STREAMS],
        alive_in_some=some,
        dead_in_all=alive_in.get((), 0),
        dead_in=dead,
        patterns=tuple(Pattern(alive_in=streams, n_latents=n_latents) for streams, n_latents in alive_in.items()),
    )


def _segmentation(method: str, iou: float, average_precision: float) -> Segmentation:
    stream = "dino" if method.startswith("dino") else "clip_img"
    return Segmentation(
        method=method,
        stream=stream,
        blocks="last",
        iou=iou,
        average_precision=average_precision,
        n_cases=_N_CASES,
    )


def _evaluation(run: _Run) -> Evaluation:
    probes = zip(STREAMS, run.cross_entropy, strict=True)
    return Evaluation(
        settings=Settings(n_items=N_ITEMS, n_held_out=N_ITEMS, n_measured=N_ITEMS, n_latents=_N_LATENTS),
        retrieval=_RETRIEVAL,
        liveness=_liveness(run.alive_in),
        profiles=tuple(_profile(depth, jaccard) for depth, jaccard in enumerate(run.jaccard)),
        probe_means=tuple(ProbeMean(stream=s, n_classes=_N_CLASSES, cross_entropy=mean) for s, mean in probes),
        segmentation=tuple(_segmentation(method, *figures) for method, figures in run.segmentation.items()),
    )


PUBLISHED: dict[str, Evaluation] = {title: _evaluation(run) for title, run in _RUNS.items()}
"""What was published, by how the model selects and the weight λ of its cross-reconstruction loss."""


def is_published(evaluation: Evaluation) -> bool:
    """Whether it is one of these."""
    return any(evaluation is known for known in PUBLISHED.values())


def published_jaccard(profile: ProfileAlignment) -> float | None:
    """The main model's `jaccard_of_all` at the same depth; None for other streams or another selection."""
    streams = {stream for pair in profile.pairs for stream in (pair.first, pair.second)}
    if profile.selection != "own" or streams != set(STREAMS):
        return None
    by_depth = {known.depth: known.jaccard_of_all for known in PUBLISHED[MAIN].profiles}
    return by_depth.get(profile.depth)


def published_cross_entropy(stream: str) -> float | None:
    """The main model's probes; None for a stream of another name."""
    return {known.stream: known.cross_entropy for known in PUBLISHED[MAIN].probe_means}.get(stream)


def published_recall_at_10(row: Retrieval) -> float | None:
    """Of the same direction, by features, among 126,020 items; None for other ways and streams, and outside."""
    by_direction = {(known.inside, known.way, known.query, known.target): known.at_10 for known in _RETRIEVAL}
    return by_direction.get((row.inside, row.way, row.query, row.target))


def published_segmentation(row: Segmentation) -> Segmentation | None:
    """The main model's, by the same method over the same blocks; None where there is none."""
    by_method = {(known.method, known.blocks): known for known in PUBLISHED[MAIN].segmentation}
    return by_method.get((row.method, row.blocks))
