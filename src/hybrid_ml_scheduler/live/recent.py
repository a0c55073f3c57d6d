"""What a run has written lately, for those who watch it: parts of timelines, what tasks are like, and how every lane has done so far."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.streams import Columns, RunBatch
from hybrid_ml_scheduler.core.workload import FloatArray, IntArray
from hybrid_ml_scheduler.live.contract import LaneLearning, LaneStatus

MOST_ROWS = 48_000
"""Results of all lanes together that are kept."""
MOST_TASKS_KNOWN = 16_384
"""Newest tasks whose size and intensity are kept."""
MOST_POINTS = 1_024
TIMELINE_COLUMNS = ("task_id", "status", "arrival_s", "start_s", "finish_s", "cpu_s", "gpu_s", "node", "gpus", "fraction", "decided_by")
SAMPLE_COLUMNS = ("task_id", "scheduler", "status", "arrival_s", "start_s", "finish_s", "fraction", "gpus", "decided_by", "model", "reason")
LANE_METRICS = ("mean_response_s", "p95_response_s", "regret_to_oracle", "queue_length", "utilization_cpu", "utilization_gpu", "fallback_share")
MODEL_METRICS = ("log_error", "nominal_log_error")
TRAIL_METRICS = LANE_METRICS + MODEL_METRICS
"""Of every lane; those of models are unknown for rules."""


def plain(values: Sequence[Any] | NDArray[Any]) -> list[Any]:
    """Return values as JSON knows them; None for what is not known."""
    found = values.tolist() if isinstance(values, np.ndarray) else list(values)
    return [None if isinstance(value, float) and math.isnan(value) else value for value in found]


def picked(values: Sequence[Any] | NDArray[Any], rows: IntArray) -> list[Any]:
    """Return some of the values of a column as JSON knows them."""
    return plain(values[rows] if isinstance(values, np.ndarray) else [values[row] for row in rows.tolist()])


class RecentRows:
    """The newest rows of a run, as they were written. Taking a batch costs next to nothing, however many rows it has."""

    def __init__(self) -> None:
        self._batches: deque[tuple[int, Columns]] = deque()
        self._rows = 0
        self._kept = 0
        self._task = np.full(MOST_TASKS_KNOWN, -1, dtype=np.int64)
        self._size = np.full(MOST_TASKS_KNOWN, np.nan)
        self._intensity = np.full(MOST_TASKS_KNOWN, np.nan)

    def add(self, batch: RunBatch) -> None:
        """Take what was written."""
        tasks = batch.tasks
        if len(tasks.get("task_id", ())):
            ids = np.asarray(tasks["task_id"], dtype=np.int64)
            place = ids % MOST_TASKS_KNOWN
            self._task[place] = ids
            self._size[place] = tasks.get("size", np.nan)
            self._intensity[place] = tasks.get("compute_intensity", np.nan)
        if count := len(batch.results.get("task_id", ())):
            self._batches.append((self._rows, batch.results))
            self._rows += count
            self._kept += count
            while self._kept > MOST_ROWS and len(self._batches) > 1:
                self._kept -= len(self._batches.popleft()[1]["task_id"])

    def sizes(self, ids: Sequence[int] | IntArray) -> tuple[FloatArray, FloatArray]:
        """Return size and compute intensity of tasks; NaN where not known any more.

        Returns
        -------
        size, intensity : ndarray
            In seconds, and 0 to 1.
        """
        wanted = np.asarray(ids, dtype=np.int64)
        place = wanted % MOST_TASKS_KNOWN
        known = self._task[place] == wanted
        return np.where(known, self._size[place], np.nan), np.where(known, self._intensity[place], np.nan)

    def sample(self, results: Columns, most: int) -> list[dict[str, Any]]:
        """Return some of the results that were written as JSON-able rows: evenly spread, with what their tasks are like.

        Parameters
        ----------
        results : Columns
            At least one.
        most : int
            Rows at most.
        """
        total = len(results["task_id"])
        places = np.unique(np.linspace(0, total - 1, min(total, most)).astype(np.int64))
        columns = {name: picked(results[name], places) for name in SAMPLE_COLUMNS}
        size, intensity = self.sizes(columns["task_id"])
        columns |= {"size": plain(size), "compute_intensity": plain(intensity)}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def timeline(self, policy: str, since: int, limit: int) -> dict[str, Any]:
        """Return the newest results of a lane, oldest first.

        Parameters
        ----------
        policy : str
        since : int
            ``next`` of the answer before: only what came after it.
        limit : int
            Most results.

        Returns
        -------
        dict
            ``next``, ``missed`` (whether results after ``since`` were left out) and ``columns`` of `TIMELINE_COLUMNS` with size and intensity.
        """
        parts: list[tuple[Columns, IntArray]] = []
        left = limit
        missed = since > 0 and bool(self._batches) and self._batches[0][0] > since
        for number, batch in reversed(self._batches):
            if number < since or not left:
                missed = missed or (since > 0 and number >= since)
                break
            rows = np.flatnonzero(np.asarray(batch["scheduler"], dtype=object) == policy)
            missed = missed or (since > 0 and len(rows) > left)
            if len(rows := rows[-left:]):
                parts.append((batch, rows))
                left -= len(rows)
        columns = {name: [value for batch, rows in reversed(parts) for value in picked(batch[name], rows)] for name in TIMELINE_COLUMNS}
        size, intensity = self.sizes(columns["task_id"])
        columns |= {"size": plain(size), "compute_intensity": plain(intensity)}
        return {"next": self._rows, "missed": missed, "columns": columns}


class LaneTrail:
    """How every lane has done since the run began, in bounded memory: when it is full, every other point goes, now and from then on."""

    def __init__(self) -> None:
        self._time_s: list[float] = []
        self._lanes: dict[str, dict[str, list[float | None]]] = {}
        self._seen_s = -math.inf
        self._stride = 1
        self._skipped = 0

    def add(self, time_s: float, lanes: Sequence[LaneStatus], learning: Sequence[LaneLearning] = ()) -> None:
        """Take a point, with what is known of the lanes' models; time that has not gone on is left out."""
        if time_s <= self._seen_s:
            return
        self._seen_s = time_s
        self._skipped += 1
        if self._skipped < self._stride:
            return
        self._skipped = 0
        models = {lane.policy: lane for lane in learning}
        for lane in lanes:
            columns = self._lanes.setdefault(lane.policy, {name: [None] * len(self._time_s) for name in TRAIL_METRICS})
            for name in LANE_METRICS:
                columns[name].append(getattr(lane, name))
            for name in MODEL_METRICS:
                columns[name].append(getattr(models.get(lane.policy), name, None))
        self._time_s.append(time_s)
        for columns in self._lanes.values():
            for column in columns.values():
                if len(column) < len(self._time_s):
                    column.append(None)
        if len(self._time_s) >= MOST_POINTS:
            self._time_s = self._time_s[1::2]
            self._lanes = {policy: {name: column[1::2] for name, column in columns.items()} for policy, columns in self._lanes.items()}
            self._stride *= 2

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values: ``time_s``, ``stride``, and ``lanes`` by policy and metric."""
        return {"time_s": list(self._time_s), "stride": self._stride, "lanes": {policy: dict(columns) for policy, columns in self._lanes.items()}}
