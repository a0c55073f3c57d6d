"""One machine that may interrupt its work: the relaxation behind the lower bounds on makespan and mean response."""

from __future__ import annotations

import numpy as np
from numba import njit

from hybrid_ml_scheduler.core.workload import FloatArray, IntArray
from hybrid_ml_scheduler.engine.heap import heap_pop, heap_push


def last_delivery_s(release_s: FloatArray, work_s: FloatArray, tail_s: FloatArray) -> float:
    """Return the least possible ``max(completion + tail)`` on one machine that may interrupt jobs.

    Parameters
    ----------
    release_s, work_s, tail_s : ndarray of float64, shape (n,), n >= 1
        From when on a job may be worked on, how much work it is, and how long it takes after its work is done, in seconds; work >= 0.

    Returns
    -------
    float
        Attained by Jackson's preemptive schedule: of the released jobs always the one with the longest tail.

    References
    ----------
    .. [1] Carlier, "The one-machine sequencing problem", European Journal of Operational Research 11(1), 1982.
    """
    completion_s, _ = _by_falling_priority(release_s, work_s, -tail_s, np.argsort(release_s, kind="stable"), shortest_rest=False)
    return float(np.max(completion_s + tail_s))


def total_completion_s(release_s: FloatArray, work_s: FloatArray) -> float:
    """Return the least possible sum of completion times on one machine that may interrupt jobs.

    Parameters are those of `last_delivery_s`.

    Returns
    -------
    float
        Attained by always working on the job with the shortest remaining work (SRPT).

    References
    ----------
    .. [1] Schrage, "A proof of the optimality of the shortest remaining processing time discipline", Operations Research 16(3), 1968.
    """
    completion_s, _ = _by_falling_priority(release_s, work_s, work_s, np.argsort(release_s, kind="stable"), shortest_rest=True)
    return float(np.sum(completion_s))


def total_mean_busy_s(release_s: FloatArray, work_s: FloatArray) -> float:
    """Return the least possible sum of mean busy times on one machine that may interrupt jobs.

    The mean busy time of a job is the average moment at which it is worked on; of a job without work it is its release.

    Parameters are those of `last_delivery_s`.

    Returns
    -------
    float
        Attained by always working on the released job with the least (whole) work.

    References
    ----------
    .. [1] Goemans, "Improved approximation algorithms for scheduling with release dates", SODA 1997.
    """
    _, mean_busy_s = _by_falling_priority(release_s, work_s, work_s, np.argsort(release_s, kind="stable"), shortest_rest=False)
    return float(np.sum(mean_busy_s))


@njit(cache=True)
def _by_falling_priority(
    release_s: FloatArray, work_s: FloatArray, key: FloatArray, by_release: IntArray, shortest_rest: bool
) -> tuple[FloatArray, FloatArray]:
    """Completion and mean busy time of every job when the released one with the least key (or the least remaining work) is always worked on."""
    n_jobs = len(work_s)
    rest = work_s.copy()
    completion = np.empty(n_jobs)
    busy = np.zeros(n_jobs)  # integral of time over the job's own work
    keys = np.empty(n_jobs)
    items = np.empty(n_jobs, dtype=np.int64)
    size = 0
    following = 0
    now = -np.inf
    for _ in range(2 * n_jobs):
        if size == 0:
            if following == n_jobs:
                break
            now = max(now, release_s[by_release[following]])
        while following < n_jobs and release_s[by_release[following]] <= now:
            job = by_release[following]
            heap_push(keys, items, size, rest[job] if shortest_rest else key[job], job)
            size += 1
            following += 1
        job = heap_pop(keys, items, size)
        size -= 1
        until = now + rest[job]
        if following < n_jobs and release_s[by_release[following]] < until:
            until = release_s[by_release[following]]
            rest[job] -= until - now
            heap_push(keys, items, size, rest[job] if shortest_rest else key[job], job)
            size += 1
        else:
            rest[job] = 0.0
            completion[job] = until
        busy[job] += (until - now) * (until + now) / 2.0
        now = until
    mean_busy = np.empty(n_jobs)
    for job in range(n_jobs):
        mean_busy[job] = busy[job] / work_s[job] if work_s[job] > 0.0 else release_s[job]
    return completion, mean_busy
