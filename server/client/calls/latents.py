"""Latents, their items, and the search for them."""

from collections.abc import Sequence

from server.client import operations
from server.client.call import Call
from server.client.calls.forms import pages_of
from server.client.words import (
    AliveWord,
    IntervalWord,
    MismatchWord,
    SortWord,
)
from server.schemas import (
    CoactiveLatents,
    Latent,
    LatentItems,
    LatentPage,
    LatentSearch,
    LatentSummary,
    LatentTest,
    Mismatch,
    MismatchPage,
    Region,
)


def latents(
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
    sort: SortWord = "alignment",
    limit: int = 24,
    cursor: str | None = None,
    start: int | None = None,
    bundle: str | None = None,
) -> Call[LatentPage]:
    """A page of the gallery; `every_latent` goes on to the last page.

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
        sort: All but "id" are descending.
        limit: Of a page.
        cursor: `next_cursor` of the page before.
        start: Position of the page's first latent, instead of a cursor.
        bundle: Of which served bundle, by its id; by default of the main one.
    """
    return operations.LATENTS.call(
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
        sort=sort,
        limit=limit,
        cursor=cursor,
        start=start,
        bundle=bundle,
    )


@pages_of(latents)
def every_latent(page: LatentPage) -> Sequence[LatentSummary]:
    """The latents of the gallery one by one, page by page. Keywords are those of `latents`."""
    return page.latents


def search_latents(
    text: str | None = None,
    *,
    item_id: str | None = None,
    upload_id: str | None = None,
    item_ids: Sequence[str] | None = None,
    region: Region | None = None,
    stream: str | None = None,
    limit: int = 24,
    bundle: str | None = None,
) -> Call[LatentSearch]:
    """Latents that fit a text, a picture or a region of it, or example items: exactly one of the four.

    Args:
        text: What they should stand for.
        item_id: An item whose picture activates them.
        upload_id: Of a picture that was uploaded.
        item_ids: Examples that have them in common.
        region: Of the picture of `item_id` or `upload_id`.
        stream: That reads it; by default by what it is.
        limit: Most latents.
        bundle: Of which served bundle, by its id; by default of the main one.
    """
    return operations.LATENT_SEARCH.call(
        text=text,
        item_id=item_id,
        upload_id=upload_id,
        item_ids=item_ids,
        region=region,
        stream=stream,
        limit=limit,
        bundle=bundle,
    )


def mismatches(
    *,
    strong: str,
    weak: str,
    kind: MismatchWord = "silent",
    at_most: float = 0.5,
    limit: int = 24,
    cursor: str | None = None,
    start: int | None = None,
    bundle: str | None = None,
) -> Call[MismatchPage]:
    """A page of the latents on which two streams disagree; `every_mismatch` goes on to the last page.

    Args:
        strong: The stream in which they are active.
        weak: The stream that is silent, or active on other items.
        kind: "silent": far less often active in `weak`; "different": about as often, on other items.
        at_most: Active so often in `weak`, as a share of `strong`, is silent.
        limit: Of a page.
        cursor: `next_cursor` of the page before.
        start: Position of the page's first latent, instead of a cursor.
        bundle: Of which served bundle, by its id; by default of the main one.
    """
    return operations.MISMATCHES.call(
        strong=strong, weak=weak, kind=kind, at_most=at_most, limit=limit, cursor=cursor, start=start, bundle=bundle
    )


@pages_of(mismatches)
def every_mismatch(page: MismatchPage) -> Sequence[Mismatch]:
    """The latents on which two streams disagree one by one, page by page. Keywords are those of `mismatches`."""
    return page.latents


def latent(latent_id: int, *, bundle: str | None = None) -> Call[Latent]:
    """One latent in full: statistics of each stream, histograms, labels, neighbours.

    Args:
        latent_id: Its number.
        bundle: Of which served bundle, by its id; by default of the main one.
    """
    return operations.LATENT.call({"latent_id": latent_id}, bundle=bundle)


def latent_items(
    latent_id: int,
    *,
    stream: str,
    interval: IntervalWord = "top",
    limit: int = 24,
    seed: int = 0,
    bundle: str | None = None,
) -> Call[LatentItems]:
    """Items of one latent in one stream, strongest first.

    Args:
        latent_id: Its number.
        stream: Whose activations.
        interval: "top", "high", "mid", "low", "random", or "near_miss" (those that all but activate it).
        limit: Most items.
        seed: Of the interval "random".
        bundle: Of which served bundle, by its id; by default of the main one.
    """
    return operations.LATENT_ITEMS.call(
        {"latent_id": latent_id}, stream=stream, interval=interval, limit=limit, seed=seed, bundle=bundle
    )


def coactive_latents(
    latent_id: int, *, stream: str | None = None, limit: int = 8, bundle: str | None = None
) -> Call[CoactiveLatents]:
    """Latents that are active on the same items, under per-stream selection; the greatest overlap first.

    Args:
        latent_id: Its number.
        stream: Whose active items; by default the mean over all streams.
        limit: Most latents.
        bundle: Of which served bundle, by its id; by default of the main one.
    """
    return operations.COACTIVE.call({"latent_id": latent_id}, stream=stream, limit=limit, bundle=bundle)


def latent_activation(
    latent_id: int,
    text: str | None = None,
    *,
    item_id: str | None = None,
    upload_id: str | None = None,
    region: Region | None = None,
    streams: Sequence[str] | None = None,
    bundle: str | None = None,
) -> Call[LatentTest]:
    """A latent's activation on a text, an item or an upload, and what it would take: exactly one of the three.

    Args:
        latent_id: Its number.
        text: New words.
        item_id: An item of the corpus; text streams read its caption.
        upload_id: Of a picture that was uploaded.
        region: Of the picture of `item_id` or `upload_id`.
        streams: By default every stream that can read it.
        bundle: Of which served bundle, by its id; by default of the main one.
    """
    return operations.ACTIVATION.call(
        {"latent_id": latent_id},
        text=text,
        item_id=item_id,
        upload_id=upload_id,
        region=region,
        streams=streams,
        bundle=bundle,
    )
