"""What lives as long as the service: built when it starts, handed to every route, ended in reverse order."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends
from starlette.requests import HTTPConnection

from hybrid_ml_scheduler.core.errors import StorageBusyError, StorageUnavailableError
from hybrid_ml_scheduler.live.contract import Controller, Feed, RunRequest, RunState, RunStatus
from hybrid_ml_scheduler.service.cache import AnswerCache
from hybrid_ml_scheduler.service.connections import ConnectionManager
from hybrid_ml_scheduler.service.facts import leader_facts, leader_rows
from hybrid_ml_scheduler.service.observability.watching import Observability
from hybrid_ml_scheduler.service.settings import ServiceSettings
from hybrid_ml_scheduler.storage.cache import Sharing
from hybrid_ml_scheduler.storage.drain import DrainState
from hybrid_ml_scheduler.storage.service import SimulationDataService

if TYPE_CHECKING:
    from hybrid_ml_scheduler.live.shared import SharedController

_LOG = logging.getLogger(__name__)

MakeEngine = Callable[[SimulationDataService, ServiceSettings], tuple[Controller, Feed]]
"""Builds the continuous run over an open storage."""


@dataclass(slots=True)
class Resources:
    """What routes work with.

    Attributes
    ----------
    settings : ServiceSettings
    storage : SimulationDataService
    sharing : Sharing
    controller : Controller
    feed : Feed
    connections : ConnectionManager
    answers : AnswerCache
    observability : Observability
    process_id : str
        Drawn at start.
    leader_facts : callable
        What the process that leads the run says about itself, if that is another one.
    started_at : datetime
    """

    settings: ServiceSettings
    storage: SimulationDataService
    sharing: Sharing
    controller: Controller
    feed: Feed
    connections: ConnectionManager
    answers: AnswerCache
    observability: Observability
    process_id: str
    leader_facts: Callable[[], Mapping[str, Any] | None] = lambda: None
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    started_s: float = field(default_factory=time.monotonic)
    encoded_status: tuple[RunStatus, dict[str, Any], bytes] | None = None
    """The last status that was sent, how the way into the database was then, and both as JSON."""
    _database_away_since_s: float | None = None

    async def run_id(self, wanted: int | None = None) -> int | None:
        """Return the run that a request is about: the wanted one, else the present one, else the newest that there is."""
        if wanted is not None:
            return wanted
        present = self.controller.status().run_id
        if present is not None:
            return present
        local = self.storage.local_runs()
        if local:
            return local[0].id
        newest = await self.storage.runs(limit=1)
        return newest[0].id if newest else None

    async def database_away_s(self) -> float | None:
        """Ask the database for an answer; return for how long it has been away, None if it answers.

        All connections being in use is no sign that it is away.
        """
        try:
            await self.storage.database.ping(self.settings.health_timeout_s)
        except StorageBusyError:
            return None
        except StorageUnavailableError:
            now_s = time.monotonic()
            began = [moment for moment in (self._database_away_since_s, self.storage.drainer.away_since_s) if moment is not None]
            self._database_away_since_s = min(began, default=now_s)
            return now_s - self._database_away_since_s
        self._database_away_since_s = None
        return None


def resources_of(connection: HTTPConnection) -> Resources:
    """Return the resources of the application that serves a request."""
    found: Any = connection.app.state.resources
    if not isinstance(found, Resources):  # pragma: no cover - the lifespan sets it before anything is served
        raise TypeError("the application has no resources: it was not started")
    return found


async def _found(connection: HTTPConnection) -> Resources:
    # A dependency that is no coroutine would be called in another thread, and that takes longer than many an answer.
    return resources_of(connection)


Found = Annotated[Resources, Depends(_found)]
"""What a route asks for to get the resources."""


def live_engine(storage: SimulationDataService, settings: ServiceSettings) -> tuple[Controller, Feed]:
    """Build the continuous run."""
    from hybrid_ml_scheduler.live.controller import LiveController

    controller = LiveController(storage, settings)
    return controller, controller.feed


def shares_run(settings: ServiceSettings) -> bool:
    """Whether this process may share its run with others: they need a place for who leads, and a database that is not in a data folder."""
    return settings.redis_url is not None and settings.url.get_backend_name() == "postgresql"


def shared_engine(storage: SimulationDataService, settings: ServiceSettings, sharing: Sharing, initial: RunRequest | None) -> SharedController:
    """Build this process's part in a run that several share."""
    from hybrid_ml_scheduler.live.shared import SharedController

    return SharedController(storage, settings, sharing, initial=initial, facts=lambda: leader_facts(storage))


@asynccontextmanager
async def open_resources(
    settings: ServiceSettings, observability: Observability, *, start: bool, make_engine: MakeEngine | None = None
) -> AsyncIterator[Resources]:
    """Open storage, go on with the interrupted run or start one, and close everything in the end.

    Parameters
    ----------
    settings : ServiceSettings
    observability : Observability
        Watches all of it.
    start : bool
        Whether to start a run if none was interrupted.
    make_engine : callable, optional
        What builds the continuous run; by default `live_engine`, or `shared_engine` where several processes may share it.

    Raises
    ------
    InputError
        If another process has the data folder, or the tables are newer than this program.
    """
    storage = SimulationDataService(settings, observability)
    await storage.open(upgrade=True)
    if storage.drainer.state is DrainState.AWAY:
        _LOG.warning("the database is away; results wait in the journal: %s", storage.drainer.error)
    async with _closing(storage, settings) as ending, Sharing(settings, observability) as sharing:
        shared: SharedController | None = None
        controller: Controller
        feed: Feed
        if make_engine is None and shares_run(settings):
            shared = shared_engine(storage, settings, sharing, default_request(settings) if start else None)
            controller, feed = shared, shared.feed
        else:
            controller, feed = (make_engine or live_engine)(storage, settings)
        process_id = secrets.token_hex(4)
        resources = Resources(
            settings=settings,
            storage=storage,
            sharing=sharing,
            controller=controller,
            feed=feed,
            connections=ConnectionManager(settings, process_id),
            answers=AnswerCache(storage, sharing, observability, lambda: leader_rows(None if shared is None else shared.leader_facts)),
            observability=observability,
            process_id=process_id,
            leader_facts=lambda: None if shared is None else shared.leader_facts,
        )
        try:
            status = await controller.recover()
            # Processes that share a run leave that to the first that leads.
            if start and status.state is RunState.STOPPED and status.role == "alone":
                await controller.start(default_request(settings))
            async with observability.watching(resources):
                yield resources
        finally:
            ending.began_s = time.monotonic()
            await controller.shutdown(settings.shutdown_timeout_s / 2)


def default_request(settings: ServiceSettings) -> RunRequest:
    """Return the run that is started when nobody says otherwise."""
    return RunRequest(speed=settings.default_speed)


@dataclass(slots=True)
class _Ending:
    """When the service began to end, by `time.monotonic`."""

    began_s: float


@asynccontextmanager
async def _closing(storage: SimulationDataService, settings: ServiceSettings) -> AsyncIterator[_Ending]:
    """Close the storage in the end. What the run has not used of the time goes to the rows that are still on their way into the database."""
    ending = _Ending(time.monotonic())
    try:
        yield ending
    finally:
        left_s = 0.75 * settings.shutdown_timeout_s - (time.monotonic() - ending.began_s)
        await storage.close(max(left_s, settings.shutdown_timeout_s / 4))
