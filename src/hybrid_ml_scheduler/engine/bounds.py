"""Proven lower bounds on what any schedule of a workload can reach, clairvoyant or not (docs/graphs.md gives the proofs).

Every bound but CP-SAT's is a *price* argument. Give each resource (all cores of one kind, all GPUs of one kind, a machine) a price per unit and
second so that holding the whole cluster costs 1 per second. A task then has to spend at least the price of its cheapest option, and all tasks
together spend at most 1 per second: they run, at best, on one machine of speed 1 that may interrupt its work, and for that machine the best
makespan and the best total response are known exactly (`one_machine`). Any prices give a valid bound: equal shares give ``area_s``; the dual
values of the LP relaxation, the prices that make the work of all tasks dearest, give ``lp_s``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind, memory_bytes
from hybrid_ml_scheduler.core.errors import NothingToReportError
from hybrid_ml_scheduler.core.workload import MILLI, FloatArray, IntArray, Workload, WorkloadKind
from hybrid_ml_scheduler.engine.cp_sat import MAX_VARIABLES, CpSatResult, cp_sat_makespan, cp_sat_pool_makespan
from hybrid_ml_scheduler.engine.graphs import descendants_of, optimistic_cost_table, optimistic_finish_table
from hybrid_ml_scheduler.engine.metrics import measured_rows
from hybrid_ml_scheduler.engine.one_machine import last_delivery_s, total_completion_s, total_mean_busy_s
from hybrid_ml_scheduler.engine.state import Law, Problem, build_problem, build_truth

__all__ = ["CpSatResult", "cp_sat_makespan", "cp_sat_pool_makespan", "lower_bounds"]

LP_MAX_OPTIONS = 20_000
"""Options (distinct tasks times resources) in the LP. Beyond, an even sample of the tasks sets the prices: valid for all, only less sharp."""


@dataclass(frozen=True, slots=True)
class _Relaxation:
    """What is left of a workload when tasks share nothing but priced resources.

    Attributes
    ----------
    arrival_s : ndarray of float64, shape (n,)
    cost_s : ndarray of float64, shape (n, n_places)
        Least run time of every task in every place between which transfers take time.
    edge_s : ndarray of float64, shape (n_edges,)
        Transfer time between two places.
    use : ndarray of float64, shape (n, n_resources)
        Unit-seconds of a resource; ``inf`` where a task cannot use it.
    capacity : ndarray of float64, shape (n_resources,)
        Units of each resource; > 0.
    alternatives : bool
        Whether a task takes one of the resources, or shares of several (True), or all of them (False).
    """

    arrival_s: FloatArray
    cost_s: FloatArray
    edge_s: FloatArray
    use: FloatArray
    capacity: FloatArray
    alternatives: bool


def lower_bounds(workload: Workload, cluster: Cluster, *, cp_sat: bool = False, time_limit_s: float = 30.0) -> dict[str, float | bool]:
    """Bound makespan and mean response of every schedule of a workload on a cluster from below, by the true run times.

    Makespan is the last finish minus the first arrival; response is finish minus arrival, averaged over the tasks outside the warm-up share, as in
    `hybrid_ml_scheduler.engine.metrics`. Tasks that can never fit, and their descendants, are left out, as they never run.

    Parameters
    ----------
    workload : Workload
    cluster : Cluster
    cp_sat : bool
        Also run CP-SAT where it applies: graphs on unrelated machines, and rigid tasks on a pool, up to `cp_sat.MAX_VARIABLES` placements and
        transfers. Larger or other instances have no ``cp_sat_s``.
    time_limit_s : float
        For CP-SAT, in seconds.

    Returns
    -------
    dict
        Only what applies:

        - ``critical_path_s``: the longest path of shortest run times, with the transfers that no placement can avoid, from each arrival on;
        - ``area_s``: the work with all resources priced alike (rigid tasks: the largest over the resources, each alone);
        - ``lp_s``: the same with prices from the LP relaxation (where tasks choose between resources). Both count work from its earliest possible
          start on and add what must follow it;
        - ``cp_sat_s``, ``cp_sat_proved``: CP-SAT's bound, and whether a schedule that attains it is known;
        - ``best_s``: the largest of these;
        - ``mean_response_s``: the largest of three bounds on the mean response: shortest stays, shortest remaining work first, mean busy times.

    Raises
    ------
    NothingToReportError
        If no task can ever run.
    InputError
        If CP-SAT is asked for and not installed.
    WorkloadError
        If workload and cluster do not go together.
    """
    problem = build_problem(workload, cluster)
    runs = ~descendants_of(~problem.fits, workload.tasks.parent_ptr, workload.tasks.parent_idx)
    measured = measured_rows(workload)[runs]
    first_s = float(workload.tasks.arrival_s[0])
    if not runs.any():
        raise NothingToReportError(f"workload {workload.name!r}: no task can ever run on cluster {cluster.name!r}; there is nothing to bound")
    if not runs.all():
        workload = workload.select(np.flatnonzero(runs))
        problem = build_problem(workload, cluster)
    relaxed = _relax(workload, problem, build_truth(workload, cluster))
    edges = (workload.tasks.parent_ptr, workload.tasks.parent_idx, relaxed.edge_s)
    finish_s = optimistic_finish_table(relaxed.cost_s, *edges, relaxed.arrival_s)
    rest_s = optimistic_cost_table(relaxed.cost_s, *edges)
    head_s = (finish_s - relaxed.cost_s).min(axis=1)
    tail_s = rest_s.min(axis=1)
    area, lp = _priced_work(relaxed)

    makespan: dict[str, float] = {
        "critical_path_s": float((finish_s + rest_s).min(axis=1).max()) - first_s,
        "area_s": max(last_delivery_s(head_s, work_s, tail_s) for work_s in area) - first_s,
    }
    if lp is not None:
        makespan["lp_s"] = last_delivery_s(head_s, lp, tail_s) - first_s
    bounds: dict[str, float | bool] = dict(makespan)
    if cp_sat:
        result = _cp_sat(workload, cluster, problem, relaxed, time_limit_s)
        if result is not None:
            # The solver counts from the first task that runs.
            makespan["cp_sat_s"] = bounds["cp_sat_s"] = result.bound_s + float(relaxed.arrival_s[0]) - first_s
            bounds["cp_sat_proved"] = result.proved
    bounds["best_s"] = max(makespan.values())
    if measured.any():
        works = [work_s[measured] for work_s in (*area, *([] if lp is None else [lp]))]
        bounds["mean_response_s"] = _mean_response_s(
            relaxed.arrival_s[measured], head_s[measured], finish_s.min(axis=1)[measured], relaxed.cost_s.min(axis=1)[measured], works
        )
    return bounds


def _mean_response_s(arrival_s: FloatArray, head_s: FloatArray, finish_s: FloatArray, shortest_s: FloatArray, works: list[FloatArray]) -> float:
    totals = [float(finish_s.sum())]
    for work_s in works:
        totals.append(total_completion_s(head_s, work_s))
        # What a task holds it holds from its start on without interruption, so on average half its run time, or longer, before its end.
        totals.append(total_mean_busy_s(head_s, work_s) + float(shortest_s.sum()) / 2.0)
    return (max(totals) - float(arrival_s.sum())) / len(arrival_s)


def _priced_work(relaxed: _Relaxation) -> tuple[list[FloatArray], FloatArray | None]:
    """Priced work of every task: at equal prices, and at those of the LP relaxation (None where there is nothing to choose)."""
    # Seconds for which the task would keep the whole of each resource busy. Prices below are per whole resource and sum to 1.
    alone_s = relaxed.use / relaxed.capacity
    if not relaxed.alternatives:
        return [np.ascontiguousarray(column) for column in alone_s.T], None
    n_resources = alone_s.shape[1]
    area_s = _cheapest(alone_s, np.full(n_resources, 1.0 / n_resources))
    prices = _lp_prices(alone_s)
    return [area_s], None if prices is None else _cheapest(alone_s, prices)


def _cheapest(alone_s: FloatArray, prices: FloatArray) -> FloatArray:
    usable = np.isfinite(alone_s)
    return np.asarray(np.min(np.where(usable, np.where(usable, alone_s, 0.0) * prices, np.inf), axis=1))


def _lp_prices(alone_s: FloatArray) -> FloatArray | None:
    """Prices from the dual of: share every task out over its resources so that the fullest resource is done soonest."""
    # Like tasks are one task with more to share out.
    kinds, counts = np.unique(alone_s, axis=0, return_counts=True)
    step = -(-kinds.size // LP_MAX_OPTIONS)
    kinds, to_share = kinds[::step], counts[::step].astype(np.float64)
    n_kinds, n_resources = kinds.shape
    kind, resource = np.nonzero(np.isfinite(kinds))
    n_options = len(kind)
    # linprog takes sparse matrices; its type stubs do not say so.
    shared_out: Any = csr_matrix((np.ones(n_options), (kind, np.arange(n_options))), shape=(n_kinds, n_options + 1))
    # The last variable is the end of the fullest resource.
    load = np.zeros((n_resources, n_options + 1))
    load[resource, np.arange(n_options)] = kinds[kind, resource]
    load[:, -1] = -1.0
    objective = np.zeros(n_options + 1)
    objective[-1] = 1.0
    solved = linprog(objective, A_ub=load, b_ub=np.zeros(n_resources), A_eq=shared_out, b_eq=to_share, method="highs")
    if not solved.success:
        return None
    # Rounding to valid prices here makes the bound independent of the solver's tolerances.
    prices = np.maximum(-np.asarray(solved.ineqlin.marginals, dtype=np.float64), 0.0)
    total = float(prices.sum())
    return prices / total if total > 0 else None


def _relax(workload: Workload, problem: Problem, truth: Law) -> _Relaxation:
    if workload.kind is WorkloadKind.MACHINES:
        with_data = np.where(problem.edge_mb > 0, problem.network[1] + problem.edge_mb / problem.network[0], 0.0)
        return _Relaxation(problem.arrival, truth.cost, problem.edge_s + with_data, truth.cost, np.ones(truth.cost.shape[1]), alternatives=True)
    no_transfers = np.zeros(len(problem.parent_idx))
    if workload.kind is WorkloadKind.RIGID:
        shortest_s = truth.work / problem.node_speed.max()
        use, capacity = _rigid_use(problem, truth)
        return _Relaxation(problem.arrival, shortest_s[:, None], no_transfers, use, capacity, alternatives=False)
    use, capacity, shortest_s = _divisible_use(workload, problem, truth)
    return _Relaxation(problem.arrival, shortest_s[:, None], no_transfers, use, capacity, alternatives=True)


def _rigid_use(problem: Problem, truth: Law) -> tuple[FloatArray, FloatArray]:
    """Cores, GPUs and memory, each times the time on a node of speed 1; a faster node counts as so many more."""
    speed = problem.node_speed
    columns = [(problem.cores / MILLI, float(np.sum(problem.node_cores / MILLI * speed)))]
    gpus = np.bincount(problem.gpu_node, minlength=len(speed))
    columns.append((problem.gpus * problem.share / MILLI, float(np.sum(gpus * speed))))
    if np.all(problem.node_mem < memory_bytes(float("inf"))):
        columns.append((problem.mem.astype(np.float64), float(np.sum(problem.node_mem * speed))))
    # Nobody who runs asks for what is not there.
    capacity = np.array([units if units > 0 else 1.0 for _, units in columns])
    return np.stack([asked * truth.work for asked, _ in columns], axis=1), capacity


def _divisible_use(workload: Workload, problem: Problem, truth: Law) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Core-seconds per kind of node, GPU-seconds per kind of GPU, and the shortest time of every task.

    A split with GPU fraction ``f`` takes at least ``1 - f`` of the first and ``f`` of the second (the launch is paid whole), so it lies between
    the two pure options and need not be listed.
    """
    n_tasks = len(problem.arrival)
    shortest_s = np.full(n_tasks, np.inf)
    use: list[FloatArray] = []
    capacity: list[float] = []
    nodes, node_kind, count = np.unique(
        np.stack([problem.node_cores, problem.node_mem, problem.node_speed], axis=1), axis=0, return_inverse=True, return_counts=True
    )
    on_node = [(problem.cores <= cores) & (problem.mem <= mem) for cores, mem, _ in nodes]
    cpu_s = [truth.work / speed for _, _, speed in nodes]
    for kind, (cores, _, _) in enumerate(nodes):
        alone_s = np.where(on_node[kind], cpu_s[kind], np.inf)
        shortest_s = np.minimum(shortest_s, alone_s)
        use.append(np.where(on_node[kind], cpu_s[kind] * (problem.cores / MILLI), np.inf))
        # Tasks that fit a node without cores ask for none.
        capacity.append(float(count[kind] * cores / MILLI) if cores > 0 else 1.0)
    gpus, gpu_kind, gpu_count = np.unique(
        np.stack([problem.gpu_model, problem.gpu_mem, problem.gpu_speed, problem.gpu_link, problem.gpu_launch], axis=1),
        axis=0,
        return_inverse=True,
        return_counts=True,
    )
    slowdown = _least_slowdown(problem, truth)
    for kind, (model, mem, speed, link, nominal_launch_s) in enumerate(gpus):
        launch_s = 0.0 if workload.law == "serial" else nominal_launch_s
        if workload.law == "serial":
            rate_s = truth.work / (1.0 + 3.0 * problem.intensity) + problem.mem_mb / 16000.0
        else:
            compute_s = truth.work * ((1.0 - problem.intensity) + problem.intensity / speed)
            rate_s = problem.mem_mb / link + compute_s * slowdown[:, int(model)] * truth.gpu_noise
        fits = problem.mem <= mem
        alone_s = np.where(fits, launch_s + rate_s, np.inf)
        shortest_s = np.minimum(shortest_s, alone_s)
        use.append(alone_s)
        capacity.append(float(gpu_count[kind]))
        if workload.law != "overlap":
            continue  # one part after the other is never shorter than the better part alone
        for beside in np.unique(node_kind.reshape(-1)[problem.gpu_node[gpu_kind.reshape(-1) == kind]]):
            # (1 - f) a = launch + f b: both parts end together.
            whole_s = cpu_s[beside]
            together_s = whole_s * (rate_s + launch_s) / np.maximum(whole_s + rate_s, np.finfo(np.float64).tiny)
            shortest_s = np.where(fits & on_node[beside] & (whole_s > launch_s), np.minimum(shortest_s, together_s), shortest_s)
    return np.stack(use, axis=1), np.array(capacity), shortest_s


def _least_slowdown(problem: Problem, truth: Law) -> FloatArray:
    """Least slow-down of every task on every GPU model in the regimes that may still hold when it starts; shape (n, n_models)."""
    from_then_on = np.minimum.accumulate(truth.slowdown[::-1], axis=0)[::-1]
    regime = np.searchsorted(truth.regime_start[1:], problem.arrival, side="right")
    return np.asarray(from_then_on[regime, problem.kind])


def _cp_sat(workload: Workload, cluster: Cluster, problem: Problem, relaxed: _Relaxation, time_limit_s: float) -> CpSatResult | None:
    size = relaxed.cost_s.size + len(problem.parent_idx) * relaxed.cost_s.shape[1]
    if size > MAX_VARIABLES:
        return None
    edges: tuple[IntArray, IntArray] = (problem.parent_ptr, problem.parent_idx)
    if workload.kind is WorkloadKind.MACHINES:
        return cp_sat_makespan(relaxed.cost_s, *edges, relaxed.edge_s, relaxed.arrival_s, time_limit_s=time_limit_s)
    if workload.kind is WorkloadKind.RIGID and cluster.kind is ClusterKind.POOL:
        run_s = relaxed.cost_s[:, 0]
        return cp_sat_pool_makespan(run_s, problem.cores, int(problem.node_cores.sum()), relaxed.arrival_s, *edges, time_limit_s=time_limit_s)
    return None
