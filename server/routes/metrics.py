"""`GET /metrics`, for Prometheus."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from server.metrics import CONTENT_TYPE, Metrics

router = APIRouter(include_in_schema=False)


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """All metrics as text."""
    counted: Metrics = request.app.state.metrics
    return Response(counted.exposition(), media_type=CONTENT_TYPE)
