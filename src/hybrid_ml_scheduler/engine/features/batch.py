"""What a model sees of a batch job: the request, the history of its user and of its class of jobs, the queue and the machine.

A *class* is what one user submits with the same processors and the same requested time. All histories are running aggregates, updated when a job ends
inside the run, so nothing of the future can reach them. Run times enter as the logarithm of run over requested time (0: as asked).

The aggregates stand in one table, the *book*: a row for every user, for every class, and one for all jobs together.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hybrid_ml_scheduler.core.workload import FloatArray, IntArray, Tasks
from hybrid_ml_scheduler.engine.compiled import compiled_call, compiled_entry, compiled_inner
from hybrid_ml_scheduler.engine.features.sheet import Feature
from hybrid_ml_scheduler.engine.state import Problem, State

# Columns of the book.
ENDED, MEAN, VARIANCE, LAST, SECOND, LAST_RUN_S, SECOND_RUN_S, SUBMIT_S, END_S, RUNNING, WAITING, BUSY_S = range(12)
N_COLUMNS = 12

FORGET = 0.1
"""Weight of the newest job in a running mean, once there are that many: old habits fade."""
LEAST_S = 1.0
"""Times are floored at this many seconds inside a logarithm."""
LOWEST_RATIO, HIGHEST_RATIO = -12.0, 3.0
"""Bounds of the logarithm of run over requested time."""

_LOG = "logarithm of "
BATCH = (
    Feature("log_requested", "log s", 0.0, 20.0, _LOG + "the requested time"),
    Feature("log_share", "1", -20.0, 0.0, _LOG + "the asked share of the machine's processors"),
    Feature("round_request", "1", 0.0, 1.0, "1 if the requested time is a whole number of minutes"),
    Feature("user_ended", "log", 0.0, 25.0, _LOG + "1 + jobs of the user that have ended; 0 for an unknown user"),
    Feature("user_last", "1", LOWEST_RATIO, HIGHEST_RATIO, _LOG + "run over requested time of the user's last ended job; NaN for none"),
    Feature("user_second", "1", LOWEST_RATIO, HIGHEST_RATIO, "the same of the one before"),
    Feature("user_mean", "1", LOWEST_RATIO, HIGHEST_RATIO, "its running mean over the user's jobs; NaN for none"),
    Feature("user_spread", "1", 0.0, 16.0, "its running standard deviation; NaN for fewer than two"),
    Feature("user_last_two", "1", -20.0, 20.0, _LOG + "the mean of the user's last two run times over this job's requested time; NaN for none"),
    Feature("class_ended", "log", 0.0, 25.0, _LOG + "1 + ended jobs of the class"),
    Feature("class_last", "1", LOWEST_RATIO, HIGHEST_RATIO, _LOG + "run over requested time of the class's last ended job; NaN for none"),
    Feature("class_second", "1", LOWEST_RATIO, HIGHEST_RATIO, "the same of the one before"),
    Feature("class_mean", "1", LOWEST_RATIO, HIGHEST_RATIO, "its running mean over the class; NaN for none"),
    Feature("class_spread", "1", 0.0, 16.0, "its running standard deviation; NaN for fewer than two"),
    Feature("all_ended", "log", 0.0, 25.0, _LOG + "1 + ended jobs"),
    Feature("all_mean", "1", LOWEST_RATIO, HIGHEST_RATIO, "the running mean over all jobs; NaN for none"),
    Feature("all_spread", "1", 0.0, 16.0, "the running standard deviation over all jobs; NaN for fewer than two"),
    Feature("since_submit", "log s", 0.0, 25.0, _LOG + "1 + seconds since the user's last submission; NaN for none"),
    Feature("since_end", "log s", 0.0, 25.0, _LOG + "1 + seconds since the user's last job ended; NaN for none"),
    Feature("user_running", "log", 0.0, 25.0, _LOG + "1 + running jobs of the user"),
    Feature("user_waiting", "log", 0.0, 25.0, _LOG + "1 + waiting jobs of the user"),
    Feature("class_busy", "1", -20.0, 5.0, _LOG + "the time since when jobs of the class have been running without a pause, over the request; NaN"),
    Feature("queue", "log", 0.0, 25.0, _LOG + "1 + waiting jobs"),
    Feature("free", "1", 0.0, 1.0, "free share of the processors"),
)
"""Data sheet: the columns of a row in this order."""
N_FEATURES = len(BATCH)


class Book(NamedTuple):
    """The running aggregates.

    Attributes
    ----------
    user, klass : ndarray of int64, shape (n_tasks,)
        Row of the task's user and class in ``table``; -1 where the user is unknown.
    table : ndarray of float64, shape (n_users + n_classes + 1, N_COLUMNS)
        The last row is for all jobs. NaN where nothing is known.
    """

    user: IntArray
    klass: IntArray
    table: FloatArray


def build_book(tasks: Tasks) -> Book:
    """Return an empty book for a workload; only visible columns are used, to number users and classes."""
    n = len(tasks)
    user = np.full(n, -1, dtype=np.int64) if tasks.user is None else tasks.user.astype(np.int64)
    known = user >= 0
    codes = np.full(n, -1, dtype=np.int64)
    klass = np.full(n, -1, dtype=np.int64)
    n_users = n_classes = 0
    if known.any():
        users, codes[known] = np.unique(user[known], return_inverse=True)
        n_users = len(users)
        requests = np.stack([user[known].astype(np.float64), tasks.cores_milli[known].astype(np.float64), tasks.requested_time_s[known]])
        order = np.lexsort(requests)
        new = np.any(np.diff(requests[:, order], axis=1) != 0, axis=0)
        number = np.concatenate(([0], np.cumsum(new)))
        n_classes = int(number[-1]) + 1
        of_known = np.empty(len(order), dtype=np.int64)
        of_known[order] = number
        klass[known] = n_users + of_known
    table = np.zeros((n_users + n_classes + 1, N_COLUMNS))
    table[:, [MEAN, VARIANCE, LAST, SECOND, LAST_RUN_S, SECOND_RUN_S, SUBMIT_S, END_S, BUSY_S]] = np.nan
    return Book(codes, klass, table)


@compiled_inner
def log_ratio(run_s: float, requested_s: float) -> float:
    """Return the logarithm of run over requested time, both floored at `LEAST_S`, within its bounds."""
    ratio = np.log(max(run_s, LEAST_S) / max(requested_s, LEAST_S))
    return float(min(max(ratio, LOWEST_RATIO), HIGHEST_RATIO))


@compiled_inner
def _add_outcome(book: Book, row: int, ratio: float, run_s: float, now: float) -> None:
    entry = book.table[row]
    ended = entry[ENDED] + 1.0
    entry[ENDED] = ended
    if ended == 1.0:
        entry[MEAN] = ratio
        entry[VARIANCE] = 0.0
    else:
        weight = max(1.0 / ended, FORGET)
        off = ratio - entry[MEAN]
        entry[MEAN] += weight * off
        entry[VARIANCE] = (1.0 - weight) * (entry[VARIANCE] + weight * off * off)
    entry[SECOND] = entry[LAST]
    entry[LAST] = ratio
    entry[SECOND_RUN_S] = entry[LAST_RUN_S]
    entry[LAST_RUN_S] = run_s
    entry[END_S] = now
    entry[RUNNING] -= 1.0


@compiled_inner
def note_submit(book: Book, task: int, now: float) -> None:
    """Note that a job has arrived, after its features were taken."""
    for row in (book.user[task], book.klass[task]):
        if row >= 0:
            book.table[row, SUBMIT_S] = now
            book.table[row, WAITING] += 1.0


@compiled_inner
def note_start(book: Book, task: int, now: float) -> None:
    """Note that a job has started."""
    for row in (book.user[task], book.klass[task]):
        if row >= 0:
            entry = book.table[row]
            entry[WAITING] -= 1.0
            if entry[RUNNING] == 0.0:
                entry[BUSY_S] = now
            entry[RUNNING] += 1.0


@compiled_call
def note_end(problem: Problem, state: State, book: Book, task: int) -> None:
    """Note that a job has ended."""
    run_s = state.finish[task] - state.start[task]
    ratio = log_ratio(run_s, problem.requested[task])
    everybody = len(book.table) - 1
    _add_outcome(book, everybody, ratio, run_s, state.finish[task])
    if book.user[task] >= 0:
        _add_outcome(book, book.user[task], ratio, run_s, state.finish[task])
        _add_outcome(book, book.klass[task], ratio, run_s, state.finish[task])


@compiled_call
def fill_batch(problem: Problem, state: State, book: Book, task: int, waiting: int, x: FloatArray) -> None:
    """Write the features of a waiting job, as of now, in the order of `BATCH`.

    Parameters
    ----------
    problem, state, book
        The run.
    task : int
        Row of the job.
    waiting : int
        Jobs in the queue.
    x : ndarray of float64, shape (at least N_FEATURES,)
        Is written.
    """
    now = state.clock[0]
    requested = max(problem.requested[task], LEAST_S)
    table = book.table
    x[0] = np.log(requested)
    x[1] = np.log(max(problem.cores[task], 1) / problem.node_cores[0])
    x[2] = 1.0 if requested % 60.0 == 0.0 else 0.0
    user, klass, everybody = book.user[task], book.klass[task], len(table) - 1
    for place in range(3, 14):
        x[place] = np.nan
    x[3] = x[9] = 0.0
    if user >= 0:
        x[3] = np.log(1.0 + table[user, ENDED])
        x[4] = table[user, LAST]
        x[5] = table[user, SECOND]
        x[6] = table[user, MEAN]
        if table[user, ENDED] >= 2.0:
            x[7] = np.sqrt(table[user, VARIANCE])
            x[8] = np.log(max((table[user, LAST_RUN_S] + table[user, SECOND_RUN_S]) / 2.0, LEAST_S) / requested)
        x[9] = np.log(1.0 + table[klass, ENDED])
        x[10] = table[klass, LAST]
        x[11] = table[klass, SECOND]
        x[12] = table[klass, MEAN]
        if table[klass, ENDED] >= 2.0:
            x[13] = np.sqrt(table[klass, VARIANCE])
    x[14] = np.log(1.0 + table[everybody, ENDED])
    x[15] = table[everybody, MEAN]
    x[16] = np.sqrt(table[everybody, VARIANCE]) if table[everybody, ENDED] >= 2.0 else np.nan
    for place in range(17, 22):
        x[place] = np.nan
    x[19] = x[20] = 0.0
    if user >= 0:
        x[17] = np.log(1.0 + now - table[user, SUBMIT_S])
        x[18] = np.log(1.0 + now - table[user, END_S])
        x[19] = np.log(1.0 + table[user, RUNNING])
        x[20] = np.log(1.0 + table[user, WAITING])
        if table[klass, RUNNING] > 0.0:
            x[21] = np.log(max(now - table[klass, BUSY_S], LEAST_S) / requested)
    x[22] = np.log(1.0 + waiting)
    x[23] = state.free_cores[0] / problem.node_cores[0]


@compiled_entry
def batch_features(problem: Problem, state: State, book: Book, task: int, waiting: int, x: FloatArray) -> None:
    """`fill_batch`, to be called from Python."""
    fill_batch(problem, state, book, task, waiting, x)
