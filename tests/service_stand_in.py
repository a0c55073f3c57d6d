"""A run that does exactly what a test tells it to, over real storage: tasks come out of `storage_cases`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace

from hybrid_ml_scheduler.core.decision import Candidate, DecidedBy, Explanation, Prediction
from hybrid_ml_scheduler.core.errors import AlreadyRunningError, InputError, JournalFullError, NotRunningError, RunRequestError, UnknownNameError
from hybrid_ml_scheduler.live.contract import TOPICS, DeviceStatus, LaneStatus, Message, RunRequest, RunState, RunStatus
from hybrid_ml_scheduler.service.settings import ServiceSettings
from hybrid_ml_scheduler.storage.repositories import Run
from hybrid_ml_scheduler.storage.service import JournalSink, SimulationDataService
from storage_cases import make_batch


class StandInSubscription:
    """The newest message of each topic, whenever there is one."""

    def __init__(self, topics: Iterable[str]) -> None:
        self.topics = frozenset(topics)
        self.waiting: dict[str, Message] = {}
        self.news = asyncio.Event()
        self.closed = False

    def __aiter__(self) -> StandInSubscription:
        return self

    async def __anext__(self) -> list[Message]:
        while not self.waiting:
            if self.closed:
                raise StopAsyncIteration
            self.news.clear()
            await self.news.wait()
        found, self.waiting = list(self.waiting.values()), {}
        return found

    async def close(self) -> None:
        self.closed = True
        self.news.set()


class StandInFeed:
    def __init__(self) -> None:
        self.seq = 0
        self.newest: dict[str, Message] = {}
        self.subscriptions: list[StandInSubscription] = []
        for topic in TOPICS:
            self.tell(topic, {"at": 0})

    def tell(self, topic: str, body: dict[str, object]) -> None:
        self.seq += 1
        message = Message(1, self.seq, topic, body)
        self.newest[topic] = message
        for subscription in self.subscriptions:
            if topic in subscription.topics and not subscription.closed:
                subscription.waiting[topic] = message
                subscription.news.set()

    def snapshot(self, topics: Iterable[str]) -> list[Message]:
        return [self.newest[topic] for topic in topics]

    def subscribe(self, topics: Iterable[str], rate_hz: float) -> StandInSubscription:
        assert rate_hz > 0
        self.subscriptions.append(StandInSubscription(topics))
        return self.subscriptions[-1]


class StandInController:
    def __init__(self, storage: SimulationDataService, settings: ServiceSettings) -> None:
        self.storage = storage
        self.settings = settings
        self.feed = StandInFeed()
        self.now = RunStatus(RunState.STOPPED)
        self.run: Run | None = None
        self.sink: JournalSink | None = None
        self.recovered = False
        self.ended = False
        self.fails_with: BaseException | None = None

    async def process(self, tasks: int) -> None:
        """Let tasks go through the run."""
        assert self.sink is not None
        assert self.now.request is not None
        await self.sink.write(make_batch(self.now.tasks_processed, tasks, self.now.request.policies))
        done = self.now.tasks_processed + tasks
        self.now = replace(self.now, tasks_processed=done, tasks_arrived=done, time_s=0.5 * done)
        self.feed.tell("run", {"tasks_processed": done})

    def _lanes(self, request: RunRequest) -> tuple[LaneStatus, ...]:
        device = DeviceStatus("workstation", "cpu", 0.5, (3, 4))
        return tuple(LaneStatus(name, "running", 0, 0, 0, 0, None, None, None, None, (device,), None, None, None, None) for name in request.policies)

    def _going(self) -> None:
        if self.fails_with is not None:
            raise self.fails_with
        if self.now.state is RunState.STOPPED:
            raise NotRunningError("no run is going on; expected one to be started first")

    async def start(self, request: RunRequest) -> RunStatus:
        if self.fails_with is not None:
            raise self.fails_with
        if self.now.state is not RunState.STOPPED:
            raise AlreadyRunningError(f"run {self.now.run_id} is going on; expected it to be stopped first")
        if request.workload != "steady":
            raise InputError(f"there is no workload {request.workload!r}; expected steady")
        request = replace(request, seed=0 if request.seed is None else request.seed)
        self.run = self.storage.describe(workload=request.workload, cluster="workstation", policies=request.policies, options={"seed": request.seed})
        self.sink = self.storage.begin_run(self.run)
        self.now = RunStatus(RunState.RUNNING, self.run.id, request=request, speed=request.speed, lanes=self._lanes(request), started_at="2026-01-01")
        return self.now

    async def stop(self) -> RunStatus:
        if self.now.state is not RunState.STOPPED:
            assert self.run is not None
            self.storage.end_run(self.run, "stopped")
            self.now = replace(self.now, state=RunState.STOPPED)
        return self.now

    async def pause(self) -> RunStatus:
        self._going()
        self.now = replace(self.now, state=RunState.PAUSED)
        return self.now

    async def resume(self) -> RunStatus:
        self._going()
        self.now = replace(self.now, state=RunState.RUNNING)
        return self.now

    async def set_speed(self, speed: float | None) -> RunStatus:
        self._going()
        self.now = replace(self.now, speed=speed)
        return self.now

    async def _policies(self, policies: tuple[str, ...]) -> RunStatus:
        assert self.now.request is not None
        request = replace(self.now.request, policies=policies)
        self.now = replace(self.now, request=request, lanes=self._lanes(request))
        return self.now

    async def add_policy(self, policy: str) -> RunStatus:
        self._going()
        assert self.now.request is not None
        if policy == "bogus":
            raise UnknownNameError("there is no policy 'bogus'; expected one that the list of policies shows")
        return await self._policies((*self.now.request.policies, policy))

    async def remove_policy(self, policy: str) -> RunStatus:
        self._going()
        assert self.now.request is not None
        if policy not in self.now.request.policies:
            raise RunRequestError(f"the run has no policy {policy!r}; expected one of {', '.join(self.now.request.policies)}")
        return await self._policies(tuple(name for name in self.now.request.policies if name != policy))

    def status(self) -> RunStatus:
        return self.now

    async def recover(self) -> RunStatus:
        self.recovered = True
        return self.now

    async def shutdown(self, timeout_s: float) -> None:
        assert timeout_s > 0
        self.ended = True

    async def timeline(self, policy: str, since: int, limit: int) -> dict[str, object]:
        raise UnknownNameError(f"policy {policy!r} has no lane in the present run")

    def trail(self) -> dict[str, object]:
        return {"run_id": self.now.run_id, "time_s": [], "stride": 1, "lanes": {}}

    async def explain(self, run_id: int, task_id: int, policy: str) -> Explanation:
        chosen = Candidate(0, (1,), 0.5, float("nan"))
        prediction = Prediction("cpu", 3.0, float("nan"), 4.0, 5.0)
        return Explanation(task_id, 7.0, DecidedBy.MODEL, chosen, (chosen,), (prediction,), float("inf"), 2)


DISK_FULL = JournalFullError("the disk is full; expected room for the journal")
