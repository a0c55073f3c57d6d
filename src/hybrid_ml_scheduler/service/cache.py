"""Answers about history and statistics, kept until there is something new to say."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from hybrid_ml_scheduler.service.conditional import Tagged
from hybrid_ml_scheduler.service.observability.context import REQUEST
from hybrid_ml_scheduler.service.observability.watching import Observability
from hybrid_ml_scheduler.storage.cache import Sharing
from hybrid_ml_scheduler.storage.service import SimulationDataService

GROUP = "tagged answers"


class AnswerCache:
    """Answers that came out of the database, shared between processes where there is Redis.

    How many rows this process has brought into the database is part of each key, and so is what the leader of a shared run says that it has, so a
    new batch makes all older answers unreachable; what else others bring in is seen after ``HMS_CACHE_TTL_S``. Requests for the same answer at the
    same time are one question to the database.

    Parameters
    ----------
    storage : SimulationDataService
    sharing : Sharing
    observability : Observability
        Told what was there and what was not.
    leader_rows : callable, optional
        Rows that the leader has brought into the database, if that is another process.
    """

    def __init__(
        self, storage: SimulationDataService, sharing: Sharing, observability: Observability, leader_rows: Callable[[], int | None] = lambda: None
    ) -> None:
        self.storage = storage
        self.sharing = sharing
        self._leader_rows = leader_rows
        self._observability = observability
        # Part of each key too: what is being asked for while everything is forgotten must not be found afterwards.
        self._forgotten = 0
        self._under_way: dict[str, asyncio.Task[Tagged]] = {}

    async def answer(self, key: str, ask: Callable[[], Awaitable[bytes]]) -> Tagged:
        """Return an answer that is kept, or ask.

        Parameters
        ----------
        key : str
            Everything that the answer depends on, besides what is stored.
        ask : callable
            Gets the answer.
        """
        name, key = key, f"{self._forgotten} {self.storage.drainer.drained_rows} {self._leader_rows()} {key}"
        found = await self.sharing.get(GROUP, key)
        self._note(name, found is not None)
        if found is not None:
            return Tagged.unpacked(found)
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.create_task(self._ask(key, ask))
            self._under_way[key] = task
            task.add_done_callback(lambda done: self._finished(key, done))
        # Whoever hangs up must not take the answer away from the others.
        return await asyncio.shield(task)

    def _note(self, name: str, hit: bool) -> None:
        result = "hit" if hit else "miss"
        self._observability.metrics.cached(name, result)
        request = REQUEST.get()
        if request is not None:
            request.cache = result

    def _finished(self, key: str, task: asyncio.Task[Tagged]) -> None:
        self._under_way.pop(key, None)
        if not task.cancelled():
            # Looked at here, in case everybody who asked has hung up.
            task.exception()

    async def _ask(self, key: str, ask: Callable[[], Awaitable[bytes]]) -> Tagged:
        with self._observability.span("ask"):
            found = Tagged.of(await ask())
        await self.sharing.set(GROUP, key, found.packed())
        return found

    async def forget(self) -> None:
        """Forget all answers, everywhere: something was deleted."""
        self._forgotten += 1
        await self.sharing.invalidate(GROUP)
