"""`PresentRun`: all that belongs to the one run that a process has: its lanes, what of them has been written and shown, and what it is to do next."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from hybrid_ml_scheduler.core.errors import StorageError
from hybrid_ml_scheduler.core.streams import Columns, RunBatch, Stream
from hybrid_ml_scheduler.live.contract import LaneLearning, LaneStatus, RetrainStatus, RunRequest, RunStatus, Training
from hybrid_ml_scheduler.live.group import Change, LaneGroup, Produced, pack, unpack
from hybrid_ml_scheduler.live.lanes import Chosen
from hybrid_ml_scheduler.live.ledger import Ledger, Written
from hybrid_ml_scheduler.live.recent import LaneTrail, RecentRows
from hybrid_ml_scheduler.live.requests import open_stream, request_of
from hybrid_ml_scheduler.live.run_models import RunModels
from hybrid_ml_scheduler.storage.journal import SavedState
from hybrid_ml_scheduler.storage.repositories import Run
from hybrid_ml_scheduler.storage.service import JournalSink

LEARNING_EVERY_S = 1.0
"""How often it is worked out how good predictions are, in seconds."""
MOST_BEHIND_S = 1.0
"""How much of the real time that it was held up for a run with a speed makes up, in seconds: after its simulator was compiled, or the machine slept,
it goes on from where it stood, rather than to hurry through minutes that nobody sees."""

_LEDGER = "ledger."


class PresentRun:
    """What belongs to one run. Its lanes move in one thread only; everything else belongs to the event loop.

    Parameters
    ----------
    record : Run
        Its description, as it was written last.
    request : RunRequest
    options : mapping
        With which it began.
    group : LaneGroup
    sink : JournalSink

    Attributes
    ----------
    ledger, written : Ledger, Written
        What has been written, and what comes again after a resumption.
    recent, trail : RecentRows, LaneTrail
        For those who watch it.
    speed : float or None
        Simulated seconds per real one; None: as fast as possible.
    paused, blocked : bool
        Whether it waits for whoever paused it, or for room on the disk.
    keeps_record, abandoned : bool
        Whether it ends in this process only, and whether somebody else has it.
    replay : deque of Change
        What happened to it after the checkpoint that it goes on from.
    floor : RunStatus or None
        What the leader before showed last, until it is there again; then `caught_up` is set.
    wake : asyncio.Event
        There is something to do.
    commands : deque
        Changes that are wanted, what they need, and who waits for them.
    task, learning : asyncio.Task or None
        The run, and a training of its models.
    catch_up_s : float
        How far it had come in simulated time when it was last seen.
    lanes, compared, trainings, retraining
        What is shown of its lanes and their models.
    """

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
        self.keeps_record = False
        self.abandoned = False
        self.replay: deque[Change] = deque()
        self.floor: RunStatus | None = None
        self.caught_up = asyncio.Event()
        self.wake = asyncio.Event()
        self.commands: deque[tuple[Change, Chosen | None, asyncio.Future[None]]] = deque()
        self.task: asyncio.Task[None] | None = None
        self.catch_up_s = -math.inf
        self.lanes: tuple[LaneStatus, ...] = ()
        self.reported_at = -math.inf
        self.saved_at = time.monotonic()
        self.learning: asyncio.Task[None] | None = None
        self.learned_at = -math.inf
        self.compared: tuple[LaneLearning, ...] = ()
        self.trainings: tuple[Training, ...] = ()
        self.retraining = RetrainStatus("waiting" if request.retrain_every and not group.stream.whole else "off")
        self._stopping = False
        self._anchor = (0.0, 0.0)
        self._compared_at = -math.inf

    @classmethod
    def restored(
        cls, record: Run, saved: SavedState, since: Mapping[Stream, Columns], sink: JournalSink, models: RunModels, folder: Path
    ) -> PresentRun:
        """Return a run as it was at a checkpoint.

        Parameters
        ----------
        record : Run
        saved : SavedState
            The checkpoint.
        since : mapping of Stream to Columns
            Rows that were written after it: they come again.
        sink : JournalSink
        models : RunModels
        folder : Path
            The data folder.

        Raises
        ------
        StorageError
            If the checkpoint cannot be used.
        InputError, ModelError
            If the workload or a model that it needs is gone.
        """
        state = saved.state
        try:
            arrays = unpack(saved.checkpoint)
            options = state["options"]
            request = request_of(options)
            stream = open_stream(request, options, folder)
            group = LaneGroup(stream, int(options["queue_limit"]))
            group.restore(state["group"], arrays, lambda policy, model: models.choose(stream, request, policy, model, record.id))
            run = cls(record, request, options, group, sink)
            run.ledger.restore({name.removeprefix(_LEDGER): column for name, column in arrays.items() if name.startswith(_LEDGER)})
            retraining = {**state["retraining"], "versions": tuple(state["retraining"]["versions"])}
            run.trainings = tuple(Training(**training) for training in state["trainings"])
            run.replay.extend(_later_changes(record, len(group.changes)))
        except (KeyError, ValueError, TypeError) as error:
            raise StorageError(f"run {record.id}: its checkpoint cannot be used ({error}); expected one that this version of hms wrote") from error
        run.speed = record.options.get("speed", state["speed"])
        run.retraining = RetrainStatus(**retraining)
        rows = {stream.value: columns for stream, columns in since.items()}
        run.ledger.add(rows.get("tasks", {}), rows.get("results", {}))
        run.written = Written(rows)
        run.written.restore(state["written"])
        run.catch_up_s = -math.inf if state["catch_up_s"] is None else float(state["catch_up_s"])
        run.catch_up_s = max(run.catch_up_s, *(change.time_s for change in run.replay), -math.inf)
        arrivals = np.asarray(rows.get("tasks", {}).get("arrival_s", ()), dtype=np.float64)
        if len(arrivals):
            run.catch_up_s = max(run.catch_up_s, float(np.nextafter(arrivals.max(), np.inf)))
        return run

    def checkpoint(self) -> tuple[dict[str, Any], bytes]:
        """Return everything that `restored` needs; all rows of the lanes must have been written."""
        values, arrays = self.group.save()
        arrays |= {f"{_LEDGER}{name}": column for name, column in self.ledger.arrays().items()}
        state = {
            "options": self.options,
            "group": values,
            "speed": self.speed,
            "tasks_processed": self.ledger.processed,
            "tasks_arrived": self.ledger.arrived,
            "retraining": asdict(self.retraining),
            "trainings": [asdict(training) for training in self.trainings],
            "written": self.written.saved(),
            "catch_up_s": self.catch_up_s if math.isfinite(self.catch_up_s) else None,
        }
        return state, pack(arrays)

    @property
    def goes_on(self) -> bool:
        """Whether its task has not ended yet."""
        return self.task is not None and not self.task.done()

    @property
    def time_s(self) -> float:
        """Simulated time that is shown: until a resumed run is back where it was, what it does is a repetition."""
        return max(self.group.time_s, self.catch_up_s)

    def stopping(self) -> bool:
        """Whether it shall end after the step at hand."""
        return self._stopping

    def stop(self) -> None:
        """Let it end after the step at hand."""
        self._stopping = True
        self.wake.set()

    async def ended(self) -> None:
        """Wait until its task has ended, whatever becomes of who waits."""
        if self.task is not None:
            await asyncio.shield(self.task)

    def anchor(self) -> None:
        """Let simulated time go on from where it is, from now on."""
        self._anchor = (time.monotonic(), self.time_s)

    def until_s(self, tasks: int) -> float:
        """Return how far the next step goes, in simulated seconds: about so many tasks, and no farther than the speed allows."""
        until_s = self.group.ahead_s(tasks)
        if self.speed is None:
            return until_s
        now, (began, from_s) = time.monotonic(), self._anchor
        if from_s + (now - began) * self.speed > self.time_s + MOST_BEHIND_S * self.speed:
            began, from_s = self._anchor = (now - MOST_BEHIND_S, self.time_s)
        return min(until_s, max(from_s + (now - began) * self.speed, self.catch_up_s))

    def step(self, until_s: float, report_every_s: float) -> tuple[Produced, RunBatch]:
        """Let the lanes go on; return what they did, and its rows."""
        produced = self.group.advance(until_s)
        batch = self.rows(produced)
        if time.monotonic() - self.reported_at >= report_every_s:
            self.report()
        return produced, batch

    def change(self, change: Change, chosen: Chosen | None) -> RunBatch:
        """Change the lanes; return the rows that this makes."""
        return self.rows(self.group.change(change, chosen))

    def withdraw(self) -> RunBatch:
        """Return results for what no lane will finish any more."""
        return self.rows(Produced(results=[lane.withdraw("the run was stopped") for lane in self.group.lanes.values()]))

    def rows(self, produced: Produced) -> RunBatch:
        """Return the rows of a step that have not been written yet, with the number of lanes of each task in its results."""
        tasks = self.written.without("tasks", produced.tasks)
        results = [self.written.without("results", columns) for columns in produced.results]
        training = [self.written.without("training", columns) for columns in produced.training]
        joined = dict(_joined(results))
        if len(joined.get("task_id", ())):
            joined["lanes"] = self.ledger.lanes_of(np.asarray(joined["task_id"]), tasks)
        return RunBatch(tasks if len(tasks.get("task_id", ())) else {}, joined, _joined(training))

    def report(self) -> None:
        """Look at the lanes for what is shown of them."""
        self.lanes = self.group.status()
        self.reported_at = time.monotonic()
        if self.reported_at - self._compared_at >= LEARNING_EVERY_S or self.group.over:
            self._compared_at = self.reported_at
            self.compared = self.group.learning()
        self.trail.add(self.group.time_s, self.lanes, self.compared)


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
