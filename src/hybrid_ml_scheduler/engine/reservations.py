"""When processors become free by the announced ends of the running tasks, and reservations in that future."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hybrid_ml_scheduler.core.workload import FloatArray, IntArray
from hybrid_ml_scheduler.engine.compiled import compiled_inner
from hybrid_ml_scheduler.engine.state import N_FINISHED, Problem, State

RESERVATION_DEPTH = 1000
"""Conservative backfilling makes reservations for this many waiting tasks at an event, those first in the order; production schedulers limit it too
(``RESERVATIONDEPTH`` in Maui, ``bf_max_job_test`` in Slurm). Without a limit its cost grows with the square of the queue."""

# Positions in Ends.counts.
_RUNNING, _SEEN_FINISHED = 0, 1


class Ends(NamedTuple):
    """The running tasks by announced end (start plus requested time), equal ends by processors, fewest first; and room for a profile.

    Attributes
    ----------
    counts : ndarray of int64, shape (2,)
        Number of running tasks; number of finished tasks seen.
    end_s, cores, task : ndarray, shape (n_tasks + 1,)
        One entry per running task: announced end in seconds, cores in thousandths, row.
    profile_s, profile_free : ndarray, shape (2 * n_tasks + 2,)
        Free cores (thousandths) from each time on.
    """

    counts: IntArray
    end_s: FloatArray
    cores: IntArray
    task: IntArray
    profile_s: FloatArray
    profile_free: IntArray


def build_ends(n_tasks: int) -> Ends:
    """Allocate for a workload."""
    room = n_tasks + 1
    return Ends(
        counts=np.zeros(2, dtype=np.int64),
        end_s=np.zeros(room),
        cores=np.zeros(room, dtype=np.int64),
        task=np.zeros(room, dtype=np.int64),
        profile_s=np.zeros(2 * room),
        profile_free=np.zeros(2 * room, dtype=np.int64),
    )


@compiled_inner
def add_end(problem: Problem, state: State, ends: Ends, task: int) -> None:
    """Insert a task that has just started."""
    end = state.start[task] + problem.requested[task]
    cores = problem.cores[task]
    place = ends.counts[_RUNNING]
    ends.counts[_RUNNING] = place + 1
    while place > 0 and (ends.end_s[place - 1] > end or (ends.end_s[place - 1] == end and ends.cores[place - 1] > cores)):
        ends.end_s[place] = ends.end_s[place - 1]
        ends.cores[place] = ends.cores[place - 1]
        ends.task[place] = ends.task[place - 1]
        place -= 1
    ends.end_s[place] = end
    ends.cores[place] = cores
    ends.task[place] = task


@compiled_inner
def _drop_end(problem: Problem, state: State, ends: Ends, task: int) -> None:
    end = state.start[task] + problem.requested[task]
    low, high = 0, ends.counts[_RUNNING]
    while low < high:
        middle = (low + high) >> 1
        if ends.end_s[middle] < end:
            low = middle + 1
        else:
            high = middle
    while ends.task[low] != task:
        low += 1
    last = ends.counts[_RUNNING] - 1
    ends.counts[_RUNNING] = last
    for place in range(low, last):
        ends.end_s[place] = ends.end_s[place + 1]
        ends.cores[place] = ends.cores[place + 1]
        ends.task[place] = ends.task[place + 1]


@compiled_inner
def forget_finished(problem: Problem, state: State, ends: Ends) -> None:
    """Drop the tasks that have finished since the last call."""
    while ends.counts[_SEEN_FINISHED] < state.counters[N_FINISHED]:
        _drop_end(problem, state, ends, state.finish_log[ends.counts[_SEEN_FINISHED]])
        ends.counts[_SEEN_FINISHED] += 1


@compiled_inner
def shadow_of(state: State, ends: Ends, cores: int) -> tuple[float, int]:
    """Return when the head of the queue will have its processors (the shadow time), and how many will be left over then (the extra ones).

    A task that has outlived its announced end is expected to end now. Ends are collected one task at a time until the head fits, as in the textbook's
    loop [1]_: further tasks that end at that very moment are not counted among the extra processors.

    References
    ----------
    .. [1] Mu'alem, Feitelson, IEEE TPDS 12(6), 2001, figure 1.
    """
    now = state.clock[0]
    free = state.free_cores[0]
    place = 0
    shadow = now
    while free < cores and place < ends.counts[_RUNNING]:
        shadow = max(ends.end_s[place], now)
        free += ends.cores[place]
        place += 1
    return shadow, free - cores


@compiled_inner
def build_profile(state: State, ends: Ends) -> int:
    """Write the free processors over time, by the announced ends; returns the number of steps.

    A task that has outlived its announced end holds its processors for the present instant only.
    """
    now = state.clock[0]
    times, frees = ends.profile_s, ends.profile_free
    times[0] = now
    frees[0] = state.free_cores[0]
    steps = 1
    for place in range(ends.counts[_RUNNING]):
        # Overrunning tasks free their processors at the first instant after now.
        end = ends.end_s[place] if ends.end_s[place] > now else np.nextafter(now, np.inf)
        if end > times[steps - 1]:
            times[steps] = end
            frees[steps] = frees[steps - 1]
            steps += 1
        frees[steps - 1] += ends.cores[place]
    return steps


@compiled_inner
def _earliest(ends: Ends, steps: int, cores: int, length_s: float) -> int:
    """Return the first step of the profile from which ``cores`` stay free for ``length_s``."""
    times, frees = ends.profile_s, ends.profile_free
    first = 0
    place = 0
    while place < steps:
        if frees[place] < cores:
            first = place + 1
        elif place + 1 < steps and times[place + 1] >= times[first] + length_s:
            return first
        place += 1
    return first


@compiled_inner
def _split_profile(ends: Ends, steps: int, at_s: float) -> tuple[int, int]:
    """Make ``at_s`` a step of the profile; returns its position and the new number of steps."""
    times, frees = ends.profile_s, ends.profile_free
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


@compiled_inner
def reserve(ends: Ends, steps: int, cores: int, length_s: float) -> tuple[bool, int]:
    """Reserve the earliest stretch of the profile; returns whether it begins now, and the new number of steps.

    What begins now holds the present instant, also if it is announced to take no time.
    """
    first = _earliest(ends, steps, cores, length_s)
    begin = ends.profile_s[first]
    end = begin + length_s
    if first == 0:
        end = max(end, np.nextafter(begin, np.inf))
    if end > begin:
        last, steps = _split_profile(ends, steps, end)
        for place in range(first, last):
            ends.profile_free[place] -= cores
    return first == 0, steps
