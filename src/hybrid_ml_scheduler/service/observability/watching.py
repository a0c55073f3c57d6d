"""Everything that watches one application, put together and installed with one call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from hybrid_ml_scheduler.core.observing import Observer
from hybrid_ml_scheduler.service.observability.cleaning import Cleaner, secrets_of
from hybrid_ml_scheduler.service.observability.failures import RecentFailures
from hybrid_ml_scheduler.service.observability.metrics import Metrics
from hybrid_ml_scheduler.service.observability.sampling import Sampler
from hybrid_ml_scheduler.service.observability.state import StateCollector, Watched
from hybrid_ml_scheduler.service.observability.statements import watch
from hybrid_ml_scheduler.service.observability.timing import Timing
from hybrid_ml_scheduler.service.settings import ServiceSettings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine


class Observability(Observer):
    """Watches one application.

    Parameters
    ----------
    settings : ServiceSettings

    Attributes
    ----------
    metrics : Metrics
    failures : RecentFailures
    sampler : Sampler or None
        None before the application has started.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.failures = RecentFailures(Cleaner(secrets_of(settings)).line)
        self.sampler: Sampler | None = None
        self.pools: dict[str, AsyncEngine] = {}
        self._resources: Watched | None = None
        self.metrics.registry.register(StateCollector(self.metrics, lambda: self._resources, self.pools))

    @asynccontextmanager
    async def watching(self, resources: Watched) -> AsyncIterator[None]:
        """Watch an application that has started, until it ends."""
        self._resources = resources
        self.sampler = Sampler(self.metrics, resources.database_away_s)
        self.failures.attach()
        self.sampler.start()
        try:
            yield
        finally:
            await self.sampler.stop()
            self.failures.detach()
            self._resources = None

    # What the layers below say.

    def opened_pool(self, pool: str, engine: AsyncEngine) -> None:
        """See `Observer`."""
        self.pools[pool] = engine
        watch(engine, pool, self.metrics, self.settings.slow_query_s)

    def database_busy(self) -> None:
        """See `Observer`."""
        self.metrics.database_busy.inc()

    def decided(self, lane_s: Mapping[str, float], results: Mapping[str, Any]) -> None:
        """See `Observer`."""
        self.metrics.decided(lane_s, results)

    def trained(self, policy: str, time_s: float, outcome: str) -> None:
        """See `Observer`."""
        self.metrics.trained(policy, time_s, outcome)


def install(app: FastAPI, settings: ServiceSettings) -> Observability:
    """Watch an application; called after every other middleware was added, so that this one stands around them all.

    The application's ``state.observability`` is what limiters and others tell what they do, such as ``metrics.rejected("control")``.
    """
    observability = Observability(settings)
    app.state.observability = observability
    app.add_middleware(Timing, settings=settings, metrics=observability.metrics, failures=observability.failures)
    return observability
