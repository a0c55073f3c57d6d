"""EASY++ on a pool of processors: backfilling by predicted run times [1]_.

- The prediction is the mean of the run times of the user's last two jobs that had ended when this one was submitted, at most the requested time; a
  user with fewer ended jobs, or an unknown one, is predicted to use the requested time.
- The head of the order has a reservation as in EASY, made from predictions: of running jobs, when they end.
- Others are tried shortest prediction first (SJBF); one starts if it fits now and ends by the reservation as predicted, or needs no more than what
  the head will leave.
- A job that outlives its prediction gets a longer one: `CORRECTIONS_S` are added one after the other, up to the requested time. One that outlives
  that as well is expected to end now.

References
----------
.. [1] Tsafrir, Etsion, Feitelson, "Backfilling using system-generated predictions rather than user runtime estimates", IEEE TPDS 18(6), 2007.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hybrid_ml_scheduler.core.workload import FloatArray, IntArray, Tasks
from hybrid_ml_scheduler.engine.compiled import compiled_entry, compiled_inner
from hybrid_ml_scheduler.engine.events import advance, next_event_s, start_task
from hybrid_ml_scheduler.engine.state import N_FINISHED, QUEUE_SIZE, Law, Problem, State

CORRECTIONS_S = tuple(60.0 * minutes for minutes in (1, 5, 15, 30, 60, 120, 300, 600, 1200, 3000, 6000))
"""What is added to a prediction that was outlived, one after the other, in seconds."""
_CORRECTIONS_S = np.array(CORRECTIONS_S)

# Positions in Predictions.counts.
_WAITING, _RUNNING, _SEEN = range(3)


class Predictions(NamedTuple):
    """Waiting and running jobs with their predictions. Sizes: n tasks, u users.

    Attributes
    ----------
    key : ndarray of float64, shape (n,)
        Order of the queue, smallest first, ties to the smaller row.
    user : ndarray of int64, shape (n,)
        Codes from 0, -1 for an unknown user.
    last_s, second_s : ndarray of float64, shape (u,)
        Run times of the user's last two ended jobs in seconds; NaN for none.
    counts : ndarray of int64, shape (3,)
        Waiting jobs, running jobs, finished jobs seen.
    waiting, running : ndarray of int64, shape (n,)
        Rows; running jobs by predicted end, equal ends by processors, fewest first.
    predicted_s : ndarray of float64, shape (n,)
        Predicted run time of a task in seconds.
    corrections : ndarray of int64, shape (n,)
        How often it was corrected.
    """

    key: FloatArray
    user: IntArray
    last_s: FloatArray
    second_s: FloatArray
    counts: IntArray
    waiting: IntArray
    running: IntArray
    predicted_s: FloatArray
    corrections: IntArray


def build_predictions(tasks: Tasks, key: FloatArray) -> Predictions:
    """Return the state before the first event, for an order of the queue."""
    n = len(tasks)
    user = np.full(n, -1, dtype=np.int64)
    if tasks.user is not None:
        known = tasks.user >= 0
        user[known] = np.unique(tasks.user[known], return_inverse=True)[1]
    n_users = int(user.max(initial=-1)) + 1
    return Predictions(
        key=key,
        user=user,
        last_s=np.full(n_users, np.nan),
        second_s=np.full(n_users, np.nan),
        counts=np.zeros(3, dtype=np.int64),
        waiting=np.zeros(n, dtype=np.int64),
        running=np.zeros(n, dtype=np.int64),
        predicted_s=np.zeros(n),
        corrections=np.zeros(n, dtype=np.int64),
    )


@compiled_inner
def _forget_finished(state: State, desk: Predictions) -> None:
    counts = desk.counts
    while counts[_SEEN] < state.counters[N_FINISHED]:
        task = state.finish_log[counts[_SEEN]]
        counts[_SEEN] += 1
        user = desk.user[task]
        if user >= 0:
            desk.second_s[user] = desk.last_s[user]
            desk.last_s[user] = state.finish[task] - state.start[task]
        place = 0
        while desk.running[place] != task:
            place += 1
        counts[_RUNNING] -= 1
        for move in range(place, counts[_RUNNING]):
            desk.running[move] = desk.running[move + 1]


@compiled_inner
def _admit(problem: Problem, state: State, desk: Predictions) -> None:
    for position in range(state.counters[QUEUE_SIZE]):
        task = state.queue[position]
        user = desk.user[task]
        predicted_s = problem.requested[task]
        if user >= 0 and not np.isnan(desk.second_s[user]):
            predicted_s = min(predicted_s, (desk.last_s[user] + desk.second_s[user]) / 2.0)
        desk.predicted_s[task] = predicted_s
        desk.waiting[desk.counts[_WAITING]] = task
        desk.counts[_WAITING] += 1
    state.counters[QUEUE_SIZE] = 0


@compiled_inner
def _correct(problem: Problem, state: State, desk: Predictions, corrections_s: FloatArray) -> None:
    """Lengthen outlived predictions, and bring the running jobs into order again."""
    now = state.clock[0]
    for place in range(desk.counts[_RUNNING]):
        task = desk.running[place]
        while state.start[task] + desk.predicted_s[task] <= now and desk.predicted_s[task] < problem.requested[task]:
            step = min(desk.corrections[task], len(corrections_s) - 1)
            desk.predicted_s[task] = min(desk.predicted_s[task] + corrections_s[step], problem.requested[task])
            desk.corrections[task] += 1
        _sink(problem, state, desk, place)


@compiled_inner
def _sink(problem: Problem, state: State, desk: Predictions, place: int) -> None:
    """Move the running job at a place towards the front, to where it belongs among those before it."""
    task = desk.running[place]
    end = state.start[task] + desk.predicted_s[task]
    while place > 0:
        other = desk.running[place - 1]
        other_end = state.start[other] + desk.predicted_s[other]
        if other_end < end or (other_end == end and problem.cores[other] <= problem.cores[task]):
            break
        desk.running[place] = other
        place -= 1
    desk.running[place] = task


@compiled_inner
def _start_job(problem: Problem, truth: Law, state: State, desk: Predictions, place: int) -> None:
    task = desk.waiting[place]
    last = desk.counts[_WAITING] - 1
    desk.counts[_WAITING] = last
    desk.waiting[place] = desk.waiting[last]
    start_task(problem, truth, state, task, 0, 0, 0.0)
    desk.running[desk.counts[_RUNNING]] = task
    desk.counts[_RUNNING] += 1
    _sink(problem, state, desk, desk.counts[_RUNNING] - 1)


@compiled_inner
def _first(desk: Predictions) -> int:
    """Return the place of the head of the order."""
    best = 0
    for place in range(1, desk.counts[_WAITING]):
        key, least = desk.key[desk.waiting[place]], desk.key[desk.waiting[best]]
        if key < least or (key == least and desk.waiting[place] < desk.waiting[best]):
            best = place
    return best


@compiled_inner
def _shadow(problem: Problem, state: State, desk: Predictions, cores: int) -> tuple[float, int]:
    """Return when the head will have its processors as predicted, and how many will be left over then; see `reservations.shadow_of`."""
    now = state.clock[0]
    free = state.free_cores[0]
    shadow = now
    place = 0
    while free < cores and place < desk.counts[_RUNNING]:
        task = desk.running[place]
        shadow = max(state.start[task] + desk.predicted_s[task], now)
        free += problem.cores[task]
        place += 1
    return shadow, free - cores


@compiled_entry
def run_easypp(problem: Problem, truth: Law, state: State, desk: Predictions, corrections_s: FloatArray, until_s: float) -> None:
    """Run an order of the queue with EASY++ through all events before a time; call it again on the same arrays to go on.

    Parameters
    ----------
    problem, truth, state
        The run.
    desk : Predictions
        Of this run.
    corrections_s : ndarray of float64
        `CORRECTIONS_S`.
    until_s : float
        In seconds; infinite for the whole workload.
    """
    while next_event_s(problem, state) < until_s:
        advance(problem, state)
        _forget_finished(state, desk)
        _admit(problem, state, desk)
        if desk.counts[_WAITING] == 0 or state.free_cores[0] == 0:
            continue
        _correct(problem, state, desk, corrections_s)
        head = _first(desk)
        while problem.cores[desk.waiting[head]] <= state.free_cores[0]:
            _start_job(problem, truth, state, desk, head)
            if desk.counts[_WAITING] == 0:
                break
            head = _first(desk)
        if desk.counts[_WAITING] == 0:
            continue
        head_task = desk.waiting[head]
        shadow, extra = _shadow(problem, state, desk, problem.cores[head_task])
        slack = shadow - state.clock[0]
        while True:
            best = -1
            for place in range(desk.counts[_WAITING]):
                task = desk.waiting[place]
                if task == head_task or problem.cores[task] > state.free_cores[0]:
                    continue
                if desk.predicted_s[task] > slack and problem.cores[task] > extra:
                    continue
                if best >= 0:
                    other = desk.waiting[best]
                    if desk.predicted_s[task] > desk.predicted_s[other] or (desk.predicted_s[task] == desk.predicted_s[other] and task > other):
                        continue
                best = place
            if best < 0:
                break
            if desk.predicted_s[desk.waiting[best]] > slack:
                extra -= problem.cores[desk.waiting[best]]
            _start_job(problem, truth, state, desk, best)


def corrections() -> FloatArray:
    """Return `CORRECTIONS_S` as an array."""
    return _CORRECTIONS_S.copy()
