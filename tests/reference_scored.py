"""The scored queue in plain Python, sharing no code with the engine: everything is worked out anew at every event.

Estimates are the requests or the shrunk means of the history; trees are left to the test of the walker.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, inf, log
from typing import NamedTuple

import numpy as np

HEAD = ("run", "share", "run2", "cross", "share2", "slowdown", "wait", "overdue")
MOVING = ("run", "share", "slowdown", "wait")


class Job(NamedTuple):
    submit_s: float
    run_s: float
    requested_s: float
    processors: int
    user: int


class Weights:
    """The parameters by name, from their places in the vector."""

    def __init__(self, vector: Sequence[float]) -> None:
        names = [*HEAD, *(f"{term}.{state}" for term in MOVING for state in ("free", "queue", "work"))]
        names += ["hold", "hold_from", "hold_slope", "gap", "gap_easy", "patience_s", "patience", "prior", "all", "user", "class", "blend"]
        self.by_name = dict(zip(names, (float(value) for value in vector), strict=True))

    def __getitem__(self, name: str) -> float:
        return self.by_name[name]


class Mean:
    """A running mean that turns into an exponentially fading one after ten values."""

    def __init__(self) -> None:
        self.n, self.value = 0, 0.0

    def add(self, x: float) -> None:
        self.n += 1
        self.value = x if self.n == 1 else self.value + max(1 / self.n, 0.1) * (x - self.value)

    def drawn(self, towards: float, strength: float) -> float:
        n = min(self.n, 10)
        return (n * self.value + strength * towards) / (n + strength) if n else towards


def scored_starts(jobs: Sequence[Job], processors: int, vector: Sequence[float], *, history: bool, easy: bool) -> list[float | None]:
    """Start time of every job (rows ascend in submit time); ``None`` for one that is too large."""
    w = Weights(vector)
    starts: list[float | None] = [None] * len(jobs)
    everybody, users, classes = Mean(), {}, {}
    estimate: dict[int, float] = {}
    renew: dict[int, tuple[int, int]] = {}
    queue: list[int] = []
    running: list[int] = []
    order_of_start: list[int] = []
    free, now, coming = processors, -inf, 0

    def klass(i: int) -> tuple[int, int, float]:
        return jobs[i].user, jobs[i].processors, jobs[i].requested_s

    def guess(i: int) -> None:
        requested = max(jobs[i].requested_s, 1.0)
        ratio = 0.0
        if history:
            ratio = everybody.drawn(w["prior"] if jobs[i].requested_s % 60 == 0 else 0.0, w["all"])
            if jobs[i].user >= 0:
                mine, alike = users.setdefault(jobs[i].user, Mean()), classes.setdefault(klass(i), Mean())
                ratio = alike.drawn(mine.drawn(ratio, w["user"]), w["class"])
                renew[i] = (2 * mine.n + 1, 2 * alike.n + 1)
        estimate[i] = max(requested * exp(ratio), 1.0)

    def needs(i: int) -> int:
        held = min(max((log(estimate[i]) - w["hold_from"]) * w["hold_slope"], 0.0), 1.0) * w["hold"]
        # In thousandths of a processor, cut, as cores are counted.
        return min(jobs[i].processors * 1000 + int(processors * 1000 * held), processors * 1000)

    while True:
        for i in [i for i in order_of_start if i in running and starts[i] + jobs[i].run_s <= now]:
            running.remove(i)
            free += jobs[i].processors
            ratio = min(max(log(max(jobs[i].run_s, 1.0) / max(jobs[i].requested_s, 1.0)), -12.0), 3.0)
            everybody.add(ratio)
            if jobs[i].user >= 0:
                users.setdefault(jobs[i].user, Mean()).add(ratio)
                classes.setdefault(klass(i), Mean()).add(ratio)
        while coming < len(jobs) and jobs[coming].submit_s <= now:
            if jobs[coming].processors <= processors:
                guess(coming)
                queue.append(coming)
            coming += 1
        if queue and min([jobs[queue[0]].processors * 1000, *map(needs, queue)]) <= free * 1000:
            for i in queue:
                if history and jobs[i].user >= 0:
                    seen = users[jobs[i].user].n, classes[klass(i)].n
                    if seen[0] >= renew[i][0] or seen[1] >= renew[i][1]:
                        guess(i)
            work = sum(jobs[i].processors * estimate[i] for i in queue) / processors
            state = {"free": free / processors, "queue": log(1 + len(queue)) / 5, "work": log(1 + work / 3600) / 5}
            c = {term: w[term] + sum(w[f"{term}.{s}"] * value for s, value in state.items()) if term in MOVING else w[term] for term in HEAD}
            score = {}
            for i in queue:
                x, y, wait = (log(estimate[i]) - 7) / 2, (log(jobs[i].processors / processors) + 2.5) / 1.5, now - jobs[i].submit_s
                form = c["run"] * x + c["share"] * y + c["run2"] * x * x + c["cross"] * x * y + c["share2"] * y * y
                gain = max(c["slowdown"], 0) * log(1 + wait / max(estimate[i], 10)) + max(c["wait"], 0) * log(1 + wait / 3600)
                score[i] = form - gain - max(c["overdue"], 0) * wait / (work + 3600)
            aged = queue[0] if now - jobs[queue[0]].submit_s > max(w["patience_s"], w["patience"] * work) else None
            if aged is not None:
                score[aged] = -inf

            def begin(i: int, now: float = now) -> None:
                nonlocal free
                queue.remove(i)
                starts[i] = now
                running.append(i)
                order_of_start.append(i)
                free -= jobs[i].processors

            while queue:
                head = min(queue, key=lambda i: (score[i], i))
                if (jobs[head].processors * 1000 if head == aged else needs(head)) > free * 1000:
                    break
                begin(head)
            if queue:
                wanted = jobs[head].processors * 1000 if head == aged else needs(head)
                limit = score[head] + (w["gap_easy"] if easy else w["gap"])
                if head == aged:
                    limit = inf if easy else -inf
                shadow, extra = inf, 0
                if easy:
                    available = free * 1000
                    for end, n in sorted((starts[i] + jobs[i].requested_s, jobs[i].processors) for i in running):
                        available += n * 1000
                        if available >= wanted:
                            shadow, extra = max(end, now), available - wanted
                            break
                for i in sorted(queue, key=lambda i: (score[i], i)):
                    in_time = jobs[i].requested_s <= shadow - now
                    if i != head and score[i] <= limit and needs(i) <= free * 1000 and (in_time or jobs[i].processors * 1000 <= extra):
                        extra -= 0 if in_time else jobs[i].processors * 1000
                        begin(i)
        moments = [starts[i] + jobs[i].run_s for i in running] + [job.submit_s for job in jobs[coming : coming + 1]]
        if not moments:
            return starts
        now = min(moments)


def random_weights(rng: np.random.Generator) -> list[float]:
    """Parameters all over the place, so that every mechanism matters in some cases."""
    form = rng.normal(0.0, 2.0, 8).tolist() + rng.normal(0.0, 1.5, 12).tolist()
    hold = [rng.uniform(0.0, 0.5), rng.uniform(2.0, 9.0), rng.uniform(0.1, 3.0)]
    rest = [rng.exponential(2.0), rng.exponential(4.0), rng.choice([50.0, 2000.0, 1e5]), rng.choice([0.1, 1.0, 5.0])]
    return [*form, *hold, *rest, rng.normal(-1.0, 1.0), *rng.exponential(3.0, 3).tolist(), 0.3]
