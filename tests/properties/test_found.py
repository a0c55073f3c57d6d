"""What the properties and the reference simulator have found, one small case each."""

from __future__ import annotations

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind, Node
from hybrid_ml_scheduler.core.decision import Schedule, TaskStatus
from hybrid_ml_scheduler.core.workload import ReadReport, Tasks, Truth, Workload, WorkloadKind, edge_columns
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.policies import compile_policy


def run_jobs(policy: str, processors: int, jobs: list[tuple[float, float, float, int]], edges: tuple[tuple[int, int], ...] = ()) -> Schedule:
    """Run jobs of (submit, run time, requested time, processors)."""
    submit_s, run_s, requested_s, n = (np.array(column, dtype=np.float64) for column in zip(*jobs, strict=True))
    nothing = np.zeros(len(jobs), dtype=np.int64)
    tasks = Tasks(
        task_id=np.arange(len(jobs)),
        arrival_s=submit_s,
        cores_milli=(1000 * n).astype(np.int64),
        gpus=nothing,
        gpu_share_milli=nothing,
        memory_mb=np.zeros(len(jobs)),
        requested_time_s=requested_s,
        **edge_columns(len(jobs), [a for a, _ in edges], [b for _, b in edges], [0.0] * len(edges), [0.0] * len(edges)),
    )
    workload = Workload("found", WorkloadKind.RIGID, tasks, Truth(work_s=run_s), ReadReport("generated", len(jobs)))
    cluster = Cluster("pool", ClusterKind.POOL, (Node("pool", processors * 1000),))
    return simulate(workload, cluster, compile_policy(policy, workload, cluster))


def test_a_task_that_never_fits_is_rejected_even_if_its_parent_was() -> None:
    """It was counted as an orphan when the rejected parent arrived first, so the number of rejected tasks depended on the order of arrivals."""
    schedule = run_jobs("fcfs", 1, [(0.0, 1.0, 1.0, 2), (0.0, 1.0, 1.0, 2), (0.0, 1.0, 1.0, 1)], edges=((0, 1), (1, 2)))
    assert schedule.status.tolist() == [TaskStatus.REJECTED, TaskStatus.REJECTED, TaskStatus.ORPHANED]


def test_conservative_reservation_of_no_length_holds_the_present_instant() -> None:
    """A job with an estimate of 0 that starts now occupies now: one that no longer fits at this instant is reserved just after it.

    At time 0 job 0 (estimate 0) takes one of three processors; job 1 needs all three, so its reservation begins just after now and job 2, with
    an estimate of 0 as well, still fits the instant. Job 2 outlives its estimate, and job 1 waits for it.
    """
    schedule = run_jobs("fcfs+conservative", 3, [(0.0, 0.0, 0.0, 1), (0.0, 0.0, 0.5, 3), (0.0, 0.125, 0.0, 1)])
    assert schedule.start_s.tolist() == [0.0, 0.125, 0.0]
