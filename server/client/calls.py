"""Every question that the API answers, written once: a function for each, which makes a `Call` or `Pages`.

A function's keywords are its schema's fields with the same defaults (tests/server/test_client.py compares them); its
docstring is that of both clients' methods. Nothing is sent here.
"""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import BinaryIO, ParamSpec, TypeVar

from server.client import operations
from server.client.answers import NDJSON, PNG, RAW, WEBP, HeatmapArray, LineReader, array_answer, file_answer, no_answer
from server.client.call import Call, Page, Pages
from server.client.errors import invalid
from server.client.methods import with_keywords_of
from server.client.words import (
    AliveWord,
    IntervalWord,
    MeasureWord,
    MethodWord,
    MismatchWord,
    SortWord,
    TargetWord,
    WayWord,
)
from server.schemas import (
    Encoding,
    Evaluation,
    Info,
    Item,
    ItemPage,
    ItemSummary,
    Label,
    Latent,
    LatentItems,
    LatentPage,
    LatentSearch,
    LatentSummary,
    Mismatch,
    MismatchPage,
    QueryTerm,
    Region,
    Reloaded,
    Retrieval,
    RetrieveRequest,
    Upload,
    Where,
)

P = ParamSpec("P")
T = TypeVar("T")

_EVERYWHERE = Where()


def _keywords_of(
    build: Callable[P, Call[LineReader]],
) -> Callable[[Callable[[Call[LineReader]], Call[T]]], Callable[P, Call[T]]]:
    """Let a function be called as `build` is, and work on its call."""

    def decorate(form: Callable[[Call[LineReader]], Call[T]]) -> Callable[P, Call[T]]:
        def formed(*args: P.args, **kwargs: P.kwargs) -> Call[T]:
            return form(build(*args, **kwargs))

        return with_keywords_of(build, form, formed)

    return decorate


def _pages_of(
    build: Callable[P, Call[Page]],
) -> Callable[[Callable[[Page], Sequence[T]]], Callable[P, Pages[Page, T]]]:
    """Let a function be called as `build` is, and say what is on its pages."""

    def decorate(entries: Callable[[Page], Sequence[T]]) -> Callable[P, Pages[Page, T]]:
        def listed(*args: P.args, **kwargs: P.kwargs) -> Pages[Page, T]:
            return Pages(build(*args, **kwargs), entries)

        return with_keywords_of(build, entries, listed)

    return decorate


def info() -> Call[Info]:
    """What is being served: bundle, corpus, streams, model, metrics."""
    return operations.INFO.call()


def labels() -> Call[list[Label]]:
    """The labels of the corpus, with their parents and how many items carry each."""
    return operations.LABELS.call()


def evaluation() -> Call[Evaluation]:
    """What was measured when the bundle was built."""
    return operations.EVALUATION.call()


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
    sort: SortWord = "alignment",
    limit: int = 24,
    cursor: str | None = None,
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
        sort: All but "id" are descending.
        limit: Of a page.
        cursor: `next_cursor` of the page before.
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
        sort=sort,
        limit=limit,
        cursor=cursor,
    )


@_pages_of(latents)
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
    """
    return operations.LATENT_SEARCH.call(
        text=text,
        item_id=item_id,
        upload_id=upload_id,
        item_ids=item_ids,
        region=region,
        stream=stream,
        limit=limit,
    )


def mismatches(
    *,
    strong: str,
    weak: str,
    kind: MismatchWord = "silent",
    at_most: float = 0.5,
    limit: int = 24,
    cursor: str | None = None,
) -> Call[MismatchPage]:
    """A page of the latents on which two streams disagree; `every_mismatch` goes on to the last page.

    Args:
        strong: The stream in which they are active.
        weak: The stream that is silent, or active on other items.
        kind: "silent": far less often active in `weak`; "different": about as often, on other items.
        at_most: Active so often in `weak`, as a share of `strong`, is silent.
        limit: Of a page.
        cursor: `next_cursor` of the page before.
    """
    return operations.MISMATCHES.call(strong=strong, weak=weak, kind=kind, at_most=at_most, limit=limit, cursor=cursor)


@_pages_of(mismatches)
def every_mismatch(page: MismatchPage) -> Sequence[Mismatch]:
    """The latents on which two streams disagree one by one, page by page. Keywords are those of `mismatches`."""
    return page.latents


def latent(latent_id: int) -> Call[Latent]:
    """One latent in full: statistics of each stream, histograms, labels, neighbours."""
    return operations.LATENT.call({"latent_id": latent_id})


def latent_items(
    latent_id: int, *, stream: str, interval: IntervalWord = "top", limit: int = 24, seed: int = 0
) -> Call[LatentItems]:
    """Items of one latent in one stream, strongest first.

    Args:
        latent_id: Its number.
        stream: Whose activations.
        interval: "top", "high", "mid", "low", "random", or "near_miss" (those that all but activate it).
        limit: Most items.
        seed: Of the interval "random".
    """
    return operations.LATENT_ITEMS.call(
        {"latent_id": latent_id}, stream=stream, interval=interval, limit=limit, seed=seed
    )


def items(
    *,
    split: str | None = None,
    label: str | None = None,
    caption: str = "",
    limit: int = 24,
    cursor: str | None = None,
) -> Call[ItemPage]:
    """A page of the corpus; `every_item` goes on to the last page.

    Args:
        split: "train" or "test", say.
        label: This label or one below it.
        caption: Words that the caption holds, in any case.
        limit: Of a page.
        cursor: `next_cursor` of the page before.
    """
    return operations.ITEMS.call(split=split, label=label, caption=caption, limit=limit, cursor=cursor)


@_pages_of(items)
def every_item(page: ItemPage) -> Sequence[ItemSummary]:
    """The items of the corpus one by one, page by page. Keywords are those of `items`."""
    return page.items


def item(item_id: str) -> Call[Item]:
    """One item with its codes."""
    return operations.ITEM.call({"item_id": item_id})


def image(item_id: str, *, size: int = 224, bundle: str | None = None) -> Call[bytes]:
    """An item's picture as WebP.

    Args:
        item_id: Whose.
        size: Most pixels of its width and height.
        bundle: `bundle_id` of what is served: caches on the way may then keep the answer.
    """
    return operations.IMAGE.call({"item_id": item_id}, size=size, bundle=bundle).accepting(WEBP, operations.IMAGE.read)


def upload(file: str | PathLike[str] | bytes | BinaryIO) -> Call[Upload]:
    """Send a picture; its `upload_id` stands for it in later questions.

    Args:
        file: A path, the picture's bytes, or a file that is open for reading bytes.
    """
    return operations.UPLOADS.sending_file(*_named_bytes(file))


def upload_image(upload_id: str, *, size: int = 224, bundle: str | None = None) -> Call[bytes]:
    """An uploaded picture as WebP, upright.

    Args:
        upload_id: Whose.
        size: Most pixels of its width and height.
        bundle: `bundle_id` of what is served: caches on the way may then keep the answer.
    """
    return operations.UPLOAD_IMAGE.call({"upload_id": upload_id}, size=size, bundle=bundle).accepting(
        WEBP, operations.UPLOAD_IMAGE.read
    )


def encode(
    text: str | None = None,
    *,
    item_id: str | None = None,
    upload_id: str | None = None,
    streams: Sequence[str] | None = None,
) -> Call[Encoding]:
    """Codes of a text, an item or an upload: exactly one of the three.

    Args:
        text: New words.
        item_id: An item of the corpus.
        upload_id: Of a picture that was uploaded.
        streams: By default every stream that can read it.
    """
    return operations.ENCODE.call(text=text, item_id=item_id, upload_id=upload_id, streams=streams)


def retrieve(
    query: str | QueryTerm | Sequence[str | QueryTerm] | RetrieveRequest,
    *,
    target: str | None = None,
    way: WayWord = "latent",
    measure: MeasureWord = "cosine",
    where: Where = _EVERYWHERE,
    leave_out_query: bool = True,
    limit: int = 24,
) -> Call[Retrieval]:
    """Items of one stream that fit a text, or a sum of texts, items, uploads and latents.

    Args:
        query: A text, a term, several of both, or a whole request (then leave the rest out).
        target: The stream that is searched; by default a stream of another model.
        way: "latent" compares codes, "reconstruction" the query's code decoded into the target stream,
            "backbone" features without SPARC.
        measure: How codes are compared: "cosine", or "dot".
        where: Which items may be found.
        leave_out_query: Whether items that are terms of the query are left out of the hits.
        limit: Most hits.
    """
    rest = {
        "target": target,
        "way": way,
        "measure": measure,
        "where": where,
        "leave_out_query": leave_out_query,
        "limit": limit,
    }
    if isinstance(query, RetrieveRequest):
        _only_defaults(query, rest)
        return operations.RETRIEVE.sending(query)
    terms = [query] if isinstance(query, str | QueryTerm) else query
    return operations.RETRIEVE.call(query=[{"text": term} if isinstance(term, str) else term for term in terms], **rest)


def heatmaps(
    caption: str | None = None,
    *,
    latents: Sequence[int] | None = None,
    item_ids: Sequence[str] | None = None,
    upload_id: str | None = None,
    n_items: int = 12,
    streams: Sequence[str] | None = None,
    target: TargetWord = "match",
    method: MethodWord = "glances",
    layers: int | None = None,
    trust: bool = False,
) -> Call[LineReader]:
    """Where image streams find a caption or latents: lines, as the service makes them.

    First a CaptionReading, then a PictureHeatmaps for each picture, with `trust` a PictureTrust for each, at last a
    HeatmapsDone; `kind` tells them apart. Who stops reading early stops the service's work: `break` out of the loop, or
    close the iterator (`contextlib.closing`, `aclosing`).

    Args:
        caption: What to look for.
        latents: Narrow the caption's match to these of its latents; alone, they are looked for.
        item_ids: In which pictures; by default in those that fit best.
        upload_id: In this uploaded picture.
        n_items: How many pictures, when none are named.
        streams: By default every image stream.
        target: What is explained (docs/heatmaps.md), as are the methods.
        method: How it is traced to patches.
        layers: The tower's last blocks that are read; by default what the method reads.
        trust: Whether to measure how far each heatmap can be believed.
    """
    call = operations.HEATMAPS.call(
        caption=caption,
        latents=latents,
        item_ids=item_ids,
        upload_id=upload_id,
        n_items=n_items,
        streams=streams,
        target=target,
        method=method,
        layers=layers,
        trust=trust,
    )
    return call.accepting(NDJSON, LineReader)


@_keywords_of(heatmaps)
def heatmap_png(call: Call[LineReader]) -> Call[bytes]:
    """One heatmap over its picture, as PNG. Name one stream, and one picture: an item, or an upload.

    Keywords are those of `heatmaps`.
    """
    return call.accepting(PNG, file_answer(PNG))


@_keywords_of(heatmaps)
def heatmap_array(call: Call[LineReader]) -> Call[HeatmapArray]:
    """One heatmap's values, as float32. Name one stream, and one picture: an item, or an upload.

    Keywords are those of `heatmaps`.
    """
    return call.accepting(RAW, array_answer)


def reload(*, verify: bool = False) -> Call[Reloaded]:
    """Serve the bundle that lies at the configured place now; needs an administrator's key.

    Args:
        verify: Also hash all of its files first.
    """
    return operations.RELOAD.call(verify=verify)


def ready() -> Call[None]:
    """Whether the service is ready to answer; an error if not."""
    return Call("GET", "/readyz", no_answer)


def _named_bytes(file: str | PathLike[str] | bytes | BinaryIO) -> tuple[str, bytes]:
    """Read whole, so that it can be sent again when the service is busy."""
    if isinstance(file, bytes):
        return "picture", file
    if isinstance(file, str | PathLike):
        return Path(file).name, Path(file).read_bytes()
    return "picture", file.read()


def _only_defaults(request: RetrieveRequest, rest: Mapping[str, object]) -> None:
    """A request says everything: keywords beside it would be dropped."""
    for name, value in rest.items():
        if value != RetrieveRequest.model_fields[name].default:
            raise invalid(name, f"{name} is part of the RetrieveRequest: set it there, or give the query alone")
