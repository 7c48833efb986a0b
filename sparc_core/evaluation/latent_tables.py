"""Tables about latents: do streams agree on them, are they alive, named, pure, and found again by other models?"""

from collections.abc import Iterable, Iterator, Sequence

from sparc_core.evaluation.published import published_jaccard
from sparc_core.evaluation.results import Evaluation, PairAlignment
from sparc_core.evaluation.table import Cell, Column, Table

_N_WITHOUT = 12  # objects that a note lists


def profiles(evaluation: Evaluation) -> Table:
    """Agreement of class profiles by depth of the hierarchy."""
    rows = evaluation.profiles
    pairs = list(dict.fromkeys(pair for row in rows for pair in _by_pair(row.pairs)))
    return Table(
        "profiles",
        "Agreement of streams in the classes that latents stand for",
        "Jaccard and Dice compare, latent by latent, the classes of the items that activate it in two streams, at one "
        "depth of the label hierarchy (0 is the roots): 1 is perfect agreement, 0 none. Over all latents, those not "
        "active in two streams count 0; the published figure is that mean, of Open Images.",
        (
            Column("depth", "Depth", "count"),
            Column("classes", "Classes", "count"),
            Column("selection", "Selection", "text"),
            Column("jaccard", "Jaccard", "share", "more"),
            Column("dice", "Dice", "share", "more"),
            *(Column(f"jaccard.{a}.{b}", f"Jaccard of {a} and {b}", "share", "more") for a, b in pairs),
            Column("jaccard_of_all", "Jaccard over all latents", "share", "more"),
            Column("published_jaccard_of_all", "Published, over all latents", "share", "more", published=True),
        ),
        tuple(
            (
                row.depth,
                row.n_classes,
                row.selection,
                row.jaccard,
                row.dice,
                *map(_by_pair(row.pairs).get, pairs),
                row.jaccard_of_all,
                published_jaccard(row),
            )
            for row in rows
        ),
    )


def _by_pair(pairs: Sequence[PairAlignment]) -> dict[tuple[str, str], float]:
    return {(pair.first, pair.second): pair.jaccard for pair in pairs}


def active_items(evaluation: Evaluation) -> Table:
    """Agreement of the items that activate a latent."""
    return Table(
        "active-items",
        "Agreement of streams in the items that activate a latent",
        "How far the same items activate a latent in two streams, mean over the latents that are active in both. 1 "
        "means exactly the same items, 0 none in common.",
        (
            Column("selection", "Selection", "text"),
            Column("first", "First stream", "stream"),
            Column("second", "Second stream", "stream"),
            Column("jaccard", "Jaccard", "share", "more"),
            Column("dice", "Dice", "share", "more"),
            Column("n_latents", "Latents", "count"),
        ),
        tuple(
            (row.selection, pair.first, pair.second, pair.jaccard, pair.dice, pair.n_latents)
            for row in evaluation.active_items
            for pair in row.pairs
        ),
    )


def dead_latents(evaluation: Evaluation) -> Table:
    """Which latents are alive in which streams."""
    found = evaluation.liveness
    n_latents = found.alive_in_all + found.alive_in_some + found.dead_in_all
    return Table(
        "dead-latents",
        "Latents that are alive, and in which streams",
        "A latent is alive in a stream if any item of the bundle activates it there, under the model's own selection. "
        "The last rows count, for each stream, all latents that are dead in it.",
        (
            Column("pattern", "Latents that are", "text"),
            Column("n", "Latents", "count"),
            Column("share", "Share of all", "share"),
        ),
        tuple((text, n, n / n_latents) for text, n in _patterns(evaluation)) if n_latents else (),
    )


def _patterns(evaluation: Evaluation) -> Iterator[tuple[str, int]]:
    found, streams = evaluation.liveness, evaluation.liveness.dead_in
    yield "alive in every stream", found.alive_in_all
    for pattern in found.patterns:
        if 0 < len(pattern.alive_in) < len(streams):
            yield f"alive in {' + '.join(pattern.alive_in)} only", pattern.n_latents
    yield "dead in every stream", found.dead_in_all
    for stream, n_dead in streams.items():
        yield f"dead in {stream}", n_dead


def names(evaluation: Evaluation) -> Table:
    """How well names predict activations."""
    return Table(
        "names",
        "How well the names of latents predict what activates them",
        "The chance that an item which a latent's name fits activates it more than one which the name does not fit "
        "(AUROC), mean over latents, on items that the names were not made from. 0.5 is chance, 1 perfect.",
        (
            Column("stream", "Stream", "stream"),
            Column("source", "Names made from", "text"),
            Column("n_latents", "Latents", "count"),
            Column("auroc", "AUROC", "share", "more"),
            Column("share_above_09", "Share of latents at 0.9 or more", "share", "more"),
        ),
        tuple((row.stream, row.source, row.n_latents, row.auroc, row.share_above_09) for row in evaluation.names),
    )


def weakest_names(evaluation: Evaluation) -> Table:
    """The names that say least."""
    return Table(
        "weakest-names",
        "The latents whose names predict least",
        "Names to mistrust: how well each latent's name tells which items activate it. 0.5 is chance, less is worse "
        "than that.",
        (
            Column("stream", "Stream", "stream"),
            Column("latent", "Latent", "latent"),
            Column("name", "Name", "text"),
            Column("auroc", "AUROC", "share", "more"),
        ),
        tuple((row.stream, weak.latent, weak.name, weak.auroc) for row in evaluation.names for weak in row.weakest),
    )


def pure_objects(evaluation: Evaluation) -> Table:
    """How many objects have a latent of their own."""
    found = evaluation.pure_objects
    places = [("in every stream at once", found.n_with_pure_latent)]
    places += [(f"in {stream}", n) for stream, n in found.by_stream.items()]
    return Table(
        "pure-objects",
        "Objects that have a latent of their own",
        "Objects for which there is a latent whose strongest items carry the object's label to 80 % or more; in every "
        f"stream at once means one latent for all. {_without(found.without)}",
        (
            Column("where", "Pure", "text"),
            Column("n", "Objects with a pure latent", "count", "more"),
            Column("n_objects", "Objects", "count"),
            Column("share", "Share", "share", "more"),
        ),
        tuple((where, n, found.n_objects, n / found.n_objects) for where, n in places) if found.n_objects else (),
    )


def _without(objects: Sequence[str]) -> str:
    if not objects:
        return "No object is without one."
    more = len(objects) - _N_WITHOUT
    return f"Without one: {', '.join(objects[:_N_WITHOUT])}{f' and {more:,} more' if more > 0 else ''}."


def stability(evaluation: Evaluation) -> Table:
    """Which latents other models have too."""
    rows: Iterable[tuple[Cell, ...]] = (
        (row.other, row.stream, row.cosine, row.share_above_09, row.n_matched) for row in evaluation.stability
    )
    return Table(
        "stability",
        "Latents that another model has too",
        "Each latent's direction is matched with one of another model, one to one, so that the cosines are greatest in "
        "sum. 1 means the same directions; unrelated ones come near 0.",
        (
            Column("other", "Other bundle", "text"),
            Column("stream", "Stream", "stream"),
            Column("cosine", "Mean cosine", "number", "more"),
            Column("share_above_09", "Share of matched latents at 0.9 or more", "share", "more"),
            Column("n_matched", "Matched latents", "count"),
        ),
        tuple(rows),
    )
