"""The application: settings in, FastAPI out. Follow `explorer` for what it does and `routes` for how it is asked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import plotly
from fastapi import FastAPI
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.staticfiles import StaticFiles
from starlette.types import ASGIApp

from server.errors import install_error_handlers
from server.explorer import Explorer, open_explorer
from server.metrics import Metrics
from server.middleware import Access, AnswerHeaders, BodyDeadline, BodyLimit, Observing, Served, access_rules
from server.resources import Resources
from server.routes import (
    bundle,
    compare_page,
    comparison,
    evaluation,
    health,
    heatmaps,
    items,
    latents,
    metrics,
    pages,
    retrieval,
    search,
)
from server.serving import Serving, looking_after, reload_on_signal
from server.settings import Settings
from sparc_core import __version__
from sparc_core.device_memory import is_out_of_memory
from sparc_core.errors import InputError

_STATIC = Path(__file__).resolve().parents[1] / "frontend" / "static"
_LAST_GRACE_S = 0.5  # of jobs when all requests are answered: nobody waits for them
_PLOTLY = Path(plotly.__file__).parent / "package_data"


class _Service(FastAPI):
    """FastAPI answers unexpected errors outside of all middleware that is added; these two see such answers as well."""

    def build_middleware_stack(self) -> ASGIApp:
        """Everything between the server and the routes."""
        inner = AnswerHeaders(super().build_middleware_stack())
        return Observing(inner, self.state.metrics, self.state.deadline_s)


def create_app(settings: Settings, first: tuple[Resources, Explorer] | None = None) -> FastAPI:
    """The service.

    Args:
        settings: Limits and where the bundle lies.
        first: What was opened already; by default the bundle of the settings is opened when the service starts.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        resources, explorer = first or open_all(settings)
        resources.device_worker.report = resources.search_worker.report = app.state.metrics.observe_batch
        await explorer.warm_up()
        app.state.resources, app.state.uploads = resources, resources.uploads
        app.state.serving = serving = Serving(explorer, lambda: open_explorer(resources))
        app.state.watched = [resources, serving]
        with reload_on_signal(serving):
            async with looking_after(serving):
                yield
        resources.close(_LAST_GRACE_S)

    app = _Service(
        title="SPARC Explorer",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.metrics = Metrics(lambda: getattr(app.state, "watched", ()))
    app.state.deadline_s = settings.deadline_s
    app.add_middleware(Served)
    app.add_middleware(GZipMiddleware, minimum_size=1024)
    app.add_middleware(BodyDeadline)
    app.add_middleware(BodyLimit, max_bytes=settings.max_upload_bytes)
    app.add_middleware(Access, rules=access_rules(settings))
    install_error_handlers(app)
    for routes in (
        bundle,
        evaluation,
        comparison,
        compare_page,
        latents,
        items,
        retrieval,
        heatmaps,
        health,
        metrics,
        search,
        pages,
    ):
        app.include_router(routes.router)
    app.mount("/static/vendor", StaticFiles(directory=_PLOTLY), name="vendor")
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    return app


def open_all(settings: Settings) -> tuple[Resources, Explorer]:
    """Start the workers and open the bundles of the settings.

    Raises:
        BundleError: As `open_explorer`.
        InputError: As `open_explorer`; or the device has no memory for the models.
    """
    resources = Resources(settings)
    try:
        return resources, open_explorer(resources)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise InputError("the device has no memory for the models: free it, or use --device cpu") from None
