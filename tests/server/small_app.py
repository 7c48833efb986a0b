"""The middleware around an application without models: quick, and as configurable as the real one."""

from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.staticfiles import StaticFiles
from fastapi.testclient import TestClient
from starlette.types import ASGIApp

from server.errors import install_error_handlers
from server.metrics import Metrics
from server.middleware import Access, AnswerHeaders, BodyLimit, Observing, access_rules
from server.request_context import current, step
from server.routes import health, metrics
from server.settings import Settings

DEADLINE_S = 30.0

router = APIRouter(prefix="/api/v1")


@router.get("/things/{thing_id}")
def thing(thing_id: int) -> dict[str, object]:
    """Two steps, and what the request's context says."""
    with step("encode"):
        pass
    with step("look up; in all"):
        pass
    return {"thing": thing_id, "request_id": current().request_id, "deadline": current().deadline}


@router.get("/me")
def me(request: Request) -> dict[str, object]:
    """Who asks."""
    client = request.state.client
    return {"name": client.name, "is_admin": client.is_admin}


@router.post("/size")
async def size(request: Request) -> int:
    """Bytes of the body."""
    return len(await request.body())


@router.get("/explode")
def explode() -> None:
    """An unexpected error."""
    raise RuntimeError("a secret")


def small_app(**settings: object) -> FastAPI:
    """The application with the middleware that comes inside of FastAPI's own."""
    given = Settings(_env_file=None, **settings)  # type: ignore[arg-type]
    app = FastAPI(docs_url=None, redoc_url=None)
    app.state.metrics = Metrics(lambda: getattr(app.state, "watched", ()))
    app.add_middleware(BodyLimit, max_bytes=given.max_upload_bytes)
    app.add_middleware(Access, rules=access_rules(given))
    install_error_handlers(app)
    for one in (router, health.router, metrics.router):
        app.include_router(one)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent), name="static")
    return app


def observed(app: FastAPI) -> ASGIApp:
    """The application with all of the middleware."""
    return Observing(AnswerHeaders(app), app.state.metrics, DEADLINE_S)


def small_client(**settings: object) -> TestClient:
    """A client of a new small application."""
    return TestClient(observed(small_app(**settings)), raise_server_exceptions=False)
