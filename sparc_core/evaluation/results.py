"""What was measured of a bundle: the content of `evaluation.json`, written by the builder, read by everybody else.

Every list may be empty: `skipped` says why. `docs/evaluation.md` says how each number is measured. Nothing here depends
on how long measuring took, so that the same bundle always has the same file.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from sparc_core.bundle.manifest import Selection, VectorKind

Share = Annotated[float, Field(ge=0, le=1)]
Way = Literal["latent", "reconstruction", "backbone"]
"""How streams are compared: by codes under per-stream selection, by decoded features, by features alone."""
Blocks = Literal["last", "all"]


class _Measured(BaseModel):
    # A bundle may be older or newer than its reader, and say more.
    model_config = ConfigDict(extra="ignore", frozen=True)


class Settings(_Measured):
    """How it was measured.

    Attributes:
        seed: Of everything drawn at random.
        n_items: Items of the bundle.
        n_held_out: Of these, held out of training.
        n_measured: Items that were looked at: held-out ones, or all where none are; evenly spaced where many are.
        n_latents: Size of the dictionary.
    """

    seed: int = 0
    n_items: int = 0
    n_held_out: int = 0
    n_measured: int = 0
    n_latents: int = 0


class Retrieval(_Measured):
    """How well queries of one stream find their own item in another, or in their own ("reconstruction").

    Attributes:
        corpus: Whose items.
        inside: Whether that is the bundle's own corpus.
        n_queries: How many; all are searched for among `n_items`.
        median_rank: From 1; the lower middle one of an even number.
        mean_reciprocal_rank: Ties count against the own item, here and in the recalls.
    """

    corpus: str
    inside: bool
    way: Way
    query: str
    target: str
    n_queries: int
    n_items: int
    at_1: Share
    at_5: Share
    at_10: Share
    median_rank: int
    mean_reciprocal_rank: Share


class VectorRecall(_Measured):
    """Share of the ten items nearest to queries of one stream that another stream's approximate index finds.

    Attributes:
        via: What is searched for: "reconstructions" from the query stream's codes, or its "features".
    """

    query: str
    target: str
    via: Literal["reconstructions", "features"]
    index: VectorKind
    at_10: Share


class Reconstruction(_Measured):
    """How well a stream's code gives a stream's features.

    Attributes:
        source: Whose code.
        target: Whose features.
        nmse: 0 is perfect, 1 no better than zeros.
        explained_variance: 1 is perfect, 0 no better than the mean; may be negative.
    """

    source: str
    target: str
    selection: Selection
    nmse: float
    explained_variance: float


class Sparsity(_Measured):
    """How a stream uses the latents.

    Attributes:
        l0: Active latents per item, on average.
        edges: Of bins of density (share of items on which a latent is active), ascending.
        counts: Latents per bin; those that are never active are in none.
        n_never: Those.
    """

    stream: str
    selection: Selection
    l0: float
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    n_never: int


class Pattern(_Measured):
    """How many latents are alive in exactly these streams, over all items and the model's own selection."""

    alive_in: tuple[str, ...]
    n_latents: int


class Liveness(_Measured):
    """Which latents are alive where.

    Attributes:
        alive_in_all: Latents active in every stream.
        alive_in_some: In some only.
        dead_in_all: In none.
        dead_in: By stream.
        patterns: Every combination that occurs, in the order of the streams, the fewest streams first.
    """

    alive_in_all: int = 0
    alive_in_some: int = 0
    dead_in_all: int = 0
    dead_in: dict[str, int] = {}
    patterns: tuple[Pattern, ...] = ()


class PairAlignment(_Measured):
    """Agreement of two streams, mean over the latents that are active in both.

    Attributes:
        n_latents: How many are.
    """

    first: str
    second: str
    jaccard: Share
    dice: Share
    n_latents: int


class ProfileAlignment(_Measured):
    """Agreement of class profiles at one depth of the label hierarchy.

    A latent's profile in a stream counts, over the items on which it is active, how often each class occurs; labels
    below the depth count for their ancestor there. Jaccard is the sum of the lesser counts over that of the greater.

    Attributes:
        depth: 0 is the roots.
        n_classes: Classes there. None here and below: not published.
        jaccard: Mean over the latents active in at least two streams, each the mean over its pairs.
        dice: Likewise.
        jaccard_of_all: Mean over all latents, 0 for the others: the published number.
        dice_of_all: Likewise.
        pairs: Pair by pair.
    """

    depth: int
    n_classes: int | None = None
    selection: Selection
    jaccard: Share | None = None
    dice: Share | None = None
    jaccard_of_all: Share
    dice_of_all: Share | None = None
    pairs: tuple[PairAlignment, ...] = ()


class ItemAlignment(_Measured):
    """Agreement of the sets of items that activate a latent, pair by pair."""

    selection: Selection
    pairs: tuple[PairAlignment, ...]


class Probe(_Measured):
    """One class told by one latent of a stream.

    Attributes:
        n_positive: Measured items that carry the label; as many others were drawn.
        latent: Which of the candidates did best on the validation items.
        validation_cross_entropy: In nats; log 2 = 0.693 is chance.
        cross_entropy: On the test items.
        accuracy: On the test items; 0.5 is chance.
    """

    stream: str
    label: str
    n_positive: int
    latent: int
    validation_cross_entropy: float
    cross_entropy: float
    accuracy: Share


class ProbeMean(_Measured):
    """Probes of one stream on average over classes."""

    stream: str
    n_classes: int
    cross_entropy: float
    accuracy: Share | None = None


class ClassPrecision(_Measured):
    """Average precision of one class, on test items of which `n_positive` carry it."""

    label: str
    n_positive: int
    average_precision: Share


class Classification(_Measured):
    """A classifier of one hidden layer that tells all classes at once.

    Attributes:
        source: What it reads: a stream's "codes", or its "features", to compare.
        n_epochs: Trained for, the best on the validation items being kept.
        accuracy: Share of right answers over items and classes.
        precision, recall, f1: Of each item's classes, then averaged over items; a class is said above 0.5.
        mean_average_precision: Over classes that occur.
        classes: Class by class.
    """

    stream: str
    source: Literal["codes", "features"]
    n_train: int
    n_validation: int
    n_test: int
    n_epochs: int
    accuracy: Share
    precision: Share
    recall: Share
    f1: Share
    mean_average_precision: Share
    classes: tuple[ClassPrecision, ...] = ()


class NamedLatent(_Measured):
    """How well one latent's name predicts its activations in a stream (AUROC)."""

    latent: int
    name: str
    auroc: Share


class Names(_Measured):
    """How well names predict activations: AUROC of a latent's activations for the items that its name fits.

    Measured on items that the name was not made from.

    Attributes:
        source: What the names were made from: "labels" or "caption words".
        n_latents: Latents with such a name that fits some of the measured items and not others.
        auroc: Mean over them; 0.5 is chance.
        share_above_09: Of them, how many reach 0.9.
        weakest: Those whose names say least, the weakest first.
    """

    stream: str
    source: str
    n_latents: int
    auroc: Share
    share_above_09: Share
    weakest: tuple[NamedLatent, ...] = ()


class Segmentation(_Measured):
    """One method's heatmaps against masks.

    Attributes:
        method: Its published name, or ours.
        stream: Which stream looks.
        blocks: Which of the tower's blocks are read.
        pointing: Share of cases whose strongest pixel lies on the thing.
        iou: Mean intersection over union above Otsu's threshold.
        average_precision: Mean over classes, a hit being an overlap of 0.2.
        shuffled: Rank correlation with heatmaps of the tower with shuffled weights; near 0 is good. None: not asked.
    """

    method: str
    stream: str
    blocks: Blocks
    pointing: Share | None = None
    iou: Share
    average_precision: Share
    n_cases: int
    shuffled: float | None = None


class PureObjects(_Measured):
    """Labels of kind "object" with a latent whose top items share the label to 80 % or more.

    Attributes:
        n_objects: Of all.
        n_with_pure_latent: One latent that is pure in every stream.
        by_stream: For each stream by itself.
        without: Those that have none in every stream.
    """

    n_objects: int = 0
    n_with_pure_latent: int = 0
    by_stream: dict[str, int] = {}
    without: tuple[str, ...] = ()


class Stability(_Measured):
    """How far another model has the same latents: dictionaries matched one to one by cosine.

    Attributes:
        other: The other bundle's id.
        cosine: Of matched latents, mean.
        share_above_09: Of matched latents, how many reach 0.9.
        n_matched: Latents of the smaller dictionary.
    """

    other: str
    stream: str
    cosine: float
    share_above_09: Share
    n_matched: int


class Evaluation(_Measured):
    """The whole of `evaluation.json`.

    Attributes:
        skipped: By table, why it is empty.
        headline: The manifest's metrics.
    """

    settings: Settings = Settings()
    retrieval: tuple[Retrieval, ...] = ()
    vector_recalls: tuple[VectorRecall, ...] = ()
    reconstruction: tuple[Reconstruction, ...] = ()
    sparsity: tuple[Sparsity, ...] = ()
    liveness: Liveness = Liveness()
    profiles: tuple[ProfileAlignment, ...] = ()
    active_items: tuple[ItemAlignment, ...] = ()
    probe_means: tuple[ProbeMean, ...] = ()
    probes: tuple[Probe, ...] = ()
    classification: tuple[Classification, ...] = ()
    names: tuple[Names, ...] = ()
    segmentation: tuple[Segmentation, ...] = ()
    pure_objects: PureObjects = PureObjects()
    stability: tuple[Stability, ...] = ()
    skipped: dict[str, str] = {}
    headline: dict[str, float] = {}
