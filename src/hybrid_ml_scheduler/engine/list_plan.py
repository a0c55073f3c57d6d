"""List scheduling by weighted scores, and a bounded search around it: what learned plans of task graphs are made with.

Tasks are taken from a list of ready ones by falling priority, and each goes to the machine with the least score

    finish + w0 oct + w1 red + w2 red slack + w3 gap + w4 (cost - least cost) + w5 oct slack      (all but slack in seconds)

where ``oct`` is the optimistic rest of PEFT, ``red`` the price of a machine's time beyond that of the cheapest one (`features.kernels`), ``slack``
how far the task is from the critical path, and ``gap`` the time for which the machine would stand idle before it. Gaps are filled. With priority
``rank_u`` and all weights 0 this is HEFT, with the mean of the optimistic row and ``w0 = 1`` it is PEFT. Compiled functions take plain arrays and
allocate nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.workload import FloatArray, IntArray
from hybrid_ml_scheduler.engine.compiled import compiled_call, compiled_entry, compiled_inner
from hybrid_ml_scheduler.engine.heap import heap_pop, heap_push

W_OCT, W_RED, W_RED_SLACK, W_GAP, W_EXCESS, W_OCT_SLACK = range(6)
N_WEIGHTS = 6
"""Positions of the placement's weights."""

N_DRAWS = 5
"""Random numbers that one step of the search uses."""

FREE, HELD = 0, 1
"""Marks in `GraphView.fixed`: to be planned, or started already."""


class GraphView(NamedTuple):
    """What a plan is made from; n tasks, m machines in c classes of equal columns, e edges. Times in seconds.

    Attributes
    ----------
    cost : ndarray of float64, shape (n, m)
        Expected run times.
    arrival : ndarray of float64, shape (n,)
        No task is planned before its own.
    parent_ptr, parent_idx, transfer : ndarray, shapes (n + 1,), (e,), (e,)
        Parents of each task, and how long their data takes to another machine.
    child_ptr, child_idx : ndarray of int64, shapes (n + 1,), (e,)
        The same edges from the parents.
    position : ndarray of int64, shape (n,)
        Rank in `topological_order`: settles ties.
    machine_class : ndarray of int64, shape (m,)
        Class of every machine.
    fixed : ndarray of int8, shape (n,)
        `HELD` for tasks that have started: their place and times in the desk are given.
    floor : ndarray of float64, shape (m,)
        From when each machine takes tasks of the plan.
    """

    cost: FloatArray
    arrival: FloatArray
    parent_ptr: IntArray
    parent_idx: IntArray
    transfer: FloatArray
    child_ptr: IntArray
    child_idx: IntArray
    position: IntArray
    machine_class: IntArray
    fixed: NDArray[np.int8]
    floor: FloatArray


class Scores(NamedTuple):
    """What the placement weighs: ``rest`` and ``red`` of shape (n, m) in seconds, ``slack`` of shape (n,) from 0 to 1, ``least`` (n,) in seconds."""

    rest: FloatArray
    red: FloatArray
    slack: FloatArray
    least: FloatArray


class Desk(NamedTuple):
    """A plan in the making, and room for it; n tasks, m machines."""

    machine: IntArray
    start: FloatArray
    finish: FloatArray
    begins: FloatArray
    ends: FloatArray
    rows: IntArray
    filled: IntArray
    local: FloatArray
    keys: FloatArray
    items: IntArray
    waiting: IntArray
    chain: IntArray


def build_desk(n_tasks: int, n_machines: int) -> Desk:
    """Allocate a desk."""
    return Desk(
        machine=np.full(n_tasks, -1, dtype=np.int64),
        start=np.zeros(n_tasks),
        finish=np.zeros(n_tasks),
        begins=np.zeros((n_machines, n_tasks)),
        ends=np.zeros((n_machines, n_tasks)),
        rows=np.zeros((n_machines, n_tasks), dtype=np.int64),
        filled=np.zeros(n_machines, dtype=np.int64),
        local=np.full(n_machines, -np.inf),
        keys=np.zeros(n_tasks),
        items=np.zeros(n_tasks, dtype=np.int64),
        waiting=np.zeros(n_tasks, dtype=np.int64),
        chain=np.zeros(n_tasks, dtype=np.int64),
    )


@compiled_inner
def _first_gap(begins: FloatArray, ends: FloatArray, count: int, ready_s: float, cost_s: float) -> tuple[int, float]:
    """Position and start of the earliest gap that holds the task; intervals are sorted and disjoint."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if ends[middle] > ready_s:
            high = middle
        else:
            low = middle + 1
    begin = ready_s
    while low < count and begin + cost_s > begins[low]:
        begin = max(begin, ends[low])
        low += 1
    return low, begin


@compiled_inner
def _place_task(view: GraphView, scores: Scores, weights: FloatArray, forced: int, desk: Desk, task: int) -> None:
    first, last = view.parent_ptr[task], view.parent_ptr[task + 1]
    # The data of the slowest parent decides everywhere but on that parent's machine; there the slowest of the others does.
    slowest, slowest_at, second = view.arrival[task], -1, view.arrival[task]
    for edge in range(first, last):
        parent = view.parent_idx[edge]
        home = desk.machine[parent]
        there = desk.finish[parent] + view.transfer[edge]
        desk.local[home] = max(desk.local[home], desk.finish[parent])
        if home == slowest_at:
            slowest = max(slowest, there)
        elif there > slowest:
            second = slowest
            slowest, slowest_at = there, home
        else:
            second = max(second, there)
    slack = scores.slack[task]
    w_rest = weights[W_OCT] + weights[W_OCT_SLACK] * slack
    w_red = weights[W_RED] + weights[W_RED_SLACK] * slack
    best, best_slot, best_begin, best_score = -1, 0, 0.0, np.inf
    for p in range(len(view.machine_class)):
        if forced >= 0 and view.machine_class[p] != forced:
            continue
        ready = max(max(second, desk.local[p]) if p == slowest_at else slowest, view.floor[p])
        cost = view.cost[task, p]
        slot, begin = _first_gap(desk.begins[p], desk.ends[p], desk.filled[p], ready, cost)
        before = desk.ends[p, slot - 1] if slot > 0 else view.floor[p]
        idle = begin - before if before > -np.inf else 0.0
        score = begin + cost + w_rest * scores.rest[task, p] + w_red * scores.red[task, p]
        score += weights[W_GAP] * idle + weights[W_EXCESS] * (cost - scores.least[task])
        if best < 0 or score < best_score:
            best, best_slot, best_begin, best_score = p, slot, begin, score
    for edge in range(first, last):
        desk.local[desk.machine[view.parent_idx[edge]]] = -np.inf
    for k in range(desk.filled[best], best_slot, -1):
        desk.begins[best, k] = desk.begins[best, k - 1]
        desk.ends[best, k] = desk.ends[best, k - 1]
        desk.rows[best, k] = desk.rows[best, k - 1]
    desk.machine[task] = best
    desk.start[task] = best_begin
    desk.finish[task] = best_begin + view.cost[task, best]
    desk.begins[best, best_slot] = desk.start[task]
    desk.ends[best, best_slot] = desk.finish[task]
    desk.rows[best, best_slot] = task
    desk.filled[best] += 1


@compiled_call
def _fill(view: GraphView, scores: Scores, priority: FloatArray, weights: FloatArray, forced: IntArray, desk: Desk) -> tuple[float, float]:
    n_tasks = len(view.arrival)
    desk.filled[:] = 0
    size = 0
    for task in range(n_tasks):
        waiting = 0
        for edge in range(view.parent_ptr[task], view.parent_ptr[task + 1]):
            waiting += 1 if view.fixed[view.parent_idx[edge]] == FREE else 0
        desk.waiting[task] = waiting
        if waiting == 0 and view.fixed[task] == FREE:
            heap_push(desk.keys, desk.items, size, -priority[task], view.position[task] * n_tasks + task)
            size += 1
    latest, total = -np.inf, 0.0
    while size > 0:
        task = heap_pop(desk.keys, desk.items, size) % n_tasks
        size -= 1
        _place_task(view, scores, weights, forced[task], desk, task)
        latest = max(latest, desk.finish[task])
        total += desk.finish[task]
        for edge in range(view.child_ptr[task], view.child_ptr[task + 1]):
            child = view.child_idx[edge]
            desk.waiting[child] -= 1
            if desk.waiting[child] == 0:
                heap_push(desk.keys, desk.items, size, -priority[child], view.position[child] * n_tasks + child)
                size += 1
    return latest, total


@compiled_entry
def list_plan(view: GraphView, scores: Scores, priority: FloatArray, weights: FloatArray, forced: IntArray, desk: Desk) -> tuple[float, float]:
    """Plan every task that has not started.

    Parameters
    ----------
    view : GraphView
    scores : Scores
    priority : ndarray of float64, shape (n,)
        Larger goes first among the ready ones; ties by topological position.
    weights : ndarray of float64, shape (6,)
        Of the placement.
    forced : ndarray of int64, shape (n,)
        Class of machines that a task must go to, -1 for any.
    desk : Desk
        Receives the plan; holds place and times of the tasks that have started.

    Returns
    -------
    latest_s, total_s : float
        Last planned finish (-inf if nothing was left to plan), and the sum of the planned finishes, in seconds.
    """
    return _fill(view, scores, priority, weights, forced, desk)


@compiled_entry
def retime(view: GraphView, order: IntArray, desk: Desk) -> tuple[float, float]:
    """Start the tasks of a given order on the machines of the desk as soon as they can; returns what `list_plan` does.

    This is how the engine carries a plan out: every machine takes its tasks in the planned order.

    Parameters
    ----------
    order : ndarray of int64, shape (at most n,)
        Rows that have not started, parents before children.
    """
    for p in range(len(view.machine_class)):
        desk.local[p] = view.floor[p]
    latest, total = -np.inf, 0.0
    for task in order:
        home = desk.machine[task]
        begin = max(view.arrival[task], desk.local[home])
        for edge in range(view.parent_ptr[task], view.parent_ptr[task + 1]):
            parent = view.parent_idx[edge]
            begin = max(begin, desk.finish[parent] + (view.transfer[edge] if desk.machine[parent] != home else 0.0))
        desk.start[task] = begin
        desk.finish[task] = begin + view.cost[task, home]
        desk.local[home] = desk.finish[task]
        latest = max(latest, desk.finish[task])
        total += desk.finish[task]
    desk.local[:] = -np.inf
    return latest, total


@compiled_call
def _critical_chain(view: GraphView, desk: Desk) -> int:
    """Write the tasks that the last finish waited for into ``desk.chain``, last first; returns how many."""
    n_tasks = len(view.arrival)
    task = -1
    for row in range(n_tasks):
        if view.fixed[row] == FREE and (task < 0 or desk.finish[row] > desk.finish[task]):
            task = row
    length = 0
    while task >= 0 and length < n_tasks:
        desk.chain[length] = task
        length += 1
        home = desk.machine[task]
        blocker, blocked_until = -1, -np.inf
        for edge in range(view.parent_ptr[task], view.parent_ptr[task + 1]):
            parent = view.parent_idx[edge]
            there = desk.finish[parent] + (view.transfer[edge] if desk.machine[parent] != home else 0.0)
            if there > blocked_until and view.fixed[parent] == FREE:
                blocker, blocked_until = parent, there
        low, high = 0, desk.filled[home]
        while low < high:
            middle = (low + high) // 2
            if desk.begins[home, middle] >= desk.start[task]:
                high = middle
            else:
                low = middle + 1
        if low > 0 and desk.ends[home, low - 1] >= blocked_until:
            blocker = desk.rows[home, low - 1]
        task = blocker
    return length


@compiled_entry
def improve(
    view: GraphView,
    scores: Scores,
    priority: FloatArray,
    weights: FloatArray,
    forced: IntArray,
    draws: FloatArray,
    aim: FloatArray,
    goal_s: float,
    desk: Desk,
) -> int:
    """Search around a list plan: change the priority or the class of machines of one task at a time, and keep what is not worse.

    Most steps take a task of the chain that the last finish waited for. Plans are compared by ``aim[0] latest + aim[1] total``, then by ``total``.

    Parameters
    ----------
    view, scores, weights, desk
        As for `list_plan`.
    priority, forced : ndarray, shape (n,)
        Where to begin; hold the best found afterwards.
    draws : ndarray of float64, shape (steps, 5)
        Random numbers from 0 to 1.
    aim : ndarray of float64, shape (2,)
        What a second of the last finish, and of the sum of finishes, counts; >= 0.
    goal_s : float
        The search ends at once when the last finish is not above this: a bound that no plan can beat, or -inf if the sum counts too.

    Returns
    -------
    int
        Number of plans tried. The desk holds the last of them: call `list_plan` again for the best.
    """
    latest, total = _fill(view, scores, priority, weights, forced, desk)
    n_tasks = len(view.arrival)
    n_classes = 0
    for p in range(len(view.machine_class)):
        n_classes = max(n_classes, view.machine_class[p] + 1)
    spread = 0.0
    for task in range(n_tasks):
        spread = max(spread, abs(priority[task]))
    length = _critical_chain(view, desk)
    tried = 0
    for step in range(len(draws)):
        if latest <= goal_s or length == 0:
            break
        task = desk.chain[int(draws[step, 1] * length)] if draws[step, 0] < 0.75 else int(draws[step, 1] * n_tasks)
        if view.fixed[task] != FREE:
            continue
        old_priority, old_forced = priority[task], forced[task]
        if n_classes == 1 or draws[step, 2] < 0.6:
            # From a hair to half of the whole range, up or down.
            priority[task] += spread * 0.5 * (draws[step, 3] ** 3) * (1.0 if draws[step, 4] < 0.6 else -1.0)
        else:
            forced[task] = int(draws[step, 3] * (n_classes + 1)) - 1
        tried += 1
        new_latest, new_total = _fill(view, scores, priority, weights, forced, desk)
        old_value = aim[0] * latest + aim[1] * total
        new_value = aim[0] * new_latest + aim[1] * new_total
        if new_value < old_value or (new_value == old_value and new_total <= total):
            latest, total = new_latest, new_total
            length = _critical_chain(view, desk)
        else:
            priority[task], forced[task] = old_priority, old_forced
    return tried
