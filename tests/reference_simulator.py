"""An independent simulator in plain Python, slow and simple, against which the engine is held.

It was written from the model alone, without sight of the engine. This half is the batch pool (order x backfilling); the other,
``reference_divisible``, is divisible tasks on one node. A task is a tuple with names; an instant is handled in rounds: all releases, all
arrivals, one pass over the queue, and again if something that ends at this very instant was started.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, isnan, log2, log10, nextafter, sqrt
from typing import NamedTuple


class Job(NamedTuple):
    submit_s: float
    run_s: float
    requested_s: float
    processors: float
    deadline_s: float = inf
    priority: float = 0.0
    parents: tuple[int, ...] = ()


def _floored(value: float) -> float:
    return max(value, 0.1)  # the published formulas take no logarithm or quotient of zero


def _cubed(value: float) -> float:
    return value * value * value  # the library's pow may differ in the last digit, which decides ties


# Smallest first; r requested time, n processors, s submit time, w waiting time (Carastan-Santos & de Camargo, SC'17; Tang et al., 2009).
SCORES: dict[str, Callable[[Job, float], float]] = {
    "fcfs": lambda j, now: j.submit_s,
    "sjf": lambda j, now: j.requested_s,
    "ljf": lambda j, now: -j.requested_s,
    "saf": lambda j, now: j.requested_s * j.processors,
    "laf": lambda j, now: -(j.requested_s * j.processors),
    "wfp3": lambda j, now: -_cubed((now - j.submit_s) / _floored(j.requested_s)) * j.processors,
    "unicep": lambda j, now: -((now - j.submit_s) + 1e-15) / (log2(j.processors + 1e-15) * _floored(j.requested_s)),
    "sqf": lambda j, now: j.processors,
    "lqf": lambda j, now: -j.processors,
    "lexp": lambda j, now: -(now - j.submit_s) / _floored(j.requested_s),
    "f1": lambda j, now: log10(_floored(j.requested_s)) * j.processors + 870 * log10(_floored(j.submit_s)),
    "f2": lambda j, now: sqrt(j.requested_s) * j.processors + 25600 * log10(_floored(j.submit_s)),
    "f3": lambda j, now: j.requested_s * j.processors + 6860000 * log10(_floored(j.submit_s)),
    "f4": lambda j, now: j.requested_s * sqrt(j.processors) + 530000 * log10(_floored(j.submit_s)),
    "edf": lambda j, now: inf if isnan(j.deadline_s) else j.deadline_s,
    "priority": lambda j, now: -j.priority,
}


def _easy_round(queue: list[int], jobs: Sequence[Job], running: dict[int, float], free: float, now: float) -> list[int]:
    """Jobs to start besides the blocked head ``queue[0]``: those that do not delay it, by the estimates (Mu'alem & Feitelson, 2001)."""
    # Running jobs are collected by (announced end, processors) until the head fits: what else ends at that very instant is not "extra". The paper
    # leaves the tie open; this reading gives every published cell to two decimals. A job past its announced end is expected to end now.
    available, shadow, extra, started = free, inf, 0.0, []
    for end, n in sorted((running[i] + jobs[i].requested_s, jobs[i].processors) for i in running):
        available += n
        if available >= jobs[queue[0]].processors:
            shadow, extra = max(end, now), available - jobs[queue[0]].processors
            break
    for i in queue[1:]:
        in_time = now + jobs[i].requested_s <= shadow
        if jobs[i].processors <= free and (in_time or jobs[i].processors <= extra):
            started.append(i)
            free -= jobs[i].processors
            extra -= 0 if in_time else jobs[i].processors
    return started


def _conservative_round(queue: list[int], jobs: Sequence[Job], running: dict[int, float], free: float, now: float) -> list[int]:
    """Jobs whose earliest reservation, each in its turn, is this instant."""
    # A job past its announced end, or announced to take no time, holds the present instant: until the next number after it.
    instant = nextafter(now, inf)
    ends = [(max(running[i] + jobs[i].requested_s, instant), jobs[i].processors) for i in running]
    times = [now, *sorted({end for end, _ in ends})]
    profile = [free + sum(n for end, n in ends if end <= time) for time in times]
    started = []
    for i in queue:
        n, length = jobs[i].processors, jobs[i].requested_s
        for k, begin in enumerate(times):
            if all(profile[m] >= n for m in range(k, len(times)) if m == k or times[m] < begin + length):
                break
        end = begin + length
        if k == 0:
            started.append(i)
            end = max(end, instant)
        if end not in times and end > begin:
            place = sum(time < end for time in times)
            times.insert(place, end)
            profile.insert(place, profile[place - 1])
        for m in range(k, len(times)):
            profile[m] -= n if times[m] < end else 0
    return started


def pool_starts(jobs: Sequence[Job], processors: float, order: str = "fcfs", backfill: str = "none") -> list[float | None]:
    """Start time of every job (rows ascend in submit time) on a pool; ``None`` for a job that is too large, or descends from one."""
    starts: list[float | None] = [None] * len(jobs)
    coming = list(range(len(jobs)))[::-1]
    orphans: list[int] = []  # arrived, but not all parents have ended
    running: dict[int, float] = {}
    queue: list[int] = []
    done: set[int] = set()
    free, now = processors, -inf
    while True:
        ended = [i for i in running if running[i] + jobs[i].run_s <= now]
        for i in ended:
            del running[i]
            done.add(i)
            free += jobs[i].processors
        while coming and jobs[coming[-1]].submit_s <= now:
            orphans.append(coming.pop())  # the arrival of a job that is too large is an event like any other
        queue.extend(i for i in orphans if done.issuperset(jobs[i].parents) and jobs[i].processors <= processors)
        orphans = [i for i in orphans if not done.issuperset(jobs[i].parents)]
        queue.sort(key=lambda i: (SCORES[order](jobs[i], now), jobs[i].submit_s, i))
        chosen: list[int] = []
        if backfill == "conservative":
            chosen = _conservative_round(queue, jobs, running, free, now)
        else:
            for i in queue:
                if jobs[i].processors > free - sum(jobs[k].processors for k in chosen):
                    break
                chosen.append(i)
            if backfill == "easy" and len(chosen) < len(queue):
                held = sum(jobs[k].processors for k in chosen)
                chosen += _easy_round(queue[len(chosen) :], jobs, running | dict.fromkeys(chosen, now), free - held, now)
        for i in chosen:
            queue.remove(i)
            running[i] = starts[i] = now
            free -= jobs[i].processors
        moments = [running[i] + jobs[i].run_s for i in running] + [jobs[i].submit_s for i in coming[-1:]]
        if not moments:
            return starts
        now = min(moments)
