"""REST: explained retrieval."""

from fastapi import APIRouter, Request

from server.routes.common import BUSY, ERRORS, PREFIX, Lent, unless_gone
from server.schemas import Retrieval, RetrieveRequest

router = APIRouter(prefix=PREFIX, tags=["retrieval"], responses=ERRORS)


@router.post("/retrieve", responses=BUSY)
async def retrieve(request: Request, explorer: Lent, body: RetrieveRequest) -> Retrieval:
    """Find items by a sum of texts, pictures, items and latents; every hit says which latents make its score."""
    return await unless_gone(request, explorer.retriever.retrieve(body))
