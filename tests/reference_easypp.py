"""EASY++ in plain Python, sharing no code with the engine: everything is worked out anew at every event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import NamedTuple

STEPS_S = [60 * minutes for minutes in (1, 5, 15, 30, 60, 120, 300, 600, 1200, 3000, 6000)]


class Job(NamedTuple):
    submit_s: float
    run_s: float
    requested_s: float
    processors: int
    user: int


def corrected(first_s: float, requested_s: float, elapsed_s: list[float]) -> float:
    """The prediction after looks at a running job at these ages, ascending."""
    prediction, used = first_s, 0
    for age in elapsed_s:
        while prediction <= age and prediction < requested_s:
            prediction = min(prediction + STEPS_S[min(used, len(STEPS_S) - 1)], requested_s)
            used += 1
    return prediction


def easypp_starts(jobs: Sequence[Job], processors: int, key: Callable[[int], float]) -> list[float | None]:
    """Start time of every job (rows ascend in submit time); ``None`` for one that is too large."""
    starts: list[float | None] = [None] * len(jobs)
    first_guess: dict[int, float] = {}
    ages: dict[int, list[float]] = {}
    ended: list[tuple[float, int, int]] = []  # end, place among the starts, job
    order_of_start: list[int] = []
    queue: list[int] = []
    running: list[int] = []
    free, now, coming = processors, -inf, 0
    while True:
        for i in [i for i in order_of_start if i in running and starts[i] + jobs[i].run_s <= now]:
            running.remove(i)
            ended.append((now, order_of_start.index(i), i))
            free += jobs[i].processors
        while coming < len(jobs) and jobs[coming].submit_s <= now:
            mine = [jobs[i].run_s for _, _, i in sorted(ended) if jobs[i].user == jobs[coming].user and jobs[i].user >= 0]
            guess = jobs[coming].requested_s
            first_guess[coming] = min(guess, sum(mine[-2:]) / 2) if len(mine) >= 2 else guess
            if jobs[coming].processors <= processors:
                queue.append(coming)
            coming += 1
        if queue and free > 0:
            for i in running:
                ages[i].append(now - starts[i])
            queue.sort(key=lambda i: (key(i), i))

            def begin(i: int, now: float = now) -> None:
                nonlocal free
                queue.remove(i)
                starts[i] = now
                running.append(i)
                order_of_start.append(i)
                ages[i] = []
                free -= jobs[i].processors

            while queue and jobs[queue[0]].processors <= free:
                begin(queue[0])
            if queue:
                head, available = queue[0], free
                ends = sorted((starts[i] + corrected(first_guess[i], jobs[i].requested_s, ages[i]), jobs[i].processors) for i in running)
                for end, n in ends:
                    available += n
                    if available >= jobs[head].processors:
                        shadow, extra = max(end, now), available - jobs[head].processors
                        break
                for i in sorted(queue[1:], key=lambda i: (first_guess[i], i)):
                    in_time = first_guess[i] <= shadow - now
                    if jobs[i].processors <= free and (in_time or jobs[i].processors <= extra):
                        extra -= 0 if in_time else jobs[i].processors
                        begin(i)
        moments = [starts[i] + jobs[i].run_s for i in running] + [job.submit_s for job in jobs[coming : coming + 1]]
        if not moments:
            return starts
        now = min(moments)
