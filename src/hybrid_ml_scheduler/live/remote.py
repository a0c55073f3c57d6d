"""A follower's side of a shared run: what the leader shows, handed on to this process's own clients, and calls that are sent to it."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hybrid_ml_scheduler.core.errors import NoLeaderError
from hybrid_ml_scheduler.core.tasks import end_task
from hybrid_ml_scheduler.live.contract import RunState, RunStatus
from hybrid_ml_scheduler.live.feed import LiveFeed
from hybrid_ml_scheduler.live.recent import LaneTrail
from hybrid_ml_scheduler.live.wire import ANSWERS, CONTROL, STATE, UnreadableError, pack, read_error, read_status, unpack
from hybrid_ml_scheduler.storage.cache import Sharing

_LOG = logging.getLogger(__name__)

WAITING = "no process leads the run just now; it goes on as soon as one has taken over"


@dataclass(slots=True)
class _Call:
    token: int | None
    taken: asyncio.Event
    answer: asyncio.Future[dict[str, Any]]


class RemoteRun:
    """What is known here of the run that another process leads.

    Parameters
    ----------
    sharing : Sharing
    feed : LiveFeed
        Gets the leader's messages while `listening`.
    patience_s : float
        How long to wait for the leader to take a call.
    """

    def __init__(self, sharing: Sharing, feed: LiveFeed, patience_s: float) -> None:
        self.listening = True
        """False while this process leads: its feed is filled by its own run then."""
        self.seen = False
        """Whether any leader was ever heard of."""
        self.facts: Mapping[str, Any] | None = None
        """What the leader says about itself besides the run."""
        self.news = asyncio.Event()
        """Set whenever the leader has said something."""
        self.token: int | None = None
        self._sharing = sharing
        self._feed = feed
        self._patience_s = patience_s
        self._lease_s = sharing.settings.leader_lease_s
        self._name = secrets.token_hex(8)
        self._status = RunStatus(RunState.STOPPED, role="follower", message=WAITING)
        self._stale: RunStatus | None = None
        self._trail = LaneTrail()
        self._heard_s = -float("inf")
        self._calls: dict[str, _Call] = {}
        self._messages = sharing.subscribe(STATE, ANSWERS)
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin with what was shown last."""
        self._task = asyncio.create_task(self._hear_on(), name="hear the leader")
        kept = await self._sharing.latest(STATE)
        if kept is not None and not self.seen:
            self._hear_state(kept)

    async def close(self) -> None:
        """Hear no more."""
        self._messages.close()
        task, self._task = self._task, None
        if task is not None:
            await end_task(task)

    @property
    def led(self) -> bool:
        """Whether a leader has been heard lately."""
        return time.monotonic() - self._heard_s < self._lease_s

    def status(self) -> RunStatus:
        """Return what the leader showed last; without a leader a run that was going on is starting, with the same numbers."""
        if self.led or self._status.state in (RunState.STOPPED, RunState.FAILED):
            return self._status
        if self._stale is None:
            self._stale = replace(self._status, state=RunState.STARTING, message=WAITING)
        return self._stale

    def last(self) -> RunStatus | None:
        """Return what any leader showed last, None if nothing was ever shown."""
        return self._status if self.seen else None

    def trail(self) -> dict[str, Any]:
        """Return how every lane has done since the run was first heard of here."""
        return {"run_id": self._status.run_id, **self._trail.to_dict()}

    def adopt(self, status: RunStatus, token: int) -> None:
        """Take over what this process showed itself, while it led."""
        self._keep(status, token)
        # Nobody is known to lead.
        self._heard_s = -float("inf")

    def _keep(self, status: RunStatus, token: int) -> None:
        if status.run_id != self._status.run_id:
            self._trail = LaneTrail()
        if status.time_s > self._status.time_s or status.run_id != self._status.run_id:
            self._trail.add(status.time_s, status.lanes, status.learning.lanes)
        self.seen, self.token, self._stale = True, token, None
        self._status = replace(status, role="follower")

    async def _hear_on(self) -> None:
        async for topic, data in self._messages:
            try:
                if topic == STATE:
                    self._hear_state(data)
                    self._heard_s = time.monotonic()
                    self.news.set()
                else:
                    self._hear_answer(unpack(data))
            except (UnreadableError, KeyError, TypeError, ValueError) as error:
                _LOG.warning("a message of another process was not understood: %s", error)

    def _hear_state(self, data: bytes) -> None:
        shown = unpack(data)
        token = int(shown["token"])
        if not self.listening or (self.token is not None and token < self.token):
            # A former leader's, on its way while it lost its place.
            return
        status = read_status(shown["status"])
        if self.seen and status.run_id != self._status.run_id:
            self._feed.forget()
        self._keep(status, token)
        self.facts = dict(shown["facts"])
        before = {message.topic: message.body for message in self._feed.snapshot([each["topic"] for each in shown["messages"]])}
        for message in shown["messages"]:
            topic, body = message["topic"], message["body"]
            if topic == "tasks":
                if not self._feed.results:
                    self._feed.count_from(body["total"] - body["results"])
                self._feed.publish_tasks(body["finished"], body["results"], body["time_s"], body["total"])
            elif before.get(topic) != body:
                self._feed.publish(topic, body)

    def _hear_answer(self, answer: dict[str, Any]) -> None:
        call = self._calls.get(str(answer["id"]))
        if call is None or answer["to"] != self._name:
            return
        if answer["kind"] == "taken":
            call.taken.set()
        elif not call.answer.done():
            call.taken.set()
            call.answer.set_result(answer)

    async def call(self, method: str, **arguments: Any) -> Any:
        """Let the leader do something, and wait until it has.

        Returns
        -------
        Any
            What it answers, as JSON.

        Raises
        ------
        HmsError
            The leader's own; `NoLeaderError` if nobody takes the call in time, or the leader is lost before it answers.
        """
        number = secrets.token_hex(8)
        call = self._calls[number] = _Call(self.token, asyncio.Event(), asyncio.get_running_loop().create_future())
        try:
            await self._sharing.publish(CONTROL, pack({"from": self._name, "id": number, "method": method, "arguments": arguments}))
            try:
                await asyncio.wait_for(call.taken.wait(), self._patience_s)
            except TimeoutError:
                raise NoLeaderError(
                    f"no process took this within {self._patience_s:g} s, so nothing was done; expected one that leads the run"
                ) from None
            answer = await self._answer(call)
        finally:
            del self._calls[number]
        if answer["kind"] == "failed":
            raise read_error(answer["error"])
        return answer["value"]

    async def _answer(self, call: _Call) -> dict[str, Any]:
        while True:
            done, _ = await asyncio.wait({call.answer}, timeout=self._lease_s / 4)
            if done:
                return call.answer.result()
            if not self.led or self.token != call.token:
                raise NoLeaderError("the process that led the run was lost while it did this; expected to see in the status whether it was done")
