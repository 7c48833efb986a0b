"""A latent's page put together: its columns, what was measured, what is near it, and the calls that say the same."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from server.latent_page.address import LatentAddress
from server.latent_page.beside import N_ITEMS, BesideView, beside_view
from server.page_queries import said
from server.page_rendering import ApiCall, api_call
from server.schemas import (
    Alive,
    CoactiveLatents,
    CoactiveQuery,
    Interval,
    Latent,
    LatentItems,
    LatentItemsQuery,
    LatentStream,
    StreamInfo,
)

if TYPE_CHECKING:
    from server.explorer import Explorer

LIMITS = {"image": 18, "text": 14}
"""How many items a column shows, by modality."""
_N_TOP, _N_TOP_OF_FEW, _FEW_ITEMS = 20, 5, 1000  # docs/bundle.md, "top items"


class Column(NamedTuple):
    """One stream: what is known of the latent there, and the items that are shown."""

    stream: StreamInfo
    own: LatentStream
    found: LatentItems


class LatentView(NamedTuple):
    """What the template draws.

    Attributes:
        address: What the page's address says.
        latent: In full.
        columns: By stream, in the bundle's order; none for a dead latent.
        limits: How many items a column shows, by modality.
        intervals: To choose from.
        n_top: How many of a stream's strongest items labels and purity are about.
        last_edge: Right end of the histograms' shared axis.
        labels_differ: Whether streams have different best labels.
        coactive: Latents that are active on the same items; None for a dead latent.
        can_heat: Whether some image stream can look for the latent in pictures.
        can_test: Kinds of things that some stream can read: "text", "image".
        tries: Texts to try.
        beside: The same number in another bundle, or None.
        calls: Of the API, that answer the same.
    """

    address: LatentAddress
    latent: Latent
    columns: list[Column]
    limits: dict[str, int]
    intervals: list[Interval]
    n_top: int
    last_edge: float
    labels_differ: bool
    coactive: CoactiveLatents | None
    can_heat: bool
    can_test: list[str]
    tries: list[str]
    beside: BesideView | None
    calls: list[ApiCall]

    @property
    def silent(self) -> list[StreamInfo]:
        """Streams in which no item activates it."""
        return [column.stream for column in self.columns if column.own.density == 0]

    @property
    def active(self) -> list[StreamInfo]:
        """The others."""
        return [column.stream for column in self.columns if column.own.density > 0]


def latent_view(explorer: "Explorer", address: LatentAddress) -> LatentView:
    """The view of an address.

    Raises:
        NotFoundError: There is no such latent.
    """
    info, latent = explorer.info(), explorer.latents.latent(address.latent)
    is_dead = latent.alive is Alive.dead
    queries = [] if is_dead else [_query(address, stream) for stream in info.streams]
    columns = [
        Column(stream, own, explorer.latent_items.items(latent.id, query))
        for stream, own, query in zip(info.streams, latent.streams, queries, strict=False)
    ]
    labels = {stream.label for stream in latent.streams if stream.density > 0}
    beside = beside_view(explorer, latent, address.beside)
    readers = {stream.modality for stream in info.streams if stream.can_read}
    return LatentView(
        address=address,
        latent=latent,
        columns=columns,
        limits=LIMITS,
        intervals=list(Interval),
        n_top=_N_TOP if info.n_items >= _FEW_ITEMS else _N_TOP_OF_FEW,
        last_edge=max((histogram.edges[-1] for histogram in latent.histograms), default=0.0) or 1.0,
        labels_differ=len(labels) > 1,
        coactive=None if is_dead else explorer.coactivity.of(latent.id, CoactiveQuery()),
        can_heat="image" in readers and not is_dead,
        can_test=sorted(readers),
        tries=texts_to_try(latent, explorer.items.example_texts()),
        beside=beside,
        calls=_calls(latent, info.streams, queries, beside),
    )


def texts_to_try(latent: Latent, examples: Sequence[str]) -> list[str]:
    """The latent's own label, and an example that does not speak of it."""
    own = latent.label or (latent.top_labels[0].label if latent.top_labels else None)
    spoken = (own or latent.name).casefold()
    other = next((text for text in examples if spoken not in text.casefold()), None)
    return [text for text in (own, other) if text]


def _query(address: LatentAddress, stream: StreamInfo) -> LatentItemsQuery:
    limit = LIMITS[stream.modality]
    return LatentItemsQuery(stream=stream.name, interval=address.interval, seed=address.seed, limit=limit)


def _calls(
    latent: Latent, streams: Sequence[StreamInfo], queries: Sequence[LatentItemsQuery], beside: BesideView | None
) -> list[ApiCall]:
    path = f"/latents/{latent.id}"
    calls = [api_call("latent", "The latent", path)]
    for stream, query in zip(streams, queries, strict=False):
        calls.append(api_call(f"items-{stream.name}", f"Items in {stream.title}", f"{path}/items", **said(query)))
    if queries:
        calls.append(api_call("coactive", "Co-active latents", f"{path}/coactive"))
    for row in beside.rows[1:] if beside else ():
        of: dict[str, Any] = {"bundle": row.info.bundle_id}
        calls.append(api_call("beside", f"The latent with {row.info.title}", path, **of))
        for cell in row.cells:
            if cell.found is not None:
                title = f"Items in {cell.stream.title} with {row.info.title}"
                own = {"stream": cell.stream.name, "limit": N_ITEMS[cell.stream.modality], **of}
                calls.append(api_call(f"beside-{cell.stream.name}", title, f"{path}/items", **own))
    return calls
