"""The application, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from hybrid_ml_scheduler import __version__
from hybrid_ml_scheduler.service import problems
from hybrid_ml_scheduler.service.heads import HeadRequests
from hybrid_ml_scheduler.service.observability.watching import install
from hybrid_ml_scheduler.service.resources import MakeEngine, open_resources
from hybrid_ml_scheduler.service.routes import (
    access,
    catalogue,
    control,
    health,
    history,
    operations,
    pages,
    runs,
    stream,
    timelines,
    workloads,
)
from hybrid_ml_scheduler.service.security.describe import describe_security
from hybrid_ml_scheduler.service.security.install import guard
from hybrid_ml_scheduler.service.security.scopes import RateClass
from hybrid_ml_scheduler.service.settings import ServiceSettings

TITLE = "Hybrid ML Scheduler"
_TAGS = [
    {"name": "run", "description": "The continuous run: start, stop, pause, resume, speed, policies."},
    {"name": "history", "description": "Results, and schedulers side by side."},
    {"name": "runs", "description": "Runs with their rows, statistics and decisions."},
    {"name": "policies and models", "description": "What there is to choose from."},
    {"name": "access", "description": "Signing in, and keys."},
    {"name": "health", "description": "For those who watch over the service."},
    {"name": "pages", "description": "For people."},
]
_CONDITIONAL = {"history", "runs", "policies and models"}
"""Tags of operations whose answers have an ETag."""
_STRICT = _CONDITIONAL | {"run", "access"}
"""Tags of operations that refuse parameters which they do not know."""


def create_app(settings: ServiceSettings, *, start: bool = True, make_engine: MakeEngine | None = None, insecure: bool = False) -> FastAPI:
    """Put the application together; nothing is opened before it starts.

    Parameters
    ----------
    settings : ServiceSettings
    start : bool
        Whether to start a run if none was interrupted.
    make_engine : callable, optional
        What builds the continuous run; see `open_resources`.
    insecure : bool
        Whether it may be open to others than this machine.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            async with open_resources(settings, observability, start=start, make_engine=make_engine) as resources:
                app.state.resources = resources
                async with guarded.running(resources.storage.database, observability.metrics.rejected):
                    yield
        finally:
            await observability.end()

    app = FastAPI(
        title=TITLE,
        version=__version__,
        summary="Runs scheduling policies side by side on one stream of tasks, keeps every result, and shows them live.",
        license_info={"name": "MIT"},
        lifespan=lifespan,
        openapi_tags=_TAGS,
        redirect_slashes=False,
        docs_url=None,  # FastAPI's pages load their scripts from elsewhere; ours is in routes/pages.py
        redoc_url=None,
    )
    for module in (control, history, runs, catalogue, workloads, access, health, operations, pages, timelines, stream):
        app.include_router(module.router)
    problems.install(app)
    app.add_middleware(HeadRequests)
    guarded = guard(app, settings, insecure=insecure)
    # The last one: it stands around all others, and so counts what they refuse.
    observability = install(app, settings)
    observability.metrics.may_reject(RateClass)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _openapi(app: FastAPI) -> dict[str, object]:
    """Return the description of the API, with problem details instead of FastAPI's own errors."""
    if app.openapi_schema is None:
        found = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            license_info=app.license_info,
            tags=app.openapi_tags,
            routes=app.routes,
        )
        components = found["components"]["schemas"]
        components.pop("HTTPValidationError", None)
        components.pop("ValidationError", None)
        problem = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        components.update(problem.pop("$defs", {}))
        components["Problem"] = problem
        for operations in found["paths"].values():
            for method, operation in operations.items():
                answers = operation["responses"]
                if method == "get" and _CONDITIONAL & set(operation.get("tags", ())):
                    answers["304"] = {"description": "Nothing has changed since the answer whose ETag stands in If-None-Match."}
                if "HTTPValidationError" in str(answers.get("422")) or (_STRICT & set(operation.get("tags", ())) and "422" not in answers):
                    answers["422"] = problems.responses(problems.INVALID_REQUEST)[422]
        describe_security(found)
        app.openapi_schema = found
    return app.openapi_schema
