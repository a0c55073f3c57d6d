"""`SharedController`: the controller of a process that shares its run with others. One of them leads at a time; the others show what it does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from hybrid_ml_scheduler.core.decision import Explanation
from hybrid_ml_scheduler.core.errors import NoLeaderError, StorageFencedError
from hybrid_ml_scheduler.live.contract import Controller, RunRequest, RunState, RunStatus
from hybrid_ml_scheduler.live.controller import LiveController
from hybrid_ml_scheduler.live.feed import LiveFeed
from hybrid_ml_scheduler.live.leadership import Lead, Leadership
from hybrid_ml_scheduler.live.relay import Relay
from hybrid_ml_scheduler.live.remote import RemoteRun
from hybrid_ml_scheduler.live.settings import LiveSettings
from hybrid_ml_scheduler.live.wire import read_explanation, read_status
from hybrid_ml_scheduler.storage.cache import Sharing
from hybrid_ml_scheduler.storage.service import SimulationDataService

_LOG = logging.getLogger(__name__)

FIRST_SIGN_S = 5.0
"""How long a process that begins waits for a word of the leader, where there is one."""


class SharedController(Controller):
    """Controls the one run that several processes share; see `live.contract.Controller`.

    Parameters
    ----------
    service : SimulationDataService
        Open, over a database that the processes share.
    settings : LiveSettings
    sharing : Sharing
        Open.
    initial : RunRequest, optional
        Started by the process that is the first to lead, if there is nothing to go on with.
    facts : callable, optional
        What the other processes shall know about this one while it leads, JSON-able.

    Attributes
    ----------
    feed : LiveFeed
        The same for as long as the process lives, whoever leads.
    """

    def __init__(
        self,
        service: SimulationDataService,
        settings: LiveSettings,
        sharing: Sharing,
        *,
        initial: RunRequest | None = None,
        facts: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        self.feed = LiveFeed()
        self._service = service
        self._settings = settings
        self._sharing = sharing
        self._initial = initial
        self._facts = facts
        self._remote = RemoteRun(sharing, self.feed, settings.control_timeout_s)
        self._leadership = Leadership(sharing, service, self._gain, self._lose)
        self._lead: Lead | None = None
        self._local: LiveController | None = None
        self._relay: Relay | None = None
        self._changed = asyncio.Event()

    # Leading.

    async def _gain(self, lead: Lead) -> None:
        record = await self._service.take_over(lead.token)
        lead = self._lead = replace(lead, last=self._remote.last())
        self._remote.listening = False
        controller = self._local = LiveController(self._service, self._settings, feed=self.feed, lead=lead)
        # Others see that it is starting, and whoever calls waits for that.
        relay = self._relay = Relay(self._sharing, controller, self.feed, lead, self._facts)
        self._tell()
        status = await controller.take_over(record)
        if self._initial is not None and lead.last is None and status.state is RunState.STOPPED:
            await controller.start(self._initial)
        self._initial = None
        await relay.show()

    async def _lose(self, reason: str) -> None:
        relay, self._relay = self._relay, None
        local, self._local = self._local, None
        lead, self._lead = self._lead, None
        if local is not None and lead is not None:
            self._remote.adopt(local.status(), lead.token)
        self._remote.listening = True
        self._service.step_down()
        if relay is not None:
            await relay.close()
        if local is not None:
            await local.abandon()
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    @property
    def leader_facts(self) -> Mapping[str, Any] | None:
        """What the leader says about itself, if that is another process."""
        return None if self._local is not None else self._remote.facts

    # Control.

    def status(self) -> RunStatus:
        """Return where the run stands, as far as is known here; while nobody leads, with what keeps this process from it."""
        if self._local is not None:
            return self._local.status()
        status, problem = self._remote.status(), self._leadership.problem
        if problem is None or self._remote.led or status.message is None:
            return status
        return replace(status, message=f"{status.message} (this process cannot: {problem})")

    async def _leader(self) -> LiveController | None:
        """Return what runs the run here, or None if another process has it; wait a moment for either.

        Raises
        ------
        NoLeaderError
            If nobody leads.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.control_timeout_s):
                while True:
                    if self._relay is not None and self._local is not None:
                        return self._local
                    if self._local is None and self._remote.led:
                        return None
                    self._remote.news.clear()
                    waits = [asyncio.ensure_future(event.wait()) for event in (self._remote.news, self._changed)]
                    try:
                        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                    finally:
                        for wait in waits:
                            wait.cancel()
        raise NoLeaderError(f"no process has led the run for {self._settings.control_timeout_s:g} s; expected one to take over (see the status)")

    async def _do(self, method: str, **arguments: Any) -> RunStatus:
        local = await self._leader()
        if local is None:
            return replace(read_status(await self._remote.call(method, **arguments)), role="follower")
        try:
            status: RunStatus = await getattr(local, method)(**arguments)
        except StorageFencedError as error:
            raise NoLeaderError(f"another process has taken over the run ({error}); expected it to be asked again") from error
        if self._relay is not None:
            await self._relay.show()
        return status

    async def start(self, request: RunRequest) -> RunStatus:
        """Start a new run; see `Controller.start`."""
        return await self._do("start", request=request)

    async def stop(self) -> RunStatus:
        """Stop the run; see `Controller.stop`."""
        return await self._do("stop")

    async def pause(self) -> RunStatus:
        """Let the run wait; see `Controller.pause`."""
        return await self._do("pause")

    async def resume(self) -> RunStatus:
        """Let a paused run go on; see `Controller.resume`."""
        return await self._do("resume")

    async def set_speed(self, speed: float | None) -> RunStatus:
        """Change the speed; see `Controller.set_speed`."""
        return await self._do("set_speed", speed=speed)

    async def add_policy(self, policy: str) -> RunStatus:
        """Give a policy a lane; see `Controller.add_policy`."""
        return await self._do("add_policy", policy=policy)

    async def remove_policy(self, policy: str) -> RunStatus:
        """Take a policy out of the run; see `Controller.remove_policy`."""
        return await self._do("remove_policy", policy=policy)

    async def explain(self, run_id: int, task_id: int, policy: str) -> Explanation:
        """Recompute why a task was started when and where it was; see `Controller.explain`."""
        local = await self._leader()
        if local is not None:
            return await local.explain(run_id, task_id, policy)
        return read_explanation(await self._remote.call("explain", run_id=run_id, task_id=task_id, policy=policy))

    async def timeline(self, policy: str, since: int, limit: int) -> dict[str, Any]:
        """Return what a lane has finished, runs and lets wait; see `Controller.timeline`."""
        local = await self._leader()
        if local is not None:
            return await local.timeline(policy, since, limit)
        found: dict[str, Any] = await self._remote.call("timeline", policy=policy, since=since, limit=limit)
        return found

    def trail(self) -> dict[str, Any]:
        """Return how every lane has done since this process began with the run, or to hear of it; see `Controller.trail`."""
        return self._remote.trail() if self._local is None else self._local.trail()

    # Beginning and end.

    async def recover(self) -> RunStatus:
        """Find out who leads; go on with the run if that is this process."""
        await self._remote.open()
        self._leadership.begin()
        await self._leadership.tried.wait()
        if self._leadership.lease is None and self._leadership.problem is None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._remote.news.wait(), FIRST_SIGN_S)
        return self.status()

    async def shutdown(self, timeout_s: float) -> None:
        """Save where the run stands, bring it into the database, and let another process take over."""
        await self._leadership.stop_taking()
        relay, self._relay = self._relay, None
        if relay is not None:
            await relay.close()
        local = self._local
        if local is not None:
            await local.shutdown(timeout_s)
            run_id = local.status().run_id
            if run_id is not None and self._service.token is not None:
                try:
                    async with asyncio.timeout(timeout_s):
                        await self._service.settle(run_id)
                except (TimeoutError, StorageFencedError) as error:
                    reason = str(error) or f"it has not taken it within {timeout_s:g} s"
                    _LOG.warning("run %d: not everything is in the database yet (%s); it follows when this process is back", run_id, reason)
        await self._leadership.end()
        await self._remote.close()
