"""Rigid tasks on nodes with GPUs: an order of the queue and a placement rule.

At every event the queue is walked in its order. A task that fits somewhere starts where the placement rule says; one that fits nowhere waits for
every node that could ever run it, and holds back, on each of them, what it lacks there (cores and memory, or GPUs): later tasks may have the rest.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hybrid_ml_scheduler.core.workload import FloatArray, IntArray
from hybrid_ml_scheduler.engine.compiled import compiled_entry, compiled_inner
from hybrid_ml_scheduler.engine.events import advance, data_ready, next_event_s, start_task
from hybrid_ml_scheduler.engine.orders import dynamic_key
from hybrid_ml_scheduler.engine.placement import CPU_CLOSED, GPU_CLOSED, NODE_CLOSED, NodeState, PlacementRule, Request, note, place
from hybrid_ml_scheduler.engine.state import N_FINISHED, QUEUE_SIZE, Law, Problem, State

# Positions in NodeQueue.counts.
SEEN_FINISHED, PASS, SORTED = 0, 1, 2


class NodeQueue(NamedTuple):
    """What the walk over the queue needs beside the engine's state.

    Attributes
    ----------
    dynamic : int
        -1, or the code of an order whose keys change with the time.
    key : ndarray of float64, shape (n_tasks,)
        Present keys, smallest first; ties go to the smaller row.
    processors : ndarray of float64, shape (n_tasks,)
        What counts as processors in a dynamic key.
    task_class : ndarray of int64, shape (n_tasks,)
        Class of the request for the placement rule, -1 for none.
    request_class : ndarray of int64, shape (n_tasks,)
        Class of the whole request, memory included: if one of a class fits nowhere, none of it does until something ends.
    failed_in : ndarray of int64, shape (n_request_classes,)
        Number of the pass in which a class last failed.
    counts : ndarray of int64, shape (3,)
        Finished tasks seen; number of passes; sorted part of the queue.
    """

    dynamic: int
    key: FloatArray
    processors: FloatArray
    task_class: IntArray
    request_class: IntArray
    failed_in: IntArray
    counts: IntArray


@compiled_inner
def request_of(problem: Problem, queue: NodeQueue, task: int) -> Request:
    """Return what a task asks for."""
    return Request(problem.cores[task], problem.mem[task], problem.gpus[task], problem.share[task], queue.task_class[task])


@compiled_inner
def sort_queue(problem: Problem, state: State, queue: NodeQueue) -> None:
    """Bring new tasks to their place; orders that change with the time are sorted anew, by insertion since little changes."""
    rows = state.queue
    first = queue.counts[SORTED]
    if queue.dynamic >= 0:
        first = 0
        for position in range(state.counters[QUEUE_SIZE]):
            task = rows[position]
            queue.key[task] = dynamic_key(queue.dynamic, state.clock[0] - problem.arrival[task], problem.requested[task], queue.processors[task])
    for position in range(first, state.counters[QUEUE_SIZE]):
        task = rows[position]
        spot = position
        while spot > 0 and (queue.key[rows[spot - 1]] > queue.key[task] or (queue.key[rows[spot - 1]] == queue.key[task] and rows[spot - 1] > task)):
            rows[spot] = rows[spot - 1]
            spot -= 1
        rows[spot] = task


@compiled_inner
def close_where_data_is_missing(problem: Problem, state: State, nodes: NodeState, task: int) -> bool:
    """Close the nodes that the data of a task's parents has not reached; returns whether any was."""
    closed = False
    if problem.parent_ptr[task + 1] > problem.parent_ptr[task]:
        for node in range(len(problem.node_cores)):
            if data_ready(problem, state, task, node) > state.clock[0]:
                nodes.closed[node] |= NODE_CLOSED
                closed = True
    return closed


@compiled_inner
def hold_back(problem: Problem, state: State, nodes: NodeState, task: int) -> None:
    """Close, on every node that could ever run a waiting task, what it lacks there."""
    gpus, share = problem.gpus[task], problem.share[task]
    for node in range(len(problem.node_cores)):
        first, last = problem.gpu_ptr[node], problem.gpu_ptr[node + 1]
        if problem.node_cores[node] < problem.cores[task] or problem.node_mem[node] < problem.mem[task] or last - first < gpus:
            continue
        if state.free_cores[node] < problem.cores[task] or state.free_mem[node] < problem.mem[task]:
            nodes.closed[node] |= CPU_CLOSED
        if gpus > 0:
            there = 0
            for gpu in range(first, last):
                there += 1 if state.gpu_free[gpu] >= share else 0
            if there < gpus:
                nodes.closed[node] |= GPU_CLOSED


@compiled_entry
def run_nodes(problem: Problem, truth: Law, state: State, queue: NodeQueue, nodes: NodeState, rule: PlacementRule, until_s: float) -> None:
    """Run an order with a placement rule through all events before a time; call it again on the same arrays to go on."""
    rows = state.queue
    while next_event_s(problem, state) < until_s:
        advance(problem, state)
        while queue.counts[SEEN_FINISHED] < state.counters[N_FINISHED]:
            ended = state.finish_log[queue.counts[SEEN_FINISHED]]
            queue.counts[SEEN_FINISHED] += 1
            note(state.node[ended], 1, request_of(problem, queue, ended), nodes)
        sort_queue(problem, state, queue)
        queue.counts[PASS] += 1
        any_held = False
        waiting = state.counters[QUEUE_SIZE]
        kept = 0
        for position in range(waiting):
            task = rows[position]
            kind = queue.request_class[task]
            if queue.failed_in[kind] != queue.counts[PASS]:
                data_missing = close_where_data_is_missing(problem, state, nodes, task)
                asked = request_of(problem, queue, task)
                node, gpu_mask = place(asked, nodes, rule)
                if data_missing:
                    for other in range(len(problem.node_cores)):
                        nodes.closed[other] &= ~NODE_CLOSED
                if node >= 0:
                    start_task(problem, truth, state, task, node, gpu_mask, 0.0)
                    note(node, -1, asked, nodes)
                    continue
                if not data_missing:
                    queue.failed_in[kind] = queue.counts[PASS]
                    hold_back(problem, state, nodes, task)
                    any_held = True
            rows[kept] = task
            kept += 1
        state.counters[QUEUE_SIZE] = kept
        queue.counts[SORTED] = kept
        if any_held:
            nodes.closed[:] = 0


def build_node_queue(problem: Problem, key: FloatArray, processors: FloatArray, task_class: IntArray, dynamic: int) -> NodeQueue:
    """Allocate what the walk needs; ``key`` is ignored (and overwritten) when ``dynamic`` is not -1."""
    requests = np.stack([problem.cores, problem.mem, problem.gpus, problem.share], axis=1)
    classes, request_class = np.unique(requests, axis=0, return_inverse=True)
    return NodeQueue(
        dynamic=dynamic,
        key=np.ascontiguousarray(key, dtype=np.float64),
        processors=np.ascontiguousarray(processors, dtype=np.float64),
        task_class=np.ascontiguousarray(task_class, dtype=np.int64),
        request_class=request_class.reshape(-1).astype(np.int64),
        failed_in=np.full(len(classes), -1, dtype=np.int64),
        counts=np.zeros(3, dtype=np.int64),
    )
