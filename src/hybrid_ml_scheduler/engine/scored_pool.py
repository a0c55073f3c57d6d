"""Learned scheduling of a pool of processors: waiting jobs are scored anew at every event at which one could start.

The score of a job, smallest first, is a quadratic form in the logarithms of its estimated run time and of its share of the machine, less what waiting
earns it (by the slowdown so far, by the wait, and by the wait over the time that the queued work takes), with coefficients that move with the state
(free share, length of the queue, work in the queue). Beyond the order, the parameters say

- how much of the machine must stay free when a job of this length starts, so that short jobs find room (*hold-back*);
- how far behind the head's score a job may be and still start when the head does not fit (*gap*); with EASY it must not delay the head's
  reservation either, which is made by the users' estimates;
- when a job has waited so long that it goes first whatever its score, and nobody passes it (*patience*), so that no job starves.

The estimated run time is the request (`Estimate.REQUEST`), a mean of what the user's and the class's jobs took (`Estimate.HISTORY`), or a trained
ensemble's prediction, mixed with that mean (`Estimate.TREES`). It is refreshed while a job waits whenever the history of its user or class has about
doubled.

Where the model must not decide, the rule behind it does, in the same state: a fixed order whose head blocks, with or without EASY.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.decision import DecidedBy
from hybrid_ml_scheduler.core.workload import FloatArray, IntArray
from hybrid_ml_scheduler.engine.compiled import compiled_call, compiled_entry, compiled_inner
from hybrid_ml_scheduler.engine.ensemble import Ensemble, predict_ensemble
from hybrid_ml_scheduler.engine.events import advance, next_event_s, start_task
from hybrid_ml_scheduler.engine.features.batch import (
    ENDED,
    HIGHEST_RATIO,
    LEAST_S,
    LOWEST_RATIO,
    MEAN,
    N_FEATURES,
    Book,
    fill_batch,
    note_end,
    note_start,
    note_submit,
)
from hybrid_ml_scheduler.engine.guard import ENABLED, Guard, note_outcome, who_decides
from hybrid_ml_scheduler.engine.reservations import Ends, add_end, forget_finished, shadow_of
from hybrid_ml_scheduler.engine.state import N_FINISHED, NEXT_ARRIVAL, QUEUE_SIZE, Law, Problem, State


class Estimate(IntEnum):
    """Where the run times behind the scores come from."""

    REQUEST = 0
    HISTORY = 1
    TREES = 2


# Positions in ScoredRule.weights. Coefficients of the score: one constant each, then their changes with free share, queue, and queued work.
TERMS = ("run", "share", "run_run", "run_share", "share_share", "slowdown", "wait", "overdue")
N_TERMS = len(TERMS)
STATES = ("free", "queue", "work")
MOVING = ("run", "share", "slowdown", "wait")
"""Terms whose coefficients move with the state."""
W_STATE = N_TERMS
W_HOLD, W_HOLD_FROM, W_HOLD_SLOPE, W_GAP, W_GAP_EASY, W_PATIENCE_S, W_PATIENCE = range(W_STATE + 3 * len(MOVING), W_STATE + 3 * len(MOVING) + 7)
W_PRIOR, W_SHRINK_ALL, W_SHRINK_USER, W_SHRINK_CLASS, W_BLEND = range(W_PATIENCE + 1, W_PATIENCE + 6)
N_WEIGHTS = W_BLEND + 1

RUN_CENTRE, RUN_SCALE = 7.0, 2.0
SHARE_CENTRE, SHARE_SCALE = -2.5, 1.5
FLOOR_S = 10.0
"""Run times count as at least this in the slowdown so far, as in the bounded slowdown."""
HOUR_S = 3600.0
HISTORY_CAP = 10.0
"""A running mean weighs as many jobs as this at most against the one above it."""
MOST_SCORED = 4096
"""Waiting jobs that are looked at at an event, those that arrived first; production schedulers limit it too."""

# Positions in Queue.counts.
_SIZE, _SEEN, _FEWEST, _DECIDES, N_RECORDED = range(5)
GUARD_LIMITS = (0.02, 1.5, 1.2, 0.3, 30.0, 50.0)
"""Of the guardrail by errors (`guard.DEFAULT_LIMITS`): run times of batch jobs scatter over orders of magnitude, and an order needs only their
ranks, so it is slow to judge. Chosen on validation workloads."""

MODEL, RANGE = int(DecidedBy.MODEL), int(DecidedBy.FALLBACK_RANGE)
_NOTHING = 1 << 60


class ScoredRule(NamedTuple):
    """What decides.

    Attributes
    ----------
    weights : ndarray of float64, shape (N_WEIGHTS,)
        Parameters of the score, in the order of the ``W_`` constants.
    estimate : int
        An `Estimate`.
    easy : int
        1: the blocked head has a reservation as in EASY.
    ensemble : Ensemble
        Predicts the logarithm of run over requested time from `features.batch`; used with `Estimate.TREES`.
    rule_key : ndarray of float64, shape (n_tasks,)
        Order of the rule behind the model, smallest first, ties to the smaller row.
    rule_easy : int
        1: the rule backfills.
    online : int
        1: histories are brought up to date with the jobs that end; 0: they stay as they are.
    """

    weights: FloatArray
    estimate: int
    easy: int
    ensemble: Ensemble
    rule_key: FloatArray
    rule_easy: int
    online: int


class Queue(NamedTuple):
    """The waiting jobs, and what is known of them. Sizes: n tasks.

    Attributes
    ----------
    counts : ndarray of int64, shape (5,)
        Waiting jobs; finished jobs seen; processors (thousandths) with which one of them could start; who decided last (`DecidedBy`); rows recorded.
    task : ndarray of int64, shape (n,)
        Rows of the waiting jobs in order of arrival.
    score : ndarray of float64, shape (n,)
        Scores, one per place in ``task``.
    estimate_s, log_run, log_share : ndarray of float64, shape (n,)
        Estimated run time of a task in seconds; its logarithm, and that of the asked share of the machine, centred and scaled for the score.
    needs : ndarray of int64, shape (n,)
        Processors (thousandths) that must be free for a task to start, those held back included.
    known : ndarray of int8, shape (n,)
        1: the estimate of a task is the model's; 0: it was missing or out of range, and the request stands in.
    next_user, next_class : ndarray of float64, shape (n,)
        Ended jobs of the user and of the class at which a task's estimate is made anew.
    coefficient : ndarray of float64, shape (N_TERMS,)
        Coefficients in the present state.
    x : ndarray of float64, shape (N_FEATURES,)
        Scratch.
    record : ndarray of float64, shape (m, N_FEATURES)
        Features at the first m estimates of the run: what a model is trained on; m is 0 where nobody asks.
    record_task : ndarray of int64, shape (m,)
        Their tasks.
    """

    counts: IntArray
    task: IntArray
    score: FloatArray
    estimate_s: FloatArray
    log_run: FloatArray
    log_share: FloatArray
    needs: IntArray
    known: NDArray[np.int8]
    next_user: FloatArray
    next_class: FloatArray
    coefficient: FloatArray
    x: FloatArray
    record: FloatArray
    record_task: IntArray


def build_queue(n_tasks: int, n_recorded: int = 0) -> Queue:
    """Return an empty queue with room for so many tasks, which records the features of the first so many estimates."""
    counts = np.zeros(5, dtype=np.int64)
    counts[_FEWEST] = _NOTHING
    counts[_DECIDES] = MODEL
    return Queue(
        counts=counts,
        task=np.zeros(n_tasks, dtype=np.int64),
        score=np.zeros(n_tasks),
        estimate_s=np.zeros(n_tasks),
        log_run=np.zeros(n_tasks),
        log_share=np.zeros(n_tasks),
        needs=np.zeros(n_tasks, dtype=np.int64),
        known=np.zeros(n_tasks, dtype=np.int8),
        next_user=np.zeros(n_tasks),
        next_class=np.zeros(n_tasks),
        coefficient=np.zeros(N_TERMS),
        x=np.zeros(N_FEATURES),
        record=np.zeros((n_recorded, N_FEATURES)),
        record_task=np.zeros(n_recorded, dtype=np.int64),
    )


@compiled_inner
def _shrunk(mean: float, ended: float, towards: float, strength: float) -> float:
    if ended == 0.0:
        return towards
    weight = min(ended, HISTORY_CAP)
    return (weight * mean + strength * towards) / (weight + strength)


@compiled_inner
def history_ratio(problem: Problem, book: Book, weights: FloatArray, task: int) -> float:
    """Return the expected logarithm of run over requested time: the mean of the class, drawn to that of the user, drawn to that of all.

    Before anything has ended a round request is taken for an estimate (``W_PRIOR``), any other for the run time itself.
    """
    table = book.table
    everybody = len(table) - 1
    expected = weights[W_PRIOR] if problem.requested[task] % 60.0 == 0.0 else 0.0
    expected = _shrunk(table[everybody, MEAN], table[everybody, ENDED], expected, weights[W_SHRINK_ALL])
    user, klass = book.user[task], book.klass[task]
    if user >= 0:
        expected = _shrunk(table[user, MEAN], table[user, ENDED], expected, weights[W_SHRINK_USER])
        expected = _shrunk(table[klass, MEAN], table[klass, ENDED], expected, weights[W_SHRINK_CLASS])
    return float(expected)


@compiled_call
def estimate_run(problem: Problem, state: State, rule: ScoredRule, book: Book, queue: Queue, task: int) -> None:
    """Write the estimated run time of a waiting task, and when to make it anew."""
    requested = max(problem.requested[task], LEAST_S)
    user = book.user[task]
    queue.next_user[task] = np.inf
    queue.next_class[task] = np.inf
    if user >= 0 and rule.estimate != 0:
        queue.next_user[task] = 2.0 * book.table[user, ENDED] + 1.0
        queue.next_class[task] = 2.0 * book.table[book.klass[task], ENDED] + 1.0
    queue.known[task] = 1
    ratio = 0.0
    recording = queue.counts[N_RECORDED] < len(queue.record)
    if rule.estimate == 2 or recording:
        fill_batch(problem, state, book, task, queue.counts[_SIZE], queue.x)
    if recording:
        for place in range(N_FEATURES):
            queue.record[queue.counts[N_RECORDED], place] = queue.x[place]
        queue.record_task[queue.counts[N_RECORDED]] = task
        queue.counts[N_RECORDED] += 1
    if rule.estimate != 0:
        ratio = history_ratio(problem, book, rule.weights, task)
    if rule.estimate == 2:
        ratio += (1.0 - rule.weights[W_BLEND]) * (predict_ensemble(rule.ensemble, queue.x) - ratio)
    if not LOWEST_RATIO <= ratio <= HIGHEST_RATIO:
        queue.known[task] = 0
        ratio = 0.0
    estimate_s = max(requested * np.exp(ratio), LEAST_S)
    log_run = np.log(estimate_s)
    empty = problem.node_cores[0]
    queue.estimate_s[task] = estimate_s
    queue.log_run[task] = (log_run - RUN_CENTRE) / RUN_SCALE
    queue.log_share[task] = (np.log(max(problem.cores[task], 1) / empty) - SHARE_CENTRE) / SHARE_SCALE
    held = (log_run - rule.weights[W_HOLD_FROM]) * rule.weights[W_HOLD_SLOPE]
    queue.needs[task] = min(problem.cores[task] + int(empty * rule.weights[W_HOLD] * min(max(held, 0.0), 1.0)), empty)


@compiled_inner
def _admit(problem: Problem, state: State, rule: ScoredRule, book: Book, queue: Queue) -> None:
    for position in range(state.counters[QUEUE_SIZE]):
        task = state.queue[position]
        estimate_run(problem, state, rule, book, queue, task)
        note_submit(book, task, state.clock[0])
        queue.task[queue.counts[_SIZE]] = task
        queue.counts[_SIZE] += 1
        wanted = queue.needs[task] if queue.counts[_DECIDES] == MODEL else problem.cores[task]
        queue.counts[_FEWEST] = min(queue.counts[_FEWEST], wanted)
    state.counters[QUEUE_SIZE] = 0


@compiled_inner
def _learn_from_ends(problem: Problem, state: State, rule: ScoredRule, book: Book, queue: Queue, guard: Guard) -> None:
    """Bring the histories, and the record of the model's errors, up to date with the jobs that have ended."""
    counts = queue.counts
    while counts[_SEEN] < state.counters[N_FINISHED]:
        task = state.finish_log[counts[_SEEN]]
        counts[_SEEN] += 1
        if rule.online == 1:
            note_end(problem, state, book, task)
        if rule.estimate != 0:
            run_s = max(state.finish[task] - state.start[task], LEAST_S)
            of_request = abs(np.log(max(problem.requested[task], LEAST_S) / run_s))
            note_outcome(guard, 0, abs(np.log(queue.estimate_s[task] / run_s)), of_request)


@compiled_inner
def _begin(problem: Problem, truth: Law, state: State, book: Book, queue: Queue, ends: Ends, place: int, keep_ends: bool, by: int) -> None:
    """Start the job at a place of the queue and close the gap, so that the queue stays in order of arrival."""
    task = queue.task[place]
    last = queue.counts[_SIZE] - 1
    queue.counts[_SIZE] = last
    for move in range(place, last):
        queue.task[move] = queue.task[move + 1]
        queue.score[move] = queue.score[move + 1]
    start_task(problem, truth, state, task, 0, 0, 0.0)
    state.decided_by[task] = by
    note_start(book, task, state.clock[0])
    if keep_ends:
        add_end(problem, state, ends, task)


@compiled_call
def _score_all(problem: Problem, state: State, rule: ScoredRule, book: Book, queue: Queue) -> bool:
    """Score the waiting jobs; says whether the first of them has waited so long that it goes first."""
    weights, coefficient, table = rule.weights, queue.coefficient, book.table
    now = state.clock[0]
    size = min(queue.counts[_SIZE], MOST_SCORED)
    work = 0.0
    for place in range(size):
        task = queue.task[place]
        user, klass = book.user[task], book.klass[task]
        if user >= 0 and (table[user, ENDED] >= queue.next_user[task] or table[klass, ENDED] >= queue.next_class[task]):
            estimate_run(problem, state, rule, book, queue, task)
        work += problem.cores[task] * queue.estimate_s[task]
    work /= problem.node_cores[0]
    free = state.free_cores[0] / problem.node_cores[0]
    length = np.log(1.0 + size) / 5.0
    backlog = np.log(1.0 + work / HOUR_S) / 5.0
    for term in range(N_TERMS):
        coefficient[term] = weights[term]
    for number in range(4):
        place = W_STATE + 3 * number
        # The terms of MOVING.
        term = number if number < 2 else number + 3
        coefficient[term] += weights[place] * free + weights[place + 1] * length + weights[place + 2] * backlog
    # Waiting never counts against a job.
    slowdown_weight, wait_weight, overdue_weight = max(coefficient[5], 0.0), max(coefficient[6], 0.0), max(coefficient[7], 0.0) / (work + HOUR_S)
    for place in range(size):
        task = queue.task[place]
        estimate_s = queue.estimate_s[task]
        wait_s = now - problem.arrival[task]
        run, share = queue.log_run[task], queue.log_share[task]
        score = coefficient[0] * run + coefficient[1] * share
        score += coefficient[2] * run * run + coefficient[3] * run * share + coefficient[4] * share * share
        score -= slowdown_weight * np.log(1.0 + wait_s / max(estimate_s, FLOOR_S)) + wait_weight * np.log(1.0 + wait_s / HOUR_S)
        score -= overdue_weight * wait_s
        queue.score[place] = score
    patience_s = max(weights[W_PATIENCE_S], weights[W_PATIENCE] * work)
    aged = bool(size > 0 and now - problem.arrival[queue.task[0]] > patience_s)
    if aged:
        queue.score[0] = -np.inf
    return aged


@compiled_inner
def _find_fewest(queue: Queue) -> None:
    """Note with how many processors the first of those that wait could start."""
    fewest = _NOTHING
    for place in range(min(queue.counts[_SIZE], MOST_SCORED)):
        fewest = min(fewest, queue.needs[queue.task[place]])
    queue.counts[_FEWEST] = fewest


@compiled_inner
def _best(queue: Queue, size: int) -> int:
    """Return the place with the smallest score, the first of equals."""
    best = 0
    for place in range(1, size):
        if queue.score[place] < queue.score[best]:
            best = place
    return best


@compiled_inner
def _decide(
    problem: Problem, truth: Law, state: State, rule: ScoredRule, book: Book, queue: Queue, ends: Ends, guard: Guard, keep_ends: bool
) -> None:
    """Start what the model starts at this event."""
    aged = _score_all(problem, state, rule, book, queue)
    size = min(queue.counts[_SIZE], MOST_SCORED)
    head = _best(queue, size)
    while size > 0:
        task = queue.task[head]
        first = aged and head == 0
        needs = problem.cores[task] if first else queue.needs[task]
        if needs > state.free_cores[0]:
            break
        by = MODEL if queue.known[task] == 1 or guard.status[ENABLED] == 0 else RANGE
        _begin(problem, truth, state, book, queue, ends, head, keep_ends, by)
        aged = aged and not first
        size -= 1
        if size > 0:
            head = _best(queue, size)
    if size <= 1:
        return
    aged_head = aged and head == 0
    limit = queue.score[head] + (rule.weights[W_GAP_EASY] if rule.easy == 1 else rule.weights[W_GAP])
    if aged_head:
        if rule.easy == 0:
            return
        # Others may use what the head leaves, as in EASY, whatever their scores.
        limit = np.inf
    needs = problem.cores[queue.task[head]] if aged_head else queue.needs[queue.task[head]]
    slack, extra = np.inf, 0
    if rule.easy == 1:
        shadow, extra = shadow_of(state, ends, needs)
        slack = shadow - state.clock[0]
    while size > 1:
        best = -1
        free = state.free_cores[0]
        for place in range(size):
            if place == head or queue.score[place] > limit or (best >= 0 and queue.score[place] >= queue.score[best]):
                continue
            task = queue.task[place]
            if queue.needs[task] <= free and (problem.requested[task] <= slack or problem.cores[task] <= extra):
                best = place
        if best < 0:
            return
        task = queue.task[best]
        if problem.requested[task] > slack:
            extra -= problem.cores[task]
        by = MODEL if queue.known[task] == 1 or guard.status[ENABLED] == 0 else RANGE
        _begin(problem, truth, state, book, queue, ends, best, keep_ends, by)
        size -= 1
        if best < head:
            head -= 1


@compiled_inner
def _decide_by_rule(problem: Problem, truth: Law, state: State, rule: ScoredRule, book: Book, queue: Queue, ends: Ends, keep_ends: bool) -> None:
    """Start what the rule starts at this event: the head of its order blocks, with EASY others may pass that do not delay it."""
    by = queue.counts[_DECIDES]
    size = queue.counts[_SIZE]
    fewest = _NOTHING
    for place in range(size):
        queue.score[place] = rule.rule_key[queue.task[place]]
        fewest = min(fewest, problem.cores[queue.task[place]])
    queue.counts[_FEWEST] = fewest
    head = -1
    while size > 0:
        head = 0
        for place in range(1, size):
            if _before(queue, place, head):
                head = place
        if problem.cores[queue.task[head]] > state.free_cores[0]:
            break
        _begin(problem, truth, state, book, queue, ends, head, keep_ends, by)
        size -= 1
    if size <= 1 or rule.rule_easy == 0:
        return
    shadow, extra = shadow_of(state, ends, problem.cores[queue.task[head]])
    slack = shadow - state.clock[0]
    while True:
        best = -1
        for place in range(size):
            task = queue.task[place]
            if place == head or problem.cores[task] > state.free_cores[0] or (problem.requested[task] > slack and problem.cores[task] > extra):
                continue
            if best < 0 or _before(queue, place, best):
                best = place
        if best < 0:
            return
        if problem.requested[queue.task[best]] > slack:
            extra -= problem.cores[queue.task[best]]
        _begin(problem, truth, state, book, queue, ends, best, keep_ends, by)
        size -= 1
        if best < head:
            head -= 1


@compiled_inner
def _before(queue: Queue, place: int, other: int) -> bool:
    """Whether the job at a place comes before another in the rule's order."""
    if queue.score[place] != queue.score[other]:
        return bool(queue.score[place] < queue.score[other])
    return bool(queue.task[place] < queue.task[other])


@compiled_entry
def run_scored(
    problem: Problem,
    truth: Law,
    state: State,
    rule: ScoredRule,
    book: Book,
    queue: Queue,
    ends: Ends,
    guard: Guard,
    until_arrived: int,
    stop_s: float,
    until_s: float,
) -> None:
    """Run until so many jobs have arrived, or through all events before a time; may be called again on the same arrays to go on.

    Parameters
    ----------
    problem, truth, state
        The run.
    rule : ScoredRule
        What decides.
    book, queue, ends
        Of this run; fresh for a fresh state.
    guard : Guard
        Of one class; says whether the model decides or the rule.
    until_arrived : int
        Arrived jobs after which to return; more than there are for the whole run.
    stop_s : float
        Return before anybody decides at the first event from this time on, in seconds, for good; infinite for never.
    until_s : float
        In seconds; infinite for the whole workload.
    """
    keep_ends = rule.easy == 1 or rule.rule_easy == 1
    while state.counters[NEXT_ARRIVAL] < until_arrived and next_event_s(problem, state) < until_s:
        advance(problem, state)
        if keep_ends:
            forget_finished(problem, state, ends)
        _learn_from_ends(problem, state, rule, book, queue, guard)
        _admit(problem, state, rule, book, queue)
        if state.clock[0] >= stop_s:
            return
        by = who_decides(guard)
        if by != queue.counts[_DECIDES]:
            # The bound of one that decides says nothing of the other.
            queue.counts[_DECIDES] = by
            queue.counts[_FEWEST] = 0
        if queue.counts[_SIZE] == 0:
            continue
        # The first may have aged, and then nothing is held back from it.
        if queue.counts[_FEWEST] > state.free_cores[0] and problem.cores[queue.task[0]] > state.free_cores[0]:
            continue
        if by == MODEL:
            _decide(problem, truth, state, rule, book, queue, ends, guard, keep_ends)
            _find_fewest(queue)
        else:
            _decide_by_rule(problem, truth, state, rule, book, queue, ends, keep_ends)


@compiled_entry
def score_queue(problem: Problem, state: State, rule: ScoredRule, book: Book, queue: Queue) -> bool:
    """Score the waiting jobs as the next decision would; says whether the first of them has waited so long that it goes first."""
    return _score_all(problem, state, rule, book, queue)
