"""Who runs the run that several processes share: one holds the place of the leader, and the others try to get it.

The place is a lease in Redis, renewed long before it ends. It decides who should lead; who may write is decided by the database, in each
transaction, by the token of the lease (`hybrid_ml_scheduler.storage.takeover`). So a leader that slept longer than its lease, or cannot reach Redis,
can do no harm:

- Taking the lead needs both Redis and the database. Keeping it needs neither: a leader that has lost Redis goes on, and asks the database instead
  whether somebody has taken its place; while neither answers, what it does is in its own journal only.
- While the lease is not known to hold, the leader does nothing and shows nothing.
- When Redis comes back, having forgotten everything, the former leader has one lease's time to take its place again before others try.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hybrid_ml_scheduler.core.errors import HmsError, StorageBusyError, StorageError, StorageUnavailableError
from hybrid_ml_scheduler.core.tasks import end_task
from hybrid_ml_scheduler.live.contract import RunStatus
from hybrid_ml_scheduler.storage.cache import Lease, Sharing, SharingState
from hybrid_ml_scheduler.storage.drain import DrainState
from hybrid_ml_scheduler.storage.service import SimulationDataService

_LOG = logging.getLogger(__name__)

PLACE = "run"
"""Name of the lease."""
_LONGEST_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class Lead:
    """The place of the leader, as the run sees it.

    Attributes
    ----------
    token : int
    holds : callable
        Whether the place is known to be held just now.
    last : RunStatus or None
        What the leader before showed last.
    """

    token: int
    holds: Callable[[], bool]
    last: RunStatus | None = None


class Leadership:
    """Tries to become the leader, and stays it as long as it can.

    Parameters
    ----------
    sharing : Sharing
    service : SimulationDataService
    gain : callable
        Called as soon as the place is held. If it raises an `HmsError`, the place is given up and tried for again later.
    lose : callable
        Called once the place is lost, with the reason; `gain` has ended by then.
    """

    def __init__(
        self, sharing: Sharing, service: SimulationDataService, gain: Callable[[Lead], Awaitable[None]], lose: Callable[[str], Awaitable[None]]
    ) -> None:
        self.lease_s = sharing.settings.leader_lease_s
        self.lease: Lease | None = None
        self.tried = asyncio.Event()
        """Set once it is known for the first time who leads, or why nobody can."""
        self.problem: str | None = None
        """Why this process cannot take the lead."""
        self._sharing = sharing
        self._service = service
        self._gain = gain
        self._lose = lose
        self._until_s = 0.0
        self._not_before_s = 0.0
        self._times_lost = sharing.times_lost
        self._taking: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None

    def holds(self) -> bool:
        """Whether this process is known to lead just now."""
        return self.lease is not None and time.monotonic() < self._until_s

    def begin(self) -> None:
        """Begin to try."""
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name="leadership")

    async def end(self) -> None:
        """Give the place to the next who asks. `lose` is not called."""
        task, self._task = self._task, None
        if task is not None:
            await end_task(task)
        await self.stop_taking()
        lease, self.lease = self.lease, None
        if lease is not None:
            await self._sharing.release(lease)

    async def _work(self) -> None:
        while True:
            try:
                if self.lease is None:
                    await self._try()
                else:
                    await self._keep(self.lease)
            except StorageError as error:
                self._trouble(error)
            await asyncio.sleep(min(_LONGEST_PAUSE_S, self.lease_s / 4))

    def _trouble(self, error: HmsError | str) -> None:
        away = isinstance(error, (StorageUnavailableError, StorageBusyError))
        # Shown to whoever asks for the status, and where the database is may be a secret; the log has the details.
        problem = "the database does not answer; expected it to, for it tells leaders apart" if away else str(error)
        if problem != self.problem:
            _LOG.warning("cannot take the lead: %s", error)
        self.problem = problem
        self.tried.set()

    async def _try(self) -> None:
        if self._sharing.times_lost != self._times_lost:
            self._times_lost = self._sharing.times_lost
            self._not_before_s = time.monotonic() + self.lease_s
        if self._sharing.state is not SharingState.CONNECTED:
            self._not_before_s = max(self._not_before_s, time.monotonic() + self.lease_s) if self.tried.is_set() else 0.0
            self._trouble("Redis does not answer; expected it to, for that is where the place of the leader is kept")
            return
        if time.monotonic() < self._not_before_s:
            return
        await self._service.drainer.ready()
        floor = await self._service.highest_fence()
        began_s = time.monotonic()
        lease = await self._sharing.acquire(PLACE, floor)
        self.problem = None
        if lease is None:
            self.tried.set()
            return
        self.lease, self._until_s = lease, began_s + self.lease_s
        _LOG.warning("this process leads, with number %d", lease.token)
        self._taking = asyncio.create_task(self._take(lease), name="take the lead")

    async def _take(self, lease: Lease) -> None:
        try:
            await self._gain(Lead(lease.token, self.holds))
        except Exception as error:  # noqa: BLE001 - shown, and logged with its traceback if it is a defect of ours
            if not isinstance(error, HmsError):
                _LOG.exception("the lead could not be taken")
            self._trouble(error if isinstance(error, HmsError) else str(error))
            # Somebody else may be able to.
            self._not_before_s = time.monotonic() + self.lease_s
            self.lease = self._taking = None
            await self._lose(str(error))
            await self._sharing.release(lease)
        self.tried.set()

    async def _keep(self, lease: Lease) -> None:
        began_s = time.monotonic()
        if not await self._sharing.renew(lease):
            await self._give_up(lease, "another process has taken the place of the leader")
            return
        if self._sharing.state is not SharingState.CONNECTED:
            try:
                if self._service.token is not None and not await self._service.leads():
                    await self._give_up(lease, "the database has seen a newer leader")
                    return
            except StorageError as error:
                # Whoever wanted to lead would have to tell the database.
                _LOG.debug("neither Redis nor the database answers: %s", error)
        elif self._service.drainer.state is DrainState.FENCED:
            await self._give_up(lease, "the database has seen a newer leader")
            return
        self._until_s = began_s + self.lease_s

    async def _give_up(self, lease: Lease, reason: str) -> None:
        _LOG.warning("this process leads no longer: %s", reason)
        self.lease = None
        await self.stop_taking()
        await self._lose(reason)
        await self._sharing.release(lease)

    async def stop_taking(self) -> None:
        """Wait no longer for a run that is being gone on with."""
        taking, self._taking = self._taking, None
        if taking is not None:
            await end_task(taking)
