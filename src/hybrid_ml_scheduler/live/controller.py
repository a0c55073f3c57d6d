"""`LiveController`: starts, paces, saves and resumes the one continuous run of a process.

Everything that happens to the lanes happens in a thread of its own, one step at a time, so that the event loop never waits for the engine. A step's
rows are written to the journal before anything of it is counted or shown. A checkpoint holds the lanes as they were when all their rows had been
written; whatever comes from outside (another policy, another version of a model) is saved with a checkpoint of its own before it has any effect.
So a run that died goes on from its newest checkpoint, does the same again, and leaves out the rows that the journal has already.
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from hybrid_ml_scheduler.core.decision import Explanation
from hybrid_ml_scheduler.core.errors import (
    AlreadyRunningError,
    HmsError,
    InputError,
    JournalError,
    JournalFullError,
    NoLeaderError,
    NotRunningError,
    RunRequestError,
    StorageBusyError,
    StorageError,
    StorageFencedError,
    StorageUnavailableError,
    UnknownNameError,
    UnknownRunError,
)
from hybrid_ml_scheduler.core.streams import Columns, RunBatch, Stream
from hybrid_ml_scheduler.learning.objective import parse_objective
from hybrid_ml_scheduler.learning.store import PRETRAINED, ModelStore
from hybrid_ml_scheduler.live.contract import LaneLearning, LaneStatus, LearningStatus, RetrainStatus, RunRequest, RunState, RunStatus, Training
from hybrid_ml_scheduler.live.explaining import explain_result
from hybrid_ml_scheduler.live.feed import MOST_TASKS, LiveFeed
from hybrid_ml_scheduler.live.group import Change, LaneGroup, Produced, pack, unpack
from hybrid_ml_scheduler.live.lanes import NO_MODEL, Chosen, choose
from hybrid_ml_scheduler.live.leadership import Lead
from hybrid_ml_scheduler.live.ledger import Ledger, Written
from hybrid_ml_scheduler.live.recent import LaneTrail, RecentRows
from hybrid_ml_scheduler.live.recent import plain as plain_values
from hybrid_ml_scheduler.live.retrainer import Trained, prune, train
from hybrid_ml_scheduler.live.run_models import keep_for_run, store_of_run
from hybrid_ml_scheduler.live.settings import LiveSettings
from hybrid_ml_scheduler.live.stream import TaskStream
from hybrid_ml_scheduler.live.uploads import keep_upload, uploaded_file
from hybrid_ml_scheduler.storage.journal import SavedState
from hybrid_ml_scheduler.storage.repositories import Run
from hybrid_ml_scheduler.storage.service import JournalSink, SimulationDataService

_LOG = logging.getLogger(__name__)

FIRST_SEED, SEEDS = 20_000, 2**31
"""Seeds that are drawn: above those of tests and trainings, small enough for every reader of JSON."""
MOST_POLICIES = 64
MOST_VERSIONS = 10
MOST_TRAININGS = 50
LEARNING_EVERY_S = 1.0
"""How often it is worked out how good predictions are, in seconds."""

KEPT_CHANGES = 256
"""Newest changes in the description of a run: more than were ever made between two checkpoints that reached the database."""
_SHOWN = ("task_id", "scheduler", "status", "arrival_s", "start_s", "finish_s", "fraction", "gpus", "decided_by", "model", "reason")

T = TypeVar("T")


class _StoppedError(Exception):
    """The run is to stop while it cannot write."""


class _Live:
    """What belongs to one run."""

    def __init__(self, record: Run, request: RunRequest, options: Mapping[str, Any], group: LaneGroup, sink: JournalSink) -> None:
        self.record = record
        self.request = request
        self.options = options
        self.group = group
        self.sink = sink
        self.ledger = Ledger()
        self.recent = RecentRows()
        self.trail = LaneTrail()
        self.written = Written({})
        self.speed = request.speed
        self.paused = False
        self.blocked = False
        self._stopping = False
        self.keeps_record = False
        self.abandoned = False
        self.replay: deque[Change] = deque()
        self.floor: RunStatus | None = None
        self.caught_up = asyncio.Event()
        self.wake = asyncio.Event()
        self.commands: deque[tuple[Change, Chosen | None, asyncio.Future[None]]] = deque()
        self.task: asyncio.Task[None] | None = None
        self.catch_up_s = -math.inf
        self.anchor = (0.0, 0.0)
        self.lanes: tuple[LaneStatus, ...] = ()
        self.reported_at = -math.inf
        self.saved_at = time.monotonic()
        self.learning: asyncio.Task[None] | None = None
        self.learned_at = -math.inf
        self.compared: tuple[LaneLearning, ...] = ()
        self.trainings: tuple[Training, ...] = ()
        self.compared_at = -math.inf
        self.retraining = RetrainStatus("waiting" if request.retrain_every and not group.stream.whole else "off")

    def stopping(self) -> bool:
        """Whether it shall end after the step at hand."""
        return self._stopping

    def stop(self) -> None:
        """Let it end after the step at hand."""
        self._stopping = True
        self.wake.set()


class LiveController:
    """Controls the continuous run; see `live.contract.Controller`.

    Parameters
    ----------
    service : SimulationDataService
        Open. Whoever opened it closes it, after `shutdown`.
    settings : LiveSettings
    feed : LiveFeed, optional
        Who watches.
    store : ModelStore, optional
        Where models are; by default the package's own, and over them those in the data folder.
    lead : Lead, optional
        The place of the leader, if several processes share the run.
    """

    def __init__(
        self,
        service: SimulationDataService,
        settings: LiveSettings,
        *,
        feed: LiveFeed | None = None,
        store: ModelStore | None = None,
        lead: Lead | None = None,
    ) -> None:
        self.feed = LiveFeed() if feed is None else feed
        self._service = service
        self._settings = settings
        self._store = ModelStore([PRETRAINED, service.settings.folder / "models"]) if store is None else store
        self._lock = asyncio.Lock()
        self._live: _Live | None = None
        self._lead = lead
        self._role = "alone" if lead is None else "leader"
        self._abandoned = False
        self._status = RunStatus(RunState.STOPPED, role=self._role)
        if lead is not None:
            self._status = replace(lead.last or self._status, state=RunState.STARTING, message=None, role=self._role)
        self._compute = ThreadPoolExecutor(1, thread_name_prefix="lanes")

    # Control.

    def status(self) -> RunStatus:
        """Return where the run stands."""
        return self._status

    async def start(self, request: RunRequest) -> RunStatus:
        """Start a new run; see `Controller.start`."""
        async with self._lock:
            if self._live is not None and self._live.task is not None and not self._live.task.done():
                raise AlreadyRunningError(f"run {self._live.record.id} is {self._status.state}; expected it to be stopped before another one starts")
            before = self._status
            request = _checked(request)
            if request.seed is None:
                request = replace(request, seed=FIRST_SEED + secrets.randbelow(SEEDS))
            self._status = replace(RunStatus(RunState.STARTING, request=request, role=self._role), speed=request.speed)
            try:
                options: dict[str, Any] = {
                    "request": asdict(request),
                    "queue_limit": self._settings.queue_limit,
                    "piece_tasks": self._settings.piece_tasks,
                }
                group = await self._threaded(self._new_group, request, options)
                options["models"] = {lane.policy: lane.model or NO_MODEL for lane in group.lanes.values()}
                record = self._service.describe(
                    workload=request.workload, cluster=group.stream.cluster.name, policies=request.policies, options=options
                )
                sink = await asyncio.to_thread(self._service.begin_run, record)
                live = _Live(record, request, options, group, sink)
                await asyncio.to_thread(self._keep_files, record.id, request.workload, options["models"].values())
                # Nothing is written before there is something to go on from.
                await self._save(live)
                await self._settle(record.id)
            except StorageFencedError as error:
                self._status = before
                await asyncio.to_thread(self._service.end_run, record, "failed", str(error))
                raise
            except BaseException:
                self._status = before
                raise
            self.feed.forget()
            self._begin(live)
            return self._status

    def _new_group(self, request: RunRequest, options: Mapping[str, Any]) -> LaneGroup:
        group = LaneGroup(_stream(request, options, self._service.settings.folder), int(options["queue_limit"]))
        for policy in request.policies:
            group.add(policy, self._choose(group.stream, request, policy))
        return group

    def _choose(self, stream: TaskStream, request: RunRequest, policy: str, model: str | None = None, run_id: int | None = None) -> Chosen:
        objective = None if request.objective is None else parse_objective(request.objective).text
        return choose(policy, stream.template, stream.cluster, _seed(request), self._models(run_id), objective, model)

    def _models(self, run_id: int | None) -> ModelStore:
        """Return where the models of a run are."""
        if self._lead is None or run_id is None:
            return self._store
        return store_of_run(self._store, self._service.files_folder(run_id))

    def _keep_files(self, run_id: int, workload: str, models: Iterable[str | None]) -> None:
        """Put with the run what only this data folder has: whoever takes over must find it."""
        if self._lead is not None:
            files = self._service.files_folder(run_id)
            keep_upload(workload, self._service.settings.folder, files)
            keep_for_run(self._store, files, models)

    def _begin(self, live: _Live) -> None:
        if self._abandoned:
            raise NoLeaderError("this process leads no longer; expected the one that does now to be asked")
        self._live = live
        self._anchor(live)
        self._show(live, RunState.PAUSED if live.paused else RunState.RUNNING)
        live.task = asyncio.create_task(self._work(live), name=f"run {live.record.id}")

    async def stop(self) -> RunStatus:
        """Stop the run; see `Controller.stop`."""
        async with self._lock:
            live = self._live
            if live is not None and live.task is not None and not live.task.done():
                await self._catch_up(live)
                await self._end(keeps_record=False)
                await self._settle(live.record.id)
            return self._status

    async def _catch_up(self, live: _Live) -> None:
        """Wait until a run that was taken over is where it had been: what was shown once must be made again before it ends."""
        if live.floor is not None and live.task is not None:
            waits = asyncio.ensure_future(live.caught_up.wait())
            await asyncio.wait({waits, live.task}, return_when=asyncio.FIRST_COMPLETED)
            waits.cancel()

    async def abandon(self) -> None:
        """Let go of the run at once, and save nothing: somebody else has it."""
        self._abandoned = True
        live = self._live
        if live is not None and live.task is not None and not live.task.done():
            live.abandoned = live.keeps_record = True
            live.stop()
            await asyncio.shield(live.task)
        if live is not None:
            await asyncio.to_thread(self._service.let_go, live.record.id)
        self._compute.shutdown(wait=False, cancel_futures=True)

    async def _settle(self, run_id: int) -> None:
        """Before anybody is told that something was done, let others find it in the database; while that is away, this data folder alone knows."""
        if self._lead is not None:
            await self._service.settle(run_id)

    def _leads(self) -> bool:
        """Whether this process may show and do anything."""
        return self._lead is None or self._lead.holds()

    async def shutdown(self, timeout_s: float) -> None:
        """Save where the run stands and let go of it; the next `recover` goes on with it. The storage is left open.

        Parameters
        ----------
        timeout_s : float
            How long a step that is under way may take, in seconds. If it takes longer, the run goes on from an earlier checkpoint.
        """
        async with self._lock:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._end(keeps_record=True), timeout_s)
            self._compute.shutdown(wait=False, cancel_futures=True)

    async def _end(self, *, keeps_record: bool) -> None:
        live = self._live
        if live is None or live.task is None or live.task.done():
            return
        live.keeps_record = keeps_record
        live.stop()
        self._show(live, RunState.STOPPING)
        await asyncio.shield(live.task)

    def _running(self) -> _Live:
        live = self._live
        if live is None or live.task is None or live.task.done() or live.stopping():
            raise NotRunningError("there is no run; expected one that was started")
        return live

    async def pause(self) -> RunStatus:
        """Let the run wait; see `Controller.pause`."""
        async with self._lock:
            live = self._running()
            if not live.paused:
                live.paused = True
                live.wake.set()
                self._show(live, RunState.PAUSED)
                await self._describe(live, state="paused")
                await self._settle(live.record.id)
            return self._status

    async def resume(self) -> RunStatus:
        """Let a paused run go on; see `Controller.resume`."""
        async with self._lock:
            live = self._running()
            if live.paused:
                await self._describe(live, state="running")
                await self._settle(live.record.id)
                live.paused = False
                self._anchor(live)
                live.wake.set()
                self._show(live, RunState.BLOCKED if live.blocked else RunState.RUNNING)
            return self._status

    async def set_speed(self, speed: float | None) -> RunStatus:
        """Change the speed; see `Controller.set_speed`."""
        _check_speed(speed)
        async with self._lock:
            live = self._running()
            live.speed = speed
            self._anchor(live)
            live.wake.set()
            self._show(live, self._status.state)
            # The next checkpoint may never come.
            await self._describe(live, options={**live.record.options, "speed": speed})
            await self._settle(live.record.id)
            return self._status

    async def _describe(self, live: _Live, **changed: Any) -> None:
        live.record = replace(live.record, **changed)
        try:
            await asyncio.to_thread(self._service.update_run, live.record)
        except (OSError, StorageError) as error:
            # The description follows with the next change; what the run does rests on its checkpoints alone.
            _LOG.warning("run %d: its description could not be written: %s", live.record.id, error)

    def _anchor(self, live: _Live) -> None:
        """Let simulated time go on from where it is, from now on."""
        live.anchor = (time.monotonic(), max(live.group.time_s, live.catch_up_s))

    async def add_policy(self, policy: str) -> RunStatus:
        """Give a policy a lane; see `Controller.add_policy`."""
        name = policy.strip().lower()
        live = self._running()
        if len(live.group.lanes) >= MOST_POLICIES:
            raise RunRequestError(f"the run has {MOST_POLICIES} policies; expected at most so many")
        chosen = await asyncio.to_thread(self._choose, live.group.stream, live.request, name, None, live.record.id)
        await asyncio.to_thread(self._keep_files, live.record.id, live.request.workload, [chosen.model])
        await self._command(live, Change(0.0, "added", name, chosen.model), chosen)
        return self._status

    async def remove_policy(self, policy: str) -> RunStatus:
        """Take a policy out of the run; see `Controller.remove_policy`."""
        live = self._running()
        await self._command(live, Change(0.0, "removed", policy.strip().lower()), None)
        return self._status

    async def _command(self, live: _Live, change: Change, chosen: Chosen | None) -> None:
        """Let the run do something between two steps, and wait until it is done and saved."""
        if live.stopping() or live.task is None or live.task.done():
            raise NotRunningError("the run has ended; expected one that goes on")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        live.commands.append((change, chosen, done))
        live.wake.set()
        await done

    async def _threaded(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._compute, function, *arguments)

    # The run.

    async def _work(self, live: _Live) -> None:
        state, message = "stopped", None
        try:
            await self._go_on(live)
            if live.group.over and not live.stopping():
                state = "finished"
            elif not live.keeps_record:
                await self._keep(live, await self._threaded(self._withdraw, live))
            if not live.abandoned:
                await self._save(live)
        except _StoppedError:
            message = "stopped while the disk was full; the rows of its last step were not written"
        except JournalFullError as error:
            message = str(error)
        except Exception as error:  # noqa: BLE001 - logged, and shown as the run's state
            # Whatever it was, the run must not look as if it went on; the traceback is a defect of ours.
            _LOG.exception("run %d failed", live.record.id)
            state, message = "failed", str(error)
        finally:
            if live.learning is not None:
                live.learning.cancel()
            for _, _, done in live.commands:
                if not done.done():
                    done.set_exception(
                        NoLeaderError("another process has taken over the run; expected it to be asked again")
                        if live.abandoned
                        else NotRunningError("the run ended before this could be done; expected one that goes on")
                    )
            live.commands.clear()
        if not live.keeps_record:
            try:
                live.record = await asyncio.to_thread(self._service.end_run, live.record, state, message)
            except (OSError, StorageError) as error:
                message = message or str(error)
            await self._retire(live)
        if live.abandoned:
            return
        self._report(live)
        self._show(live, RunState.FAILED if state == "failed" else RunState.STOPPED, message)

    async def _go_on(self, live: _Live) -> None:
        while not live.stopping():
            live.wake.clear()
            if not self._leads():
                # Longer asleep than the lease: whether somebody else leads is known soon.
                with suppress(TimeoutError):
                    await asyncio.wait_for(live.wake.wait(), self._settings.step_interval_s)
                continue
            if live.replay and live.replay[0].time_s <= live.group.time_s:
                await self._repeat(live)
                continue
            while live.commands and not live.replay:
                await self._obey(live)
            if live.stopping():
                return
            if live.paused and not live.replay and live.floor is None:
                await live.wake.wait()
                continue
            until_s = self._until(live)
            if live.paused:
                until_s = min(until_s, live.catch_up_s)
            if live.replay:
                until_s = min(until_s, live.replay[0].time_s)
            if until_s <= live.group.time_s:
                with suppress(TimeoutError):
                    await asyncio.wait_for(live.wake.wait(), self._settings.step_interval_s)
                continue
            await self._do_step(live, until_s)
            if live.group.over:
                return
            await self._maybe_save(live)
            self._maybe_learn(live)
            await self._hold_back(live)

    async def _do_step(self, live: _Live, until_s: float) -> None:
        observer = self._service.observer
        with observer.span("batch", {"hms.run_id": live.record.id, "hms.lanes": len(live.group.lanes)}):
            with observer.span("decide"):
                produced, batch = await self._threaded(self._step, live, until_s)
            if produced:
                with observer.span(
                    "journal", {"hms.tasks": len(batch.tasks.get("task_id", ())), "hms.results": len(batch.results.get("task_id", ()))}
                ):
                    await self._keep(live, batch)
                observer.decided(produced.lane_s, batch.results)
            with observer.span("publish"):
                self._count(live, batch)

    def _until(self, live: _Live) -> float:
        """Return how far the next step goes, in simulated seconds."""
        until_s = live.group.ahead_s(self._settings.step_tasks)
        if live.speed is None:
            return until_s
        began, from_s = live.anchor
        return min(until_s, max(from_s + (time.monotonic() - began) * live.speed, live.catch_up_s))

    async def _repeat(self, live: _Live) -> None:
        """Let something happen again that happened to the run here, after the checkpoint that it goes on from."""
        change = live.replay.popleft()
        chosen = None
        if change.what != "removed":
            model = change.model or NO_MODEL
            chosen = await asyncio.to_thread(self._choose, live.group.stream, live.request, change.policy, model, live.record.id)
        try:
            batch = await self._threaded(self._change, live, change, chosen)
        except RunRequestError:
            # It was refused the first time, too, and its process died before it could say so.
            return
        await self._keep(live, batch)
        self._report(live)
        self._count(live, batch)

    def _step(self, live: _Live, until_s: float) -> tuple[Produced, RunBatch]:
        produced = live.group.advance(until_s)
        batch = _batch(live, produced)
        if time.monotonic() - live.reported_at >= self._settings.report_interval_s:
            self._report(live)
        return produced, batch

    def _report(self, live: _Live) -> None:
        live.lanes = live.group.status()
        live.reported_at = time.monotonic()
        if live.reported_at - live.compared_at >= LEARNING_EVERY_S or live.group.over:
            live.compared_at = live.reported_at
            live.compared = live.group.learning()
        live.trail.add(live.group.time_s, live.lanes, live.compared)

    def _withdraw(self, live: _Live) -> RunBatch:
        """Return results for what no lane will finish any more."""
        rows = [lane.withdraw("the run was stopped") for lane in live.group.lanes.values()]
        return _batch(live, Produced(results=rows))

    async def _keep(self, live: _Live, batch: RunBatch) -> None:
        """Write rows; while the disk is full, wait until it takes them."""
        while True:
            try:
                await live.sink.write(batch)
            except JournalFullError as error:
                if live.stopping():
                    raise _StoppedError from error
                live.blocked = True
                self._show(live, RunState.BLOCKED, str(error))
                live.wake.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(live.wake.wait(), self._settings.blocked_retry_s)
                continue
            break
        live.ledger.add(batch.tasks, batch.results)
        live.recent.add(batch)
        if live.blocked:
            live.blocked = False
            self._anchor(live)

    def _count(self, live: _Live, batch: RunBatch) -> None:
        """Say what has been written."""
        state = RunState.STOPPING if live.stopping() else RunState.PAUSED if live.paused else RunState.RUNNING
        self._show(live, state)
        if (total := len(batch.results.get("task_id", ()))) and live.floor is None and self._leads():
            self.feed.publish_tasks(_sample(batch.results, live.recent), total, live.group.time_s, live.sink.positions()[Stream.RESULTS])

    def _show(self, live: _Live, state: RunState, message: str | None = None) -> None:
        before = self._status
        learning = before.learning
        if live.compared is not learning.lanes or live.trainings is not learning.trainings:
            learning = LearningStatus(live.compared, live.trainings)
        floor = live.floor
        if floor is not None and floor.tasks_processed <= live.ledger.processed and floor.time_s <= live.group.time_s:
            floor = live.floor = None
            live.caught_up.set()
        if floor is not None and state is RunState.RUNNING:
            state = RunState.STARTING
        self._status = RunStatus(
            state=state,
            run_id=live.record.id,
            tasks_processed=max(live.ledger.processed, 0 if floor is None else floor.tasks_processed),
            tasks_arrived=max(live.ledger.arrived, 0 if floor is None else floor.tasks_arrived),
            # Until a resumed run is back where it was, what it does is a repetition.
            time_s=max(live.group.time_s, live.catch_up_s),
            speed=live.speed,
            request=live.request,
            lanes=live.lanes,
            message=message,
            started_at=live.record.created_at.isoformat(),
            retraining=live.retraining,
            learning=learning,
            role=self._role,
        )
        if (state is not before.state or live.lanes is not before.lanes) and self._leads():
            self._publish(live)
        if learning is not before.learning and self._leads():
            self._publish_learning(live)

    def _publish(self, live: _Live) -> None:
        status = self._status
        lanes = [asdict(lane) for lane in status.lanes]
        devices = {lane["policy"]: lane.pop("devices") for lane in lanes}
        body = asdict(replace(status, lanes=(), learning=LearningStatus()))
        # Who streams it is no part of the run.
        del body["lanes"], body["learning"], body["role"]
        self.feed.publish("run", body)
        self.feed.publish("lanes", {"time_s": status.time_s, "lanes": lanes})
        self.feed.publish("devices", {"time_s": status.time_s, "devices": devices})
        self.feed.publish("storage", {"lag_rows": live.sink.lag_rows, "rows": {stream.value: n for stream, n in live.sink.positions().items()}})

    async def _obey(self, live: _Live) -> None:
        change, chosen, done = live.commands[0]
        before = live.record
        try:
            change = replace(change, time_s=live.group.time_s)
            await self._announce(live, change)
            batch = await self._threaded(self._change, live, change, chosen)
            await self._keep(live, batch)
            await self._save(live)
        except InputError as error:
            await self._describe(live, options=before.options)
            done.set_exception(error)
        except JournalError as error:
            if live.record is not before:
                raise
            done.set_exception(error)
        else:
            await self._describe(live, policies=tuple(live.group.lanes))
            try:
                # Before anything of it is shown: whoever takes over must make the same rows.
                await self._settle(live.record.id)
            except StorageFencedError as error:
                done.set_exception(error)
            else:
                self._report(live)
                self._count(live, batch)
                done.set_result(None)
        live.commands.popleft()

    async def _announce(self, live: _Live, change: Change) -> None:
        """Describe a change before it leaves any row: wherever rows of afterwards are, what explains them is there, too.

        Raises
        ------
        JournalError
            If it cannot be written; the change must not be made.
        """
        known = live.record.options.get("changes", {"first": 0, "newest": []})
        newest = [*known["newest"], asdict(change)]
        forgotten = max(0, len(newest) - KEPT_CHANGES)
        changes = {"first": known["first"] + forgotten, "newest": newest[forgotten:]}
        record = replace(live.record, options={**live.record.options, "changes": changes})
        try:
            await asyncio.to_thread(self._service.update_run, record)
        except OSError as error:
            raise JournalError(
                f"run {record.id}: cannot be described ({error.strerror or error}); expected a disk that works and has room"
            ) from error
        live.record = record

    def _change(self, live: _Live, change: Change, chosen: Chosen | None) -> RunBatch:
        return _batch(live, live.group.change(change, chosen))

    async def _hold_back(self, live: _Live) -> None:
        """Let the database come near, unless something is to be done meanwhile."""
        waits = asyncio.ensure_future(live.sink.wait_until_lag_below())
        # Most of the time there is nothing to wait for.
        await asyncio.sleep(0)
        if not waits.done():
            wakes = asyncio.ensure_future(live.wake.wait())
            await asyncio.wait({waits, wakes}, return_when=asyncio.FIRST_COMPLETED)
            wakes.cancel()
        if waits.done():
            waits.result()
        else:
            waits.cancel()

    # Saving and going on.

    async def _maybe_save(self, live: _Live) -> None:
        due = time.monotonic() - live.saved_at >= self._settings.checkpoint_interval_s
        if due and live.group.at_seam:
            await self._save(live)

    async def _save(self, live: _Live) -> None:
        """Save where the run stands; all its rows have been written. A full disk is tried again."""
        state, checkpoint = await self._threaded(self._checkpoint, live)
        while True:
            try:
                await live.sink.save_state(state, checkpoint)
            except JournalFullError as error:
                if live.stopping() or live.task is None:
                    raise
                live.blocked = True
                self._show(live, RunState.BLOCKED, str(error))
                live.wake.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(live.wake.wait(), self._settings.blocked_retry_s)
                continue
            break
        live.blocked = False
        live.saved_at = time.monotonic()

    def _checkpoint(self, live: _Live) -> tuple[dict[str, Any], bytes]:
        values, arrays = live.group.save()
        arrays |= {f"ledger.{name}": column for name, column in live.ledger.arrays().items()}
        state = {
            "options": live.options,
            "group": values,
            "speed": live.speed,
            "tasks_processed": live.ledger.processed,
            "tasks_arrived": live.ledger.arrived,
            "retraining": asdict(live.retraining),
            "trainings": [asdict(training) for training in live.trainings],
            "written": live.written.saved(),
            "catch_up_s": live.catch_up_s if math.isfinite(live.catch_up_s) else None,
        }
        return state, pack(arrays)

    async def recover(self) -> RunStatus:
        """Go on with the run that was there when the process before this one ended; see `Controller.recover`.

        If it cannot go on, because its checkpoint or a model that it used is gone, it is marked as failed, and the status says why.
        """
        async with self._lock:
            if self._live is not None:
                return self._status
            unfinished = [run for run in await asyncio.to_thread(self._service.local_runs) if run.state in ("running", "paused")]
            for left in unfinished[1:]:
                await asyncio.to_thread(self._service.end_run, left, "stopped", "another run was started after it")
            if unfinished:
                try:
                    await self._recover(unfinished[0])
                except HmsError as error:
                    await asyncio.to_thread(self._service.end_run, unfinished[0], "failed", str(error))
                    self._status = RunStatus(RunState.FAILED, unfinished[0].id, message=str(error))
            return self._status

    async def take_over(self, record: Run | None) -> RunStatus:
        """Go on, as the leader, with what `SimulationDataService.take_over` returned.

        Until the run is where the leader before showed it last, no smaller number is shown, and the run is starting.

        Parameters
        ----------
        record : Run or None

        Raises
        ------
        StorageUnavailableError, StorageBusyError, StorageFencedError
            If the database does not answer, or somebody else leads. The run can still be gone on with.
        """
        last = None if self._lead is None else self._lead.last
        async with self._lock:
            if record is None:
                self._status = replace(self._status, state=RunState.STOPPED)
                return self._status
            try:
                await self._recover(record, last if last is not None and last.run_id == record.id else None)
            except (StorageUnavailableError, StorageBusyError, StorageFencedError):
                await asyncio.to_thread(self._service.let_go, record.id)
                raise
            except HmsError as error:
                await asyncio.to_thread(self._service.end_run, record, "failed", str(error))
                self._status = RunStatus(RunState.FAILED, record.id, message=str(error), role=self._role)
            return self._status

    async def _recover(self, record: Run, floor: RunStatus | None = None) -> None:
        saved = await self._service.saved_state(record.id)
        if saved is None:
            await asyncio.to_thread(self._service.end_run, record, "stopped", "the process died before the run began")
            return
        self._status = RunStatus(RunState.STARTING, record.id, role=self._role)
        if floor is not None:
            self._status = replace(floor, state=RunState.STARTING, message=None, role=self._role)
        sink = await self._service.continue_run(record.id)
        since = await sink.rows_since(saved.positions)
        await asyncio.to_thread(self._keep_files, record.id, record.workload, ())
        live = await self._threaded(self._restored, record, saved.state, saved.checkpoint, sink, since)
        live.paused = record.state == "paused"
        if floor is not None:
            live.floor = floor
            live.catch_up_s = max(live.catch_up_s, floor.time_s)
        await asyncio.to_thread(self._keep_files, record.id, live.request.workload, [lane.model for lane in live.group.lanes.values()])
        if not self.feed.results:
            self.feed.count_from(sink.positions()[Stream.RESULTS])
        self._report(live)
        self._begin(live)

    def _restored(self, record: Run, state: Mapping[str, Any], checkpoint: bytes, sink: JournalSink, since: Mapping[Stream, Columns]) -> _Live:
        try:
            arrays = unpack(checkpoint)
            options = state["options"]
            request = _request(options["request"])
            stream = _stream(request, options, self._service.settings.folder)
            group = LaneGroup(stream, int(options["queue_limit"]))
            group.restore(state["group"], arrays, lambda policy, model: self._choose(stream, request, policy, model, record.id))
            live = _Live(record, request, options, group, sink)
            live.ledger.restore({name.removeprefix("ledger."): column for name, column in arrays.items() if name.startswith("ledger.")})
            retraining = {**state["retraining"], "versions": tuple(state["retraining"]["versions"])}
            live.trainings = tuple(Training(**training) for training in state["trainings"])
            live.replay.extend(_later_changes(record, len(group.changes)))
        except (KeyError, ValueError, TypeError) as error:
            raise StorageError(f"run {record.id}: its checkpoint cannot be used ({error}); expected one that this version of hms wrote") from error
        live.speed = record.options.get("speed", state["speed"])
        live.retraining = RetrainStatus(**retraining)
        rows = {stream.value: columns for stream, columns in since.items()}
        live.ledger.add(rows.get("tasks", {}), rows.get("results", {}))
        live.written = Written(rows)
        live.written.restore(state["written"])
        live.catch_up_s = -math.inf if state["catch_up_s"] is None else float(state["catch_up_s"])
        live.catch_up_s = max(live.catch_up_s, *(change.time_s for change in live.replay), -math.inf)
        arrivals = np.asarray(rows.get("tasks", {}).get("arrival_s", ()), dtype=np.float64)
        if len(arrivals):
            live.catch_up_s = max(live.catch_up_s, float(np.nextafter(arrivals.max(), np.inf)))
        return live

    # Learning.

    def _maybe_learn(self, live: _Live) -> None:
        every = live.request.retrain_every
        if every is None or live.learning is not None or live.group.stream.whole:
            return
        last = live.retraining.last_at_tasks or 0
        if live.ledger.processed - last < every or time.monotonic() - live.learned_at < self._settings.training_pause_s:
            return
        live.learned_at = time.monotonic()
        live.retraining = replace(live.retraining, state="training", last_at_tasks=live.ledger.processed)
        live.learning = asyncio.create_task(self._learn(live), name="training")
        self._tell_learning(live)

    async def _learn(self, live: _Live) -> None:
        wanted = [(lane.policy, lane.model) for lane in live.group.lanes.values() if lane.model is not None]
        errors = []
        for policy, model in wanted:
            began_s = time.monotonic()
            try:
                await self._learn_one(live, policy, model, len(wanted))
            except NotRunningError:
                return
            except Exception as error:  # noqa: BLE001 - logged, and shown as the training's state
                # Whatever goes wrong in a training, the model in use stays, and the run goes on.
                _LOG.warning("training of %s failed: %s", policy, error)
                errors.append(f"{policy}: {error}")
                self._service.observer.trained(policy, time.monotonic() - began_s, "failed")
                with suppress(StorageError):
                    await self._service.add_model(
                        model.partition("@")[0], "failed", rows=0, source="none", run_id=live.record.id, message=str(error)[:500]
                    )
        state, text = ("failed", "; ".join(errors)) if errors else ("waiting", None)
        live.retraining = replace(live.retraining, state=state, last_error=text)
        live.learning = None
        self._tell_learning(live)

    def _prune(self, live: _Live, name: str) -> None:
        """Delete old versions of a model, but for those that the run may still need."""
        needed = {lane.model for lane in live.group.lanes.values() if lane.model is not None} | set(live.options["models"].values())
        for head in self._service.journals.kept_heads(live.record.id).values():
            needed |= {str(lane["model"]) for lane in head["group"]["lanes"]}
        prune(self._store, name, self._settings.models_kept, needed)

    async def _learn_one(self, live: _Live, policy: str, model: str, lanes: int) -> None:
        rows = self._settings.training_rows
        window = await self._service.training_window(live.record.id, rows * lanes)
        if not len(window):
            # The database answers, but the run's first rows are still on their way to it: the next time.
            return
        began_s = time.monotonic()
        trained = await asyncio.to_thread(train, model, window, policy, live.group.stream.cluster, self._models(live.record.id), rows)
        chosen = await asyncio.to_thread(self._choose, live.group.stream, live.request, policy, trained.model, live.record.id)
        if policy not in live.group.lanes:
            return
        await self._command(live, Change(0.0, "model", policy, trained.model), chosen)
        self._service.observer.trained(policy, time.monotonic() - began_s, "in_use")
        live.retraining = replace(live.retraining, versions=(*live.retraining.versions, trained.model)[-MOST_VERSIONS:])
        held_out = trained.held_out
        training = Training(
            policy=policy,
            before=model,
            model=trained.model,
            at_tasks=live.retraining.last_at_tasks or 0,
            time_s=live.group.time_s,
            rows=trained.rows,
            held_out=held_out.outcomes,
            error_before=held_out.before,
            error_after=held_out.after,
        )
        live.trainings = (*live.trainings, training)[-MOST_TRAININGS:]
        await self._register(live, policy, trained, window.source)
        await asyncio.to_thread(self._prune, live, trained.model.partition("@")[0])

    async def _register(self, live: _Live, policy: str, trained: Trained, source: str) -> None:
        name, _, version = trained.model.partition("@")
        try:
            await self._service.add_model(
                name,
                "in_use",
                rows=trained.rows,
                source=source,
                run_id=live.record.id,
                version=int(version),
                sha256=trained.sha256,
                details={
                    "policy": policy,
                    "time_s": live.group.time_s,
                    "tasks_processed": live.ledger.processed,
                    "held_out": trained.held_out.outcomes,
                    "error_before": trained.held_out.before,
                    "error_after": trained.held_out.after,
                },
            )
            used = [lane.model.partition("@") for lane in live.group.lanes.values() if lane.model is not None]
            await self._service.retire_models(name=name, but=[int(number) for each, _, number in used if each == name])
        except StorageError as error:
            # The model itself is in its store, and the swap in the run's state: only the list in the database lacks it.
            _LOG.warning("model %s could not be entered into the registry: %s", trained.model, error)

    async def _retire(self, live: _Live) -> None:
        """Say in the registry that a run that has ended uses no model any more."""
        if not live.trainings:
            return
        try:
            await self._service.retire_models(run_id=live.record.id)
        except StorageError as error:
            _LOG.warning("run %d: its models could not be marked as retired in the registry: %s", live.record.id, error)

    def _tell_learning(self, live: _Live) -> None:
        self._show(live, self._status.state, self._status.message)
        self._publish_learning(live)

    def _publish_learning(self, live: _Live) -> None:
        self.feed.publish("learning", {**asdict(live.retraining), "time_s": self._status.time_s, **asdict(self._status.learning)})

    # Watching.

    async def timeline(self, policy: str, since: int, limit: int) -> dict[str, Any]:
        """Return what a lane has finished, runs and lets wait; see `Controller.timeline`."""
        live = self._live
        if live is None or policy not in live.group.lanes:
            known = "" if live is None else f"; expected one of {', '.join(live.group.lanes)}"
            raise UnknownNameError(f"policy {policy!r} has no lane in the present run{known}")
        lane = live.group.lanes[policy]
        # In the thread of the lanes, so that nothing moves meanwhile; after the run has ended it does not move any more.
        present = await self._threaded(lane.present)
        time_s = max(live.group.time_s, live.catch_up_s)
        return {"run_id": live.record.id, "policy": policy, "time_s": time_s, **present, **live.recent.timeline(policy, since, limit)}

    def trail(self) -> dict[str, Any]:
        """Return how every lane has done since this process began with the run; see `Controller.trail`."""
        live = self._live
        return {"run_id": None if live is None else live.record.id, **(LaneTrail() if live is None else live.trail).to_dict()}

    # Explaining.

    async def explain(self, run_id: int, task_id: int, policy: str) -> Explanation:
        """Recompute why a task was started when and where it was; see `Controller.explain`.

        The run is done again, with this one policy, from the newest kept state before the task came, or from its seed, with the changes that were
        made to it, up to the decision. Rows in the explanation are identifiers of tasks.
        """
        live = self._live
        if live is not None and live.record.id == run_id:
            options, changes = live.options, tuple(live.group.changes)
            end_s = math.inf if live.group.over else live.group.time_s
        else:
            saved = await self._service.saved_state(run_id)
            if saved is None:
                raise UnknownRunError(f"there is no run {run_id} whose decisions could be explained; expected one that the list of runs shows")
            group = saved.state["group"]
            options, changes = saved.state["options"], tuple(Change(**change) for change in group["changes"])
            end_s = math.inf if group["over"] else float(group["time_s"])
        return await asyncio.to_thread(self._explain, run_id, options, changes, end_s, task_id, policy.strip().lower())

    def _explain(self, run_id: int, options: Mapping[str, Any], changes: Sequence[Change], end_s: float, task_id: int, policy: str) -> Explanation:
        request = _request(options["request"])
        group = LaneGroup(_stream(request, options, self._service.settings.folder), int(options["queue_limit"]))

        def chosen(name: str, model: str | None) -> Chosen:
            return self._choose(group.stream, request, name, model or NO_MODEL, run_id)

        models = options["models"]
        # Over a trace the explanation is a run over it anyway.
        number = None if group.stream.whole else group.stream.number_of(task_id)
        if number is not None and (kept := self._kept_before(run_id, number)) is not None:
            values = kept.state["group"]
            group.restore(values, unpack(kept.checkpoint), chosen, only=policy)
            models, changes = {}, changes[len(values["changes"]) :]
        return explain_result(group, models, changes, end_s, task_id, policy, chosen)

    def _kept_before(self, run_id: int, number: int) -> SavedState | None:
        """Return the newest kept state of a run before a task of the stream came; None if there is none here."""
        journals = self._service.journals
        if run_id not in journals.runs():
            return None
        heads = journals.kept_heads(run_id)
        before = [revision for revision, head in heads.items() if head["group"]["position"]["first_task"] + head["group"]["given"] <= number]
        return journals.kept_state(run_id, before[-1]) if before else None


def _stream(request: RunRequest, options: Mapping[str, Any], folder: Path) -> TaskStream:
    file = uploaded_file(request.workload, folder)
    workload = request.workload if file is None else str(file)
    try:
        return TaskStream(workload, request.cluster, _seed(request), request.load, int(options["piece_tasks"]), request.max_tasks)
    except InputError as error:
        if file is None:
            raise
        # Where the server keeps it is nobody's business.
        raise RunRequestError(str(error).replace(str(file), request.workload)) from error


def _seed(request: RunRequest) -> int:
    if request.seed is None:
        raise RunRequestError("the request has no seed; expected one that was drawn")
    return request.seed


def _request(values: Mapping[str, Any]) -> RunRequest:
    return RunRequest(**{**values, "policies": tuple(values["policies"])})


def _later_changes(record: Run, known: int) -> list[Change]:
    """Return what was done to a run after a checkpoint that knows so many changes.

    Raises
    ------
    ValueError
        If some of it is not there any more.
    """
    changes = record.options.get("changes", {"first": 0, "newest": []})
    if changes["first"] > known:
        raise ValueError(f"changes {known} to {changes['first'] - 1} are missing")
    return [Change(**change) for change in changes["newest"][known - changes["first"] :]]


def _check_speed(speed: float | None) -> None:
    if speed is not None and not (math.isfinite(speed) and speed > 0):
        raise RunRequestError(f"speed is {speed}; expected simulated seconds per real second above 0, or none for as fast as possible")


def _checked(request: RunRequest) -> RunRequest:
    """Return the request with policies as they are spelled.

    Raises
    ------
    RunRequestError
        If a number or a list makes no sense; names are checked by who opens them.
    """
    _check_speed(request.speed)
    policies = tuple(policy.strip().lower() for policy in request.policies)
    if not 1 <= len(policies) <= MOST_POLICIES:
        raise RunRequestError(f"{len(policies)} policies; expected 1 to {MOST_POLICIES}")
    if len(set(policies)) < len(policies):
        twice = next(policy for policy in policies if policies.count(policy) > 1)
        raise RunRequestError(f"policy {twice!r} stands twice; expected each once")
    if request.retrain_every is not None and request.retrain_every < 1:
        raise RunRequestError(f"retrain_every is {request.retrain_every}; expected at least 1 task, or none for never")
    return replace(request, policies=policies)


def _batch(live: _Live, produced: Produced) -> RunBatch:
    """Return the rows of a step that have not been written yet, with the number of lanes of each task in its results."""
    tasks = live.written.without("tasks", produced.tasks)
    results = [live.written.without("results", columns) for columns in produced.results]
    training = [live.written.without("training", columns) for columns in produced.training]
    joined = dict(_joined(results))
    if len(joined.get("task_id", ())):
        joined["lanes"] = live.ledger.lanes_of(np.asarray(joined["task_id"]), tasks)
    return RunBatch(tasks if len(tasks.get("task_id", ())) else {}, joined, _joined(training))


def _joined(parts: Sequence[Columns]) -> Columns:
    parts = [part for part in parts if len(part["task_id"])]
    if len(parts) < 2:
        return parts[0] if parts else {}
    whole: dict[str, Any] = {}
    for name, first in parts[0].items():
        if isinstance(first, np.ndarray):
            whole[name] = np.concatenate([part[name] for part in parts])
        else:
            whole[name] = [value for part in parts for value in part[name]]
    return whole


def _sample(results: Columns, recent: RecentRows) -> list[dict[str, Any]]:
    """Return some of the results as JSON-able rows: evenly spread, with what their tasks are like."""
    total = len(results["task_id"])
    places = np.unique(np.linspace(0, total - 1, min(total, MOST_TASKS)).astype(np.int64))
    rows = []
    for place in places:
        row = {name: results[name][place] for name in _SHOWN}
        plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in row.items()}
        rows.append({name: None if isinstance(value, float) and math.isnan(value) else value for name, value in plain.items()})
    ids = np.asarray(results["task_id"], dtype=np.int64)[places]
    for row, size, intensity in zip(rows, *map(plain_values, recent.sizes(ids)), strict=True):
        row |= {"size": size, "compute_intensity": intensity}
    return rows
