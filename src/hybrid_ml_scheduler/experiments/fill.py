"""Fill a cluster: tasks arrive, none leaves, until a given part of the cluster's GPUs has been asked for.

The experiment of the FGD paper (Weng et al., USENIX ATC 2023): how much of the GPUs can each placement rule give away before all that is left are
fragments? docs/gpu-sharing.md describes the protocol and compares with the published numbers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind
from hybrid_ml_scheduler.core.errors import ClusterError, IncompatiblePolicyError, InputError, UnknownNameError, WorkloadError
from hybrid_ml_scheduler.core.workload import MILLI, FloatArray, IntArray, Workload, WorkloadKind
from hybrid_ml_scheduler.engine.codes_placement import PlacementCode
from hybrid_ml_scheduler.engine.compiled import compiled
from hybrid_ml_scheduler.engine.placement import (
    NodeState,
    PlacementRule,
    Request,
    TypicalRequests,
    node_fragment,
    node_state,
    place,
    placement_rule,
    request_classes,
    take,
    typical_requests,
)

FILL_POLICIES = {
    "random": PlacementCode.RANDOM,
    "dotprod": PlacementCode.DOT_PRODUCT,
    "gpu_clustering": PlacementCode.GPU_CLUSTERING,
    "gpu_packing": PlacementCode.GPU_PACKING,
    "bestfit": PlacementCode.BEST_FIT,
    "fgd": PlacementCode.FGD,
    "first_fit": PlacementCode.FIRST_FIT,
    "place_round_robin": PlacementCode.ROUND_ROBIN,
    "worst_fit": PlacementCode.WORST_FIT,
    "least_loaded": PlacementCode.LEAST_LOADED,
}
"""Placement rules by the names that ``hms fill`` knows."""

SPELLINGS = {"dot_product": "dotprod", "best_fit": "bestfit", "place_random": "random"}
"""What ``hms compare`` calls some of them."""

PUBLISHED_POLICIES = ("random", "dotprod", "gpu_clustering", "gpu_packing", "bestfit", "fgd")
"""The six that the FGD paper compares."""

MAX_ARRIVALS = 20_000_000
"""A workload that asks for so few GPUs that more arrivals than this were needed is refused: its list of arrivals alone would take 160 MB."""


@compiled
def _fill(requests: IntArray, arrivals: IntArray, curves: FloatArray, state: NodeState, rule: PlacementRule) -> int:
    """Let the tasks arrive, write allocated and fragmented percent at every whole percent of demand, and return how many tasks found a place.

    Percent ``p`` is written when the next arrival would push what has been asked for beyond it, so no curve lies above its demand.
    """
    total_milli = state.capacity[:, 1].sum()
    to_percent = 100.0 / total_milli
    n_percents = curves.shape[1]
    fragment = 0
    for node in range(len(state.stamp)):
        fragment += node_fragment(node, state, rule)
    asked, given, placed, percent = 0, 0, 0, 0
    for row in arrivals:
        request = Request(requests[row, 0], requests[row, 1], requests[row, 2], requests[row, 3], requests[row, 4])
        gpu_milli = request.gpus * request.share_milli
        while percent < n_percents and (asked + gpu_milli) * 100 > percent * total_milli:
            curves[0, percent] = given * to_percent
            curves[1, percent] = fragment * to_percent / rule.total_weight
            percent += 1
        if percent == n_percents:
            break
        asked += gpu_milli
        node, gpu_mask = place(request, state, rule)
        if node >= 0:
            fragment -= node_fragment(node, state, rule)
            take(node, gpu_mask, request, state)
            fragment += node_fragment(node, state, rule)
            given += gpu_milli
            placed += 1
    return placed


def _request_rows(workload: Workload) -> IntArray:
    """Cores, memory in bytes, GPUs, share and class of every task, one row each."""
    tasks = workload.tasks
    classes = request_classes(tasks.cores_milli, tasks.gpus, tasks.gpu_share_milli)
    memory = np.round(tasks.memory_mb * 1e6).astype(np.int64)
    return np.stack([tasks.cores_milli, memory, tasks.gpus, tasks.gpu_share_milli, classes], axis=1)


def _arrivals(gpu_milli: IntArray, demand_milli: int, rng: np.random.Generator) -> IntArray:
    """All tasks once in random order, then tasks drawn with replacement, until they ask for more than the demand."""
    rows = [rng.permutation(len(gpu_milli))]
    asked = int(gpu_milli.sum())
    while asked <= demand_milli:
        rows.append(rng.integers(0, len(gpu_milli), size=len(gpu_milli)))
        asked += int(gpu_milli[rows[-1]].sum())
    return np.concatenate(rows).astype(np.int64)


def _shuffled_nodes(cluster: Cluster, rng: np.random.Generator) -> NodeState:
    """Return the empty cluster with its nodes in random order, because the first of equally good nodes wins."""
    columns = cluster.columns()
    order = rng.permutation(len(columns.node_cores_milli))
    counts = np.diff(columns.gpu_ptr)[order]
    return node_state(
        columns.node_cores_milli[order],
        columns.node_memory_bytes[order],
        np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        np.full(int(counts.sum()), MILLI, dtype=np.int64),
    )


def _check(workload: Workload, cluster: Cluster, policies: tuple[str, ...], demand_percent: int, seeds: int) -> IntArray:
    """Check everything that a user can get wrong, and return the GPU milli that each task asks for."""
    for name in policies:
        if name not in FILL_POLICIES:
            raise UnknownNameError(f"there is no placement rule {name!r} to fill a cluster with; expected some of {', '.join(FILL_POLICIES)}")
    if not policies or len(set(policies)) < len(policies):
        raise InputError(f"policies {', '.join(policies) or '(none)'}: expected at least one name, each once")
    if not 1 <= demand_percent <= 1000:
        raise InputError(f"demand {demand_percent}: expected 1 to 1000 percent of the cluster's GPUs")
    if seeds < 1:
        raise InputError(f"seeds {seeds}: expected at least 1")
    if workload.kind is not WorkloadKind.RIGID:
        raise IncompatiblePolicyError(policies[0], workload.name, f"filling a cluster needs rigid tasks, these are {workload.kind}")
    if cluster.kind is not ClusterKind.NODES or cluster.n_gpus == 0:
        raise ClusterError(f"cluster {cluster.name!r} has no GPU to fill; expected nodes with GPUs")
    gpu_milli = workload.tasks.gpus * workload.tasks.gpu_share_milli
    if not gpu_milli.any():
        raise WorkloadError(f"no task of workload {workload.name!r} asks for a GPU; expected tasks to fill GPUs with")
    needed = demand_percent / 100 * cluster.n_gpus * MILLI / float(gpu_milli.mean())
    if needed > MAX_ARRIVALS:
        raise WorkloadError(
            f"workload {workload.name!r} asks for {int(gpu_milli.sum()) / MILLI:g} GPUs in {len(workload)} tasks: too few to fill "
            f"{cluster.n_gpus} GPUs to {demand_percent} percent; expected at most {MAX_ARRIVALS} arrivals to be needed"
        )
    return gpu_milli


def fill(
    workload: Workload,
    cluster: Cluster,
    policies: Iterable[str] = PUBLISHED_POLICIES,
    demand_percent: int = 130,
    seeds: int = 10,
    *,
    on_run: Callable[[], None] | None = None,
) -> dict[str, Any]:
    """Fill the cluster with the workload's tasks under each placement rule.

    The tasks arrive once each in random order, then drawn again with replacement, until they have asked for the demanded part of the cluster's
    GPUs. A task that does not fit when it arrives is lost; none leaves. For one seed every rule sees the same arrivals and the same order of nodes.

    Parameters
    ----------
    workload : Workload
        Rigid tasks; the most frequent 95 % of their requests are also what FGD and the measure of fragmentation expect to come.
    cluster : Cluster
        Nodes with GPUs.
    policies : iterable of str
        Names from `FILL_POLICIES`, or as `SPELLINGS` has them; the result has those of the former.
    demand_percent : int
        How far to go, in percent of the cluster's GPUs; 1 to 1000.
    seeds : int
        Seeds 0 to ``seeds - 1``; at least 1.
    on_run : callable, optional
        Called after each run (policy and seed), for a progress bar.

    Returns
    -------
    dict
        ``results``: one entry per policy and seed with ``policy``, ``seed``, ``allocated_gpu_percent`` and ``fragmented_gpu_percent`` (values at 0,
        1, ... ``demand_percent`` percent of demand, both in percent of the cluster's GPUs), ``placed_tasks`` and ``engine_s`` (wall time of the
        simulation alone, in seconds); ``mean``: both curves per policy, averaged over the seeds.

    Raises
    ------
    UnknownNameError, InputError, IncompatiblePolicyError, ClusterError, WorkloadError
        If an argument is out of range, or the workload and the cluster do not allow the experiment.
    """
    names = tuple(SPELLINGS.get(name, name) for name in policies)
    gpu_milli = _check(workload, cluster, names, demand_percent, seeds)
    tasks = workload.tasks
    requests = _request_rows(workload)
    typical = typical_requests(tasks.cores_milli, tasks.gpus, tasks.gpu_share_milli)
    demand_milli = demand_percent * cluster.n_gpus * MILLI // 100
    results = []
    for seed in range(seeds):
        arrivals = _arrivals(gpu_milli, demand_milli, np.random.default_rng([seed, 0]))
        for name in names:
            results.append({"policy": name, "seed": seed, **_run(FILL_POLICIES[name], seed, (requests, arrivals, typical), cluster, demand_percent)})
            if on_run is not None:
                on_run()
    results.sort(key=lambda entry: names.index(entry["policy"]))
    return {"results": results, "mean": {name: _mean([entry for entry in results if entry["policy"] == name]) for name in names}}


def _run(code: PlacementCode, seed: int, given: tuple[IntArray, IntArray, TypicalRequests], cluster: Cluster, demand_percent: int) -> dict[str, Any]:
    """Run one policy on one seed."""
    requests, arrivals, typical = given
    state = _shuffled_nodes(cluster, np.random.default_rng([seed, 1]))
    rule = placement_rule(code, state, int(requests[:, 4].max()) + 1, typical, seed)
    curves = np.zeros((2, demand_percent + 1))
    began = time.perf_counter()
    placed = _fill(requests, arrivals, curves, state, rule)
    return {
        "allocated_gpu_percent": curves[0].tolist(),
        "fragmented_gpu_percent": curves[1].tolist(),
        "placed_tasks": int(placed),
        "engine_s": time.perf_counter() - began,
    }


def _mean(entries: list[dict[str, Any]]) -> dict[str, list[float]]:
    return {key: np.mean([entry[key] for entry in entries], axis=0).tolist() for key in ("allocated_gpu_percent", "fragmented_gpu_percent")}
