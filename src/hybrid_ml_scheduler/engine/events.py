"""The event loop's mechanics: heap, arrivals, releases, starts. Every policy, compiled or not, goes through these functions.

Ties are broken by (time, kind of event, sequence): releases, then arrivals (of tasks and of data), then, by the caller, starts.
"""

from __future__ import annotations

import numpy as np

from hybrid_ml_scheduler.core.decision import TaskStatus
from hybrid_ml_scheduler.engine.compiled import compiled_inner
from hybrid_ml_scheduler.engine.law import is_divisible, part_times, regime_at, rigid_seconds
from hybrid_ml_scheduler.engine.state import (
    HEAP_SIZE,
    N_EVENTS,
    N_FINISHED,
    N_ORPHANED,
    N_REJECTED,
    N_RUNNING,
    N_STARTED,
    NEXT_ARRIVAL,
    QUEUE_SIZE,
    SEQUENCE,
    Law,
    Problem,
    State,
)

PENDING, READY, RUNNING = int(TaskStatus.PENDING), int(TaskStatus.READY), int(TaskStatus.RUNNING)
FINISHED, REJECTED, ORPHANED = int(TaskStatus.FINISHED), int(TaskStatus.REJECTED), int(TaskStatus.ORPHANED)

# What an entry of the heap is about, in the two low bits of its load.
_FREE_CPU, _FREE_GPU, _FREE_ALL, _DATA = 0, 1, 2, 3
# Kinds of event in the heap's key: releases come before arrivals of the same time.
_ARRIVAL_KEY = 1 << 60

# Why a start was refused.
OK, NOT_READY, NO_SUCH_PLACE, NO_CORES, NO_MEMORY, NO_GPU, NO_GPU_MEMORY, NO_DATA, BAD_FRACTION, WRONG_GPUS = range(10)


@compiled_inner
def _push(state: State, time_s: float, is_arrival: bool, load: int) -> None:
    times, keys, loads = state.heap_time, state.heap_key, state.heap_load
    sequence = state.counters[SEQUENCE]
    state.counters[SEQUENCE] = sequence + 1
    key = sequence + _ARRIVAL_KEY if is_arrival else sequence
    child = state.counters[HEAP_SIZE]
    state.counters[HEAP_SIZE] = child + 1
    while child > 0:
        parent = (child - 1) >> 1
        if times[parent] < time_s or (times[parent] == time_s and keys[parent] < key):
            break
        times[child] = times[parent]
        keys[child] = keys[parent]
        loads[child] = loads[parent]
        child = parent
    times[child] = time_s
    keys[child] = key
    loads[child] = load


@compiled_inner
def _pop(state: State) -> int:
    times, keys, loads = state.heap_time, state.heap_key, state.heap_load
    load = loads[0]
    size = state.counters[HEAP_SIZE] - 1
    state.counters[HEAP_SIZE] = size
    if size > 0:
        time_s = times[size]
        key = keys[size]
        moved = loads[size]
        hole = 0
        while True:
            child = 2 * hole + 1
            if child >= size:
                break
            right = child + 1
            if right < size and (times[right] < times[child] or (times[right] == times[child] and keys[right] < keys[child])):
                child = right
            if time_s < times[child] or (time_s == times[child] and key < keys[child]):
                break
            times[hole] = times[child]
            keys[hole] = keys[child]
            loads[hole] = loads[child]
            hole = child
        times[hole] = time_s
        keys[hole] = key
        loads[hole] = moved
    return int(load)


@compiled_inner
def transfer_seconds(problem: Problem, edge: int) -> float:
    """Return the time that the data of an edge takes between two different nodes, in seconds."""
    seconds = problem.edge_s[edge]
    if problem.edge_mb[edge] > 0.0:
        seconds += problem.network[1] + problem.edge_mb[edge] / problem.network[0]
    return float(seconds)


@compiled_inner
def leave_gpu_seconds(problem: Problem, state: State, parent: int, edge: int) -> float:
    """Return how long the GPU part of a finished task's result takes over the host link, in seconds."""
    if not is_divisible(problem) or state.gpu_mask[parent] == 0 or problem.edge_mb[edge] == 0.0:
        return 0.0
    first = problem.gpu_ptr[state.node[parent]]
    gpu = first
    while (state.gpu_mask[parent] >> (gpu - first)) & 1 == 0:
        gpu += 1
    return float(state.fraction[parent] * problem.edge_mb[edge] / problem.gpu_link[gpu])


@compiled_inner
def data_ready(problem: Problem, state: State, task: int, node: int) -> float:
    """Return when the data of all (finished) parents is at a node, in seconds; -inf without parents."""
    latest = -np.inf
    for edge in range(problem.parent_ptr[task], problem.parent_ptr[task + 1]):
        parent = problem.parent_idx[edge]
        there = state.finish[parent] + leave_gpu_seconds(problem, state, parent, edge)
        if state.node[parent] != node:
            there += transfer_seconds(problem, edge)
        latest = max(latest, there)
    return float(latest)


@compiled_inner
def _enqueue(problem: Problem, state: State, task: int) -> None:
    """Put a task into the queue and, where its data is still under way to some nodes, wake the policy when it gets there."""
    now = state.clock[0]
    state.status[task] = READY
    state.ready[task] = now
    state.queue[state.counters[QUEUE_SIZE]] = task
    state.counters[QUEUE_SIZE] += 1
    first, last = problem.parent_ptr[task], problem.parent_ptr[task + 1]
    if last > first and len(problem.node_cores) > 1:
        elsewhere = data_ready(problem, state, task, -1)
        if elsewhere > now:
            _push(state, elsewhere, True, task * 4 + _DATA)
            for edge in range(first, last):
                # On the node of the slowest parent the data may be there earlier than elsewhere.
                node = state.node[problem.parent_idx[edge]]
                seen = False
                for earlier in range(first, edge):
                    seen = seen or state.node[problem.parent_idx[earlier]] == node
                if not seen:
                    there = data_ready(problem, state, task, node)
                    if now < there < elsewhere:
                        _push(state, there, True, task * 4 + _DATA)


@compiled_inner
def _count_down(problem: Problem, state: State, task: int) -> None:
    """One of the things that a task waits for has come: its arrival, or a parent's end."""
    state.waiting[task] -= 1
    if state.waiting[task] == 0 and state.status[task] == PENDING:
        if state.data_time[task] > state.clock[0]:
            _push(state, state.data_time[task], True, task * 4 + _DATA)
        else:
            _enqueue(problem, state, task)


@compiled_inner
def _reject(problem: Problem, state: State, task: int) -> None:
    """Reject a task that can never fit; its descendants can never have their data."""
    state.status[task] = REJECTED
    state.counters[N_REJECTED] += 1
    # Orphans never finish, so the end of the finish log is free to hold those whose children are still to be visited.
    stack = state.finish_log
    bottom = len(stack) - 1
    top = bottom
    current = task
    while True:
        for position in range(problem.child_ptr[current], problem.child_ptr[current + 1]):
            child = problem.child_idx[position]
            # A child that can never fit either is rejected at its own arrival, whichever of the two comes first.
            if state.status[child] == PENDING and problem.fits[child]:
                state.status[child] = ORPHANED
                state.counters[N_ORPHANED] += 1
                stack[top] = child
                top -= 1
        if top == bottom:
            break
        top += 1
        current = stack[top]
    stack[bottom] = -1


@compiled_inner
def _give_back(problem: Problem, state: State, task: int, part: int) -> None:
    node = state.node[task]
    divisible = is_divisible(problem)
    if part != _FREE_GPU:
        state.free_cores[node] += problem.cores[task]
        state.free_mem[node] += problem.mem[task]
    if part != _FREE_CPU:
        mask = state.gpu_mask[task]
        gpu = problem.gpu_ptr[node]
        while mask != 0:
            if mask & 1:
                if divisible:
                    state.gpu_free[gpu] += 1000
                    state.gpu_mem_free[gpu] += problem.mem[task]
                else:
                    state.gpu_free[gpu] += problem.share[task]
            mask >>= 1
            gpu += 1


@compiled_inner
def _finish(problem: Problem, state: State, task: int) -> None:
    state.status[task] = FINISHED
    state.finish_log[state.counters[N_FINISHED]] = task
    state.counters[N_FINISHED] += 1
    last = state.counters[N_RUNNING] - 1
    state.counters[N_RUNNING] = last
    moved = state.running[last]
    state.running[state.running_pos[task]] = moved
    state.running_pos[moved] = state.running_pos[task]
    state.running_pos[task] = -1
    for position in range(problem.child_ptr[task], problem.child_ptr[task + 1]):
        child = problem.child_idx[position]
        there = state.finish[task] + leave_gpu_seconds(problem, state, task, problem.child_edge[position])
        state.data_time[child] = max(state.data_time[child], there)
        _count_down(problem, state, child)


@compiled_inner
def next_event_s(problem: Problem, state: State) -> float:
    """Return when something happens next; infinite when nothing is left to happen."""
    now = np.inf
    if state.counters[HEAP_SIZE] > 0:
        now = state.heap_time[0]
    arrival = state.counters[NEXT_ARRIVAL]
    if arrival < len(problem.arrival) and problem.arrival[arrival] < now:
        now = problem.arrival[arrival]
    return float(now)


@compiled_inner
def advance(problem: Problem, state: State) -> bool:
    """Move the clock to the next event and apply all releases, then all arrivals, of that time.

    Returns
    -------
    bool
        False when there is no further event.
    """
    counters = state.counters
    n_tasks = len(problem.arrival)
    arrival = counters[NEXT_ARRIVAL]
    if counters[HEAP_SIZE] == 0 and arrival >= n_tasks:
        return False
    now = np.inf
    if counters[HEAP_SIZE] > 0:
        now = state.heap_time[0]
    if arrival < n_tasks and problem.arrival[arrival] < now:
        now = problem.arrival[arrival]
    state.clock[0] = now
    while counters[HEAP_SIZE] > 0 and state.heap_time[0] == now:
        load = _pop(state)
        task = load >> 2
        part = load & 3
        counters[N_EVENTS] += 1
        if part == _DATA:
            if state.status[task] == PENDING:
                _enqueue(problem, state, task)
            continue
        _give_back(problem, state, task, part)
        # Parts that end at the same time share one event, so only the last release finds the task at its end.
        if state.finish[task] == now:
            _finish(problem, state, task)
    while arrival < n_tasks and problem.arrival[arrival] == now:
        counters[N_EVENTS] += 1
        counters[NEXT_ARRIVAL] = arrival + 1
        if state.status[arrival] == PENDING:
            if not problem.fits[arrival]:
                _reject(problem, state, arrival)
            else:
                _count_down(problem, state, arrival)
        arrival += 1
    return True


@compiled_inner
def can_start(problem: Problem, state: State, task: int, node: int, gpu_mask: int, fraction: float) -> int:
    """Check a decision against the present state; returns ``OK`` or the reason why not."""
    if task < 0 or task >= len(problem.arrival) or state.status[task] != READY:
        return NOT_READY
    if node < 0 or node >= len(problem.node_cores):
        return NO_SUCH_PLACE
    first = problem.gpu_ptr[node]
    n_gpus = problem.gpu_ptr[node + 1] - first
    if gpu_mask < 0 or gpu_mask >> n_gpus != 0:
        return NO_SUCH_PLACE
    divisible = is_divisible(problem)
    count = 0
    for k in range(n_gpus):
        count += (gpu_mask >> k) & 1
    if divisible:
        if not 0.0 <= fraction <= 1.0:
            return BAD_FRACTION
        if count != (1 if fraction > 0.0 else 0):
            return WRONG_GPUS
    elif count != problem.gpus[task]:
        return WRONG_GPUS
    if not divisible or fraction < 1.0:
        if state.free_cores[node] < problem.cores[task]:
            return NO_CORES
        if state.free_mem[node] < problem.mem[task]:
            return NO_MEMORY
    for k in range(n_gpus):
        if (gpu_mask >> k) & 1:
            if state.gpu_free[first + k] < (1000 if divisible else problem.share[task]):
                return NO_GPU
            if divisible and state.gpu_mem_free[first + k] < problem.mem[task]:
                return NO_GPU_MEMORY
    if problem.parent_ptr[task + 1] > problem.parent_ptr[task] and data_ready(problem, state, task, node) > state.clock[0]:
        return NO_DATA
    return OK


@compiled_inner
def start_task(problem: Problem, truth: Law, state: State, task: int, node: int, gpu_mask: int, fraction: float) -> None:
    """Start a task that `can_start` found right; the caller takes it out of the queue.

    The run-time law is evaluated here and nowhere else during a run.
    """
    now = state.clock[0]
    first = problem.gpu_ptr[node]
    state.status[task] = RUNNING
    state.start[task] = now
    state.node[task] = node
    state.gpu_mask[task] = gpu_mask
    state.start_log[state.counters[N_STARTED]] = task
    state.counters[N_STARTED] += 1
    state.running[state.counters[N_RUNNING]] = task
    state.running_pos[task] = state.counters[N_RUNNING]
    state.counters[N_RUNNING] += 1
    if is_divisible(problem):
        state.fraction[task] = fraction
        gpu = first
        while gpu_mask > 1:
            gpu_mask >>= 1
            gpu += 1
        cpu_s, gpu_s = part_times(problem, truth, task, node, gpu, fraction, regime_at(truth.regime_start, now))
        finish = now
        if fraction < 1.0:
            state.free_cores[node] -= problem.cores[task]
            state.free_mem[node] -= problem.mem[task]
            state.cpu_end[task] = now + cpu_s
            finish = max(finish, now + cpu_s)
        if fraction > 0.0:
            state.gpu_free[gpu] -= 1000
            state.gpu_mem_free[gpu] -= problem.mem[task]
            state.gpu_end[task] = now + gpu_s
            finish = max(finish, now + gpu_s)
        state.finish[task] = finish
        if fraction <= 0.0:
            _push(state, finish, False, task * 4 + _FREE_CPU)
        elif fraction >= 1.0:
            _push(state, finish, False, task * 4 + _FREE_GPU)
        elif state.cpu_end[task] == state.gpu_end[task]:
            _push(state, finish, False, task * 4 + _FREE_ALL)
        else:
            _push(state, state.cpu_end[task], False, task * 4 + _FREE_CPU)
            _push(state, state.gpu_end[task], False, task * 4 + _FREE_GPU)
        return
    end = now + rigid_seconds(problem, truth, task, node)
    state.free_cores[node] -= problem.cores[task]
    state.free_mem[node] -= problem.mem[task]
    state.cpu_end[task] = end
    state.finish[task] = end
    if gpu_mask != 0:
        state.gpu_end[task] = end
        gpu = first
        while gpu_mask != 0:
            if gpu_mask & 1:
                state.gpu_free[gpu] -= problem.share[task]
            gpu_mask >>= 1
            gpu += 1
    _push(state, end, False, task * 4 + _FREE_ALL)
