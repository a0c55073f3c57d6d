"""From a compiled policy to the mechanism that carries it out."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind
from hybrid_ml_scheduler.core.decision import CompiledPolicy, Mechanism
from hybrid_ml_scheduler.core.errors import IncompatiblePolicyError
from hybrid_ml_scheduler.core.workload import Workload
from hybrid_ml_scheduler.engine import pool
from hybrid_ml_scheduler.engine.decision_point import one_task
from hybrid_ml_scheduler.engine.orders import DYNAMIC_ORDERS, Order, ranks, static_keys
from hybrid_ml_scheduler.engine.state import Law, Problem, State, build_problem, build_state, build_truth

Run = Callable[[State], None]


def prepare(policy: CompiledPolicy, workload: Workload, cluster: Cluster, problem: Problem, truth: Law) -> Run:
    """Return a function that runs the policy to the end of the workload on a fresh state.

    Raises
    ------
    IncompatiblePolicyError
        If the mechanism cannot run this kind of workload on this kind of cluster.
    """
    return _PREPARE[policy.mechanism](policy, workload, cluster, problem, truth)


def _prepare_pool(policy: CompiledPolicy, workload: Workload, cluster: Cluster, problem: Problem, truth: Law) -> Run:
    if cluster.kind is not ClusterKind.POOL:
        raise IncompatiblePolicyError(policy.name, workload.name, f"backfilling needs a pool of processors; cluster {cluster.name!r} has nodes")
    order = Order(policy.codes["order"])
    backfill = pool.Backfill(policy.codes["backfill"])
    n_tasks = len(workload)
    keep_ends = backfill is not pool.Backfill.NONE
    if order in DYNAMIC_ORDERS:
        nobody = np.zeros(0, dtype=np.int64)
        queue = pool.build_pool_queue(n_tasks, nobody, nobody, tree=False, ends=keep_ends)
        return lambda state: pool.run_list(problem, truth, state, queue, int(order), int(backfill))
    rank, row = ranks(static_keys(order, workload))
    queue = pool.build_pool_queue(n_tasks, rank, row, tree=keep_ends, ends=keep_ends)
    kernel = {
        pool.Backfill.NONE: pool.run_heap,
        pool.Backfill.EASY: pool.run_tree_easy,
        pool.Backfill.CONSERVATIVE: pool.run_tree_conservative,
    }[backfill]
    return lambda state: kernel(problem, truth, state, queue)


_PREPARE: dict[Mechanism, Callable[[CompiledPolicy, Workload, Cluster, Problem, Law], Run]] = {Mechanism.POOL: _prepare_pool}


def warm_up(policy: CompiledPolicy) -> None:
    """Compile the functions that run a policy, or load them from the cache, so that this is not timed as simulation."""
    _WARM_UP[policy.mechanism](policy.codes.get("order", 0) in DYNAMIC_ORDERS, policy.codes.get("backfill", 0))


@cache
def _warm_up_pool(dynamic: bool, backfill: int) -> None:
    workload, cluster = one_task()
    problem = build_problem(workload, cluster)
    policy = CompiledPolicy("warm-up", Mechanism.POOL, {"order": int(Order.WFP3 if dynamic else Order.FCFS), "backfill": backfill})
    _prepare_pool(policy, workload, cluster, problem, build_truth(workload, cluster))(build_state(problem))


_WARM_UP: dict[Mechanism, Callable[[bool, int], None]] = {Mechanism.POOL: _warm_up_pool}
