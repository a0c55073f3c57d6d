"""The engine and the independent reference simulator agree, bit for bit, on random workloads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from hybrid_ml_scheduler.core.cluster import ClusterKind
from hybrid_ml_scheduler.core.decision import Decision, DecisionView, Schedule
from hybrid_ml_scheduler.core.workload import ReadReport, Tasks, Truth, Workload, WorkloadKind, no_edges
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.policies import compile_policy
from properties.checks import gpus_of, parents_of
from properties.strategies import ONE_NODE, Case, divisible_cases, pool, pool_cases
from reference_divisible import Divisible, Gpu, Node, divisible_runs
from reference_simulator import SCORES, Job, pool_starts

SINGLE = divisible_cases(ONE_NODE, law="overlap", max_regimes=1)
SINGLE_WITH_PARENTS = divisible_cases(ONE_NODE, edges=True, law="overlap", max_regimes=1)
BACKFILLS = ("none", "easy", "conservative")


def run(case: Case, name: str) -> Schedule:
    return simulate(case.workload, case.cluster, compile_policy(name, case.workload, case.cluster))


def jobs_of(workload: Workload) -> list[Job]:
    tasks = workload.tasks
    assert tasks.deadline_s is not None
    assert tasks.priority is not None
    return [
        Job(
            submit_s=float(tasks.arrival_s[i]),
            run_s=float(workload.truth.work_s[i]),
            requested_s=float(tasks.requested_time_s[i]),
            processors=float(tasks.cores_milli[i]) / 1000,
            deadline_s=float(tasks.deadline_s[i]),
            priority=float(tasks.priority[i]),
            parents=tuple(parent for parent, _ in parents_of(workload, i)),
        )
        for i in range(len(workload))
    ]


def check_pool(case: Case, order: str, backfill: str) -> None:
    schedule = run(case, order if backfill == "none" else f"{order}+{backfill}")
    expected = pool_starts(jobs_of(case.workload), case.cluster.nodes[0].cores_milli / 1000, order, backfill)
    assert [None if np.isnan(start) else start for start in schedule.start_s.tolist()] == expected


@pytest.mark.parametrize("backfill", BACKFILLS)
@pytest.mark.parametrize("order", SCORES)
@settings(max_examples=25)
@given(case=pool_cases())
def test_pool(order: str, backfill: str, case: Case) -> None:
    check_pool(case, order, backfill)


@pytest.mark.parametrize("backfill", BACKFILLS)
@pytest.mark.parametrize("order", ["fcfs", "sjf", "wfp3", "f1"])
@settings(max_examples=25)
@given(case=pool_cases(edges=True))
def test_pool_with_parents(order: str, backfill: str, case: Case) -> None:
    check_pool(case, order, backfill)


@pytest.mark.parametrize("backfill", BACKFILLS)
@pytest.mark.parametrize("order", SCORES)
def test_pool_with_a_long_queue(order: str, backfill: str) -> None:
    """More than a hundred waiting jobs with whole and with arbitrary times, for the engine's trees; first many at once, then a queue that drains."""
    for seed, decimals in ((1, 0), (2, 12)):
        rng = np.random.default_rng(seed)
        n, processors = 160, 16
        run_s = rng.lognormal(2.0, 1.5, n).round(decimals)
        tasks = Tasks(
            task_id=rng.permutation(n),
            arrival_s=np.sort(rng.choice((0.0, 50.0, 200.0), n) + rng.exponential(60.0, n)).round(decimals),
            cores_milli=1000 * rng.choice((1, 1, 2, 3, 4, 8, 16), n),
            gpus=np.zeros(n, dtype=np.int64),
            gpu_share_milli=np.zeros(n, dtype=np.int64),
            memory_mb=np.zeros(n),
            requested_time_s=(run_s * rng.choice((0.5, 1.0, 1.0, 3.0), n)).round(decimals),
            deadline_s=rng.uniform(0.0, 3000.0, n).round(decimals),
            priority=rng.integers(0, 4, n).astype(np.float64),
            **no_edges(n),
        )
        workload = Workload("long queue", WorkloadKind.RIGID, tasks, Truth(work_s=run_s), ReadReport(format="generated", rows=n))
        check_pool(Case(workload, pool(processors)), order, backfill)


@pytest.mark.parametrize("order", ["fcfs", "saf", "wfp3"])
@settings(max_examples=50)
@given(case=pool_cases() | pool_cases(edges=True))
def test_one_node_without_gpus_is_a_pool(order: str, case: Case) -> None:
    """Two mechanisms of the engine, one semantics: the head of the order waits for the one device there is, and holds it back."""
    nodes = Case(case.workload, replace(case.cluster, kind=ClusterKind.NODES))
    assert run(nodes, f"{order}+first_fit").start_s.tobytes() == run(case, order).start_s.tobytes()


class HeadOfTheOrder:
    """The compiled orders once more, as a policy of the user's own."""

    def __init__(self, order: str) -> None:
        self.name = f"{order} in Python"
        self._order = order

    def decide(self, view: DecisionView) -> Decision | None:
        tasks = view.tasks

        def key(row: int) -> tuple[float, float, int]:
            job = Job(float(tasks.arrival_s[row]), np.nan, float(tasks.requested_time_s[row]), float(tasks.cores_milli[row]) / 1000)
            return SCORES[self._order](job, view.now_s), job.submit_s, row

        head = min(view.queue.tolist(), key=key, default=None)
        return None if head is None or tasks.cores_milli[head] > view.free_cores_milli[0] else Decision(head)


@pytest.mark.parametrize("order", ["fcfs", "saf", "unicep"])
@given(case=pool_cases() | pool_cases(edges=True))
def test_a_policy_in_python_runs_in_the_same_engine(order: str, case: Case) -> None:
    inside, outside = run(case, order), simulate(*case, HeadOfTheOrder(order))
    for column in ("status", "ready_s", "start_s", "finish_s", "decision_order"):
        assert getattr(inside, column).tobytes() == getattr(outside, column).tobytes(), column


@pytest.mark.parametrize("policy", ["round_robin", "greedy", "cpu_only", "gpu_only"])
@settings(max_examples=150)
@given(case=SINGLE | SINGLE_WITH_PARENTS)
def test_divisible_tasks_under_committing_policies(policy: str, case: Case) -> None:
    schedule = run(case, policy)
    expected = divisible_runs(divisible_of(case), node_of(case), policy)
    for i, wanted in enumerate(expected):
        if wanted is None:
            assert np.isnan(schedule.start_s[i])
            continue
        ends = [end for end in (schedule.cpu_end_s[i], schedule.gpu_end_s[i]) if not np.isnan(end)]
        assert (schedule.start_s[i], max(ends), schedule.fraction[i]) == (wanted.start_s, max(wanted.cpu_end_s, wanted.gpu_end_s), wanted.fraction)
        assert gpus_of(schedule, i) == ([wanted.gpu] if wanted.fraction > 0 else [])


def node_of(case: Case) -> Node:
    node = case.cluster.nodes[0]
    gpus = tuple(Gpu(gpu.memory_mb, gpu.speed, gpu.link_gb_s * 1000, gpu.launch_s) for gpu in node.gpus)
    return Node(node.cores_milli / 1000, node.memory_mb, node.cpu_speed, gpus)


def divisible_of(case: Case) -> list[Divisible]:
    tasks, truth, gpus = case.workload.tasks, case.workload.truth, case.cluster.nodes[0].gpus
    assert tasks.compute_intensity is not None
    assert tasks.kind is not None

    def slowdown(i: int) -> tuple[float, ...]:
        noise = 1.0 if truth.gpu_noise is None else float(truth.gpu_noise[i])
        if truth.slowdown is None:
            return (noise,) * len(gpus)
        return tuple(noise * float(truth.slowdown[0, tasks.kind[i], truth.gpu_models.index(gpu.model)]) for gpu in gpus)

    return [
        Divisible(
            number=int(tasks.task_id[i]),
            arrival_s=float(tasks.arrival_s[i]),
            cores=float(tasks.cores_milli[i]) / 1000,
            memory_mb=float(tasks.memory_mb[i]),
            intensity=float(tasks.compute_intensity[i]),
            work_s=float(truth.work_s[i]),
            slowdown=slowdown(i),
            parents=tuple((parent, float(tasks.edge_mb[edge])) for parent, edge in parents_of(case.workload, i)),
        )
        for i in range(len(tasks))
    ]
