"""A hand-made evaluation of a small bundle with a row, at least, in every table."""

from sparc_core.evaluation.results import (
    Classification,
    ClassPrecision,
    Evaluation,
    ItemAlignment,
    Liveness,
    NamedLatent,
    Names,
    PairAlignment,
    Pattern,
    Probe,
    ProbeMean,
    ProfileAlignment,
    PureObjects,
    Reconstruction,
    Retrieval,
    Segmentation,
    Settings,
    Sparsity,
    Stability,
    VectorRecall,
)

_PAIRS = (
    PairAlignment(first="dino", second="clip_img", jaccard=0.5, dice=0.6, n_latents=7),
    PairAlignment(first="dino", second="clip_txt", jaccard=0.25, dice=0.4, n_latents=6),
    PairAlignment(first="clip_img", second="clip_txt", jaccard=0.75, dice=0.8, n_latents=5),
)


def profile(depth: int, selection: str = "own", pairs: tuple[PairAlignment, ...] = _PAIRS) -> ProfileAlignment:
    return ProfileAlignment.model_validate(
        {
            "depth": depth, "n_classes": 3, "selection": selection, "jaccard": 0.5, "dice": 0.6,
            "jaccard_of_all": 0.4, "dice_of_all": 0.45, "pairs": pairs,
        }
    )  # fmt: skip


def retrieval(way: str, query: str, target: str, inside: bool = True) -> Retrieval:
    return Retrieval.model_validate(
        {
            "corpus": "storybook" if inside else "coco", "inside": inside, "way": way, "query": query,
            "target": target, "n_queries": 40, "n_items": 1200, "at_1": 0.125, "at_5": 0.25, "at_10": 0.5,
            "median_rank": 11, "mean_reciprocal_rank": 0.2,
        }
    )  # fmt: skip


def probe(stream: str, label: str, latent: int, n_positive: int = 9) -> Probe:
    return Probe(
        stream=stream, label=label, n_positive=n_positive, latent=latent, validation_cross_entropy=0.4,
        cross_entropy=0.3, accuracy=0.9,
    )  # fmt: skip


def classification(stream: str, source: str, classes: dict[str, float]) -> Classification:
    precisions = [ClassPrecision(label=label, n_positive=4, average_precision=ap) for label, ap in classes.items()]
    return Classification.model_validate(
        {
            "stream": stream, "source": source, "n_train": 30, "n_validation": 5, "n_test": 10, "n_epochs": 3,
            "accuracy": 0.95, "precision": 0.7, "recall": 0.6, "f1": 0.65, "mean_average_precision": 0.55,
            "classes": precisions,
        }
    )  # fmt: skip


def example_evaluation() -> Evaluation:
    """Streams dino, clip_img, clip_txt; 12 latents."""
    return Evaluation(
        settings=Settings(n_items=1200, n_held_out=200, n_measured=200, n_latents=12),
        retrieval=(
            retrieval("latent", "dino", "clip_txt"),
            retrieval("backbone", "clip_img", "clip_txt"),
            retrieval("backbone", "clip_img", "clip_txt", inside=False),
        ),
        vector_recalls=(VectorRecall(query="dino", target="clip_img", via="features", index="hnsw", at_10=0.97),),
        reconstruction=(
            Reconstruction(source="dino", target="clip_img", selection="own", nmse=0.3, explained_variance=-0.0001),
        ),
        sparsity=(Sparsity(stream="dino", selection="own", l0=3.5, edges=(0.1, 1.0), counts=(11,), n_never=1),),
        liveness=Liveness(
            alive_in_all=6,
            alive_in_some=3,
            dead_in_all=3,
            dead_in={"dino": 5, "clip_img": 4, "clip_txt": 5},
            patterns=(
                Pattern(alive_in=(), n_latents=3),
                Pattern(alive_in=("clip_txt",), n_latents=1),
                Pattern(alive_in=("dino", "clip_img"), n_latents=2),
                Pattern(alive_in=("dino", "clip_img", "clip_txt"), n_latents=6),
            ),
        ),
        profiles=(profile(0), profile(1), profile(9), profile(0, "local")),
        active_items=(ItemAlignment(selection="own", pairs=_PAIRS),),
        probe_means=(
            ProbeMean(stream="dino", n_classes=2, cross_entropy=0.3, accuracy=0.9),
            ProbeMean(stream="clip_txt", n_classes=1, cross_entropy=0.4),
        ),
        probes=(probe("dino", "cat", 3), probe("dino", "bee", 4), probe("clip_txt", "cat", 5)),
        classification=(
            classification("dino", "codes", {"cat": 0.8, "bee": 0.3}),
            classification("dino", "features", {"cat": 0.9}),
        ),
        names=(
            Names(
                stream="dino", source="labels", n_latents=8, auroc=0.9, share_above_09=0.625,
                weakest=(NamedLatent(latent=11, name="cat", auroc=0.45), NamedLatent(latent=2, name="bee", auroc=0.6)),
            ),
        ),
        segmentation=(
            Segmentation(
                method="dino_sparc_sum", stream="dino", blocks="last", pointing=0.6, iou=0.2, average_precision=0.3,
                n_cases=200,
            ),
            Segmentation(
                method="dino_sparc_sum", stream="dino", blocks="all", pointing=0.7, iou=0.25, average_precision=0.35,
                n_cases=200, shuffled=0.05,
            ),
        ),
        pure_objects=PureObjects(n_objects=4, n_with_pure_latent=1, by_stream={"dino": 3}, without=("bee", "pig")),
        stability=(Stability(other="0123456789abcdef", stream="dino", cosine=0.7, share_above_09=0.25, n_matched=12),),
    )  # fmt: skip
