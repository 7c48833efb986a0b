"""What manifests say of bundles in short: titles that tell them apart, how they were trained, how exact they are."""

from collections import Counter
from collections.abc import Sequence

from server.schemas import BundleBrief
from sparc_core.bundle.manifest import Manifest

_ID_DIGITS = 6
_RECALLS = "vector_recall_at_10."


def titles(manifests: Sequence[Manifest]) -> list[str]:
    """A short name for each bundle: how latents are selected, and the first digits of the id where that is the same."""
    plain = [_title(manifest) for manifest in manifests]
    n_of = Counter(plain)
    return [
        title if n_of[title] == 1 else f"{title} ({manifest.bundle_id[:_ID_DIGITS]})"
        for title, manifest in zip(plain, manifests, strict=True)
    ]


def brief(manifest: Manifest, title: str) -> BundleBrief:
    """A bundle in a line."""
    sparc, corpus = manifest.sparc, manifest.corpus
    return BundleBrief(
        bundle_id=manifest.bundle_id,
        title=title,
        corpus=corpus.name,
        n_items=corpus.n_items,
        n_latents=sparc.n_latents,
        k=sparc.k,
        selection=sparc.selection,
        cross_loss_coef=cross_loss_coef(manifest),
    )


def cross_loss_coef(manifest: Manifest) -> float | None:
    """The weight of cross-reconstruction in training; None where the recipe is not known."""
    value = manifest.sparc.recipe.get("cross_loss_coef")
    return float(value) if isinstance(value, int | float) else None


def vectors_recall(manifest: Manifest, stream: str) -> float | None:
    """The lowest share of the exact 10 nearest that a stream's index finds, over all directions of searching.

    None where the index is exact, or was not measured.
    """
    if manifest.stream(stream).vectors == "exact":
        return None
    # A metric is "vector_recall_at_10.reconstructions.clip_txt.dino", and streams have no dots in their names.
    metrics = manifest.metrics.items()
    return min((v for name, v in metrics if name.startswith(_RECALLS) and name.endswith(f".{stream}")), default=None)


def _title(manifest: Manifest) -> str:
    return f"{manifest.sparc.selection} selection{', no cross loss' if cross_loss_coef(manifest) == 0 else ''}"
