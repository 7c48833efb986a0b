"""Retrieval and heatmaps."""

from collections.abc import Mapping, Sequence

from server.client import operations
from server.client.answers import NDJSON, PNG, RAW, HeatmapArray, LineReader, array_answer, file_answer
from server.client.call import Call
from server.client.calls.forms import keywords_of
from server.client.errors import invalid
from server.client.words import (
    MeasureWord,
    MethodWord,
    TargetWord,
    WayWord,
)
from server.schemas import (
    QueryTerm,
    Retrieval,
    RetrieveRequest,
    Where,
)

_EVERYWHERE = Where()


def retrieve(
    query: str | QueryTerm | Sequence[str | QueryTerm] | RetrieveRequest,
    *,
    target: str | None = None,
    way: WayWord = "latent",
    measure: MeasureWord = "cosine",
    where: Where = _EVERYWHERE,
    leave_out_query: bool = True,
    limit: int = 24,
    bundle: str | None = None,
) -> Call[Retrieval]:
    """Items of one stream that fit a text, or a sum of texts, items, uploads and latents.

    Args:
        query: A text, a term, several of both, or a whole request (then only `bundle` may come with it).
        target: The stream that is searched; by default a stream of another model.
        way: "latent" compares codes, "reconstruction" the query's code decoded into the target stream,
            "backbone" features without SPARC.
        measure: How codes are compared: "cosine", or "dot".
        where: Which items may be found.
        leave_out_query: Whether items that are terms of the query are left out of the hits.
        limit: Most hits.
        bundle: In which served bundle, by its id; by default in the main one.
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
        return operations.RETRIEVE.sending(query, bundle=bundle)
    terms = [query] if isinstance(query, str | QueryTerm) else query
    asked = [{"text": term} if isinstance(term, str) else term for term in terms]
    return operations.RETRIEVE.call(query=asked, bundle=bundle, **rest)


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
    bundle: str | None = None,
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
        bundle: Of which served bundle, by its id; by default of the main one.
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
        bundle=bundle,
    )
    return call.accepting(NDJSON, LineReader)


@keywords_of(heatmaps)
def heatmap_png(call: Call[LineReader]) -> Call[bytes]:
    """One heatmap over its picture, as PNG. Name one stream, and one picture: an item, or an upload.

    Keywords are those of `heatmaps`.
    """
    return call.accepting(PNG, file_answer(PNG))


@keywords_of(heatmaps)
def heatmap_array(call: Call[LineReader]) -> Call[HeatmapArray]:
    """One heatmap's values, as float32. Name one stream, and one picture: an item, or an upload.

    Keywords are those of `heatmaps`.
    """
    return call.accepting(RAW, array_answer)


def _only_defaults(request: RetrieveRequest, rest: Mapping[str, object]) -> None:
    """A request says everything: keywords beside it would be dropped."""
    for name, value in rest.items():
        if value != RetrieveRequest.model_fields[name].default:
            raise invalid(name, f"{name} is part of the RetrieveRequest: set it there, or give the query alone")
