"""The one stream of tasks that all lanes get: a preset without end, or a trace, which has one."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.errors import InputError, RunRequestError
from hybrid_ml_scheduler.core.workload import Workload, WorkloadKind
from hybrid_ml_scheduler.workloads.binding import bind_to_cluster
from hybrid_ml_scheduler.workloads.clusters import default_cluster, open_cluster
from hybrid_ml_scheduler.workloads.open import open_workload
from hybrid_ml_scheduler.workloads.synthetic import MAX_LOAD, PRESETS, generate
from hybrid_ml_scheduler.workloads.windows import scale_load

SEED_STEP = 1_000_003
"""Every further piece of a preset has a seed so much larger, so that runs whose seeds are close have no pieces in common."""


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """Where in a stream the next piece begins.

    Attributes
    ----------
    piece : int
        Its number.
    first_task : int
        Tasks before it; they have the identifiers from 0 on.
    offset_s : float
        Arrival of the last of them, in simulated seconds.
    """

    piece: int = 0
    first_task: int = 0
    offset_s: float = 0.0


class TaskStream:
    """Tasks in pieces; the same arguments give the same tasks.

    A preset goes on for ever: every piece is generated with a seed of its own and begins where the one before it ended. The day of
    ``diurnal`` goes on over the pieces, and the change of ``drift``, at half-time of the first piece, is for good.

    Parameters
    ----------
    workload : str
        Preset, ``lublin``, or file.
    cluster : str or None
    seed : int
    load : float
        See `RunRequest`.
    piece_tasks : int
        Tasks in a piece. A file whose tasks depend on each other, or are not divisible, is one piece.
    max_tasks : int or None

    Attributes
    ----------
    cluster : Cluster
    template : Workload
        The first piece.
    endless : bool
        Whether it is a preset, which goes on for ever.
    whole : bool
        Whether the tasks are not divisible: their mechanisms hold the whole trace, which is the one piece.

    Raises
    ------
    InputError
        If there is no such workload or cluster, they do not go together, or a number makes no sense.
    """

    def __init__(self, workload: str, cluster: str | None, seed: int, load: float, piece_tasks: int, max_tasks: int | None) -> None:
        if not (math.isfinite(load) and 0 < load <= MAX_LOAD):
            raise RunRequestError(f"load is {load}; expected a number above 0, at most {MAX_LOAD:g}")
        if seed < 0:
            raise RunRequestError(f"seed is {seed}; expected at least 0")
        if max_tasks is not None and max_tasks < 1:
            raise RunRequestError(f"max_tasks is {max_tasks}; expected at least 1, or none for a run without end")
        self._seed, self._piece_tasks, self._max_tasks = seed, piece_tasks, max_tasks
        self._preset = PRESETS.get(workload)
        if self._preset is not None:
            self._factor = load / self._preset.load
            opened = generate(workload, seed=seed, n_tasks=1)
        else:
            opened = open_workload(workload, seed=seed)
        self.endless = self._preset is not None
        self.whole = opened.kind is not WorkloadKind.DIVISIBLE
        self.cluster: Cluster = default_cluster(opened) if cluster is None else open_cluster(cluster, workload=opened)
        if self._preset is None:
            self._whole = bind_to_cluster(opened if load == 1.0 else scale_load(opened, load), self.cluster)
        first = self.piece(StreamPosition())
        if first is None:
            raise InputError(f"workload {workload!r} has no task; expected at least one")
        self.template: Workload = first[0]

    def piece(self, position: StreamPosition) -> tuple[Workload, StreamPosition] | None:
        """Return the tasks of a piece, and where the one after it begins; None behind the last one."""
        left = math.inf if self._max_tasks is None else self._max_tasks - position.first_task
        if left <= 0:
            return None
        if self._preset is not None:
            piece: Workload | None = self._generated(self._preset.name, position)
        else:
            piece = self._cut(position)
        if piece is None:
            return None
        if len(piece) > left:
            piece = piece.select(np.arange(int(left)))
        last_s = float(piece.tasks.arrival_s[-1])
        return piece, StreamPosition(position.piece + 1, position.first_task + len(piece), last_s)

    def number_of(self, task_id: int) -> int | None:
        """Return how many tasks of the stream come before one; None if there is none of that identifier."""
        if self.endless:
            return task_id if task_id >= 0 else None
        found = np.flatnonzero(self._whole.tasks.task_id == task_id)
        return int(found[0]) if len(found) else None

    def _generated(self, preset: str, position: StreamPosition) -> Workload:
        seed = self._seed + SEED_STEP * position.piece
        drawn = generate(preset, seed=seed, cluster=self.cluster, n_tasks=self._piece_tasks, load=self._factor, begin_s=position.offset_s)
        if position.piece == 0:
            self._regime_start_s = drawn.truth.regime_start_s
        tasks, truth = drawn.tasks, drawn.truth
        # Strictly later than everything before, so that no event of one piece falls on an arrival of the next.
        arrival_s = np.maximum(tasks.arrival_s + position.offset_s, np.nextafter(position.offset_s, np.inf))
        return replace(
            drawn,
            tasks=replace(tasks, arrival_s=arrival_s, task_id=tasks.task_id + position.first_task),
            truth=replace(truth, regime_start_s=self._regime_start_s),
        )

    def _cut(self, position: StreamPosition) -> Workload | None:
        whole = self._whole
        first, last = position.first_task, len(whole)
        if first >= last:
            return None
        if not (whole.tasks.has_edges or self.whole):
            last = min(first + self._piece_tasks, last)
            # Tasks that arrive together stay together.
            while last < len(whole) and whole.tasks.arrival_s[last] == whole.tasks.arrival_s[last - 1]:
                last += 1
        return whole.select(np.arange(first, last))
