"""REST: explained retrieval."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from server.routes.common import BUSY, ERRORS, PLAIN, PREFIX, Lent, unless_gone
from server.schemas import Retrieval, RetrieveRequest

router = APIRouter(prefix=PREFIX, tags=["retrieval"], responses=ERRORS)


@router.post("/retrieve", dependencies=PLAIN, response_model=Retrieval, responses=BUSY)
async def retrieve(request: Request, explorer: Lent, body: RetrieveRequest) -> Response:
    """Find items by a sum of texts, pictures, items and latents; every hit says which latents make its score."""
    answer = await unless_gone(request, explorer.retriever.retrieve(body))
    # As it is: validating and converting it once more would take a fifth of the request's time.
    return Response(answer.model_dump_json(), media_type="application/json")
