"""Waiting tasks under an order whose keys change with the time, without comparing all of them anew at every event.

WFP3, UNICEP and LEXP rank tasks by ``slope * (now - arrival)``, a straight line in time for each task (WFP3 by its cube, which ranks alike). Two
lines cross at most once after the present. So a knock-out tournament over the waiting tasks keeps its result until the first crossing inside it:
every node notes until when its winner is certain, and only those whose time has come play again (a kinetic tournament [1]_).

References
----------
.. [1] Basch, Guibas, Hershberger, "Data structures for mobile data", Journal of Algorithms 31(1), 1999.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hybrid_ml_scheduler.core.workload import FloatArray, IntArray
from hybrid_ml_scheduler.engine.compiled import compiled_call, compiled_inner
from hybrid_ml_scheduler.engine.orders import dynamic_key, dynamic_slope
from hybrid_ml_scheduler.engine.state import Problem
from hybrid_ml_scheduler.engine.tree import NOBODY, FitTree, build_tree, tree_set

_EARLY = 1.0 - 1e-6
"""Crossings are computed with rounding, so a match is played again a little before."""


class Tournament(NamedTuple):
    """The waiting tasks as leaves, in the order of their rows.

    Attributes
    ----------
    order : int
        Code of the order.
    winner : ndarray of int64, shape (2 * n_leaves,)
        Row with the smallest key below each node; -1 for none.
    until : ndarray of float64, shape (2 * n_leaves,)
        Time in seconds before which no winner below changes.
    fit : FitTree
        What waits below, for backfilling.
    stack : ndarray of int64, shape (256,)
        Scratch.
    """

    order: int
    winner: IntArray
    until: FloatArray
    fit: FitTree
    stack: IntArray


def build_tournament(n_tasks: int, order: int) -> Tournament:
    """Return a tournament with room for so many tasks, none waiting."""
    fit = build_tree(n_tasks)
    size = len(fit.fewest)
    return Tournament(order, np.full(size, -1, dtype=np.int64), np.full(size, np.inf), fit, np.zeros(256, dtype=np.int64))


@compiled_inner
def _key(problem: Problem, tournament: Tournament, task: int, now: float) -> float:
    return dynamic_key(tournament.order, now - problem.arrival[task], problem.requested[task], problem.cores[task] / 1000.0)


@compiled_inner
def _play(problem: Problem, tournament: Tournament, place: int, now: float) -> None:
    """Find the winner of one node from those of its children, and until when it is certain."""
    winner, until = tournament.winner, tournament.until
    left, right = winner[2 * place], winner[2 * place + 1]
    certain = min(until[2 * place], until[2 * place + 1])
    first, second = left, right
    if left < 0 or right < 0:
        first = max(left, right)
        second = -1
    elif _key(problem, tournament, right, now) < _key(problem, tournament, left, now):
        first, second = right, left
    if second >= 0:
        rise = dynamic_slope(tournament.order, problem.requested[second], problem.cores[second] / 1000.0)
        ahead = dynamic_slope(tournament.order, problem.requested[first], problem.cores[first] / 1000.0)
        if rise > ahead:
            lead = ahead * (now - problem.arrival[first]) - rise * (now - problem.arrival[second])
            # At the earliest at the next instant: at this one the match has just been played.
            crossing = max(now + max(lead, 0.0) / (rise - ahead) * _EARLY, np.nextafter(now, np.inf))
            certain = min(certain, crossing)
    winner[place] = first
    until[place] = certain


@compiled_call
def set_waiting(problem: Problem, tournament: Tournament, task: int, waits: bool, now: float) -> None:
    """Enter a task, or take it out."""
    leaves = len(tournament.winner) >> 1
    if waits:
        tree_set(tournament.fit, task, problem.cores[task], problem.requested[task])
    else:
        tree_set(tournament.fit, task, NOBODY, np.inf)
    tournament.winner[leaves + task] = task if waits else -1
    place = (leaves + task) >> 1
    while place >= 1:
        _play(problem, tournament, place, now)
        place >>= 1


@compiled_call
def bring_up_to(problem: Problem, tournament: Tournament, now: float) -> None:
    """Play again whatever may have changed by now."""
    until, stack = tournament.until, tournament.stack
    if until[1] > now:
        return
    stack[0] = 1
    top = 0
    while top >= 0:
        place = stack[top]
        if until[2 * place] <= now:
            top += 1
            stack[top] = 2 * place
        elif until[2 * place + 1] <= now:
            top += 1
            stack[top] = 2 * place + 1
        else:
            _play(problem, tournament, place, now)
            top -= 1


@compiled_call
def best_that_fits(problem: Problem, tournament: Tournament, now: float, free: int, slack_s: float, extra: int) -> int:
    """Return the task with the smallest key among those that fit and either end within ``slack_s`` or need at most ``extra``; -1 if none.

    Winners must be up to date. A subtree is passed over if nothing in it may start, or if its winner is no better than what was found.
    """
    winner, stack = tournament.winner, tournament.stack
    fewest, shortest = tournament.fit.fewest, tournament.fit.shortest
    leaves = len(winner) >> 1
    best = -1
    best_key = np.inf
    stack[0] = 1
    top = 0
    while top >= 0:
        place = stack[top]
        top -= 1
        task = winner[place]
        if task < 0 or fewest[place] > free or (shortest[place] > slack_s and fewest[place] > extra):
            continue
        key = _key(problem, tournament, task, now)
        if best >= 0 and (key > best_key or (key == best_key and task > best)):
            continue
        if place >= leaves:
            best, best_key = task, key
            continue
        # The child with the same winner goes on top: it is the more promising one.
        child = 2 * place if winner[2 * place] == task else 2 * place + 1
        stack[top + 1] = child ^ 1
        stack[top + 2] = child
        top += 2
    return int(best)
