"""The application: settings in, FastAPI out. Follow `explorer` for what it does and `routes` for how it is asked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import plotly
from fastapi import FastAPI
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.staticfiles import StaticFiles

from server.errors import install_error_handlers
from server.explorer import Explorer
from server.middleware import AnswerHeaders, BodyLimit
from server.routes import api, health, heatmaps, pages
from server.settings import Settings
from sparc_core import __version__

_STATIC = Path(__file__).resolve().parents[1] / "frontend" / "static"
_PLOTLY = Path(plotly.__file__).parent / "package_data"


def create_app(settings: Settings, explorer: Explorer | None = None) -> FastAPI:
    """The service.

    Args:
        settings: Limits and where the bundle lies.
        explorer: An open one; by default the bundle of the settings is opened when the service starts.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.explorer = explorer or Explorer(settings)
        await app.state.explorer.warm_up()
        yield
        app.state.explorer.close()

    app = FastAPI(title="SPARC Explorer", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.add_middleware(GZipMiddleware, minimum_size=1024)
    app.add_middleware(BodyLimit, max_bytes=settings.max_upload_bytes)
    app.add_middleware(AnswerHeaders)
    install_error_handlers(app)
    app.include_router(api.router)
    app.include_router(heatmaps.router)
    app.include_router(health.router)
    app.include_router(pages.router)
    app.mount("/static/vendor", StaticFiles(directory=_PLOTLY), name="vendor")
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    return app
