"""Order and backfilling on one pool of processors.

Two structures, by what the policy needs:

- Orders that do not depend on the time are ranked once. Without backfilling the waiting ranks form a binary heap; with it they are leaves of a
  tree that keeps, per subtree, the fewest processors and the shortest estimate waiting there, so that the next task that may overtake is found
  without looking at those that may not.
- Orders that depend on the waiting time (WFP3, UNICEP) are evaluated anew at every event, over a plain list.

Running tasks are kept sorted by the end that their user announced (then by processors), for the reservations.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from hybrid_ml_scheduler.core.workload import FloatArray, IntArray
from hybrid_ml_scheduler.engine.compiled import compiled
from hybrid_ml_scheduler.engine.events import advance, start_task
from hybrid_ml_scheduler.engine.orders import dynamic_key
from hybrid_ml_scheduler.engine.state import N_FINISHED, QUEUE_SIZE, Law, Problem, State


class Backfill(IntEnum):
    """Codes of backfilling."""

    NONE = 0
    EASY = 1
    CONSERVATIVE = 2


_NONE, _EASY, _CONSERVATIVE = int(Backfill.NONE), int(Backfill.EASY), int(Backfill.CONSERVATIVE)

# Positions in PoolQueue.counts.
WAITING, N_ENDS, SEEN_FINISHED = 0, 1, 2

_NEVER = 1 << 62


class PoolQueue(NamedTuple):
    """The waiting tasks of a pool in the form that the policy needs, and the announced ends of the running ones.

    ``rank``/``row`` order the tasks (empty for dynamic orders); ``heap`` holds waiting ranks, or waiting rows for dynamic orders; ``fewest`` and
    ``shortest`` are the tree; ``end_s``, ``end_cores``, ``end_task`` list the running tasks by announced end.
    """

    counts: IntArray
    rank: IntArray
    row: IntArray
    heap: IntArray
    key: FloatArray
    fewest: IntArray
    shortest: FloatArray
    end_s: FloatArray
    end_cores: IntArray
    end_task: IntArray
    profile_s: FloatArray
    profile_free: IntArray


def build_pool_queue(n_tasks: int, rank: IntArray, row: IntArray, *, tree: bool, ends: bool) -> PoolQueue:
    """Allocate the structures; ``tree`` for static orders with backfilling, ``ends`` for any backfilling."""
    leaves = 1
    while leaves < n_tasks:
        leaves *= 2
    size = 2 * leaves if tree else 0
    room = n_tasks + 1 if ends else 0
    return PoolQueue(
        counts=np.zeros(3, dtype=np.int64),
        rank=rank,
        row=row,
        heap=np.zeros(0 if tree else n_tasks, dtype=np.int64),
        key=np.zeros(0 if tree or len(rank) else n_tasks),
        fewest=np.full(size, _NEVER, dtype=np.int64),
        shortest=np.full(size, np.inf),
        end_s=np.zeros(room),
        end_cores=np.zeros(room, dtype=np.int64),
        end_task=np.zeros(room, dtype=np.int64),
        profile_s=np.zeros(2 * room),
        profile_free=np.zeros(2 * room, dtype=np.int64),
    )


@compiled
def _heap_push(heap: IntArray, size: int, value: int) -> None:
    child = size
    while child > 0:
        parent = (child - 1) >> 1
        if heap[parent] <= value:
            break
        heap[child] = heap[parent]
        child = parent
    heap[child] = value


@compiled
def _heap_pop(heap: IntArray, size: int) -> None:
    """Remove the smallest of ``size`` values."""
    value = heap[size - 1]
    size -= 1
    hole = 0
    while True:
        child = 2 * hole + 1
        if child >= size:
            break
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if value <= heap[child]:
            break
        heap[hole] = heap[child]
        hole = child
    heap[hole] = value


@compiled
def _tree_set(queue: PoolQueue, rank: int, cores: int, requested_s: float) -> None:
    """Write one leaf and what follows from it above; (_NEVER, inf) clears it."""
    fewest, shortest = queue.fewest, queue.shortest
    place = (len(fewest) >> 1) + rank
    fewest[place] = cores
    shortest[place] = requested_s
    place >>= 1
    while place >= 1:
        left = 2 * place
        few = min(fewest[left], fewest[left + 1])
        short = min(shortest[left], shortest[left + 1])
        if fewest[place] == few and shortest[place] == short:
            break
        fewest[place] = few
        shortest[place] = short
        place >>= 1


@compiled
def _tree_next(queue: PoolQueue, after: int, free: int, slack_s: float, extra: int) -> int:
    """Return the first waiting rank from ``after`` on that fits and either ends within ``slack_s`` or needs at most ``extra``; -1 if none."""
    fewest, shortest = queue.fewest, queue.shortest
    leaves = len(fewest) >> 1
    if after >= leaves:
        return -1
    place = leaves + after
    while True:
        if fewest[place] <= free and (shortest[place] <= slack_s or fewest[place] <= extra):
            if place >= leaves:
                return int(place - leaves)
            place = 2 * place
            continue
        # Nothing here: on to the next subtree to the right.
        while place & 1:
            if place & (place + 1) == 0:
                return -1
            place >>= 1
        if place == 0:
            return -1
        place += 1


@compiled
def _tree_first(queue: PoolQueue) -> int:
    """Return the smallest waiting rank; -1 if none."""
    if queue.fewest[1] == _NEVER:
        return -1
    leaves = len(queue.fewest) >> 1
    place = 1
    while place < leaves:
        place = 2 * place if queue.fewest[2 * place] != _NEVER else 2 * place + 1
    return int(place - leaves)


@compiled
def _add_end(problem: Problem, state: State, queue: PoolQueue, task: int) -> None:
    """Insert a started task into the list of announced ends; equal ends stand by processors, fewest first."""
    end = state.start[task] + problem.requested[task]
    cores = problem.cores[task]
    place = queue.counts[N_ENDS]
    queue.counts[N_ENDS] = place + 1
    while place > 0 and (queue.end_s[place - 1] > end or (queue.end_s[place - 1] == end and queue.end_cores[place - 1] > cores)):
        queue.end_s[place] = queue.end_s[place - 1]
        queue.end_cores[place] = queue.end_cores[place - 1]
        queue.end_task[place] = queue.end_task[place - 1]
        place -= 1
    queue.end_s[place] = end
    queue.end_cores[place] = cores
    queue.end_task[place] = task


@compiled
def _drop_end(problem: Problem, state: State, queue: PoolQueue, task: int) -> None:
    """Remove a finished task from the list of announced ends."""
    end = state.start[task] + problem.requested[task]
    low, high = 0, queue.counts[N_ENDS]
    while low < high:
        middle = (low + high) >> 1
        if queue.end_s[middle] < end:
            low = middle + 1
        else:
            high = middle
    while queue.end_task[low] != task:
        low += 1
    last = queue.counts[N_ENDS] - 1
    queue.counts[N_ENDS] = last
    for place in range(low, last):
        queue.end_s[place] = queue.end_s[place + 1]
        queue.end_cores[place] = queue.end_cores[place + 1]
        queue.end_task[place] = queue.end_task[place + 1]


@compiled
def _forget_finished(problem: Problem, state: State, queue: PoolQueue) -> None:
    while queue.counts[SEEN_FINISHED] < state.counters[N_FINISHED]:
        _drop_end(problem, state, queue, state.finish_log[queue.counts[SEEN_FINISHED]])
        queue.counts[SEEN_FINISHED] += 1


@compiled
def _reservation(state: State, queue: PoolQueue, cores: int) -> tuple[float, int]:
    """Return when the head of the queue will have its processors by the announced ends (the shadow time), and how many will be left over then.

    A task that has outlived its announced end is expected to end now. Ends are collected one task at a time until the head fits, as in the
    textbook's loop (Mu'alem, Feitelson 2001, figure 1): further tasks that end at that very moment are not counted among the left-over ones.
    """
    now = state.clock[0]
    free = state.free_cores[0]
    place = 0
    count = queue.counts[N_ENDS]
    shadow = now
    while free < cores and place < count:
        shadow = max(queue.end_s[place], now)
        free += queue.end_cores[place]
        place += 1
    return shadow, free - cores


@compiled
def _start(problem: Problem, truth: Law, state: State, queue: PoolQueue, task: int, keep_ends: bool) -> None:
    start_task(problem, truth, state, task, 0, 0, 0.0)
    if keep_ends:
        _add_end(problem, state, queue, task)


@compiled
def run_heap(problem: Problem, truth: Law, state: State, queue: PoolQueue) -> None:
    """Run a static order without backfilling to its end: the head of the order blocks."""
    while advance(problem, state):
        waiting = queue.counts[WAITING]
        for position in range(state.counters[QUEUE_SIZE]):
            _heap_push(queue.heap, waiting, queue.rank[state.queue[position]])
            waiting += 1
        state.counters[QUEUE_SIZE] = 0
        while waiting > 0:
            task = queue.row[queue.heap[0]]
            if problem.cores[task] > state.free_cores[0]:
                break
            _heap_pop(queue.heap, waiting)
            waiting -= 1
            _start(problem, truth, state, queue, task, False)
        queue.counts[WAITING] = waiting


@compiled
def _take_arrivals_into_tree(problem: Problem, state: State, queue: PoolQueue) -> None:
    for position in range(state.counters[QUEUE_SIZE]):
        task = state.queue[position]
        _tree_set(queue, queue.rank[task], problem.cores[task], problem.requested[task])
    state.counters[QUEUE_SIZE] = 0


@compiled
def _start_from_tree(problem: Problem, truth: Law, state: State, queue: PoolQueue, rank: int) -> None:
    _tree_set(queue, rank, _NEVER, np.inf)
    _start(problem, truth, state, queue, queue.row[rank], True)


@compiled
def run_tree_easy(problem: Problem, truth: Law, state: State, queue: PoolQueue) -> None:
    """Run a static order with EASY backfilling to its end.

    Only the head of the queue has a reservation; others may overtake it if they fit now and either end before it by their own estimate or use
    processors that it will not need [1]_.

    References
    ----------
    .. [1] Lifka, "The ANL/IBM SP scheduling system", JSSPP 1995; Mu'alem, Feitelson, IEEE TPDS 12(6), 2001.
    """
    while advance(problem, state):
        _forget_finished(problem, state, queue)
        _take_arrivals_into_tree(problem, state, queue)
        head = _tree_first(queue)
        while head >= 0 and problem.cores[queue.row[head]] <= state.free_cores[0]:
            _start_from_tree(problem, truth, state, queue, head)
            head = _tree_first(queue)
        if head < 0 or queue.fewest[1] > state.free_cores[0]:
            continue
        shadow, extra = _reservation(state, queue, problem.cores[queue.row[head]])
        slack = shadow - state.clock[0]
        rank = _tree_next(queue, head + 1, state.free_cores[0], slack, extra)
        while rank >= 0:
            task = queue.row[rank]
            if problem.requested[task] > slack:
                extra -= problem.cores[task]
            _start_from_tree(problem, truth, state, queue, rank)
            rank = _tree_next(queue, rank + 1, state.free_cores[0], slack, extra)


@compiled
def _build_profile(state: State, queue: PoolQueue) -> int:
    """Write the free processors over time, by the announced ends; returns the number of steps.

    A task that has outlived its announced end holds its processors for the present instant only.
    """
    now = state.clock[0]
    times, frees = queue.profile_s, queue.profile_free
    times[0] = now
    frees[0] = state.free_cores[0]
    steps = 1
    for place in range(queue.counts[N_ENDS]):
        # Overrunning tasks free their processors at the first instant after now.
        end = queue.end_s[place] if queue.end_s[place] > now else np.nextafter(now, np.inf)
        if end > times[steps - 1]:
            times[steps] = end
            frees[steps] = frees[steps - 1]
            steps += 1
        frees[steps - 1] += queue.end_cores[place]
    return steps


@compiled
def _earliest(queue: PoolQueue, steps: int, cores: int, length_s: float) -> int:
    """Return the first step of the profile from which ``cores`` stay free for ``length_s``."""
    times, frees = queue.profile_s, queue.profile_free
    first = 0
    place = 0
    while place < steps:
        if frees[place] < cores:
            first = place + 1
        elif place + 1 < steps and times[place + 1] >= times[first] + length_s:
            return first
        place += 1
    return first


@compiled
def _split_profile(queue: PoolQueue, steps: int, at_s: float) -> tuple[int, int]:
    """Make ``at_s`` a step of the profile; returns its position and the new number of steps."""
    times, frees = queue.profile_s, queue.profile_free
    place = steps
    while place > 0 and times[place - 1] >= at_s:
        place -= 1
    if place < steps and times[place] == at_s:
        return place, steps
    for move in range(steps, place, -1):
        times[move] = times[move - 1]
        frees[move] = frees[move - 1]
    times[place] = at_s
    frees[place] = frees[place - 1]
    return place, steps + 1


@compiled
def _reserve(queue: PoolQueue, steps: int, cores: int, length_s: float) -> tuple[bool, int]:
    """Reserve the earliest stretch; returns whether it begins now, and the new number of steps."""
    first = _earliest(queue, steps, cores, length_s)
    begins_now = first == 0
    if length_s > 0.0:
        last, steps = _split_profile(queue, steps, queue.profile_s[first] + length_s)
        for place in range(first, last):
            queue.profile_free[place] -= cores
    return begins_now, steps


@compiled
def run_tree_conservative(problem: Problem, truth: Law, state: State, queue: PoolQueue) -> None:
    """Run a static order with conservative backfilling to its end: every waiting task has a reservation, made anew in order at every event [1]_.

    Tasks after the point where nothing is free now cannot start at this event, so the pass ends there.

    References
    ----------
    .. [1] Mu'alem, Feitelson, IEEE TPDS 12(6), 2001.
    """
    while advance(problem, state):
        _forget_finished(problem, state, queue)
        _take_arrivals_into_tree(problem, state, queue)
        if queue.fewest[1] > state.free_cores[0]:
            continue
        steps = _build_profile(state, queue)
        rank = _tree_first(queue)
        while rank >= 0:
            task = queue.row[rank]
            begins_now, steps = _reserve(queue, steps, problem.cores[task], problem.requested[task])
            if begins_now and problem.cores[task] <= state.free_cores[0]:
                _start_from_tree(problem, truth, state, queue, rank)
            if min(queue.profile_free[0], state.free_cores[0]) < queue.fewest[1]:
                break
            rank = _tree_next(queue, rank + 1, _NEVER - 1, np.inf, 0)


@compiled
def _best_waiting(problem: Problem, state: State, queue: PoolQueue, order: int, free: int, slack_s: float, extra: int) -> int:
    """Return the position of the waiting task with the smallest key among those that may start; -1 if none. Ties go to the smaller row."""
    now = state.clock[0]
    best = -1
    best_key = np.inf
    best_row = _NEVER
    for position in range(queue.counts[WAITING]):
        task = queue.heap[position]
        cores = problem.cores[task]
        if cores > free or (problem.requested[task] > slack_s and cores > extra):
            continue
        key = dynamic_key(order, now - problem.arrival[task], problem.requested[task], cores / 1000.0)
        if key < best_key or (key == best_key and task < best_row) or best < 0:
            best = position
            best_key = key
            best_row = task
    return best


@compiled
def _start_from_list(problem: Problem, truth: Law, state: State, queue: PoolQueue, position: int, keep_ends: bool) -> None:
    task = queue.heap[position]
    last = queue.counts[WAITING] - 1
    queue.heap[position] = queue.heap[last]
    queue.counts[WAITING] = last
    _start(problem, truth, state, queue, task, keep_ends)


@compiled
def run_list(problem: Problem, truth: Law, state: State, queue: PoolQueue, order: int, backfill: int) -> None:
    """Run an order that depends on the waiting time, with any backfilling, to its end."""
    keep_ends = backfill != _NONE
    while advance(problem, state):
        if keep_ends:
            _forget_finished(problem, state, queue)
        for position in range(state.counters[QUEUE_SIZE]):
            queue.heap[queue.counts[WAITING]] = state.queue[position]
            queue.counts[WAITING] += 1
        state.counters[QUEUE_SIZE] = 0
        if backfill == _CONSERVATIVE:
            _conservative_list(problem, truth, state, queue, order)
            continue
        head = _best_waiting(problem, state, queue, order, _NEVER, np.inf, 0)
        while head >= 0 and problem.cores[queue.heap[head]] <= state.free_cores[0]:
            _start_from_list(problem, truth, state, queue, head, keep_ends)
            head = _best_waiting(problem, state, queue, order, _NEVER, np.inf, 0)
        if head < 0 or backfill == _NONE:
            continue
        shadow, extra = _reservation(state, queue, problem.cores[queue.heap[head]])
        slack = shadow - state.clock[0]
        # The head itself does not fit, so it is never among the candidates.
        candidate = _best_waiting(problem, state, queue, order, state.free_cores[0], slack, extra)
        while candidate >= 0:
            task = queue.heap[candidate]
            if problem.requested[task] > slack:
                extra -= problem.cores[task]
            _start_from_list(problem, truth, state, queue, candidate, True)
            candidate = _best_waiting(problem, state, queue, order, state.free_cores[0], slack, extra)


@compiled
def _sift_down(keys: FloatArray, rows: IntArray, hole: int, size: int) -> None:
    """Restore the heap of (key, row) below a position."""
    key = keys[hole]
    row = rows[hole]
    while True:
        child = 2 * hole + 1
        if child >= size:
            break
        right = child + 1
        if right < size and (keys[right] < keys[child] or (keys[right] == keys[child] and rows[right] < rows[child])):
            child = right
        if key < keys[child] or (key == keys[child] and row < rows[child]):
            break
        keys[hole] = keys[child]
        rows[hole] = rows[child]
        hole = child
    keys[hole] = key
    rows[hole] = row


@compiled
def _conservative_list(problem: Problem, truth: Law, state: State, queue: PoolQueue, order: int) -> None:
    """One pass of conservative backfilling over the plain list, in the order of the present keys."""
    waiting = queue.counts[WAITING]
    rows, keys = queue.heap, queue.key
    fewest = _NEVER
    now = state.clock[0]
    for position in range(waiting):
        task = rows[position]
        keys[position] = dynamic_key(order, now - problem.arrival[task], problem.requested[task], problem.cores[task] / 1000.0)
        fewest = min(fewest, problem.cores[task])
    if fewest > state.free_cores[0]:
        return
    steps = _build_profile(state, queue)
    for position in range(waiting // 2 - 1, -1, -1):
        _sift_down(keys, rows, position, waiting)
    # The heap shrinks from the end, where tasks that stay are kept; those that start leave a gap before them.
    heap_size = waiting
    stay = waiting
    while heap_size > 0 and min(queue.profile_free[0], state.free_cores[0]) >= fewest:
        task = rows[0]
        heap_size -= 1
        rows[0] = rows[heap_size]
        keys[0] = keys[heap_size]
        _sift_down(keys, rows, 0, heap_size)
        begins_now, steps = _reserve(queue, steps, problem.cores[task], problem.requested[task])
        if begins_now and problem.cores[task] <= state.free_cores[0]:
            _start(problem, truth, state, queue, task, True)
        else:
            stay -= 1
            rows[stay] = task
    for position in range(stay, waiting):
        rows[heap_size] = rows[position]
        heap_size += 1
    queue.counts[WAITING] = heap_size
