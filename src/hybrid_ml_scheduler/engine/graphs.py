"""List scheduling of task graphs on unrelated machines: HEFT, CPOP and PEFT, and the ranks and tables they rest on.

The model of all three papers: a machine runs one task at a time and is never interrupted; data of an edge takes ``edge_s`` seconds when its two
ends run on different machines and no time otherwise; transfers do not disturb one another. Several entry or exit tasks need no pseudo tasks here:
one of zero cost, joined by edges of zero cost, would change neither a rank nor a placement.

Ties, the same in every algorithm (the papers leave them open): among equal priorities the task that stands first in `topological_order` (level by
level, rows ascending) goes first; among equal finish times (HEFT, CPOP) or equal optimistic finish times (PEFT) the machine with the lowest
number wins; of several gaps the earliest is taken. Priorities are compared as computed, with no tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.errors import WorkloadError
from hybrid_ml_scheduler.core.workload import FloatArray, IntArray, child_columns, topological_order
from hybrid_ml_scheduler.engine.heap import heap_pop, heap_push
from hybrid_ml_scheduler.engine.plan import Plan


@dataclass(frozen=True, slots=True)
class _Graph:
    """A checked graph with both directions of its edges."""

    cost_s: FloatArray
    parent_ptr: IntArray
    parent_idx: IntArray
    edge_s: FloatArray
    arrival_s: FloatArray
    child_ptr: IntArray
    child_idx: IntArray
    child_edge_s: FloatArray
    topological: IntArray


def upward_rank(cost_s: FloatArray, parent_ptr: IntArray, parent_idx: IntArray, edge_s: FloatArray) -> FloatArray:
    """Rank tasks by the longest path from each one to the end of its graph, with its own run time (``rank_u``).

    Parameters
    ----------
    cost_s : ndarray of float64, shape (n, n_machines)
        Run time of every task on every machine in seconds; finite, >= 0. The rank uses the mean over machines.
    parent_ptr : ndarray of int64, shape (n + 1,)
        The parents of row ``i`` are ``parent_idx[parent_ptr[i]:parent_ptr[i + 1]]``.
    parent_idx : ndarray of int64, shape (n_edges,)
        Row numbers of parents.
    edge_s : ndarray of float64, shape (n_edges,)
        Transfer time of every parent edge between different machines in seconds; finite, >= 0.

    Returns
    -------
    ndarray of float64, shape (n,)
        ``rank_u[i] = mean cost[i] + max over children j of (edge(i, j) + rank_u[j])``, in seconds.

    Raises
    ------
    WorkloadError
        If shapes do not fit together or a value is negative or not finite.
    GraphOrderError
        If the edges contain a cycle.

    References
    ----------
    .. [1] Topcuoglu, Hariri, Wu, "Performance-effective and low-complexity task scheduling for heterogeneous computing", IEEE TPDS 13(3),
       2002, equations 8 and 9.
    """
    graph = _checked(cost_s, parent_ptr, parent_idx, edge_s, None)
    return _upward(graph)


def downward_rank(cost_s: FloatArray, parent_ptr: IntArray, parent_idx: IntArray, edge_s: FloatArray) -> FloatArray:
    """Rank tasks by the longest path from the beginning of the graph to each one, without its own run time (``rank_d``).

    Parameters, errors and reference are those of `upward_rank` (equation 10 of the paper).

    Returns
    -------
    ndarray of float64, shape (n,)
        ``rank_d[i] = max over parents j of (rank_d[j] + mean cost[j] + edge(j, i))``, in seconds; 0 for entry tasks.
    """
    graph = _checked(cost_s, parent_ptr, parent_idx, edge_s, None)
    return _downward(graph)


def optimistic_cost_table(cost_s: FloatArray, parent_ptr: IntArray, parent_idx: IntArray, edge_s: FloatArray) -> FloatArray:
    """Return PEFT's table: the least time from the end of a task on a machine to the end of its graph, were every machine always free.

    Parameters and errors are those of `upward_rank`.

    Returns
    -------
    ndarray of float64, shape (n, n_machines)
        ``oct[i, p] = max over children j of min over machines q of (oct[j, q] + cost[j, q] + (edge(i, j) if p != q else 0))``, in seconds;
        0 for exit tasks. No schedule that runs ``i`` on ``p`` can end its graph sooner after ``i``, so the table also serves as a bound.

    References
    ----------
    .. [1] Arabnejad, Barbosa, "List scheduling algorithm for heterogeneous systems by an optimistic cost table", IEEE TPDS 25(3), 2014,
       equation 8.
    """
    graph = _checked(cost_s, parent_ptr, parent_idx, edge_s, None)
    return _optimistic(graph)


def optimistic_finish_table(
    cost_s: FloatArray, parent_ptr: IntArray, parent_idx: IntArray, edge_s: FloatArray, arrival_s: FloatArray | None = None
) -> FloatArray:
    """Return the earliest time at which a task could end on a machine, were every machine always free: the mirror image of PEFT's table.

    Parameters and errors are those of `heft_plan`.

    Returns
    -------
    ndarray of float64, shape (n, n_machines)
        ``oft[i, p] = cost[i, p] + max(arrival[i], max over parents j of min over machines q of (oft[j, q] + (edge(j, i) if p != q else 0)))``,
        in seconds on the clock of the arrivals. No schedule that runs ``i`` on ``p`` can end it sooner.
    """
    graph = _checked(cost_s, parent_ptr, parent_idx, edge_s, arrival_s)
    return _optimistic_finish(graph.cost_s, graph.arrival_s, graph.parent_ptr, graph.parent_idx, graph.edge_s, graph.topological)


def descendants_of(marked: NDArray[np.bool_], parent_ptr: IntArray, parent_idx: IntArray) -> NDArray[np.bool_]:
    """Return the mask of the marked tasks and of all tasks that depend on one of them; shapes (n,).

    Raises
    ------
    GraphOrderError
        If the edges contain a cycle.
    """
    reached = np.ascontiguousarray(marked).copy()
    _spread(reached, parent_ptr, parent_idx, topological_order(parent_ptr, parent_idx))
    return reached


def heft_plan(cost_s: FloatArray, parent_ptr: IntArray, parent_idx: IntArray, edge_s: FloatArray, arrival_s: FloatArray | None = None) -> Plan:
    """Plan a graph with HEFT: tasks by falling upward rank, each on the machine that ends it soonest, filling gaps.

    Parameters
    ----------
    cost_s, parent_ptr, parent_idx, edge_s
        As for `upward_rank`.
    arrival_s : ndarray of float64, shape (n,), optional
        No task is planned before its arrival, in seconds; finite. All 0 when left out. Ranks do not depend on it.

    Returns
    -------
    Plan

    Raises
    ------
    WorkloadError
        If shapes do not fit together or a value is negative or not finite.
    GraphOrderError
        If the edges contain a cycle.

    References
    ----------
    .. [1] Topcuoglu, Hariri, Wu, IEEE TPDS 13(3), 2002, figure 2.
    """
    graph = _checked(cost_s, parent_ptr, parent_idx, edge_s, arrival_s)
    priority = _upward(graph)
    # A parent's rank is never below its child's, in floating point too (both terms are >= 0): a stable sort of the topological order by falling
    # rank is again topological, so the ready list of the other two algorithms would give the same sequence.
    sequence = graph.topological[np.argsort(-priority[graph.topological], kind="stable")]
    return _place(graph, sequence, np.full(len(sequence), -1, dtype=np.int64), np.zeros_like(graph.cost_s))


def cpop_plan(cost_s: FloatArray, parent_ptr: IntArray, parent_idx: IntArray, edge_s: FloatArray, arrival_s: FloatArray | None = None) -> Plan:
    """Plan a graph with CPOP: one critical path goes to the one machine that runs it fastest, all other tasks where they end soonest.

    Ready tasks are taken by falling ``rank_u + rank_d``. The critical path starts at the entry task of the largest ``rank_u`` and follows, from
    each task, the child that attains the maximum in its upward rank (the first in topological order among equals). The paper follows any child
    whose ``rank_u + rank_d`` equals the path's length, which is the same path unless there are several critical paths that touch; our rule then
    stays on a true path, and needs no comparison of sums for equality.

    Parameters, errors and result are those of `heft_plan`.

    References
    ----------
    .. [1] Topcuoglu, Hariri, Wu, IEEE TPDS 13(3), 2002, figure 4.
    """
    graph = _checked(cost_s, parent_ptr, parent_idx, edge_s, arrival_s)
    upward = _upward(graph)
    on_path = _critical_path(upward, graph.parent_ptr, graph.child_ptr, graph.child_idx, graph.child_edge_s, graph.topological)
    pinned = np.full(len(upward), -1, dtype=np.int64)
    if len(upward):
        pinned[on_path] = int(np.argmin(graph.cost_s[on_path].sum(axis=0)))
    return _place(graph, _ready_sequence(graph, upward + _downward(graph)), pinned, np.zeros_like(graph.cost_s))


def peft_plan(cost_s: FloatArray, parent_ptr: IntArray, parent_idx: IntArray, edge_s: FloatArray, arrival_s: FloatArray | None = None) -> Plan:
    """Plan a graph with PEFT: each task where its finish plus the optimistic rest of the graph is least.

    Ready tasks are taken by falling mean of their row in the optimistic cost table; the machine minimises ``finish + oct[task, machine]``; gaps
    are filled.

    Parameters, errors and result are those of `heft_plan`.

    References
    ----------
    .. [1] Arabnejad, Barbosa, IEEE TPDS 25(3), 2014, algorithm 1.
    """
    graph = _checked(cost_s, parent_ptr, parent_idx, edge_s, arrival_s)
    table = _optimistic(graph)
    return _place(graph, _ready_sequence(graph, table.mean(axis=1)), np.full(len(table), -1, dtype=np.int64), table)


def _checked(cost_s: FloatArray, parent_ptr: IntArray, parent_idx: IntArray, edge_s: FloatArray, arrival_s: FloatArray | None) -> _Graph:
    cost = np.ascontiguousarray(cost_s, dtype=np.float64)
    if cost.ndim != 2 or cost.shape[1] == 0:
        raise WorkloadError(f"the cost matrix of a graph has shape {cost.shape}; expected (tasks, machines) with at least one machine")
    n_tasks = len(cost)
    pointer = np.ascontiguousarray(parent_ptr, dtype=np.int64)
    parents = np.ascontiguousarray(parent_idx, dtype=np.int64)
    edges = np.ascontiguousarray(edge_s, dtype=np.float64)
    arrivals = np.zeros(n_tasks) if arrival_s is None else np.ascontiguousarray(arrival_s, dtype=np.float64)
    if len(pointer) != n_tasks + 1 or pointer[0] != 0 or np.any(np.diff(pointer) < 0) or pointer[-1] != len(parents) or len(edges) != len(parents):
        raise WorkloadError(
            f"the edges of a graph of {n_tasks} tasks do not fit together: {len(pointer)} pointers, {len(parents)} parents, {len(edges)} "
            f"transfer times; expected {n_tasks + 1} ascending pointers from 0 to the number of parents and one time per parent"
        )
    if len(parents) and (parents.min() < 0 or parents.max() >= n_tasks):
        raise WorkloadError(f"a parent of the graph is no row; expected row numbers between 0 and {n_tasks - 1}")
    if arrivals.shape != (n_tasks,) or not np.all(np.isfinite(arrivals)):
        raise WorkloadError(f"the arrivals of a graph have shape {arrivals.shape} or hold NaN; expected {n_tasks} finite times")
    for name, column in (("cost", cost), ("transfer time", edges)):
        if not np.all(np.isfinite(column) & (column >= 0)):
            raise WorkloadError(f"a {name} of the graph is negative or not finite; expected finite seconds >= 0")
    child_ptr, child_idx, child_edge = child_columns(pointer, parents)
    return _Graph(cost, pointer, parents, edges, arrivals, child_ptr, child_idx, edges[child_edge], topological_order(pointer, parents))


def _upward(graph: _Graph) -> FloatArray:
    # The longest path to the end is the longest path from the beginning of the reversed graph, own run time included.
    mean_s = graph.cost_s.mean(axis=1)
    after_s = _longest_before(mean_s, graph.child_ptr, graph.child_idx, graph.child_edge_s, graph.topological[::-1].copy())
    return np.asarray(mean_s + after_s)


def _downward(graph: _Graph) -> FloatArray:
    return _longest_before(graph.cost_s.mean(axis=1), graph.parent_ptr, graph.parent_idx, graph.edge_s, graph.topological)


def _optimistic(graph: _Graph) -> FloatArray:
    return _optimistic_rest(graph.cost_s, graph.child_ptr, graph.child_idx, graph.child_edge_s, graph.topological)


def _ready_sequence(graph: _Graph, priority: FloatArray) -> IntArray:
    """Order in which a ready list sorted by falling priority is worked off."""
    position = np.empty(len(priority), dtype=np.int64)
    position[graph.topological] = np.arange(len(priority))
    # The stable sort settles ties by topological position, once for all.
    rank = np.empty(len(priority), dtype=np.int64)
    rank[np.lexsort((position, -priority))] = np.arange(len(priority))
    return _work_off(rank, graph.parent_ptr, graph.child_ptr, graph.child_idx)


def _place(graph: _Graph, sequence: IntArray, pinned: IntArray, ahead_s: FloatArray) -> Plan:
    machine, start_s, finish_s = _insert_tasks(
        sequence, graph.cost_s, graph.parent_ptr, graph.parent_idx, graph.edge_s, graph.arrival_s, pinned, ahead_s
    )
    position = np.empty(len(sequence), dtype=np.int64)
    position[graph.topological] = np.arange(len(sequence))
    order = np.lexsort((position, finish_s, start_s)).astype(np.int64)
    return Plan(machine, start_s, finish_s, order)


@njit(cache=True)
def _longest_before(work_s: FloatArray, before_ptr: IntArray, before_idx: IntArray, edge_s: FloatArray, topological: IntArray) -> FloatArray:
    longest = np.zeros(len(work_s))
    for task in topological:
        for edge in range(before_ptr[task], before_ptr[task + 1]):
            before = before_idx[edge]
            longest[task] = max(longest[task], longest[before] + work_s[before] + edge_s[edge])
    return longest


@njit(cache=True)
def _spread(reached: NDArray[np.bool_], parent_ptr: IntArray, parent_idx: IntArray, topological: IntArray) -> None:
    for task in topological:
        for edge in range(parent_ptr[task], parent_ptr[task + 1]):
            reached[task] |= reached[parent_idx[edge]]


@njit(cache=True)
def _optimistic_rest(cost_s: FloatArray, child_ptr: IntArray, child_idx: IntArray, child_edge_s: FloatArray, topological: IntArray) -> FloatArray:
    n_tasks, n_machines = cost_s.shape
    rest = np.zeros((n_tasks, n_machines))
    for back in range(n_tasks - 1, -1, -1):
        task = topological[back]
        for edge in range(child_ptr[task], child_ptr[task + 1]):
            child = child_idx[edge]
            elsewhere = np.inf
            for q in range(n_machines):
                elsewhere = min(elsewhere, rest[child, q] + cost_s[child, q])
            elsewhere += child_edge_s[edge]
            for p in range(n_machines):
                rest[task, p] = max(rest[task, p], min(elsewhere, rest[child, p] + cost_s[child, p]))
    return rest


@njit(cache=True)
def _optimistic_finish(
    cost_s: FloatArray, arrival_s: FloatArray, parent_ptr: IntArray, parent_idx: IntArray, edge_s: FloatArray, topological: IntArray
) -> FloatArray:
    n_tasks, n_machines = cost_s.shape
    finish = np.zeros((n_tasks, n_machines))
    for task in topological:
        for p in range(n_machines):
            finish[task, p] = arrival_s[task]
        for edge in range(parent_ptr[task], parent_ptr[task + 1]):
            parent = parent_idx[edge]
            elsewhere = np.inf
            for q in range(n_machines):
                elsewhere = min(elsewhere, finish[parent, q])
            elsewhere += edge_s[edge]
            for p in range(n_machines):
                finish[task, p] = max(finish[task, p], min(elsewhere, finish[parent, p]))
        for p in range(n_machines):
            finish[task, p] += cost_s[task, p]
    return finish


@njit(cache=True)
def _critical_path(
    upward_s: FloatArray, parent_ptr: IntArray, child_ptr: IntArray, child_idx: IntArray, child_edge_s: FloatArray, topological: IntArray
) -> IntArray:
    n_tasks = len(upward_s)
    position = np.empty(n_tasks, dtype=np.int64)
    for k in range(n_tasks):
        position[topological[k]] = k
    path = np.empty(n_tasks, dtype=np.int64)
    length = 0
    task = -1
    for entry in topological:
        if parent_ptr[entry] == parent_ptr[entry + 1] and (task < 0 or upward_s[entry] > upward_s[task]):
            task = entry
    while task >= 0:
        path[length] = task
        length += 1
        following = -1
        longest = -1.0
        for edge in range(child_ptr[task], child_ptr[task + 1]):
            child = child_idx[edge]
            through = child_edge_s[edge] + upward_s[child]
            if through > longest or (through == longest and position[child] < position[following]):
                longest = through
                following = child
        task = following
    return path[:length]


@njit(cache=True)
def _work_off(rank: IntArray, parent_ptr: IntArray, child_ptr: IntArray, child_idx: IntArray) -> IntArray:
    n_tasks = len(rank)
    keys = np.empty(n_tasks)
    items = np.empty(n_tasks, dtype=np.int64)
    waiting = np.empty(n_tasks, dtype=np.int64)
    size = 0
    for task in range(n_tasks):
        waiting[task] = parent_ptr[task + 1] - parent_ptr[task]
        if waiting[task] == 0:
            heap_push(keys, items, size, float(rank[task]), task)
            size += 1
    sequence = np.empty(n_tasks, dtype=np.int64)
    for done in range(n_tasks):
        task = heap_pop(keys, items, size)
        size -= 1
        sequence[done] = task
        for edge in range(child_ptr[task], child_ptr[task + 1]):
            child = child_idx[edge]
            waiting[child] -= 1
            if waiting[child] == 0:
                heap_push(keys, items, size, float(rank[child]), child)
                size += 1
    return sequence


@njit(cache=True)
def _first_gap(starts_s: FloatArray, finishes_s: FloatArray, count: int, ready_s: float, cost_s: float) -> tuple[int, float]:
    """Position and start of the earliest gap of a machine that holds the task; intervals are sorted and disjoint."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if finishes_s[middle] > ready_s:
            high = middle
        else:
            low = middle + 1
    begin = ready_s
    while low < count and begin + cost_s > starts_s[low]:
        begin = max(begin, finishes_s[low])
        low += 1
    return low, begin


@njit(cache=True)
def _insert_tasks(
    sequence: IntArray,
    cost_s: FloatArray,
    parent_ptr: IntArray,
    parent_idx: IntArray,
    edge_s: FloatArray,
    arrival_s: FloatArray,
    pinned: IntArray,
    ahead_s: FloatArray,
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Place tasks one after the other where ``finish + ahead_s`` is least, or on their pinned machine."""
    n_tasks, n_machines = cost_s.shape
    starts = np.empty((n_machines, n_tasks))
    finishes = np.empty((n_machines, n_tasks))
    count = np.zeros(n_machines, dtype=np.int64)
    machine = np.empty(n_tasks, dtype=np.int64)
    start = np.empty(n_tasks)
    finish = np.empty(n_tasks)
    for task in sequence:
        best, best_slot, best_begin, best_score = -1, 0, 0.0, np.inf
        for p in range(n_machines):
            if pinned[task] >= 0 and pinned[task] != p:
                continue
            ready = arrival_s[task]
            for edge in range(parent_ptr[task], parent_ptr[task + 1]):
                parent = parent_idx[edge]
                ready = max(ready, finish[parent] + (edge_s[edge] if machine[parent] != p else 0.0))
            slot, begin = _first_gap(starts[p], finishes[p], count[p], ready, cost_s[task, p])
            score = begin + cost_s[task, p] + ahead_s[task, p]
            if best < 0 or score < best_score:
                best, best_slot, best_begin, best_score = p, slot, begin, score
        for k in range(count[best], best_slot, -1):
            starts[best, k] = starts[best, k - 1]
            finishes[best, k] = finishes[best, k - 1]
        machine[task] = best
        start[task] = best_begin
        finish[task] = best_begin + cost_s[task, best]
        starts[best, best_slot] = start[task]
        finishes[best, best_slot] = finish[task]
        count[best] += 1
    return machine, start, finish
