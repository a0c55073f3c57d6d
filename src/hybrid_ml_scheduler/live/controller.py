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
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any, TypeVar

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
from hybrid_ml_scheduler.core.streams import RunBatch, Stream
from hybrid_ml_scheduler.learning.store import PRETRAINED, ModelStore
from hybrid_ml_scheduler.live.contract import LearningStatus, RunRequest, RunState, RunStatus
from hybrid_ml_scheduler.live.explaining import explain_task
from hybrid_ml_scheduler.live.feed import MOST_TASKS, LiveFeed
from hybrid_ml_scheduler.live.group import Change, LaneGroup
from hybrid_ml_scheduler.live.lanes import NO_MODEL, Chosen
from hybrid_ml_scheduler.live.leadership import Lead
from hybrid_ml_scheduler.live.present import PresentRun
from hybrid_ml_scheduler.live.recent import LaneTrail
from hybrid_ml_scheduler.live.requests import MOST_POLICIES, check_speed, checked, open_stream
from hybrid_ml_scheduler.live.retrainer import Retrainer
from hybrid_ml_scheduler.live.run_models import RunModels
from hybrid_ml_scheduler.live.settings import LiveSettings
from hybrid_ml_scheduler.storage.repositories import Run
from hybrid_ml_scheduler.storage.service import SimulationDataService

_LOG = logging.getLogger(__name__)

KEPT_CHANGES = 256
"""Newest changes in the description of a run: more than were ever made between two checkpoints that reached the database."""

T = TypeVar("T")


class _StoppedError(Exception):
    """The run is to stop while it cannot write."""


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
        store = ModelStore([PRETRAINED, service.settings.folder / "models"]) if store is None else store
        self._models = RunModels(store, service, shared=lead is not None)
        self._retrainer = Retrainer(service, settings, self._models, self._command, self._tell_learning)
        self._lock = asyncio.Lock()
        self._live: PresentRun | None = None
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
            if self._live is not None and self._live.goes_on:
                raise AlreadyRunningError(f"run {self._live.record.id} is {self._status.state}; expected it to be stopped before another one starts")
            before = self._status
            request = checked(request)
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
                live = PresentRun(record, request, options, group, sink)
                await asyncio.to_thread(self._models.keep_files, record.id, request.workload, options["models"].values())
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
        group = LaneGroup(open_stream(request, options, self._service.settings.folder), int(options["queue_limit"]))
        for policy in request.policies:
            group.add(policy, self._models.choose(group.stream, request, policy))
        return group

    def _begin(self, live: PresentRun) -> None:
        if self._abandoned:
            raise NoLeaderError("this process leads no longer; expected the one that does now to be asked")
        self._live = live
        live.anchor()
        self._show(live, RunState.PAUSED if live.paused else RunState.RUNNING)
        live.task = asyncio.create_task(self._work(live), name=f"run {live.record.id}")

    async def stop(self) -> RunStatus:
        """Stop the run; see `Controller.stop`."""
        async with self._lock:
            live = self._live
            if live is not None and live.goes_on:
                await self._catch_up(live)
                await self._end(keeps_record=False)
                await self._settle(live.record.id)
            return self._status

    async def _catch_up(self, live: PresentRun) -> None:
        """Wait until a run that was taken over is where it had been: what was shown once must be made again before it ends."""
        if live.floor is not None and live.task is not None:
            waits = asyncio.ensure_future(live.caught_up.wait())
            await asyncio.wait({waits, live.task}, return_when=asyncio.FIRST_COMPLETED)
            waits.cancel()

    async def abandon(self) -> None:
        """Let go of the run at once, and save nothing: somebody else has it."""
        self._abandoned = True
        live = self._live
        if live is not None and live.goes_on:
            live.abandoned = live.keeps_record = True
            live.stop()
            await live.ended()
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
        if live is None or not live.goes_on:
            return
        live.keeps_record = keeps_record
        live.stop()
        self._show(live, RunState.STOPPING)
        await live.ended()

    def _running(self) -> PresentRun:
        live = self._live
        if live is None or not live.goes_on or live.stopping():
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
                live.anchor()
                live.wake.set()
                self._show(live, RunState.BLOCKED if live.blocked else RunState.RUNNING)
            return self._status

    async def set_speed(self, speed: float | None) -> RunStatus:
        """Change the speed; see `Controller.set_speed`."""
        check_speed(speed)
        async with self._lock:
            live = self._running()
            live.speed = speed
            live.anchor()
            live.wake.set()
            self._show(live, self._status.state)
            # The next checkpoint may never come.
            await self._describe(live, options={**live.record.options, "speed": speed})
            await self._settle(live.record.id)
            return self._status

    async def _describe(self, live: PresentRun, **changed: Any) -> None:
        live.record = replace(live.record, **changed)
        try:
            await asyncio.to_thread(self._service.update_run, live.record)
        except (OSError, StorageError) as error:
            # The description follows with the next change; what the run does rests on its checkpoints alone.
            _LOG.warning("run %d: its description could not be written: %s", live.record.id, error)

    async def add_policy(self, policy: str) -> RunStatus:
        """Give a policy a lane; see `Controller.add_policy`."""
        name = policy.strip().lower()
        live = self._running()
        if len(live.group.lanes) >= MOST_POLICIES:
            raise RunRequestError(f"the run has {MOST_POLICIES} policies; expected at most so many")
        chosen = await asyncio.to_thread(self._models.choose, live.group.stream, live.request, name, None, live.record.id)
        await asyncio.to_thread(self._models.keep_files, live.record.id, live.request.workload, [chosen.model])
        await self._command(live, Change(0.0, "added", name, chosen.model), chosen)
        return self._status

    async def remove_policy(self, policy: str) -> RunStatus:
        """Take a policy out of the run; see `Controller.remove_policy`."""
        live = self._running()
        await self._command(live, Change(0.0, "removed", policy.strip().lower()), None)
        return self._status

    async def _command(self, live: PresentRun, change: Change, chosen: Chosen | None) -> None:
        """Let the run do something between two steps, and wait until it is done and saved."""
        if live.stopping() or not live.goes_on:
            raise NotRunningError("the run has ended; expected one that goes on")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        live.commands.append((change, chosen, done))
        live.wake.set()
        await done

    async def _threaded(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._compute, function, *arguments)

    # The run.

    async def _work(self, live: PresentRun) -> None:
        state, message = "stopped", None
        try:
            await self._go_on(live)
            if live.group.over and not live.stopping():
                state = "finished"
            elif not live.keeps_record:
                await self._keep(live, await self._threaded(live.withdraw))
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
            await self._retrainer.retire(live)
        if live.abandoned:
            return
        live.report()
        self._show(live, RunState.FAILED if state == "failed" else RunState.STOPPED, message)

    async def _go_on(self, live: PresentRun) -> None:
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
            until_s = live.until_s(self._settings.step_tasks)
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
            self._retrainer.maybe_start(live)
            await self._hold_back(live)

    async def _do_step(self, live: PresentRun, until_s: float) -> None:
        observer = self._service.observer
        with observer.span("batch", {"hms.run_id": live.record.id, "hms.lanes": len(live.group.lanes)}):
            with observer.span("decide"):
                produced, batch = await self._threaded(live.step, until_s, self._settings.report_interval_s)
            if produced:
                with observer.span(
                    "journal", {"hms.tasks": len(batch.tasks.get("task_id", ())), "hms.results": len(batch.results.get("task_id", ()))}
                ):
                    await self._keep(live, batch)
                observer.decided(produced.lane_s, batch.results)
            with observer.span("publish"):
                self._count(live, batch)

    async def _repeat(self, live: PresentRun) -> None:
        """Let something happen again that happened to the run here, after the checkpoint that it goes on from."""
        change = live.replay.popleft()
        chosen = None
        if change.what != "removed":
            model = change.model or NO_MODEL
            chosen = await asyncio.to_thread(self._models.choose, live.group.stream, live.request, change.policy, model, live.record.id)
        try:
            batch = await self._threaded(live.change, change, chosen)
        except RunRequestError:
            # It was refused the first time, too, and its process died before it could say so.
            return
        await self._keep(live, batch)
        live.report()
        self._count(live, batch)

    async def _keep(self, live: PresentRun, batch: RunBatch) -> None:
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
            live.anchor()

    def _count(self, live: PresentRun, batch: RunBatch) -> None:
        """Say what has been written."""
        state = RunState.STOPPING if live.stopping() else RunState.PAUSED if live.paused else RunState.RUNNING
        self._show(live, state)
        if (total := len(batch.results.get("task_id", ()))) and live.floor is None and self._leads():
            self.feed.publish_tasks(live.recent.sample(batch.results, MOST_TASKS), total, live.group.time_s, live.sink.positions()[Stream.RESULTS])

    def _show(self, live: PresentRun, state: RunState, message: str | None = None) -> None:
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
            time_s=live.time_s,
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

    def _publish(self, live: PresentRun) -> None:
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

    async def _obey(self, live: PresentRun) -> None:
        change, chosen, done = live.commands[0]
        before = live.record
        try:
            change = replace(change, time_s=live.group.time_s)
            await self._announce(live, change)
            batch = await self._threaded(live.change, change, chosen)
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
                live.report()
                self._count(live, batch)
                done.set_result(None)
        live.commands.popleft()

    async def _announce(self, live: PresentRun, change: Change) -> None:
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

    async def _hold_back(self, live: PresentRun) -> None:
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

    async def _maybe_save(self, live: PresentRun) -> None:
        due = time.monotonic() - live.saved_at >= self._settings.checkpoint_interval_s
        if due and live.group.at_seam:
            await self._save(live)

    async def _save(self, live: PresentRun) -> None:
        """Save where the run stands; all its rows have been written. A full disk is tried again."""
        state, checkpoint = await self._threaded(live.checkpoint)
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
        await asyncio.to_thread(self._models.keep_files, record.id, record.workload, ())
        live = await self._threaded(PresentRun.restored, record, saved, since, sink, self._models, self._service.settings.folder)
        live.paused = record.state == "paused"
        if floor is not None:
            live.floor = floor
            live.catch_up_s = max(live.catch_up_s, floor.time_s)
        await asyncio.to_thread(self._models.keep_files, record.id, live.request.workload, [lane.model for lane in live.group.lanes.values()])
        if not self.feed.results:
            self.feed.count_from(sink.positions()[Stream.RESULTS])
        live.report()
        self._begin(live)

    # Learning.

    def _tell_learning(self, live: PresentRun) -> None:
        self._show(live, self._status.state, self._status.message)
        self._publish_learning(live)

    def _publish_learning(self, live: PresentRun) -> None:
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
        return {"run_id": live.record.id, "policy": policy, "time_s": live.time_s, **present, **live.recent.timeline(policy, since, limit)}

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
        return await asyncio.to_thread(explain_task, self._service, self._models, run_id, options, changes, end_s, task_id, policy.strip().lower())
