"""The engine's arrays: the problem (visible), the law (hidden or estimated) and the state of a run.

Compiled functions take these as named tuples of arrays. The problem holds nothing that a policy may not see; the true run times live in a `Law`
of their own, which only the event loop (`events.start_task`) and clairvoyant policies get.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind, memory_bytes
from hybrid_ml_scheduler.core.decision import DecidedBy, TaskStatus
from hybrid_ml_scheduler.core.errors import IncompatiblePolicyError, WorkloadError
from hybrid_ml_scheduler.core.workload import FloatArray, IntArray, Workload, WorkloadKind, child_columns

KIND_RIGID, KIND_DIVISIBLE, KIND_MACHINES = 0, 1, 2
LAW_OVERLAP, LAW_SUM, LAW_SERIAL = 0, 1, 2
_KINDS = {WorkloadKind.RIGID: KIND_RIGID, WorkloadKind.DIVISIBLE: KIND_DIVISIBLE, WorkloadKind.MACHINES: KIND_MACHINES}
_LAWS = {"overlap": LAW_OVERLAP, "sum": LAW_SUM, "serial": LAW_SERIAL}

# Positions in Problem.mode.
MODE_KIND, MODE_LAW = 0, 1

# Positions in State.counters.
NEXT_ARRIVAL, HEAP_SIZE, QUEUE_SIZE, N_RUNNING, N_STARTED, N_FINISHED, SEQUENCE, N_EVENTS, N_REJECTED, N_ORPHANED = range(10)
N_COUNTERS = 10


class Problem(NamedTuple):
    """Everything visible about the tasks and the cluster. Sizes: n tasks, e edges, m nodes, g GPUs. Units as in `Tasks` and `ClusterColumns`."""

    mode: IntArray
    arrival: FloatArray
    cores: IntArray
    gpus: IntArray
    share: IntArray
    mem: IntArray
    mem_mb: FloatArray
    requested: FloatArray
    size: FloatArray
    intensity: FloatArray
    kind: IntArray
    fits: NDArray[np.bool_]
    parent_ptr: IntArray
    parent_idx: IntArray
    edge_s: FloatArray
    edge_mb: FloatArray
    child_ptr: IntArray
    child_idx: IntArray
    child_edge: IntArray
    cost: FloatArray
    node_cores: IntArray
    node_mem: IntArray
    node_speed: FloatArray
    gpu_ptr: IntArray
    gpu_node: IntArray
    gpu_model: IntArray
    gpu_mem: IntArray
    gpu_speed: FloatArray
    gpu_link: FloatArray
    gpu_launch: FloatArray
    network: FloatArray


class Law(NamedTuple):
    """What decides run times: the truth, or somebody's estimate of it in the same form.

    ``work`` (n,), ``slowdown`` (regimes, kinds, models), ``regime_start`` (regimes,), ``gpu_noise`` (n,), ``cost`` (n, machines) or (0, 0).
    ``factor`` (n, 1 + models) or (0, 0): predictions multiply the work of a divisible task on the CPU by column 0, on GPU model ``m`` by ``1 + m``.
    """

    work: FloatArray
    slowdown: FloatArray
    regime_start: FloatArray
    gpu_noise: FloatArray
    cost: FloatArray
    factor: FloatArray


class State(NamedTuple):
    """Everything that changes during a run; plain arrays, so that a copy of them is a checkpoint."""

    clock: FloatArray
    counters: IntArray
    status: NDArray[np.int8]
    waiting: IntArray
    data_time: FloatArray
    ready: FloatArray
    start: FloatArray
    finish: FloatArray
    cpu_end: FloatArray
    gpu_end: FloatArray
    node: IntArray
    gpu_mask: IntArray
    fraction: FloatArray
    start_log: IntArray
    finish_log: IntArray
    queue: IntArray
    running: IntArray
    running_pos: IntArray
    free_cores: IntArray
    free_mem: IntArray
    gpu_free: IntArray
    gpu_mem_free: IntArray
    heap_time: FloatArray
    heap_key: IntArray
    heap_load: IntArray
    decided_by: NDArray[np.int8]


def build_problem(workload: Workload, cluster: Cluster) -> Problem:
    """Lay a workload and a cluster out for the compiled functions.

    Raises
    ------
    IncompatiblePolicyError, WorkloadError
        If the two do not go together (a cost matrix without its machines, an unknown run-time law).
    """
    tasks = workload.tasks
    columns = cluster.columns()
    n = len(tasks)
    if workload.law not in _LAWS:
        raise WorkloadError(f"workload {workload.name!r}: run-time law {workload.law!r} is unknown; expected one of {', '.join(_LAWS)}")
    if workload.kind is WorkloadKind.MACHINES:
        if tasks.cost_s is None or workload.truth.cost_s is None:
            raise WorkloadError(
                f"workload {workload.name!r} names a kernel per task but no run times; expected a cluster of measured kernels (kernels:PATH@HOST)"
            )
        if tasks.cost_s.shape[1] != len(cluster.nodes):
            raise WorkloadError(
                f"workload {workload.name!r} has costs for {tasks.cost_s.shape[1]} machines, cluster {cluster.name!r} has {len(cluster.nodes)}"
            )
    elif cluster.kind is ClusterKind.MACHINES:
        raise WorkloadError(f"workload {workload.name!r} has no cost per machine; cluster {cluster.name!r} needs one")
    child_ptr, child_idx, child_edge = child_columns(tasks.parent_ptr, tasks.parent_idx)
    mem = np.minimum(np.round(tasks.memory_mb * 1e6), float(memory_bytes(float("inf")))).astype(np.int64)
    problem = Problem(
        mode=np.array([_KINDS[workload.kind], _LAWS[workload.law]], dtype=np.int64),
        arrival=_f8(tasks.arrival_s),
        cores=_i8(tasks.cores_milli),
        gpus=_i8(tasks.gpus),
        share=_i8(tasks.gpu_share_milli),
        mem=mem,
        mem_mb=_f8(tasks.memory_mb),
        requested=_f8(tasks.requested_time_s),
        size=_f8(tasks.size if tasks.size is not None else tasks.requested_time_s),
        intensity=_f8(tasks.compute_intensity if tasks.compute_intensity is not None else np.zeros(n)),
        kind=np.maximum(_i8(tasks.kind), 0) if tasks.kind is not None else np.zeros(n, dtype=np.int64),
        fits=np.ones(n, dtype=np.bool_),
        parent_ptr=_i8(tasks.parent_ptr),
        parent_idx=_i8(tasks.parent_idx),
        edge_s=_f8(tasks.edge_s),
        edge_mb=_f8(tasks.edge_mb),
        child_ptr=child_ptr,
        child_idx=child_idx,
        child_edge=child_edge,
        cost=_f8(tasks.cost_s) if tasks.cost_s is not None else np.zeros((0, 0)),
        node_cores=columns.node_cores_milli,
        node_mem=columns.node_memory_bytes,
        node_speed=columns.node_cpu_speed,
        gpu_ptr=columns.gpu_ptr,
        gpu_node=columns.gpu_node,
        gpu_model=columns.gpu_model,
        gpu_mem=columns.gpu_memory_bytes,
        gpu_speed=columns.gpu_speed,
        gpu_link=columns.gpu_link_mb_s,
        gpu_launch=columns.gpu_launch_s,
        network=np.array([cluster.network_gb_s * 1000.0, cluster.network_latency_s]),
    )
    problem.fits[:] = _fits_empty_cluster(problem)
    return problem


def _f8(column: FloatArray) -> FloatArray:
    return np.ascontiguousarray(column, dtype=np.float64)


def _i8(column: IntArray) -> IntArray:
    return np.ascontiguousarray(column, dtype=np.int64)


def _fits_empty_cluster(problem: Problem) -> NDArray[np.bool_]:
    """Say for every task whether some node, empty, could run it."""
    if problem.mode[MODE_KIND] == KIND_MACHINES:
        return np.ones(len(problem.arrival), dtype=np.bool_)
    if len(problem.node_cores) == 1 and len(problem.gpu_node) == 0:
        # A pool, where traces are long and grouping equal requests would take longer than simulating them.
        fits_pool: NDArray[np.bool_] = (problem.cores <= problem.node_cores[0]) & (problem.mem <= problem.node_mem[0]) & (problem.gpus == 0)
        return fits_pool
    gpu_counts = np.diff(problem.gpu_ptr)
    if problem.mode[MODE_KIND] == KIND_DIVISIBLE:
        requests = np.stack([problem.cores, problem.mem], axis=1)
    else:
        requests = np.stack([problem.cores, problem.mem, problem.gpus], axis=1)
    classes, inverse = np.unique(requests, axis=0, return_inverse=True)
    nodes = np.unique(np.stack([problem.node_cores, problem.node_mem, gpu_counts], axis=1), axis=0)
    fits = np.zeros(len(classes), dtype=np.bool_)
    largest_gpu = problem.gpu_mem.max() if len(problem.gpu_mem) else -1
    for cores, mem, gpus in nodes:
        on_node = (classes[:, 0] <= cores) & (classes[:, 1] <= mem)
        if problem.mode[MODE_KIND] == KIND_RIGID:
            on_node &= classes[:, 2] <= gpus
        fits |= on_node
    if problem.mode[MODE_KIND] == KIND_DIVISIBLE:
        fits |= classes[:, 1] <= largest_gpu
    return fits[inverse.reshape(-1)]


def build_truth(workload: Workload, cluster: Cluster) -> Law:
    """Lay the hidden columns out.

    Raises
    ------
    WorkloadError
        If the cluster has a GPU model that the hidden table does not cover.
    """
    truth = workload.truth
    n = len(workload)
    kinds = int(workload.tasks.kind.max()) + 1 if workload.tasks.kind is not None and n else 1
    models = cluster.gpu_models
    if truth.slowdown is None:
        slowdown = np.ones((1, max(kinds, 1), max(len(models), 1)))
        regime_start = np.array([-np.inf])
    else:
        missing = [model for model in models if model not in truth.gpu_models]
        if missing:
            raise WorkloadError(f"workload {workload.name!r} has no run times for GPU model {missing[0]!r}; it knows {', '.join(truth.gpu_models)}")
        picked = [truth.gpu_models.index(model) for model in models]
        slowdown = np.ascontiguousarray(truth.slowdown[:, :, picked]) if picked else np.ones((truth.slowdown.shape[0], truth.slowdown.shape[1], 1))
        regime_start = truth.regime_start_s
    return Law(
        work=_f8(truth.work_s),
        slowdown=_f8(slowdown),
        regime_start=_f8(regime_start),
        gpu_noise=_f8(truth.gpu_noise) if truth.gpu_noise is not None else np.ones(n),
        cost=_f8(truth.cost_s) if truth.cost_s is not None else np.zeros((0, 0)),
        factor=np.zeros((0, 0)),
    )


def nominal_law(problem: Problem) -> Law:
    """Return what a rule may assume: visible size as work, nominal efficiency 1, the visible cost matrix.

    Under the law ``serial`` sizes are not seconds; the requested time holds the nominal CPU time there.
    """
    kinds = int(problem.kind.max()) + 1 if len(problem.kind) else 1
    models = int(problem.gpu_model.max()) + 1 if len(problem.gpu_model) else 1
    return Law(
        work=problem.requested.copy() if problem.mode[MODE_LAW] == LAW_SERIAL else problem.size.copy(),
        slowdown=np.ones((1, kinds, models)),
        regime_start=np.array([-np.inf]),
        gpu_noise=np.ones(len(problem.arrival)),
        cost=problem.cost,
        factor=np.zeros((0, 0)),
    )


def build_state(problem: Problem) -> State:
    """Return the state before the first event: empty cluster, nothing arrived."""
    n = len(problem.arrival)
    nan = np.full(n, np.nan)
    # Per task at most two releases and, with several nodes, one wake-up per distinct source node of its data plus one.
    wakes = len(problem.parent_idx) + n if len(problem.parent_idx) else 0
    capacity = 2 * n + wakes + 1
    if len(problem.parent_idx) == 0 and problem.mode[MODE_KIND] == KIND_RIGID:
        # A rigid task has one release, and only as many run at once as hold something or take no time.
        capacity = n + 1
    return State(
        clock=np.array([-np.inf]),
        counters=np.zeros(N_COUNTERS, dtype=np.int64),
        status=np.full(n, TaskStatus.PENDING, dtype=np.int8),
        waiting=np.diff(problem.parent_ptr) + 1,
        data_time=np.full(n, -np.inf),
        ready=nan.copy(),
        start=nan.copy(),
        finish=nan.copy(),
        cpu_end=nan.copy(),
        gpu_end=nan.copy(),
        node=np.full(n, -1, dtype=np.int64),
        gpu_mask=np.zeros(n, dtype=np.int64),
        fraction=nan.copy(),
        start_log=np.full(n, -1, dtype=np.int64),
        finish_log=np.full(n, -1, dtype=np.int64),
        queue=np.zeros(n, dtype=np.int64),
        running=np.zeros(n, dtype=np.int64),
        running_pos=np.full(n, -1, dtype=np.int64),
        free_cores=problem.node_cores.copy(),
        free_mem=problem.node_mem.copy(),
        gpu_free=np.full(len(problem.gpu_node), 1000, dtype=np.int64),
        gpu_mem_free=problem.gpu_mem.copy(),
        heap_time=np.zeros(capacity),
        heap_key=np.zeros(capacity, dtype=np.int64),
        heap_load=np.zeros(capacity, dtype=np.int64),
        decided_by=np.full(n, DecidedBy.RULE, dtype=np.int8),
    )


def copy_state(state: State) -> State:
    """Return an independent copy: a checkpoint."""
    return State._make(array.copy() for array in state)


__all__ = [
    "IncompatiblePolicyError",
    "Law",
    "Problem",
    "State",
    "build_problem",
    "build_state",
    "build_truth",
    "copy_state",
    "nominal_law",
]
