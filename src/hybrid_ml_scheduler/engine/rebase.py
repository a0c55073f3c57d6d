"""From the arrays of a run over some tasks to those of the same run over other tasks: what is unfinished stays, what is over goes, new tasks come.

A run without end works on a limited number of rows at a time. Rows keep their order, so that nothing that is decided depends on where a row stands.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from hybrid_ml_scheduler.core.decision import TaskStatus
from hybrid_ml_scheduler.core.workload import IntArray, Tasks, Workload
from hybrid_ml_scheduler.engine.divisible import N_OPTIONS, Desk
from hybrid_ml_scheduler.engine.state import (
    HEAP_SIZE,
    N_FINISHED,
    N_ORPHANED,
    N_REJECTED,
    N_RUNNING,
    N_STARTED,
    NEXT_ARRIVAL,
    QUEUE_SIZE,
    Problem,
    State,
)

STATE_ROWS = (
    "status",
    "waiting",
    "data_time",
    "ready",
    "start",
    "finish",
    "cpu_end",
    "gpu_end",
    "node",
    "gpu_mask",
    "fraction",
    "running_pos",
    "decided_by",
)
"""Columns of `State` with one entry per task."""
STATE_WHOLE = ("clock", "free_cores", "free_mem", "gpu_free", "gpu_mem_free")
DESK_ROWS = ("choice_node", "choice_gpu", "choice_fraction", "expected_cpu_end", "expected_gpu_end", "score", "second")
"""The same of `Desk`; everything else in it is written anew at every event."""
TASK_ROWS = (
    "task_id",
    "arrival_s",
    "cores_milli",
    "gpus",
    "gpu_share_milli",
    "memory_mb",
    "requested_time_s",
    "size",
    "compute_intensity",
    "kind",
    "user",
    "priority",
    "deadline_s",
)
TRUTH_ROWS = ("work_s", "gpu_noise")


def rows_to_keep(problem: Problem, state: State, tail: int) -> IntArray:
    """Return the rows that still matter, ascending.

    Parameters
    ----------
    problem : Problem
    state : State
    tail : int
        Tasks at the end of the finish log that are kept though they are over.

    Returns
    -------
    ndarray of int64, shape (m,)
        Unfinished tasks, their parents, whose data they need, and the tail.
    """
    unfinished = state.status <= TaskStatus.RUNNING
    keep = unfinished.copy()
    if len(problem.parent_idx):
        owner = np.repeat(np.arange(len(unfinished)), np.diff(problem.parent_ptr))
        keep[problem.parent_idx[unfinished[owner]]] = True
    finished = int(state.counters[N_FINISHED])
    keep[state.finish_log[max(finished - tail, 0) : finished]] = True
    return np.flatnonzero(keep)


def carry_state(old: State, fresh: State, keep: IntArray, tail: int) -> int:
    """Bring the state of a run to other rows.

    Parameters
    ----------
    old : State
    fresh : State
        Of `build_state` for the kept rows and those behind them; filled here.
    keep : ndarray of int64, shape (m,)
        Of `rows_to_keep`: the first rows of ``fresh``.
    tail : int
        As there. The logs begin with it; tasks that started or were rejected before are in no log.

    Returns
    -------
    int
        Finished tasks that are no longer in the log.
    """
    place = np.full(len(old.status), -1, dtype=np.int64)
    place[keep] = np.arange(len(keep))
    for name in STATE_ROWS:
        getattr(fresh, name)[: len(keep)] = getattr(old, name)[keep]
    for name in STATE_WHOLE:
        getattr(fresh, name)[:] = getattr(old, name)
    counters = old.counters
    finished = int(counters[N_FINISHED])
    log = old.finish_log[max(finished - tail, 0) : finished]
    fresh.finish_log[: len(log)] = place[log]
    for name, count in (("queue", counters[QUEUE_SIZE]), ("running", counters[N_RUNNING])):
        getattr(fresh, name)[:count] = place[getattr(old, name)[:count]]
    events = counters[HEAP_SIZE]
    for name in ("heap_time", "heap_key"):
        getattr(fresh, name)[:events] = getattr(old, name)[:events]
    # The two low bits say what the event is about.
    fresh.heap_load[:events] = place[old.heap_load[:events] >> 2] * 4 + (old.heap_load[:events] & 3)
    fresh.counters[:] = counters
    fresh.counters[NEXT_ARRIVAL] = np.searchsorted(keep, counters[NEXT_ARRIVAL])
    fresh.counters[[N_STARTED, N_REJECTED, N_ORPHANED]] = 0
    fresh.counters[N_FINISHED] = len(log)
    return finished - len(log)


def carry_desk(old: Desk, fresh: Desk, keep: IntArray) -> None:
    """Bring the memory of a desk to other rows."""
    for name in DESK_ROWS:
        getattr(fresh, name)[: len(keep)] = getattr(old, name)[keep]
    # A rule that commits considered the options of a watched task when it came, which may be long before it starts.
    fresh.watch[N_OPTIONS] = old.watch[N_OPTIONS]
    fresh.options[:] = old.options
    fresh.order_key[:] = old.order_key


def joined(first: Workload, second: Workload) -> Workload:
    """Return the tasks of one piece of a stream, then those of the next; in which regime the hidden table is, the second says.

    Parameters
    ----------
    first, second : Workload
        Of the same stream, so with the same columns and names; all of the first arrive before those of the second.
    """
    tasks, more = first.tasks, second.tasks
    columns: dict[str, Any] = {name: _end_to_end(getattr(tasks, name), getattr(more, name)) for name in TASK_ROWS}
    edges = {name: np.concatenate([getattr(tasks, name), getattr(more, name)]) for name in ("edge_s", "edge_mb")}
    both = Tasks(
        **columns,
        **edges,
        parent_ptr=np.concatenate([tasks.parent_ptr, more.parent_ptr[1:] + tasks.parent_ptr[-1]]),
        parent_idx=np.concatenate([tasks.parent_idx, more.parent_idx + len(tasks)]),
        kind_names=more.kind_names,
        user_names=more.user_names,
    )
    hidden: dict[str, Any] = {name: _end_to_end(getattr(first.truth, name), getattr(second.truth, name)) for name in TRUTH_ROWS}
    return replace(second, tasks=both, truth=replace(second.truth, **hidden))


def _end_to_end(first: np.ndarray | None, second: np.ndarray | None) -> np.ndarray | None:
    return None if first is None or second is None else np.concatenate([first, second])
