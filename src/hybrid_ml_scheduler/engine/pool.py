"""Order and backfilling on one pool of processors, each combination in the form that needs least work per event.

- A fixed order without backfilling: waiting tasks in a binary heap; the head blocks.
- A fixed order with backfilling: waiting tasks ranked once, as leaves of a tree (`tree`) that finds the next one which may start.
- An order that changes with the time (WFP3, UNICEP, LEXP): a tournament (`tournament`) that is played again only where keys have crossed.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from hybrid_ml_scheduler.core.workload import FloatArray, IntArray
from hybrid_ml_scheduler.engine.compiled import compiled_entry, compiled_inner
from hybrid_ml_scheduler.engine.events import advance, next_event_s, start_task
from hybrid_ml_scheduler.engine.heap import heap_pop, heap_push
from hybrid_ml_scheduler.engine.reservations import RESERVATION_DEPTH, Ends, add_end, build_profile, forget_finished, reserve, shadow_of
from hybrid_ml_scheduler.engine.state import QUEUE_SIZE, Law, Problem, State
from hybrid_ml_scheduler.engine.tournament import Tournament, best_that_fits, bring_up_to, set_waiting
from hybrid_ml_scheduler.engine.tree import NOBODY, FitTree, tree_first, tree_next, tree_set


class Backfill(IntEnum):
    """Codes of backfilling."""

    NONE = 0
    EASY = 1
    CONSERVATIVE = 2
    EASYPP = 3


_NONE, _CONSERVATIVE = int(Backfill.NONE), int(Backfill.CONSERVATIVE)


class HeapQueue(NamedTuple):
    """Waiting tasks as a binary heap: their keys and rows, shape (n_tasks,) each, and how many wait, shape (1,)."""

    key: FloatArray
    row: IntArray
    waiting: IntArray


def build_heap(n_tasks: int) -> HeapQueue:
    """Return an empty heap with room for so many tasks."""
    return HeapQueue(np.zeros(n_tasks), np.zeros(n_tasks, dtype=np.int64), np.zeros(1, dtype=np.int64))


class RankedQueue(NamedTuple):
    """Waiting tasks of a fixed order: ``rank[row]`` and its inverse ``row[rank]``, and the tree whose leaves are ranks."""

    rank: IntArray
    row: IntArray
    fit: FitTree


@compiled_entry
def run_heap(problem: Problem, truth: Law, state: State, key: FloatArray, queue: HeapQueue, until_s: float) -> None:
    """Run a fixed order without backfilling through all events before a time: the head of the order blocks.

    Like the others here it may be called again on the same arrays to go on.

    Parameters
    ----------
    problem, truth, state
        The run.
    key : ndarray of float64, shape (n_tasks,)
        Smallest first, ties to the smaller row.
    queue : HeapQueue
    until_s : float
        In seconds; infinite for the whole workload.
    """
    heap_key, heap_row = queue.key, queue.row
    waiting = queue.waiting[0]
    while next_event_s(problem, state) < until_s:
        advance(problem, state)
        for position in range(state.counters[QUEUE_SIZE]):
            task = state.queue[position]
            heap_push(heap_key, heap_row, waiting, key[task], task)
            waiting += 1
        state.counters[QUEUE_SIZE] = 0
        while waiting > 0 and problem.cores[heap_row[0]] <= state.free_cores[0]:
            task = heap_pop(heap_key, heap_row, waiting)
            waiting -= 1
            start_task(problem, truth, state, task, 0, 0, 0.0)
    queue.waiting[0] = waiting


@compiled_inner
def _admit(problem: Problem, state: State, queue: RankedQueue) -> None:
    for position in range(state.counters[QUEUE_SIZE]):
        task = state.queue[position]
        tree_set(queue.fit, queue.rank[task], problem.cores[task], problem.requested[task])
    state.counters[QUEUE_SIZE] = 0


@compiled_inner
def _start_rank(problem: Problem, truth: Law, state: State, queue: RankedQueue, ends: Ends, rank: int) -> None:
    tree_set(queue.fit, rank, NOBODY, np.inf)
    task = queue.row[rank]
    start_task(problem, truth, state, task, 0, 0, 0.0)
    add_end(problem, state, ends, task)


@compiled_entry
def run_easy(problem: Problem, truth: Law, state: State, queue: RankedQueue, ends: Ends, until_s: float) -> None:
    """Run a fixed order with EASY backfilling through all events before a time.

    Only the head of the queue has a reservation; others may overtake it if they fit now and either end before it by their own estimate or use
    processors that it will not need [1]_.

    References
    ----------
    .. [1] Lifka, "The ANL/IBM SP scheduling system", JSSPP 1995; Mu'alem, Feitelson, IEEE TPDS 12(6), 2001.
    """
    while next_event_s(problem, state) < until_s:
        advance(problem, state)
        forget_finished(problem, state, ends)
        _admit(problem, state, queue)
        head = tree_first(queue.fit)
        while head >= 0 and problem.cores[queue.row[head]] <= state.free_cores[0]:
            _start_rank(problem, truth, state, queue, ends, head)
            head = tree_first(queue.fit)
        if head < 0 or queue.fit.fewest[1] > state.free_cores[0]:
            continue
        shadow, extra = shadow_of(state, ends, problem.cores[queue.row[head]])
        slack = shadow - state.clock[0]
        rank = tree_next(queue.fit, head + 1, state.free_cores[0], slack, extra)
        while rank >= 0:
            task = queue.row[rank]
            if problem.requested[task] > slack:
                extra -= problem.cores[task]
            _start_rank(problem, truth, state, queue, ends, rank)
            rank = tree_next(queue.fit, rank + 1, state.free_cores[0], slack, extra)


@compiled_entry
def run_conservative(problem: Problem, truth: Law, state: State, queue: RankedQueue, ends: Ends, until_s: float) -> None:
    """Run a fixed order with conservative backfilling through all events before a time.

    Every waiting task, up to `RESERVATION_DEPTH`, has a reservation, made anew in order at every event [1]_; those whose reservation begins now
    start. The pass ends where no task further down the order could begin now.

    References
    ----------
    .. [1] Mu'alem, Feitelson, IEEE TPDS 12(6), 2001.
    """
    while next_event_s(problem, state) < until_s:
        advance(problem, state)
        forget_finished(problem, state, ends)
        _admit(problem, state, queue)
        if queue.fit.fewest[1] > state.free_cores[0]:
            continue
        steps = build_profile(state, ends)
        rank = tree_first(queue.fit)
        depth = 0
        while rank >= 0 and depth < RESERVATION_DEPTH:
            if tree_next(queue.fit, rank, state.free_cores[0], np.inf, 0) < 0:
                break
            task = queue.row[rank]
            begins_now, steps = reserve(ends, steps, problem.cores[task], problem.requested[task])
            if begins_now:
                _start_rank(problem, truth, state, queue, ends, rank)
            rank = tree_next(queue.fit, rank + 1, NOBODY - 1, np.inf, 0)
            depth += 1


@compiled_inner
def _start_winner(problem: Problem, truth: Law, state: State, tournament: Tournament, ends: Ends, task: int, keep_ends: bool) -> None:
    set_waiting(problem, tournament, task, False, state.clock[0])
    start_task(problem, truth, state, task, 0, 0, 0.0)
    if keep_ends:
        add_end(problem, state, ends, task)


@compiled_entry
def run_tournament(
    problem: Problem, truth: Law, state: State, tournament: Tournament, ends: Ends, backfill: int, set_aside: IntArray, until_s: float
) -> None:
    """Run an order that depends on the waiting time through all events before a time, with any backfilling (see `run_easy`, `run_conservative`).

    ``set_aside`` is scratch of shape (`RESERVATION_DEPTH`,).
    """
    keep_ends = backfill != _NONE
    while next_event_s(problem, state) < until_s:
        advance(problem, state)
        now = state.clock[0]
        if keep_ends:
            forget_finished(problem, state, ends)
        for position in range(state.counters[QUEUE_SIZE]):
            set_waiting(problem, tournament, state.queue[position], True, now)
        state.counters[QUEUE_SIZE] = 0
        if tournament.winner[1] < 0 or tournament.fit.fewest[1] > state.free_cores[0]:
            continue
        bring_up_to(problem, tournament, now)
        if backfill == _CONSERVATIVE:
            _conservative_pass(problem, truth, state, tournament, ends, set_aside)
            continue
        head = tournament.winner[1]
        while head >= 0 and problem.cores[head] <= state.free_cores[0]:
            _start_winner(problem, truth, state, tournament, ends, head, keep_ends)
            head = tournament.winner[1]
        if head < 0 or backfill == _NONE:
            continue
        shadow, extra = shadow_of(state, ends, problem.cores[head])
        slack = shadow - now
        # The head itself does not fit, so it is never among the candidates.
        task = best_that_fits(problem, tournament, now, state.free_cores[0], slack, extra)
        while task >= 0:
            if problem.requested[task] > slack:
                extra -= problem.cores[task]
            _start_winner(problem, truth, state, tournament, ends, task, True)
            task = best_that_fits(problem, tournament, now, state.free_cores[0], slack, extra)


@compiled_inner
def _conservative_pass(problem: Problem, truth: Law, state: State, tournament: Tournament, ends: Ends, set_aside: IntArray) -> None:
    """Make reservations in the order of the present keys: the winner is taken out, and put back at the end of the pass if it did not start."""
    now = state.clock[0]
    steps = build_profile(state, ends)
    aside = 0
    task = tournament.winner[1]
    while task >= 0 and aside < len(set_aside) and tournament.fit.fewest[1] <= state.free_cores[0]:
        begins_now, steps = reserve(ends, steps, problem.cores[task], problem.requested[task])
        if begins_now:
            _start_winner(problem, truth, state, tournament, ends, task, True)
        else:
            set_waiting(problem, tournament, task, False, now)
            set_aside[aside] = task
            aside += 1
        task = tournament.winner[1]
    for position in range(aside):
        set_waiting(problem, tournament, set_aside[position], True, now)
