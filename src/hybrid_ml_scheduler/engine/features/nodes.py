"""What a model sees of a rigid task for nodes with GPUs: the request, the history of its user and of its class of tasks, the queue and the GPUs.

A *class* is what one user submits with the same cores and the same requested time (`features.batch`, whose running aggregates these are). Run times
enter as the logarithm of run over requested time (0: as asked).
"""

from __future__ import annotations

import numpy as np

from hybrid_ml_scheduler.core.workload import FloatArray
from hybrid_ml_scheduler.engine.compiled import compiled_call
from hybrid_ml_scheduler.engine.features.batch import (
    ENDED,
    HIGHEST_RATIO,
    LAST,
    LAST_RUN_S,
    LEAST_S,
    LOWEST_RATIO,
    MEAN,
    RUNNING,
    SECOND_RUN_S,
    VARIANCE,
    Book,
)
from hybrid_ml_scheduler.engine.features.sheet import Feature
from hybrid_ml_scheduler.engine.state import Problem, State

_LOG = "logarithm of "
NODES = (
    Feature("log_requested", "log s", 0.0, 20.0, _LOG + "the requested time"),
    Feature("log_gpus", "1", -7.0, 5.0, _LOG + "the GPUs asked for, shares counted as such, + 1/1000"),
    Feature("log_cores", "1", -7.0, 12.0, _LOG + "the cores asked for + 1/1000"),
    Feature("round_request", "1", 0.0, 1.0, "1 if the requested time is a whole number of minutes"),
    Feature("user_ended", "log", 0.0, 25.0, _LOG + "1 + tasks of the user that have ended; 0 for an unknown user"),
    Feature("user_last", "1", LOWEST_RATIO, HIGHEST_RATIO, _LOG + "run over requested time of the user's last ended task; NaN for none"),
    Feature("user_mean", "1", LOWEST_RATIO, HIGHEST_RATIO, "its running mean over the user's tasks; NaN for none"),
    Feature("user_last_two", "1", -20.0, 20.0, _LOG + "the mean of the user's last two run times over this task's requested time; NaN for none"),
    Feature("class_ended", "log", 0.0, 25.0, _LOG + "1 + ended tasks of the class"),
    Feature("class_last", "1", LOWEST_RATIO, HIGHEST_RATIO, _LOG + "run over requested time of the class's last ended task; NaN for none"),
    Feature("class_mean", "1", LOWEST_RATIO, HIGHEST_RATIO, "its running mean over the class; NaN for none"),
    Feature("class_spread", "1", 0.0, 16.0, "its running standard deviation; NaN for fewer than two"),
    Feature("all_ended", "log", 0.0, 25.0, _LOG + "1 + ended tasks"),
    Feature("all_mean", "1", LOWEST_RATIO, HIGHEST_RATIO, "the running mean over all tasks; NaN for none"),
    Feature("all_spread", "1", 0.0, 16.0, "the running standard deviation over all tasks; NaN for fewer than two"),
    Feature("user_running", "log", 0.0, 25.0, _LOG + "1 + running tasks of the user"),
    Feature("queue", "log", 0.0, 25.0, _LOG + "1 + waiting tasks"),
)
"""Data sheet: the columns of a row in this order. NaN means unknown and is in range."""
N_NODE_FEATURES = len(NODES)


@compiled_call
def fill_nodes(problem: Problem, state: State, book: Book, task: int, waiting: int, x: FloatArray) -> None:
    """Write the features of a task that has just become ready, in the order of `NODES`.

    Parameters
    ----------
    problem, state, book
        The run.
    task : int
        Row of the task.
    waiting : int
        Tasks in the queue.
    x : ndarray of float64, shape (17,)
        Is written.
    """
    requested = max(problem.requested[task], LEAST_S)
    table = book.table
    user, klass, everybody = book.user[task], book.klass[task], len(table) - 1
    x[0] = np.log(requested)
    x[1] = np.log(problem.gpus[task] * problem.share[task] / 1000.0 + 0.001)
    x[2] = np.log(problem.cores[task] / 1000.0 + 0.001)
    x[3] = 1.0 if requested % 60.0 == 0.0 else 0.0
    for place in range(4, 12):
        x[place] = np.nan
    x[4] = x[8] = x[15] = 0.0
    if user >= 0:
        x[4] = np.log(1.0 + table[user, ENDED])
        x[5] = table[user, LAST]
        x[6] = table[user, MEAN]
        if table[user, ENDED] >= 2.0:
            x[7] = np.log(max((table[user, LAST_RUN_S] + table[user, SECOND_RUN_S]) / 2.0, LEAST_S) / requested)
        x[8] = np.log(1.0 + table[klass, ENDED])
        x[9] = table[klass, LAST]
        x[10] = table[klass, MEAN]
        if table[klass, ENDED] >= 2.0:
            x[11] = np.sqrt(table[klass, VARIANCE])
        x[15] = np.log(1.0 + table[user, RUNNING])
    x[12] = np.log(1.0 + table[everybody, ENDED])
    x[13] = table[everybody, MEAN]
    x[14] = np.sqrt(table[everybody, VARIANCE]) if table[everybody, ENDED] >= 2.0 else np.nan
    x[16] = np.log(1.0 + waiting)
