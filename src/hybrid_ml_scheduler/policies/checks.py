"""One conformance suite for every policy, ours and the user's own: `check_policy`.

The engine itself refuses decisions that do not fit. What it cannot see is checked here: a policy that leaves tasks waiting for ever, that decides
differently on the same seed, or that has found a way to the true run times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind, Node
from hybrid_ml_scheduler.core.decision import CompiledPolicy, Policy, Schedule
from hybrid_ml_scheduler.core.errors import HmsError, PolicyError
from hybrid_ml_scheduler.core.workload import MILLI, ReadReport, Tasks, Truth, Workload, WorkloadKind, edge_columns, no_edges
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.workloads.clusters import workstation
from hybrid_ml_scheduler.workloads.synthetic import generate

Factory = Callable[[Workload, Cluster, int], CompiledPolicy | Policy]
"""Makes a fresh policy for a workload, a cluster and a seed, as `compile_policy` does."""

_N_TASKS = 120
_SEED = 20_000


def example_cases() -> Iterator[tuple[Workload, Cluster]]:
    """Yield one small seeded case per kind of workload and cluster: batch pool, nodes with GPUs, divisible tasks, unrelated machines."""
    rng = np.random.default_rng(_SEED)
    arrival = np.cumsum(rng.exponential(4.0, _N_TASKS)).round(1)
    run = rng.lognormal(2.5, 1.0, _N_TASKS).round(1)
    nothing = np.zeros(_N_TASKS, dtype=np.int64)
    tasks = Tasks(
        task_id=np.arange(_N_TASKS),
        arrival_s=arrival,
        cores_milli=rng.integers(1, 9, _N_TASKS) * MILLI,
        gpus=nothing,
        gpu_share_milli=nothing,
        memory_mb=np.zeros(_N_TASKS),
        requested_time_s=np.ceil(run * rng.uniform(0.8, 4.0, _N_TASKS)),
        user=rng.integers(0, 5, _N_TASKS),
        user_names=tuple("abcde"),
        priority=rng.integers(0, 3, _N_TASKS).astype(np.float64),
        deadline_s=arrival + 4.0 * run,
        parent_ptr=no_edges(_N_TASKS)["parent_ptr"],
        parent_idx=nothing[:0],
        edge_s=np.zeros(0),
        edge_mb=np.zeros(0),
    )
    report = ReadReport("generated", _N_TASKS, estimates="user")
    batch = Workload("batch example", WorkloadKind.RIGID, tasks, Truth(work_s=run), report)
    yield batch, Cluster("pool:16", ClusterKind.POOL, (Node("pool", 16 * MILLI),))

    share = rng.choice([0, 250, 500, 1000], _N_TASKS)
    with_gpus = replace(tasks, gpus=np.where(share > 0, 1, 0), gpu_share_milli=share)
    one = workstation().nodes[0]
    two = tuple(replace(one, name=f"node{number}") for number in range(2))
    yield Workload("GPU example", WorkloadKind.RIGID, with_gpus, Truth(work_s=run), report), Cluster("two nodes", ClusterKind.NODES, two)

    steady = generate("steady", seed=_SEED, n_tasks=_N_TASKS)
    wishes = replace(steady.tasks, priority=tasks.priority, deadline_s=steady.tasks.arrival_s + 4.0 * steady.tasks.requested_time_s)
    yield replace(steady, tasks=wishes), workstation()

    children = np.arange(1, _N_TASKS)
    edges: dict[str, Any] = edge_columns(_N_TASKS, children // 2, children, rng.uniform(0.0, 3.0, len(children)), np.zeros(len(children)))
    cost = rng.uniform(1.0, 9.0, (_N_TASKS, 3))
    graph = replace(tasks, arrival_s=np.zeros(_N_TASKS), cores_milli=nothing + MILLI, cost_s=cost, requested_time_s=cost.mean(axis=1), **edges)
    machines = Cluster("three machines", ClusterKind.MACHINES, tuple(Node(f"machine{number}", MILLI) for number in range(3)))
    yield Workload("graph example", WorkloadKind.MACHINES, graph, Truth(work_s=cost.mean(axis=1), cost_s=cost), report), machines


def check_policy(make: Factory, case: tuple[Workload, Cluster]) -> Schedule:
    """Check one policy on one case.

    Parameters
    ----------
    make : callable
        Makes the policy; `functools.partial(compile_policy, name)` for one of the registry.
    case : (Workload, Cluster)
        For example one of `example_cases`.

    Returns
    -------
    Schedule
        Of the checked run.

    Raises
    ------
    PolicyError
        If it leaves tasks waiting, decides what cannot be done, decides differently on the same seed, or decides differently when nothing but the
        hidden run times has changed.
    """
    workload, cluster = case
    policy = make(workload, cluster, 1)
    try:
        schedule = simulate(workload, cluster, policy)
    except HmsError as error:
        raise PolicyError(f"policy {policy.name!r} failed on {workload.name!r}: {error}") from error
    again = simulate(workload, cluster, make(workload, cluster, 1))
    if not np.array_equal(schedule.start_s, again.start_s, equal_nan=True) or not np.array_equal(schedule.decision_order, again.decision_order):
        raise PolicyError(f"policy {policy.name!r} decides differently on the same seed; expected all randomness to come from the seed")
    if isinstance(policy, CompiledPolicy) and policy.clairvoyant:
        return schedule
    _check_truth_is_hidden(make, workload, cluster)
    return schedule


def _check_truth_is_hidden(make: Factory, workload: Workload, cluster: Cluster) -> None:
    # All at once, so that many decisions are made before the first task ends and tells its run time.
    together = np.full(len(workload), workload.tasks.arrival_s[0])
    workload = replace(workload, tasks=replace(workload.tasks, arrival_s=together))
    schedule = simulate(workload, cluster, make(workload, cluster, 1))
    rng = np.random.default_rng(_SEED)
    truth = workload.truth
    shuffled = replace(
        truth,
        work_s=3.0 * rng.permutation(truth.work_s) + 1.0,
        cost_s=None if truth.cost_s is None else 3.0 * rng.permutation(truth.cost_s) + 1.0,
    )
    other_work = replace(workload, truth=shuffled)
    policy = make(other_work, cluster, 1)
    other = simulate(other_work, cluster, policy)
    # Until the first task ends in either world, nothing about run times can have been learned.
    blind_until = min(np.nanmin(run.finish_s) for run in (schedule, other))
    for run in (schedule, other):
        for ends in (run.cpu_end_s, run.gpu_end_s):
            if not np.isnan(ends).all():
                blind_until = min(blind_until, np.nanmin(ends))
    for row in range(len(workload)):
        before = [run for run in (schedule, other) if run.start_s[row] < blind_until]
        if before and (len(before) == 1 or schedule.node[row] != other.node[row] or schedule.start_s[row] != other.start_s[row]):
            raise PolicyError(
                f"policy {policy.name!r} treats the task in row {row} of {workload.name!r} differently when only hidden run times have changed; "
                "expected decisions from visible columns alone"
            )
