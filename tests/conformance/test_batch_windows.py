"""Published bounded slowdowns of batch schedulers, and whole traces that another simulator (AccaSim) confirms.

Two semantics (see the notes in ``published.json``): the engine sorts the queue again at every event; the published cells come from a scheduler that
commits to the best job and waits for it. The latter is reproduced by a policy in Python on the decision-point interface.

EASY's rules leave open what happens when several running jobs are expected to end at the shadow time. All eighteen cells of ``resorted_easy`` come
out to two decimals when the running jobs are collected by (expected end, processors) only until the head fits, so that what else ends at that instant
is not "extra". Counting it, as one may also read the rules, keeps the head's promise as well, but misses ten of the eighteen cells by 1.0 to 2.9 %.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from math import log2, log10, sqrt
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind, Node
from hybrid_ml_scheduler.core.decision import Decision, DecisionView, Policy, Schedule
from hybrid_ml_scheduler.core.workload import Workload
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.policies import compile_policy
from hybrid_ml_scheduler.workloads.open import open_workload
from hybrid_ml_scheduler.workloads.windows import first_n, windows
from reference_simulator import Job, pool_starts
from shared_data import shared

TRACES = {"hpc2n": ("data/hpc2n/HPC2N-2002-2.2-cln.swf.gz", 240), "lublin_256": ("data/lublin/lublin_256.swf.gz", 256)}
ORDERS = ("fcfs", "sjf", "f1", "wfp3", "unicep", "saf", "f2", "f3", "f4")
WINDOW = 1024


@cache
def published() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(shared("reference/published.json").read_text())
    return document


@cache
def trace(name: str) -> Workload:
    return open_workload(str(shared(TRACES[name][0])))


@cache
def trace_windows(name: str) -> tuple[Workload, ...]:
    return tuple(windows(trace(name), [(start, WINDOW) for start in published()["batch_windows"]["window_starts"]]))


def pool(name: str) -> Cluster:
    return Cluster(name, ClusterKind.POOL, (Node("pool", TRACES[name][1] * 1000),))


def bounded_slowdown(workload: Workload, start_s: NDArray[np.float64]) -> float:
    run_s = workload.truth.work_s
    return float(np.maximum(1.0, (start_s - workload.tasks.arrival_s + run_s) / np.maximum(run_s, 10.0)).mean())


def mean_over_windows(name: str, starts: Callable[[Workload], NDArray[np.float64]]) -> float:
    return float(np.mean([bounded_slowdown(window, starts(window)) for window in trace_windows(name)]))


def compiled_starts(name: str, policy: str) -> Callable[[Workload], NDArray[np.float64]]:
    return lambda window: simulate(window, pool(name), compile_policy(policy, window, pool(name))).start_s


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", TRACES)
def test_resorted_without_backfilling(name: str, order: str) -> None:
    expected = published()["batch_windows"]["resorted_none"][name][order]
    assert mean_over_windows(name, compiled_starts(name, order)) == pytest.approx(expected, abs=0.00501)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", TRACES)
def test_resorted_with_easy(name: str, order: str) -> None:
    expected = published()["batch_windows"]["resorted_easy"][name][order]
    value = mean_over_windows(name, compiled_starts(name, f"{order}+easy"))
    assert value == pytest.approx(expected, rel=0.01)
    assert value == pytest.approx(expected, abs=0.00501), "within the tolerance, but no longer the rule of ties that gives every digit"


@pytest.mark.parametrize(("order", "backfill"), [("sjf", "none"), ("wfp3", "none"), ("saf", "easy"), ("wfp3", "easy")])
@pytest.mark.parametrize("name", TRACES)
def test_the_reference_simulator_gives_the_same(name: str, order: str, backfill: str) -> None:
    """What the property tests hold the engine against is itself held against the published numbers."""

    def starts(window: Workload) -> NDArray[np.float64]:
        columns = (window.tasks.arrival_s, window.truth.work_s, window.tasks.requested_time_s, window.tasks.cores_milli / 1000)
        return np.array(
            pool_starts([Job(*row) for row in zip(*(column.tolist() for column in columns), strict=True)], TRACES[name][1], order, backfill)
        )

    expected = published()["batch_windows"][f"resorted_{backfill}"][name][order]
    assert mean_over_windows(name, starts) == pytest.approx(expected, abs=0.00501)


@pytest.mark.parametrize(("jobs", "cell"), [(20_007, "hpc2n_first_20007_jobs_240_procs"), (202_871, "hpc2n_202871_jobs_240_procs")])
def test_fcfs_over_hpc2n(jobs: int, cell: str) -> None:
    expected = published()["batch_whole_trace"][cell]["fcfs"]
    workload = first_n(trace("hpc2n"), jobs)
    assert len(workload) == jobs
    start_s = compiled_starts("hpc2n", "fcfs")(workload)
    assert float((start_s - workload.tasks.arrival_s).mean()) == pytest.approx(expected["mean_wait"], abs=0.00501)
    assert bounded_slowdown(workload, start_s) == pytest.approx(expected["mean_bounded_slowdown_10"], abs=0.000501)


class Committing:
    """Choose the job with the best score once, and start it as soon as it fits, whatever arrives meanwhile.

    Events are handled one at a time, as in the published loop: a job that arrives while nothing waits is chosen at once, before others of the same
    instant are seen. Nothing is chosen while a chosen job waits.
    """

    def __init__(self, name: str, score: Callable[[float, float, float, float], float]) -> None:
        self.name = name
        self._score = score  # of requested time, processors, submit time, waiting time
        self._seen: dict[int, None] = {}  # rows that the published loop would have in its queue, in the order of arrival
        self._chosen: int | None = None

    def decide(self, view: DecisionView) -> Decision | None:
        queue = view.queue.tolist()
        if not queue:
            return None
        if self._chosen is None:
            if not self._seen:
                self._seen[queue[0]] = None
            self._chosen = min(self._seen, key=lambda row: self._score_now(view, row))
        else:
            self._seen.update(dict.fromkeys(queue))
        if view.tasks.cores_milli[self._chosen] > view.free_cores_milli[0]:
            self._seen.update(dict.fromkeys(queue))
            return None
        decision = Decision(self._chosen)
        del self._seen[self._chosen]
        self._chosen = None
        return decision

    def _score_now(self, view: DecisionView, row: int) -> float:
        tasks = view.tasks
        submit_s = float(tasks.arrival_s[row])
        return self._score(float(tasks.requested_time_s[row]), float(tasks.cores_milli[row]) / 1000, submit_s, view.now_s - submit_s)


def _log(value: float) -> float:
    return log10(max(value, 0.1))


COMMITTED: dict[str, Callable[[float, float, float, float], float]] = {
    "fcfs": lambda r, n, s, w: s,
    "sjf": lambda r, n, s, w: r,
    "f1": lambda r, n, s, w: _log(r) * n + 870 * _log(s),
    "f2": lambda r, n, s, w: sqrt(r) * n + 25600 * _log(s),
    "f3": lambda r, n, s, w: r * n + 6860000 * _log(s),
    "f4": lambda r, n, s, w: r * sqrt(n) + 530000 * _log(s),
    "wfp3": lambda r, n, s, w: -((w / r) ** 3) * n,
    "unicep": lambda r, n, s, w: -(w + 1e-15) / (log2(n + 1e-15) * r),
}


@pytest.mark.parametrize("order", COMMITTED)
@pytest.mark.parametrize("name", TRACES)
def test_committing_policy_gives_the_published_table(name: str, order: str) -> None:
    batch = published()["batch_windows"]
    cells = (
        batch["published_mean_bounded_slowdown"][name]["none"] | batch["corrected_wfp3_unicep_committed"][name] | batch["f2_f3_f4_committed"][name]
    )

    def starts(window: Workload) -> NDArray[np.float64]:
        policy: Policy = Committing(f"committed {order}", COMMITTED[order])
        schedule: Schedule = simulate(window, pool(name), policy)
        return schedule.start_s

    assert mean_over_windows(name, starts) == pytest.approx(cells[order], abs=0.00501)
