"""Everything that watches one application, put together and installed with one call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from hybrid_ml_scheduler.core.observing import Attributes, Observer, Place
from hybrid_ml_scheduler.service.observability.cleaning import Cleaner, secrets_of
from hybrid_ml_scheduler.service.observability.compression import Compression
from hybrid_ml_scheduler.service.observability.failures import RecentFailures
from hybrid_ml_scheduler.service.observability.metrics import Metrics
from hybrid_ml_scheduler.service.observability.sampling import Sampler
from hybrid_ml_scheduler.service.observability.state import StateCollector, Watched
from hybrid_ml_scheduler.service.observability.statements import watch
from hybrid_ml_scheduler.service.observability.timing import Timing
from hybrid_ml_scheduler.service.settings import ServiceSettings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from hybrid_ml_scheduler.service.observability.tracing import Tracing

_END_S = 2.0
"""How long the end of the service waits for a collector of traces."""


class Observability(Observer):
    """Watches one application.

    Parameters
    ----------
    settings : ServiceSettings

    Attributes
    ----------
    metrics : Metrics
    failures : RecentFailures
    tracing : Tracing or None
        None if traces are off: then nothing that makes them is imported.
    sampler : Sampler or None
        None before the application has started.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.failures = RecentFailures(Cleaner(secrets_of(settings)).line)
        self.sampler: Sampler | None = None
        self.tracing = _tracing(settings)
        self.pools: dict[str, AsyncEngine] = {}
        self._resources: Watched | None = None
        self.metrics.registry.register(StateCollector(self.metrics, lambda: self._resources, self.pools))

    @asynccontextmanager
    async def watching(self, resources: Watched) -> AsyncIterator[None]:
        """Watch an application that has started, until it ends."""
        self._resources = resources
        self.sampler = Sampler(self.metrics, resources.database_away_s, self.failures.total)
        self.failures.attach()
        self.sampler.start()
        try:
            yield
        finally:
            await self.sampler.stop()
            self.failures.detach()
            self._resources = None

    async def end(self) -> None:
        """Hand over the traces that wait, if their collector takes them in time."""
        if self.tracing is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.to_thread(self.tracing.end), _END_S)

    # What the layers below say.

    def span(self, name: str, attributes: Attributes | None = None) -> AbstractContextManager[None]:
        """See `Observer`."""
        return super().span(name) if self.tracing is None else self.tracing.span(name, attributes)

    def place(self) -> Place | None:
        """See `Observer`."""
        return None if self.tracing is None else self.tracing.place()

    def span_of(self, name: str, places: Sequence[Place], attributes: Attributes | None = None) -> AbstractContextManager[None]:
        """See `Observer`."""
        return super().span_of(name, places) if self.tracing is None else self.tracing.span_of(name, places, attributes)

    def opened_pool(self, pool: str, engine: AsyncEngine) -> None:
        """See `Observer`."""
        self.pools[pool] = engine
        watch(engine, pool, self.metrics, self.settings.slow_query_s)
        if self.tracing is not None:
            self.tracing.opened_pool(engine)

    def opened_redis(self, client: Any) -> None:
        """See `Observer`."""
        if self.tracing is not None:
            self.tracing.opened_redis(client)

    def database_busy(self) -> None:
        """See `Observer`."""
        self.metrics.database_busy.inc()

    def decided(self, lane_s: Mapping[str, float], results: Mapping[str, Any]) -> None:
        """See `Observer`."""
        self.metrics.decided(lane_s, results)

    def trained(self, policy: str, time_s: float, outcome: str) -> None:
        """See `Observer`."""
        self.metrics.trained(policy, time_s, outcome)


def _tracing(settings: ServiceSettings) -> Tracing | None:
    if settings.traces == "off":
        return None
    from hybrid_ml_scheduler.service.observability.tracing import Tracing

    return Tracing(settings)


def install(app: FastAPI, settings: ServiceSettings) -> Observability:
    """Watch an application, and compress what it answers; called after every other middleware was added, so that these stand around them all.

    The application's ``state.observability`` is what limiters and others tell what they do, such as ``metrics.rejected("control")``.
    """
    observability = Observability(settings)
    app.state.observability = observability
    app.add_middleware(Compression, least_bytes=int(settings.gzip_min_kb * 1e3))
    app.add_middleware(Timing, settings=settings, metrics=observability.metrics, failures=observability.failures, tracing=observability.tracing)
    return observability
