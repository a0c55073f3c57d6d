"""From a compiled policy to the mechanism that carries it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Protocol

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind, Gpu, Node
from hybrid_ml_scheduler.core.decision import CompiledPolicy, Mechanism
from hybrid_ml_scheduler.core.errors import IncompatiblePolicyError
from hybrid_ml_scheduler.core.workload import FloatArray, Workload, WorkloadKind
from hybrid_ml_scheduler.engine import (
    divisible,
    easypp,
    graphs,
    learned_divisible,
    learned_graphs,
    learned_nodes,
    machines,
    nodes,
    placement,
    pool,
    reservations,
    scored_run,
    tournament,
    tree,
)
from hybrid_ml_scheduler.engine.codes_placement import PlacementCode
from hybrid_ml_scheduler.engine.decision_point import one_task
from hybrid_ml_scheduler.engine.orders import DYNAMIC_ORDERS, Order, processors, ranks, static_keys
from hybrid_ml_scheduler.engine.state import Law, Problem, State, build_problem, build_state, build_truth, nominal_law


class Run(Protocol):
    """What runs a policy on one state, fresh at the first call."""

    def __call__(self, state: State, until_s: float = np.inf) -> None:
        """Run through all events before a time, in seconds; to the end of the workload if none is given."""


@dataclass(slots=True)
class KernelRun:
    """A run of one compiled function, which goes on on the same arrays when it is called again.

    Attributes
    ----------
    go : callable
        Takes the state and the time before which it stops.
    changing : dict of str to Any
        Arrays besides the state that change on the way, and tuples of them.
    """

    go: Callable[[State, float], object]
    changing: dict[str, Any] = field(default_factory=dict)

    def __call__(self, state: State, until_s: float = np.inf) -> None:
        """Run through all events before a time."""
        self.go(state, float(until_s))

    def parts(self) -> dict[str, Any]:
        """Return everything that changes in the course of the run besides the state, once it has begun: arrays, and tuples of them."""
        return self.changing


def prepare(policy: CompiledPolicy, workload: Workload, cluster: Cluster, problem: Problem, truth: Law) -> Run:
    """Return what runs the policy on a fresh state, to the end of the workload or in steps.

    Raises
    ------
    IncompatiblePolicyError
        If the mechanism cannot run this kind of workload on this kind of cluster.
    """
    kind = WorkloadKind.DIVISIBLE if policy.mechanism in (Mechanism.DIVISIBLE, Mechanism.LEARNED_DIVISIBLE) else WorkloadKind.RIGID
    if policy.mechanism in (Mechanism.PLAN, Mechanism.MACHINES):
        kind = WorkloadKind.MACHINES
    if workload.kind is not kind:
        raise IncompatiblePolicyError(policy.name, workload.name, f"it is for {kind} tasks, these are {workload.kind}")
    return _PREPARE[policy.mechanism](policy, workload, cluster, problem, truth)


def _prepare_pool(policy: CompiledPolicy, workload: Workload, cluster: Cluster, problem: Problem, truth: Law) -> Run:
    if cluster.kind is not ClusterKind.POOL:
        raise IncompatiblePolicyError(policy.name, workload.name, f"it needs a pool of processors; cluster {cluster.name!r} has nodes")
    order = Order(policy.codes["order"])
    backfill = pool.Backfill(policy.codes["backfill"])
    n_tasks = len(workload)
    ends = reservations.build_ends(n_tasks if backfill is not pool.Backfill.NONE else 0)
    if backfill is pool.Backfill.EASYPP:
        if order in DYNAMIC_ORDERS:
            raise IncompatiblePolicyError(policy.name, workload.name, "EASY++ goes with orders that do not change while a job waits")
        desk = easypp.build_predictions(workload.tasks, static_keys(order, workload))
        corrections_s = easypp.corrections()
        return KernelRun(lambda state, until_s: easypp.run_easypp(problem, truth, state, desk, corrections_s, until_s), {"desk": desk})
    if order in DYNAMIC_ORDERS:
        contest = tournament.build_tournament(n_tasks, int(order))
        set_aside = np.zeros(reservations.RESERVATION_DEPTH, dtype=np.int64)
        code = int(backfill)
        return KernelRun(
            lambda state, until_s: pool.run_tournament(problem, truth, state, contest, ends, code, set_aside, until_s),
            {"contest": contest, "ends": ends},
        )
    keys = static_keys(order, workload)
    if backfill is pool.Backfill.NONE:
        heap = pool.build_heap(n_tasks)
        return KernelRun(lambda state, until_s: pool.run_heap(problem, truth, state, keys, heap, until_s), {"heap": heap})
    queue = pool.RankedQueue(*ranks(keys), tree.build_tree(n_tasks))
    kernel = pool.run_easy if backfill is pool.Backfill.EASY else pool.run_conservative
    return KernelRun(lambda state, until_s: kernel(problem, truth, state, queue, ends, until_s), {"queue": queue, "ends": ends})


def _prepare_divisible(policy: CompiledPolicy, workload: Workload, cluster: Cluster, problem: Problem, truth: Law) -> Run:
    expected, rule = divisible_rule(policy, workload, cluster, problem, truth)
    desk = divisible.build_desk(problem)
    return KernelRun(lambda state, until_s: divisible.run_divisible(problem, truth, expected, state, rule, desk, until_s), {"desk": desk})


def divisible_rule(policy: CompiledPolicy, workload: Workload, cluster: Cluster, problem: Problem, truth: Law) -> tuple[Law, divisible.Rule]:
    """Return the times that a rule for divisible tasks expects, and the rule as `divisible.run_divisible` takes it.

    Raises
    ------
    IncompatiblePolicyError
        If its order is for batch traces, or it needs watts that the cluster does not name.
    """
    codes = policy.codes
    order = Order(codes["order"])
    if order in DYNAMIC_ORDERS:
        raise IncompatiblePolicyError(policy.name, workload.name, f"order {order.name.lower()} is for batch traces")
    expected = truth if policy.clairvoyant else nominal_law(problem)
    return expected, divisible.Rule(
        placement=codes["placement"],
        split=codes["split"],
        commit=codes["commit"],
        key=_divisible_keys(order, workload, problem, expected),
        priced_order=codes["priced_order"],
        params=policy.params if len(policy.params) else np.zeros(divisible.N_PARAMS),
        draw=np.random.default_rng(policy.seed).random((len(workload), 2)),
        qilin=_qilin_lines(problem),
        held_w=_held_watts(policy, workload, cluster),
        task_id=workload.tasks.task_id.astype(np.int64),
    )


def _divisible_keys(order: Order, workload: Workload, problem: Problem, expected: Law) -> FloatArray:
    """Return the keys of a static order; the run time of a task is its expected time on the device that suits it best."""
    if order is Order.FCFS:
        # The order of becoming ready, which equal keys keep.
        return np.zeros(len(workload))
    shortest = divisible.shortest_times(problem, expected)
    timed = replace(workload, tasks=replace(workload.tasks, requested_time_s=shortest))
    return static_keys(order, timed)


def _qilin_lines(problem: Problem) -> FloatArray:
    """Fit, per kind of task, straight lines of nominal CPU and GPU time over size (Luk, Hong, Kim, MICRO 2009, section 3)."""
    kinds = int(problem.kind.max(initial=0)) + 1
    n_gpus = len(problem.gpu_node)
    lines = np.zeros((kinds, n_gpus, 4))
    for kind in range(kinds):
        rows = np.flatnonzero(problem.kind == kind)
        if not len(rows):
            continue
        size, c = problem.size[rows], problem.intensity[rows]
        for gpu in range(n_gpus):
            on_gpu = problem.mem_mb[rows] / problem.gpu_link[gpu] + size * ((1.0 - c) + c / problem.gpu_speed[gpu])
            on_cpu = size / problem.node_speed[problem.gpu_node[gpu]]
            lines[kind, gpu] = (*_line(size, on_cpu), *_line(size, on_gpu + problem.gpu_launch[gpu]))
    return lines


def _line(size: FloatArray, seconds: FloatArray) -> tuple[float, float]:
    """Return offset and slope of the least-squares line; through the mean where all sizes are equal."""
    spread = size - size.mean()
    square = float(spread @ spread)
    slope = float(spread @ seconds) / square if square > 0.0 else 0.0
    return float(seconds.mean() - slope * size.mean()), slope


def _held_watts(policy: CompiledPolicy, workload: Workload, cluster: Cluster) -> FloatArray:
    watts = divisible.busy_watts(cluster)
    if policy.codes["placement"] == divisible.Placement.ENERGY_AWARE and np.isnan(watts).any():
        raise IncompatiblePolicyError(policy.name, workload.name, f"cluster {cluster.name!r} does not say what all of its devices draw")
    return np.where(np.isnan(watts), 0.0, watts)


def _prepare_nodes(policy: CompiledPolicy, workload: Workload, cluster: Cluster, problem: Problem, truth: Law) -> Run:
    order = Order(policy.codes["order"])
    code = PlacementCode(policy.codes["placement"])
    tasks = workload.tasks
    dynamic = int(order) if order in DYNAMIC_ORDERS else -1
    key = np.zeros(len(workload)) if dynamic >= 0 else static_keys(order, workload)
    task_class = placement.request_classes(tasks.cores_milli, tasks.gpus, tasks.gpu_share_milli)
    queue = nodes.build_node_queue(problem, key, processors(workload), task_class, dynamic)
    typical = placement.NOTHING_TYPICAL
    if code is PlacementCode.FGD:
        typical = placement.typical_requests(tasks.cores_milli, tasks.gpus, tasks.gpu_share_milli)

    changing: dict[str, Any] = {"queue": queue}

    def go(state: State, until_s: float) -> None:
        if "placing" not in changing:
            # Made around the arrays of the state, while all is free.
            empty = placement.node_state(state.free_cores, state.free_mem, problem.gpu_ptr, state.gpu_free)
            changing["placing"] = empty, placement.placement_rule(code, empty, int(task_class.max(initial=-1)) + 1, typical, policy.seed)
        node_state, rule = changing["placing"]
        nodes.run_nodes(problem, truth, state, queue, node_state, rule, until_s)

    return KernelRun(go, changing)


PLANNERS = (graphs.heft_plan, graphs.cpop_plan, graphs.peft_plan)
"""Planners by their code."""


def _prepare_plan(policy: CompiledPolicy, workload: Workload, cluster: Cluster, problem: Problem, truth: Law) -> Run:
    del cluster
    if policy.codes["planner"] == learned_graphs.PLANNER:
        return learned_graphs.prepare_learned(policy, problem, truth)
    tasks = workload.tasks
    plan = PLANNERS[policy.codes["planner"]](problem.cost, tasks.parent_ptr, tasks.parent_idx, tasks.edge_s, tasks.arrival_s)
    lists = machines.build_lists(problem, plan)
    return _work_off(problem, truth, lists, -1)


def _prepare_machines(policy: CompiledPolicy, workload: Workload, cluster: Cluster, problem: Problem, truth: Law) -> Run:
    del workload, cluster
    lists = machines.build_lists(problem, None)
    return _work_off(problem, truth, lists, policy.codes["placement"])


def _work_off(problem: Problem, truth: Law, lists: machines.MachineLists, rule: int) -> Run:
    return KernelRun(lambda state, until_s: machines.run_machines(problem, truth, state, lists, rule, machines.TO_THE_END, until_s), {"lists": lists})


_PREPARE: dict[Mechanism, Callable[[CompiledPolicy, Workload, Cluster, Problem, Law], Run]] = {
    Mechanism.POOL: _prepare_pool,
    Mechanism.DIVISIBLE: _prepare_divisible,
    Mechanism.NODES: _prepare_nodes,
    Mechanism.PLAN: _prepare_plan,
    Mechanism.MACHINES: _prepare_machines,
    Mechanism.LEARNED_DIVISIBLE: learned_divisible.prepare_learned,
    Mechanism.SCORED_POOL: scored_run.prepare_scored,
    Mechanism.LEARNED_NODES: learned_nodes.NodeRun,
}


def warm_up(policy: CompiledPolicy) -> None:
    """Compile the functions that run a policy, or load them from the cache, so that this is not timed as simulation."""
    if policy.mechanism is Mechanism.SCORED_POOL:
        scored_run.warm_up_scored()
        return
    if policy.codes.get("planner") == learned_graphs.PLANNER:
        learned_graphs.warm_up_learned()
    dynamic = policy.mechanism is Mechanism.POOL and policy.codes["order"] in DYNAMIC_ORDERS
    _warm_up(policy.mechanism, dynamic, policy.codes.get("backfill", 0))


@cache
def _warm_up(mechanism: Mechanism, dynamic: bool, backfill: int) -> None:
    workload, cluster = one_task()
    codes = {
        "order": int(Order.WFP3 if dynamic else Order.FCFS),
        "backfill": backfill,
        "placement": 0,
        "split": 0,
        "commit": 0,
        "priced_order": 0,
        "planner": 0,
    }
    if mechanism in (Mechanism.DIVISIBLE, Mechanism.LEARNED_DIVISIBLE):
        tasks = replace(workload.tasks, size=np.ones(1), compute_intensity=np.ones(1), kind=np.zeros(1, dtype=np.int64))
        workload = replace(workload, kind=WorkloadKind.DIVISIBLE, tasks=tasks)
        cluster = Cluster("one", ClusterKind.NODES, (Node("one", 1000, gpus=(Gpu("one", 1.0, 1.0, 1.0, 0.0),)),))
    elif mechanism in (Mechanism.NODES, Mechanism.LEARNED_NODES):
        cluster = Cluster("one", ClusterKind.NODES, cluster.nodes)
    elif mechanism in (Mechanism.PLAN, Mechanism.MACHINES):
        cost = np.ones((1, 1))
        workload = replace(
            workload, kind=WorkloadKind.MACHINES, tasks=replace(workload.tasks, cost_s=cost), truth=replace(workload.truth, cost_s=cost)
        )
        cluster = Cluster("one", ClusterKind.MACHINES, cluster.nodes)
    problem = build_problem(workload, cluster)
    policy = CompiledPolicy("warm-up", mechanism, codes)
    if mechanism is Mechanism.LEARNED_DIVISIBLE:
        policy = learned_divisible.warm_up_policy()
    elif mechanism is Mechanism.LEARNED_NODES:
        policy = learned_nodes.warm_up_policy()
    prepare(policy, workload, cluster, problem, build_truth(workload, cluster))(build_state(problem))
