"""REST: what is being served, and the look for a new bundle."""

from fastapi import APIRouter, Request

from server.keys import Client
from server.refusals import NotAdminError
from server.routes.common import ERRORS, PLAIN, PREFIX, Lent, Responses, documented
from server.schemas import Info, Label, Reloaded, ReloadRequest
from server.serving import Serving

_RELOADING: Responses = {
    409: documented("The new bundle cannot be served; the old one stays"),
}

router = APIRouter(prefix=PREFIX, tags=["bundle"], responses=ERRORS)


@router.get("/info", dependencies=PLAIN)
def info(explorer: Lent) -> Info:
    """What is being served: bundle, corpus, streams, model, metrics."""
    return explorer.info()


@router.get("/labels", dependencies=PLAIN)
def labels(explorer: Lent) -> list[Label]:
    """The labels of the corpus with their hierarchy, parents first."""
    return explorer.items.labels


@router.post("/admin/reload", responses=_RELOADING)
async def reload(request: Request, body: ReloadRequest) -> Reloaded:
    """Serve the bundle that lies at the configured place now; requests under way are answered by the old one.

    Needs an administrator's key. The same happens when the process gets SIGHUP.
    """
    client: Client | None = getattr(request.state, "client", None)
    if client is None or not client.is_admin:
        raise NotAdminError("only an administrator's key may do this: make one, or send SIGHUP to the process")
    serving: Serving = request.app.state.serving
    return await serving.reload(body.verify)
