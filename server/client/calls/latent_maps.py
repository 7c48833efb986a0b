"""All matching latents at once: on the map, and by two streams."""

from collections.abc import Sequence

from server.client import operations
from server.client.call import Call
from server.client.words import AliveWord
from server.schemas import LatentCounts, LatentMap, LatentPairs


def latent_counts(
    query: str = "",
    *,
    alive: AliveWord | None = None,
    active_in: Sequence[str] = (),
    silent_in: Sequence[str] = (),
    label: str | None = None,
    min_density: float | None = None,
    max_density: float | None = None,
    min_alignment: float | None = None,
    max_alignment: float | None = None,
    min_purity: float | None = None,
    max_purity: float | None = None,
    ids: Sequence[int] = (),
    lasso: str | None = None,
    bundle: str | None = None,
) -> Call[LatentCounts]:
    """How many latents a filter leaves, and would leave with one choice changed. The filter is that of `latents`.

    Args:
        query: Words of the name or label, or a number.
        alive: Active in all streams ("alive"), in some ("mixed"), in none ("dead").
        active_in: Streams in which it is ever active.
        silent_in: Streams in which it never is.
        label: Its best label, exactly.
        min_density: Shares between 0 and 1, as all bounds.
        max_density: Density is the share of items on which it is active, mean over streams.
        min_alignment: Of the streams' active items (Jaccard).
        max_alignment: Of the streams' active items (Jaccard).
        min_purity: Purity is the share of its strongest items that carry its best label.
        max_purity: Purity is the share of its strongest items that carry its best label.
        ids: Only these, at most 200.
        lasso: Only those that lie in a polygon on the map: its corners "x,y;x,y;x,y", from -2 to 2.
        bundle: `bundle_id` of a served bundle; by default the main one.
    """
    return operations.LATENT_COUNTS.call(
        query=query,
        alive=alive,
        active_in=active_in,
        silent_in=silent_in,
        label=label,
        min_density=min_density,
        max_density=max_density,
        min_alignment=min_alignment,
        max_alignment=max_alignment,
        min_purity=min_purity,
        max_purity=max_purity,
        ids=ids,
        lasso=lasso,
        bundle=bundle,
    )


def latent_map(
    query: str = "",
    *,
    alive: AliveWord | None = None,
    active_in: Sequence[str] = (),
    silent_in: Sequence[str] = (),
    label: str | None = None,
    min_density: float | None = None,
    max_density: float | None = None,
    min_alignment: float | None = None,
    max_alignment: float | None = None,
    min_purity: float | None = None,
    max_purity: float | None = None,
    ids: Sequence[int] = (),
    lasso: str | None = None,
    stream: str | None = None,
    bundle: str | None = None,
) -> Call[LatentMap]:
    """All matching latents by their places on the map, as parallel lists. The filter is that of `latents`.

    Args:
        query: Words of the name or label, or a number.
        alive: Active in all streams ("alive"), in some ("mixed"); dead latents have no place.
        active_in: Streams in which it is ever active.
        silent_in: Streams in which it never is.
        label: Its best label, exactly.
        min_density: Shares between 0 and 1, as all bounds.
        max_density: Density is the share of items on which it is active, mean over streams.
        min_alignment: Of the streams' active items (Jaccard).
        max_alignment: Of the streams' active items (Jaccard).
        min_purity: Purity is the share of its strongest items that carry its best label.
        max_purity: Purity is the share of its strongest items that carry its best label.
        ids: Only these, at most 200.
        lasso: Only those that lie in a polygon on the map: its corners "x,y;x,y;x,y", from -2 to 2.
        stream: Whose strongest items are named; by default the first image stream.
        bundle: Of which served bundle, by its id; by default of the main one.
    """
    return operations.LATENT_MAP.call(
        query=query,
        alive=alive,
        active_in=active_in,
        silent_in=silent_in,
        label=label,
        min_density=min_density,
        max_density=max_density,
        min_alignment=min_alignment,
        max_alignment=max_alignment,
        min_purity=min_purity,
        max_purity=max_purity,
        ids=ids,
        lasso=lasso,
        stream=stream,
        bundle=bundle,
    )


def latent_pairs(
    query: str = "",
    *,
    first: str,
    second: str,
    alive: AliveWord | None = None,
    active_in: Sequence[str] = (),
    silent_in: Sequence[str] = (),
    label: str | None = None,
    min_density: float | None = None,
    max_density: float | None = None,
    min_alignment: float | None = None,
    max_alignment: float | None = None,
    min_purity: float | None = None,
    max_purity: float | None = None,
    ids: Sequence[int] = (),
    lasso: str | None = None,
    bundle: str | None = None,
) -> Call[LatentPairs]:
    """All matching latents by their use in two streams, under per-stream selection, as parallel lists.

    Args:
        query: Words of the name or label, or a number.
        first: A stream.
        second: Another one.
        alive: Active in all streams ("alive"), in some ("mixed"), in none ("dead"). The filter is that of `latents`.
        active_in: Streams in which it is ever active.
        silent_in: Streams in which it never is.
        label: Its best label, exactly.
        min_density: Shares between 0 and 1, as all bounds.
        max_density: Density is the share of items on which it is active, mean over streams.
        min_alignment: Of all streams' active items (Jaccard).
        max_alignment: Of all streams' active items (Jaccard).
        min_purity: Purity is the share of its strongest items that carry its best label.
        max_purity: Purity is the share of its strongest items that carry its best label.
        ids: Only these, at most 200.
        lasso: Only those that lie in a polygon on the map: its corners "x,y;x,y;x,y", from -2 to 2.
        bundle: Of which served bundle, by its id; by default of the main one.
    """
    return operations.LATENT_PAIRS.call(
        query=query,
        first=first,
        second=second,
        alive=alive,
        active_in=active_in,
        silent_in=silent_in,
        label=label,
        min_density=min_density,
        max_density=max_density,
        min_alignment=min_alignment,
        max_alignment=max_alignment,
        min_purity=min_purity,
        max_purity=max_purity,
        ids=ids,
        lasso=lasso,
        bundle=bundle,
    )
