"""Health: is the process alive, and can it answer?"""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from server.errors import error_body
from server.refusals import BundleGoneError
from server.resources import Resources
from server.serving import Serving

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process is alive."""
    return {"status": "ok"}


@router.get("/readyz", response_model=None)
async def readyz(request: Request) -> JSONResponse:
    """A bundle is open and lies where it was opened, its models are warm, and no worker hangs."""
    serving: Serving | None = getattr(request.app.state, "serving", None)
    if serving is None:
        return JSONResponse(error_body("not_ready", "the bundle is being opened: try again in a few seconds"), 503)
    resources: Resources = request.app.state.resources
    for worker in resources.stuck:
        message = f"the {worker.name} worker has been busy with one job for {worker.busy_s:.0f} s: it may hang"
        return JSONResponse(error_body("stuck", message), 503)
    gone = [bundle_id for bundle_id, one in serving.explorer.served.items() if not one.presence.is_there]
    if gone:
        return JSONResponse(error_body(BundleGoneError.code, str(BundleGoneError()), {"bundle_ids": gone}), 503)
    return JSONResponse({"status": "ready", "bundle_id": serving.explorer.bundle.manifest.bundle_id})
