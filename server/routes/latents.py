"""REST: latents, their items, and the search for them."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.convertors import Convertor, register_url_convertor

from server.routes.common import BUSY, ERRORS, PLAIN, PREFIX, Lent, unless_gone
from server.schemas import (
    CoactiveLatents,
    CoactiveQuery,
    Latent,
    LatentCounts,
    LatentFilter,
    LatentItems,
    LatentItemsQuery,
    LatentMap,
    LatentMapQuery,
    LatentPage,
    LatentPairs,
    LatentPairsQuery,
    LatentQuery,
    LatentSearch,
    LatentSearchRequest,
    LatentTest,
    LatentTestRequest,
    MismatchPage,
    MismatchQuery,
)


class _LatentNumber(Convertor[int]):
    """A latent in an address. Starlette's own `int` fails on thousands of digits."""

    regex = "[0-9]{1,9}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("latent", _LatentNumber())
router = APIRouter(prefix=f"{PREFIX}/latents", tags=["latents"], responses=ERRORS)

LatentId = Annotated[int, Path(description="The latent's number, from 0", examples=[17])]


@router.get("")
def latents(explorer: Lent, query: Annotated[LatentQuery, Query()]) -> LatentPage:
    """A page of the gallery: latents filtered and sorted."""
    return explorer.gallery.page(query)


@router.post("/search", dependencies=PLAIN, responses=BUSY)
async def search_latents(request: Request, explorer: Lent, body: LatentSearchRequest) -> LatentSearch:
    """Latents for a text, a picture, a region of one, or example items; no labels are needed."""
    return await unless_gone(request, explorer.latent_searcher.search(body))


@router.get("/mismatches")
def mismatches(explorer: Lent, query: Annotated[MismatchQuery, Query()]) -> MismatchPage:
    """Latents on which two streams disagree: strong in one and silent, or active on other items, in the other."""
    return explorer.gallery.mismatches(query)


@router.get("/counts")
def latent_counts(explorer: Lent, query: Annotated[LatentFilter, Query()]) -> LatentCounts:
    """How many latents each choice of a filter would leave, given all of its other choices."""
    return explorer.latent_counts.counts(query)


@router.get("/map")
def latent_map(explorer: Lent, query: Annotated[LatentMapQuery, Query()]) -> LatentMap:
    """The map: all matching latents by their places, as columns."""
    return explorer.latent_maps.map(query)


@router.get("/pairs")
def latent_pairs(explorer: Lent, query: Annotated[LatentPairsQuery, Query()]) -> LatentPairs:
    """All matching latents by their use in two streams, under per-stream selection, as columns."""
    return explorer.latent_maps.pairs(query)


@router.get("/{latent_id:latent}", dependencies=PLAIN)
def latent(explorer: Lent, latent_id: LatentId) -> Latent:
    """One latent in full."""
    return explorer.latents.latent(latent_id)


@router.get("/{latent_id:latent}/items")
def latent_items(explorer: Lent, latent_id: LatentId, query: Annotated[LatentItemsQuery, Query()]) -> LatentItems:
    """Items of one latent in one stream, under the model's own selection: strongest, by interval, or near misses."""
    return explorer.latent_items.items(latent_id, query)


@router.get("/{latent_id:latent}/coactive")
def coactive_latents(explorer: Lent, latent_id: LatentId, query: Annotated[CoactiveQuery, Query()]) -> CoactiveLatents:
    """Latents that are active on the same items, under per-stream selection."""
    return explorer.coactivity.of(latent_id, query)


@router.post("/{latent_id:latent}/activation", dependencies=PLAIN, responses=BUSY)
async def latent_activation(
    request: Request, explorer: Lent, latent_id: LatentId, body: LatentTestRequest
) -> LatentTest:
    """Try a text or picture on one latent: its activation in each stream, and what it would take to have one."""
    return await unless_gone(request, explorer.latent_tester.test(latent_id, body))
