"""What must be looked at again and again: how late the event loop is, and whether the database answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from hybrid_ml_scheduler.core.tasks import end_task
from hybrid_ml_scheduler.service.observability.history import ServiceHistory, Totals
from hybrid_ml_scheduler.service.observability.metrics import Metrics

LAG_EVERY_S = 0.1
HEALTH_EVERY_S = 5.0
HISTORY_EVERY_S = 5.0


class Sampler:
    """Three tasks of the event loop.

    Parameters
    ----------
    metrics : Metrics
    database_away_s : callable
        Asks the database for an answer; returns None if it gives one.
    troubles : callable
        Returns how many warnings and errors there have been.
    """

    def __init__(self, metrics: Metrics, database_away_s: Callable[[], Awaitable[float | None]], troubles: Callable[[], int]) -> None:
        self._metrics = metrics
        self._database_away_s = database_away_s
        self._troubles = troubles
        self._tasks: list[asyncio.Task[None]] = []
        self.history = ServiceHistory()

    def start(self) -> None:
        """Begin."""
        self._tasks = [
            asyncio.create_task(self._watch_loop(), name="watch event loop"),
            asyncio.create_task(self._watch_database(), name="watch database"),
            asyncio.create_task(self._look_back(), name="keep what was counted"),
        ]

    async def stop(self) -> None:
        """End."""
        await asyncio.gather(*map(end_task, self._tasks), return_exceptions=True)

    def totals(self) -> Totals:
        """Return what has been counted since the process began."""
        metrics = self._metrics
        requests = failed = 0
        for sample in (sample for family in metrics.requests.collect() for sample in family.samples if sample.name.endswith("_total")):
            requests += int(sample.value)
            failed += int(sample.value) if sample.labels["status"].startswith("5") else 0
        refused = sum(int(sample.value) for family in metrics.rejections.collect() for sample in family.samples if sample.name.endswith("_total"))
        return Totals(requests, refused, failed, self._troubles(), dict(metrics.responses_by_bin))

    async def _watch_loop(self) -> None:
        while True:
            due_s = time.monotonic() + LAG_EVERY_S
            await asyncio.sleep(LAG_EVERY_S)
            self._metrics.woken(max(0.0, time.monotonic() - due_s))

    async def _look_back(self) -> None:
        began_s = time.monotonic()
        while True:
            await asyncio.sleep(HISTORY_EVERY_S)
            self.history.take(time.monotonic() - began_s, self.totals())

    async def _watch_database(self) -> None:
        while True:
            self._metrics.database_up.set(float(await self._database_away_s() is None))
            await asyncio.sleep(HEALTH_EVERY_S)
