"""Health: is the process alive, and can it answer?"""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from server.errors import error_body
from server.serving import Serving

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process is alive."""
    return {"status": "ok"}


@router.get("/readyz", response_model=None)
async def readyz(request: Request) -> JSONResponse:
    """A bundle is open and its models are warm."""
    serving: Serving | None = getattr(request.app.state, "serving", None)
    if serving is None:
        return JSONResponse(error_body("not_ready", "the bundle is being opened: try again in a few seconds"), 503)
    return JSONResponse({"status": "ready", "bundle_id": serving.explorer.bundle.manifest.bundle_id})
