from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from hybrid_ml_scheduler.core.errors import IncompatiblePolicyError
from hybrid_ml_scheduler.core.workload import Workload
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.policies import compile_policy
from hybrid_ml_scheduler.workloads.clusters import pool
from hybrid_ml_scheduler.workloads.lublin import generate
from properties.strategies import Case, pool_cases
from reference_easypp import Job, easypp_starts


def in_minutes(workload: Workload, seconds: float = 400.0) -> Workload:
    """The same workload with longer times, so that predictions are corrected in several steps; sums stay exact."""
    tasks = replace(workload.tasks, arrival_s=workload.tasks.arrival_s * seconds, requested_time_s=workload.tasks.requested_time_s * seconds)
    return replace(workload, tasks=tasks, truth=replace(workload.truth, work_s=workload.truth.work_s * seconds))


def jobs_of(workload: Workload) -> list[Job]:
    t = workload.tasks
    assert t.user is not None
    columns = (t.arrival_s, workload.truth.work_s, t.requested_time_s, t.cores_milli // 1000, t.user)
    return [Job(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def started(workload: Workload, processors: int, order: str = "fcfs") -> list[float | None]:
    schedule = simulate(workload, pool(processors), compile_policy(f"{order}+easypp", workload, pool(processors)))
    return [None if np.isnan(start) else start for start in schedule.start_s.tolist()]


@pytest.mark.parametrize("order", ["fcfs", "sjf"])
@settings(max_examples=150)
@given(case=pool_cases())
def test_against_the_reference(order: str, case: Case) -> None:
    workload = in_minutes(case.workload)
    processors = case.cluster.nodes[0].cores_milli // 1000
    jobs = jobs_of(workload)
    key = {"fcfs": float, "sjf": lambda i: jobs[i].requested_s}[order]
    assert started(workload, processors, order) == easypp_starts(jobs, processors, key)


def test_a_longer_queue_against_the_reference() -> None:
    workload = generate("lublin:processors=64,users=6,load=1.2", seed=10_000, n_tasks=250)
    assert started(workload, 64) == easypp_starts(jobs_of(workload), 64, float)


def test_two_short_runs_let_the_third_job_pass() -> None:
    """By its request of 100 s it would delay the head; its user's jobs took 10 and 20 s, so it is predicted to take 15."""
    jobs = [(0, 10, 100, 1, 0), (0, 20, 100, 1, 0), (30, 60, 60, 3, 1), (31, 40, 40, 4, 1), (32, 12, 100, 1, 0)]
    small = generate("lublin:processors=4,users=2", seed=10_000, n_tasks=5)
    arrival, run, requested, cores, user = (np.array(column, dtype=np.float64) for column in zip(*jobs, strict=True))
    tasks = replace(small.tasks, arrival_s=arrival, requested_time_s=requested, cores_milli=cores.astype(np.int64) * 1000, user=user.astype(np.int64))
    workload = replace(small, tasks=tasks, truth=replace(small.truth, work_s=run))
    assert started(workload, 4)[4] == 32.0
    easy = simulate(workload, pool(4), compile_policy("fcfs+easy", workload, pool(4)))
    assert easy.start_s[4] > 32.0


def test_orders_that_change_with_the_wait_are_refused() -> None:
    workload = generate("lublin", seed=10_000, n_tasks=20)
    with pytest.raises(IncompatiblePolicyError, match="orders that do not change"):
        compile_policy("wfp3+easypp", workload, pool(256))
