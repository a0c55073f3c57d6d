"""Properties of every registered policy on random workloads and clusters (MODEL.md, *Always true*)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.cluster import ClusterKind
from hybrid_ml_scheduler.core.decision import CompiledPolicy, Mechanism, Schedule
from hybrid_ml_scheduler.core.workload import Truth, WorkloadKind
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.policies import compile_policy, list_policies
from properties.checks import check_always_true, check_never_idle
from properties.strategies import CASES, Case, pool_cases

EXAMPLES_PER_POLICY = 15
POLICIES = list_policies()
SUPPORTED = [(policy.name, *kinds) for policy in POLICIES for kinds in CASES if policy.supports(*kinds)]


def run(case: Case, name: str, seed: int = 0) -> Schedule:
    return simulate(case.workload, case.cluster, compile_policy(name, case.workload, case.cluster, seed=seed))


def decisions(schedule: Schedule, before_s: float) -> list[tuple[int, float, int, int, str]]:
    """What was decided before a time, in order: task, start, node, GPUs, fraction."""
    return [
        (task, float(schedule.start_s[task]), int(schedule.node[task]), int(schedule.gpu_mask[task]), repr(float(schedule.fraction[task])))
        for task in schedule.decision_order.tolist()
        if schedule.start_s[task] < before_s
    ]


def first_end(schedule: Schedule) -> float:
    """When the first device was freed: until then no decision can have learned anything from a run time."""
    ends = np.concatenate((schedule.cpu_end_s, schedule.gpu_end_s, schedule.finish_s))
    return float(np.nanmin(ends)) if not np.isnan(ends).all() else float("inf")


def shuffled(truth: Truth, seed: int) -> Truth:
    """The same truth with everything in the wrong place, and longer."""
    rng = np.random.default_rng(seed)

    def shuffle(column: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
        return None if column is None else 3.0 * rng.permutation(column.ravel()).reshape(column.shape) + 0.125

    work_s = shuffle(truth.work_s)
    assert work_s is not None
    return replace(truth, work_s=work_s, slowdown=shuffle(truth.slowdown), gpu_noise=shuffle(truth.gpu_noise), cost_s=shuffle(truth.cost_s))


def test_every_policy_runs_somewhere() -> None:
    assert {policy.name for policy in POLICIES} == {name for name, *_ in SUPPORTED}
    assert {(workload_kind, cluster_kind) for _, workload_kind, cluster_kind in SUPPORTED} == set(CASES)


@pytest.mark.parametrize(("name", "workload_kind", "cluster_kind"), SUPPORTED)
def test_schedule_is_sound_and_repeatable(name: str, workload_kind: WorkloadKind, cluster_kind: ClusterKind) -> None:
    @settings(max_examples=EXAMPLES_PER_POLICY)
    @given(case=CASES[workload_kind, cluster_kind], seed=st.integers(0, 3))
    def holds(case: Case, seed: int) -> None:
        policy = compile_policy(name, case.workload, case.cluster, seed=seed)
        schedule = simulate(*case, policy)
        check_always_true(case, schedule)
        if not isinstance(policy, CompiledPolicy) or policy.mechanism != Mechanism.PLAN:
            check_never_idle(case, schedule)
        again = run(case, name, seed)
        for field in fields(Schedule):
            value = getattr(schedule, field.name)
            if isinstance(value, np.ndarray):
                assert value.tobytes() == getattr(again, field.name).tobytes(), f"{field.name} differs between two runs of one seed"

    holds()


@pytest.mark.parametrize(("name", "workload_kind", "cluster_kind"), SUPPORTED)
def test_truth_is_out_of_reach(name: str, workload_kind: WorkloadKind, cluster_kind: ClusterKind) -> None:
    @settings(max_examples=EXAMPLES_PER_POLICY // 2)
    @given(case=CASES[workload_kind, cluster_kind], seed=st.integers(0, 3))
    def holds(case: Case, seed: int) -> None:
        policy = compile_policy(name, case.workload, case.cluster, seed=seed)
        other = Case(replace(case.workload, truth=shuffled(case.workload.truth, seed)), case.cluster)
        if isinstance(policy, CompiledPolicy) and policy.clairvoyant:
            return
        one, two = simulate(*case, policy), run(other, name, seed)
        before_s = min(first_end(one), first_end(two))
        assert decisions(one, before_s) == decisions(two, before_s)
        assert decisions(one, np.inf)[:1] == decisions(two, np.inf)[:1]
        # Learned policies plan anew as tasks finish, from what their run times have taught.
        if isinstance(policy, CompiledPolicy) and policy.mechanism == Mechanism.PLAN and not policy.arrays:
            assert one.node.tolist() == two.node.tolist(), "a plan made from visible costs depends on the true ones"

    holds()


@pytest.mark.parametrize("order", ["fcfs", "edf", "priority"])
@settings(max_examples=50)
@given(case=pool_cases())
def test_head_of_the_queue_starts_as_soon_as_it_fits(order: str, case: Case) -> None:
    """Without backfilling nothing but a lack of processors, or a task that stands before it, keeps a task waiting."""
    schedule = run(case, order)
    tasks = case.workload.tasks
    ran = schedule.decision_order.tolist()
    rank = rank_of(case, order)
    for task in ran:
        # The moments at which anything changes between its arrival and its start.
        changes = (
            {float(tasks.arrival_s[task])} | {float(schedule.finish_s[other]) for other in ran} | {float(schedule.start_s[other]) for other in ran}
        )
        for moment in changes:
            if not tasks.arrival_s[task] <= moment < schedule.start_s[task]:
                continue
            before = [other for other in ran if tasks.arrival_s[other] <= moment < schedule.start_s[other] and rank(other) < rank(task)]
            held = sum(int(tasks.cores_milli[other]) for other in ran if schedule.start_s[other] <= moment < schedule.finish_s[other])
            assert before or held + tasks.cores_milli[task] > case.cluster.nodes[0].cores_milli, f"task {task} could have started at {moment}"


def rank_of(case: Case, order: str) -> Callable[[int], tuple[float, float, int]]:
    """Place of a task under an order whose scores do not change with time."""
    tasks = case.workload.tasks
    assert tasks.deadline_s is not None
    assert tasks.priority is not None
    r, n = tasks.requested_time_s, tasks.cores_milli / 1000
    scores = {
        "fcfs": tasks.arrival_s,
        "edf": np.where(np.isnan(tasks.deadline_s), np.inf, tasks.deadline_s),
        "priority": -tasks.priority,
        "sjf": r,
        "ljf": -r,
        "saf": r * n,
        "laf": -r * n,
    }[order]
    return lambda task: (float(scores[task]), float(tasks.arrival_s[task]), task)


def check_head_is_not_delayed(case: Case, schedule: Schedule, rank: Callable[[int], tuple[float, float, int]]) -> None:
    """Each task starts no later than its shadow time at the moment when it became the head of the queue.

    The order must be fixed from then on: no later arrival may stand before the head. Processors are counted at their estimated ends, for all
    tasks that were running at that moment; those started after it (backfilled) must make room in time.
    """
    tasks = case.workload.tasks
    ran = schedule.decision_order.tolist()
    place = {task: position for position, task in enumerate(ran)}
    processors = case.cluster.nodes[0].cores_milli
    for task in ran:
        earlier = [other for other in ran if rank(other) < rank(task)]
        head_since = max([float(tasks.arrival_s[task]), *(float(schedule.start_s[other]) for other in earlier)])
        last = max((place[other] for other in earlier), default=-1)
        arrived_since = head_since > max((float(schedule.start_s[other]) for other in earlier), default=-np.inf)
        running = [
            other
            for other in ran
            if other != task
            and (schedule.start_s[other] < head_since or place[other] <= last)
            and (schedule.finish_s[other] > head_since or (schedule.start_s[other] == head_since and not arrived_since))
        ]
        ends = sorted((max(float(schedule.start_s[other] + tasks.requested_time_s[other]), head_since), other) for other in running)
        free = processors - sum(int(tasks.cores_milli[other]) for other in running)
        shadow = head_since
        for end, other in ends:
            if free >= tasks.cores_milli[task]:
                break
            free += int(tasks.cores_milli[other])
            shadow = end
        assert schedule.start_s[task] <= shadow, f"task {task}, head since {head_since}, started at {schedule.start_s[task]} instead of by {shadow}"


@settings(max_examples=150)
@given(case=pool_cases(upper_bounds=True))
def test_easy_never_delays_the_head_past_its_shadow_time(case: Case) -> None:
    check_head_is_not_delayed(case, run(case, "fcfs+easy"), rank_of(case, "fcfs"))


@pytest.mark.parametrize("order", ["sjf", "ljf", "saf", "laf", "edf", "priority"])
@settings(max_examples=50)
@given(case=pool_cases(upper_bounds=True, together=True))
def test_easy_never_delays_the_head_of_a_fixed_order(order: str, case: Case) -> None:
    check_head_is_not_delayed(case, run(case, f"{order}+easy"), rank_of(case, order))
