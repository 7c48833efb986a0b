"""What must be known before two bundles are compared: their facts side by side, and which comparisons mean nothing."""

from collections.abc import Iterator
from typing import NamedTuple

from server.compare_page.marks import listed
from server.schemas import Info

_NOT_SAID = "not said"


class Fact(NamedTuple):
    """One fact of both bundles; `is_id` is set as code."""

    name: str
    first: str
    second: str
    is_id: bool = False

    @property
    def differs(self) -> bool:
        """Whether the two say different things."""
        return self.first != self.second


def facts(first: Info, second: Info) -> list[Fact]:
    """What tells bundles apart."""
    return [
        Fact("bundle", first.bundle_id, second.bundle_id, is_id=True),
        Fact("corpus", _corpus(first), _corpus(second)),
        Fact("latents", f"{first.n_latents:,}", f"{second.n_latents:,}"),
        Fact("k", str(first.k), str(second.k)),
        Fact("selection", first.selection, second.selection),
        Fact("cross loss", _cross_loss(first), _cross_loss(second)),
        Fact("streams", _streams(first), _streams(second)),
    ]


def warnings(first: Info, second: Info, same_items: bool) -> list[str]:
    """Sentences about what differs so that comparisons mean nothing; none where the two may be compared in everything.

    Args:
        first: One bundle.
        second: The other one.
        same_items: Whether they are known to have the same items in the same order.
    """
    return [*_of_corpora(first, second, same_items), *_of_streams(first, second), *_of_sizes(first, second)]


def same_corpus(first: Info, second: Info) -> bool:
    """Whether both are of a corpus of one name and size."""
    return (first.corpus, first.n_items) == (second.corpus, second.n_items)


def _of_corpora(first: Info, second: Info, same_items: bool) -> Iterator[str]:
    if not same_corpus(first, second):
        yield (
            f"The corpora differ: {_corpus(first)} and {_corpus(second)}. Agreement, retrieval, density, purity and "
            "objects are of other items and other classes, so that their differences say nothing about the models."
        )
    elif not same_items:
        yield (
            f"Both are of {_corpus(first)}, but their tables of items are not the same. Where the items differ, "
            "differences say nothing about the models."
        )


def _of_streams(first: Info, second: Info) -> Iterator[str]:
    names = [[stream.name for stream in info.streams] for info in (first, second)]
    if set(names[0]) != set(names[1]):
        yield (
            f"The streams differ: {_streams(first)}, and {_streams(second)}. Means over streams or pairs of streams "
            "cannot be compared; figures of a stream that both have can."
        )
    widths = {stream.name: (stream.backbone, stream.d) for stream in second.streams}
    other = [s.title for s in first.streams if s.name in widths and widths[s.name] != (s.backbone, s.d)]
    if other:
        what = "has another backbone" if len(other) == 1 else "have other backbones"
        yield f"{listed(other)} {what} in the second bundle: errors of its reconstruction cannot be compared."


def _of_sizes(first: Info, second: Info) -> Iterator[str]:
    if first.n_latents != second.n_latents:
        yield (
            f"The dictionaries have {first.n_latents:,} and {second.n_latents:,} latents: shares of latents can be "
            "compared, counts cannot, and no latent has a counterpart by its number."
        )
    if first.k != second.k:
        yield (
            f"Items have {first.k} and {second.k} active latents: densities cannot be compared, and the larger k has "
            "less error for that reason alone."
        )


def _corpus(info: Info) -> str:
    return f"{info.corpus}, {info.n_items:,} items"


def _cross_loss(info: Info) -> str:
    if info.cross_loss_coef is None:
        return _NOT_SAID
    return f"weight {info.cross_loss_coef:g}" if info.cross_loss_coef else "none"


def _streams(info: Info) -> str:
    return ", ".join(stream.title for stream in info.streams)
