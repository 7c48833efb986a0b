"""Tables about streams: how well they find and reconstruct one another, and how sparsely their codes say it."""

from sparc_core.evaluation.published import published_recall_at_10
from sparc_core.evaluation.results import Evaluation
from sparc_core.evaluation.table import Column, Table


def retrieval(evaluation: Evaluation) -> Table:
    """Retrieval across streams, inside the corpus and in a second one."""
    return Table(
        "retrieval",
        "Finding an item by its counterpart in another stream",
        "Every query looks for its own item, by codes (latent), by the features that its code reconstructs, or by "
        "features alone where streams share a space (backbone); R@10 is the share that has it among the first ten. By "
        "chance that is ten in the number of items; the published figure is among 126,020 of Open Images.",
        (
            Column("where", "Where", "text"),
            Column("corpus", "Corpus", "text"),
            Column("way", "By", "text"),
            Column("query", "Query", "stream"),
            Column("target", "Target", "stream"),
            Column("at_1", "R@1", "share", "more"),
            Column("at_5", "R@5", "share", "more"),
            Column("at_10", "R@10", "share", "more"),
            Column("median_rank", "Median rank", "count", "less"),
            Column("mean_reciprocal_rank", "Mean reciprocal rank", "share", "more"),
            Column("n_queries", "Queries", "count"),
            Column("n_items", "Items", "count"),
            Column("published_at_10", "Published R@10", "share", "more", published=True),
        ),
        tuple(
            (
                "inside" if row.inside else "outside",
                row.corpus,
                row.way,
                row.query,
                row.target,
                row.at_1,
                row.at_5,
                row.at_10,
                row.median_rank,
                row.mean_reciprocal_rank,
                row.n_queries,
                row.n_items,
                published_recall_at_10(row),
            )
            for row in evaluation.retrieval
        ),
    )


def vector_recall(evaluation: Evaluation) -> Table:
    """What approximate indexes find."""
    return Table(
        "vector-recall",
        "What the approximate index finds",
        "Share of the ten items that are truly nearest to a query which the bundle's faster, approximate index finds "
        "too. 1 means that nothing is lost.",
        (
            Column("query", "Query", "stream"),
            Column("target", "Target", "stream"),
            Column("via", "Searched for", "text"),
            Column("index", "Index", "text"),
            Column("at_10", "Recall at 10", "share", "more"),
        ),
        tuple((row.query, row.target, row.via, row.index, row.at_10) for row in evaluation.vector_recalls),
    )


def reconstruction(evaluation: Evaluation) -> Table:
    """What codes keep of features."""
    return Table(
        "reconstruction",
        "What codes keep of features",
        "Features of the target stream as the source stream's code reconstructs them. The normalised squared error is "
        "0 if perfect and 1 if no better than zeros; explained variance is 1 if perfect and 0 if no better than the "
        "mean.",
        (
            Column("source", "Code of", "stream"),
            Column("target", "Features of", "stream"),
            Column("selection", "Selection", "text"),
            Column("nmse", "Normalised squared error", "number", "less"),
            Column("explained_variance", "Explained variance", "number", "more"),
        ),
        tuple(
            (row.source, row.target, row.selection, row.nmse, row.explained_variance)
            for row in evaluation.reconstruction
        ),
    )


def sparsity(evaluation: Evaluation) -> Table:
    """How many latents an item takes."""
    return Table(
        "sparsity",
        "How many latents describe an item",
        "Active latents per item on average (L0), and latents that no item activates.",
        (
            Column("stream", "Stream", "stream"),
            Column("selection", "Selection", "text"),
            Column("l0", "Active latents per item", "number"),
            Column("n_never", "Never active", "count", "less"),
        ),
        tuple((row.stream, row.selection, row.l0, row.n_never) for row in evaluation.sparsity),
    )
