"""What an agent outside the engine sees at a decision point, and which of its actions are possible: for the Gymnasium environment.

The first tasks of the queue by arrival fill a fixed number of slots. Everything is visible data or follows from nominal times; the entry points get a
nominal `Law` in place of the truth, so nothing hidden can be seen.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.workload import FloatArray, IntArray
from hybrid_ml_scheduler.engine.compiled import compiled_call, compiled_entry, compiled_inner
from hybrid_ml_scheduler.engine.decision_point import law_at, problem_at, state_at
from hybrid_ml_scheduler.engine.events import OK, can_start
from hybrid_ml_scheduler.engine.features.sheet import Feature
from hybrid_ml_scheduler.engine.law import best_fraction, cpu_seconds, part_times
from hybrid_ml_scheduler.engine.state import N_RUNNING, QUEUE_SIZE, Law, Problem, State

LOG_MOST = 60.0
"""Upper bound of columns on a logarithmic scale: ``log(1 + 1e26)``."""

_BATCH_GLOBAL = (
    Feature("queue_length", "log(1 + tasks)", 0.0, LOG_MOST, "waiting jobs"),
    Feature("running", "log(1 + tasks)", 0.0, LOG_MOST, "running jobs"),
    Feature("free", "1", 0.0, 1.0, "free share of the processors"),
    Feature("queued_area", "log(1 + s)", 0.0, LOG_MOST, "processors x requested time of all waiting jobs, over all processors"),
    Feature("next_end", "log(1 + s)", 0.0, LOG_MOST, "until the first running job should end by its requested time; 0 if none runs or it is overdue"),
)
_BATCH_SLOT = (
    Feature("present", "1", 0.0, 1.0, "1 if a job waits in this slot; its other columns are 0 if none does"),
    Feature("waited", "log(1 + s)", 0.0, LOG_MOST, "since it became ready"),
    Feature("requested", "log(1 + s)", 0.0, LOG_MOST, "requested time"),
    Feature("share", "1", 0.0, 1.0, "share of all processors that it asks for"),
    Feature("fits", "1", 0.0, 1.0, "1 if it could start now"),
)
_NODE = (
    Feature("free_cores", "1", 0.0, 1.0, "free share of the node's cores"),
    Feature("free_memory", "1", 0.0, 1.0, "free share of the node's memory"),
    Feature("busy", "log(1 + s)", 0.0, LOG_MOST, "core-seconds that running tasks should still take by nominal times, over the node's cores"),
)
_GPU = (
    Feature("free", "1", 0.0, 1.0, "1 if no task holds the GPU"),
    Feature("free_memory", "1", 0.0, 1.0, "free share of its memory"),
    Feature("busy", "log(1 + s)", 0.0, LOG_MOST, "until its task should end by nominal times; 0 if it is free or the task overdue"),
)
_SLOT = (
    Feature("present", "1", 0.0, 1.0, "1 if a task waits in this slot; its other columns are 0 if none does"),
    Feature("waited", "log(1 + s)", 0.0, LOG_MOST, "since it became ready"),
    Feature("cores", "log(1 + cores)", 0.0, LOG_MOST, "cores that its CPU part holds"),
    Feature("memory", "log(1 + MB)", 0.0, LOG_MOST, "working set"),
    Feature("kind", "1", 0.0, 1e6, "number of its kind"),
)
_ON_NODE = Feature("cpu_time", "log(1 + s)", 0.0, LOG_MOST, "nominal time on the CPU of this node alone; 0 if it never fits there")
_ON_GPU = Feature("gpu_time", "log(1 + s)", 0.0, LOG_MOST, "nominal time on this GPU alone, launch included; 0 if it never fits there")


def batch_sheet(slots: int) -> tuple[Feature, ...]:
    """Return the data sheet of an observation of batch jobs: what is known of all, then slot after slot."""
    return (*_BATCH_GLOBAL, *(_named(f"slot{slot}", feature) for slot in range(slots) for feature in _BATCH_SLOT))


def divisible_sheet(slots: int, n_nodes: int, n_gpus: int) -> tuple[Feature, ...]:
    """Return the data sheet of an observation of divisible tasks: what is known of all, nodes, GPUs, then slot after slot."""
    columns = list(_BATCH_GLOBAL[:2])
    columns += [_named(f"node{node}", feature) for node in range(n_nodes) for feature in _NODE]
    columns += [_named(f"gpu{gpu}", feature) for gpu in range(n_gpus) for feature in _GPU]
    for slot in range(slots):
        columns += [_named(f"slot{slot}", feature) for feature in _SLOT]
        columns += [_named(f"slot{slot}_node{node}", _ON_NODE) for node in range(n_nodes)]
        columns += [_named(f"slot{slot}_gpu{gpu}", _ON_GPU) for gpu in range(n_gpus)]
    return tuple(columns)


def _named(prefix: str, feature: Feature) -> Feature:
    return feature._replace(name=f"{prefix}_{feature.name}")


@compiled_inner
def _log(value: float) -> float:
    return float(min(np.log1p(max(value, 0.0)), LOG_MOST))


@compiled_call
def _fill_slots(state: State, rows: IntArray) -> None:
    """Write the waiting tasks with the smallest rows (the earliest arrivals), ascending; -1 where there are no more."""
    rows[:] = -1
    used = 0
    for place in range(state.counters[QUEUE_SIZE]):
        row = state.queue[place]
        if used == len(rows) and row > rows[used - 1]:
            continue
        if used < len(rows):
            used += 1
        slot = used - 1
        while slot > 0 and rows[slot - 1] > row:
            rows[slot] = rows[slot - 1]
            slot -= 1
        rows[slot] = row


@compiled_entry
def observe_batch(addresses: IntArray, rows: IntArray, columns: NDArray[np.float32], mask: NDArray[np.bool_]) -> bool:
    """Write an observation of a pool of processors.

    Parameters
    ----------
    addresses : ndarray of int64
        Of a `BoundEngine` whose law is nominal.
    rows : ndarray of int64, shape (slots,)
        Gets the row of the job in each slot, -1 for none.
    columns : ndarray of float32, shape (len(batch_sheet(slots)),)
        Gets the observation.
    mask : ndarray of bool, shape (slots + 1,)
        Gets which slots may start now; the last entry is left alone.

    Returns
    -------
    bool
        Whether any may.
    """
    problem, state = problem_at(addresses), state_at(addresses)
    _fill_slots(state, rows)
    now, total = state.clock[0], problem.node_cores[0]
    area = 0.0
    for place in range(state.counters[QUEUE_SIZE]):
        task = state.queue[place]
        area += problem.cores[task] * problem.requested[task]
    next_end = np.inf
    for place in range(state.counters[N_RUNNING]):
        task = state.running[place]
        next_end = min(next_end, state.start[task] + problem.requested[task])
    columns[:] = 0.0
    columns[0] = _log(float(state.counters[QUEUE_SIZE]))
    columns[1] = _log(float(state.counters[N_RUNNING]))
    columns[2] = state.free_cores[0] / total
    columns[3] = _log(area / total)
    columns[4] = _log(next_end - now) if next_end < np.inf else 0.0
    place = 5
    possible = False
    for slot in range(len(rows)):
        task = rows[slot]
        mask[slot] = False
        if task >= 0:
            mask[slot] = can_start(problem, state, task, 0, 0, 0.0) == OK
            possible = possible or mask[slot]
            columns[place] = 1.0
            columns[place + 1] = _log(now - state.ready[task])
            columns[place + 2] = _log(problem.requested[task])
            columns[place + 3] = problem.cores[task] / total
            columns[place + 4] = 1.0 if mask[slot] else 0.0
        place += 5
    return possible


@compiled_call
def _devices(problem: Problem, nominal: Law, state: State, columns: NDArray[np.float32]) -> None:
    """Write what is known of nodes and GPUs, from column 2 on."""
    now = state.clock[0]
    n_nodes, n_gpus = len(problem.node_cores), len(problem.gpu_node)
    for node in range(n_nodes):
        place = 2 + 3 * node
        columns[place] = state.free_cores[node] / max(problem.node_cores[node], 1)
        columns[place + 1] = state.free_mem[node] / max(problem.node_mem[node], 1)
        columns[place + 2] = 0.0
    for gpu in range(n_gpus):
        place = 2 + 3 * n_nodes + 3 * gpu
        columns[place] = 1.0 if state.gpu_free[gpu] == 1000 else 0.0
        columns[place + 1] = state.gpu_mem_free[gpu] / max(problem.gpu_mem[gpu], 1)
        columns[place + 2] = 0.0
    for index in range(state.counters[N_RUNNING]):
        task = state.running[index]
        node = state.node[task]
        gpu = problem.gpu_ptr[node]
        mask = state.gpu_mask[task]
        while mask > 1:
            mask >>= 1
            gpu += 1
        cpu_s, gpu_s = part_times(problem, nominal, task, node, gpu, state.fraction[task], 0)
        # A part is running until the engine says that it has ended: that much is visible at the time.
        if state.cpu_end[task] > now:
            left_s = max(state.start[task] + cpu_s - now, 0.0)
            columns[2 + 3 * node + 2] += left_s * problem.cores[task] / max(problem.node_cores[node], 1)
        if state.gpu_end[task] > now:
            columns[2 + 3 * n_nodes + 3 * gpu + 2] = _log(state.start[task] + gpu_s - now)
    for node in range(n_nodes):
        columns[2 + 3 * node + 2] = _log(columns[2 + 3 * node + 2])


@compiled_entry
def observe_divisible(addresses: IntArray, rows: IntArray, columns: NDArray[np.float32], mask: NDArray[np.bool_], fractions: FloatArray) -> bool:
    """Write an observation of divisible tasks.

    Parameters
    ----------
    addresses : ndarray of int64
        Of a `BoundEngine` whose law is nominal.
    rows : ndarray of int64, shape (slots,)
        Gets the row of the task in each slot, -1 for none.
    columns : ndarray of float32, shape (len(divisible_sheet(slots, n_nodes, n_gpus)),)
        Gets the observation.
    mask : ndarray of bool, shape (slots * (n_nodes + 2 * n_gpus) + 1,)
        Gets which actions could start a task now. Per slot: on the CPU of each node; then per GPU, split by the closed form, and whole. The last
        entry is left alone.
    fractions : ndarray of float64, shape (slots, n_gpus)
        Gets the closed-form GPU fraction of the task in each slot by nominal times.

    Returns
    -------
    bool
        Whether any action could.
    """
    problem, nominal, state = problem_at(addresses), law_at(addresses), state_at(addresses)
    _fill_slots(state, rows)
    now = state.clock[0]
    n_nodes, n_gpus = len(problem.node_cores), len(problem.gpu_node)
    options = n_nodes + 2 * n_gpus
    columns[:] = 0.0
    columns[0] = _log(float(state.counters[QUEUE_SIZE]))
    columns[1] = _log(float(state.counters[N_RUNNING]))
    _devices(problem, nominal, state, columns)
    fractions[:, :] = 0.0
    possible = False
    for slot in range(len(rows)):
        task = rows[slot]
        place = 2 + 3 * n_nodes + 3 * n_gpus + slot * (5 + n_nodes + n_gpus)
        if task >= 0:
            columns[place] = 1.0
            columns[place + 1] = _log(now - state.ready[task])
            columns[place + 2] = _log(problem.cores[task] / 1000.0)
            columns[place + 3] = _log(problem.mem_mb[task])
            columns[place + 4] = min(float(problem.kind[task]), 1e6)
        for option in range(options):
            node, gpu, gpu_mask, fraction = option, -1, 0, 0.0
            if option >= n_nodes:
                gpu = (option - n_nodes) >> 1
                node = problem.gpu_node[gpu]
                gpu_mask = 1 << (gpu - problem.gpu_ptr[node])
                fraction = 1.0
            allowed = False
            if task >= 0:
                if gpu < 0:
                    if problem.cores[task] <= problem.node_cores[node] and problem.mem[task] <= problem.node_mem[node]:
                        columns[place + 5 + node] = _log(cpu_seconds(problem, nominal, task, node))
                elif (option - n_nodes) & 1 == 0:
                    fraction = best_fraction(problem, nominal, task, node, gpu, 0)
                    fractions[slot, gpu] = fraction
                elif problem.mem[task] <= problem.gpu_mem[gpu]:
                    columns[place + 5 + n_nodes + gpu] = _log(part_times(problem, nominal, task, node, gpu, 1.0, 0)[1])
                # A closed form at an end is one of the other options.
                is_split = gpu >= 0 and (option - n_nodes) & 1 == 0
                if not is_split or 0.0 < fraction < 1.0:
                    allowed = can_start(problem, state, task, node, gpu_mask, fraction) == OK
            mask[slot * options + option] = allowed
            possible = possible or allowed
    return possible
