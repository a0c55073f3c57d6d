"""Small workloads and clusters, written down column by column, for tests of the engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind, Gpu, Node
from hybrid_ml_scheduler.core.decision import Schedule
from hybrid_ml_scheduler.core.workload import ReadReport, Tasks, Truth, Workload, WorkloadKind, check_workload, edge_columns
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.policies import compile_policy

Edge = tuple[int, int, float, float]
"""Parent, child, fixed transfer time in seconds, data in MB."""


def _column(value: Any, n: int, dtype: type) -> Any:
    return np.array(np.broadcast_to(np.asarray(value, dtype=dtype), n))


def _tasks(arrival_s: Any, edges: Sequence[Edge], *, cores: Any, memory_mb: Any, requested_s: Any, **more: Any) -> Tasks:
    n = len(arrival_s)
    parents, children, edge_s, edge_mb = zip(*edges, strict=True) if edges else ((), (), (), ())
    nothing = np.zeros(n, dtype=np.int64)
    return Tasks(
        task_id=np.arange(n),
        arrival_s=_column(arrival_s, n, np.float64),
        cores_milli=np.round(_column(cores, n, np.float64) * 1000).astype(np.int64),
        memory_mb=_column(memory_mb, n, np.float64),
        requested_time_s=_column(requested_s, n, np.float64),
        **({"gpus": nothing, "gpu_share_milli": nothing} | more),
        **edge_columns(n, parents, children, edge_s, edge_mb),
    )


def rigid(
    arrival_s: Sequence[float],
    run_s: Any,
    *,
    cores: Any = 1.0,
    gpus: Any = 0.0,
    memory_mb: Any = 0.0,
    requested_s: Any = None,
    edges: Sequence[Edge] = (),
) -> Workload:
    """Rigid tasks; ``gpus`` below 1 is a share of one GPU. The requested time is the run time unless given."""
    n = len(arrival_s)
    run, asked = _column(run_s, n, np.float64), _column(gpus, n, np.float64)
    tasks = _tasks(
        arrival_s,
        edges,
        cores=cores,
        memory_mb=memory_mb,
        requested_s=run if requested_s is None else requested_s,
        gpus=np.ceil(asked).astype(np.int64),
        gpu_share_milli=np.round(np.where(asked > 0, np.minimum(asked, 1.0), 0.0) * 1000).astype(np.int64),
    )
    return check_workload(Workload("rigid", WorkloadKind.RIGID, tasks, Truth(work_s=run), ReadReport("generated", n)))


def divisible(
    arrival_s: Sequence[float],
    size_s: Any,
    *,
    work_s: Any = None,
    intensity: Any = 1.0,
    cores: Any = 1.0,
    memory_mb: Any = 0.0,
    edges: Sequence[Edge] = (),
    law: str = "overlap",
) -> Workload:
    """Divisible tasks of one kind; the true CPU time is the nominal one unless given."""
    n = len(arrival_s)
    size = _column(size_s, n, np.float64)
    tasks = _tasks(
        arrival_s,
        edges,
        cores=cores,
        memory_mb=memory_mb,
        requested_s=size,
        size=size,
        compute_intensity=_column(intensity, n, np.float64),
        kind=np.zeros(n, dtype=np.int64),
        kind_names=("gemm",),
    )
    truth = Truth(work_s=size.copy() if work_s is None else _column(work_s, n, np.float64))
    return check_workload(Workload("divisible", WorkloadKind.DIVISIBLE, tasks, truth, ReadReport("generated", n), law=law))


def on_machines(cost_s: Any, edges: Sequence[Edge] = (), arrival_s: Sequence[float] | None = None, true_cost_s: Any = None) -> Workload:
    """A graph on unrelated machines; the estimates are exact unless true costs are given. Rows must ascend in arrival."""
    cost = np.array(cost_s, dtype=np.float64)
    true = cost.copy() if true_cost_s is None else np.array(true_cost_s, dtype=np.float64)
    n = len(cost)
    tasks = _tasks([0.0] * n if arrival_s is None else arrival_s, edges, cores=1.0, memory_mb=0.0, requested_s=cost.mean(axis=1), cost_s=cost)
    truth = Truth(work_s=true.mean(axis=1), cost_s=true)
    return check_workload(Workload("graph", WorkloadKind.MACHINES, tasks, truth, ReadReport("generated", n)))


def pool(processors: int) -> Cluster:
    return Cluster("pool", ClusterKind.POOL, (Node("pool", processors * 1000),))


def machines(count: int) -> Cluster:
    return Cluster("machines", ClusterKind.MACHINES, tuple(Node(f"machine {i}", 1000) for i in range(count)))


def gpu(speed: float = 10.0, *, memory_mb: float = float("inf"), link_gb_s: float = 1.0, launch_s: float = 0.0) -> Gpu:
    return Gpu("gpu", memory_mb, speed, link_gb_s, launch_s)


def node(cores: float, *gpus: Gpu, memory_mb: float = float("inf"), cpu_speed: float = 1.0) -> Node:
    return Node("node", round(cores * 1000), memory_mb, cpu_speed, gpus)


def nodes(*made: Node, network_gb_s: float = float("inf"), network_latency_s: float = 0.0) -> Cluster:
    named = tuple(Node(f"node {i}", n.cores_milli, n.memory_mb, n.cpu_speed, n.gpus) for i, n in enumerate(made))
    return Cluster("nodes", ClusterKind.NODES, named, network_gb_s, network_latency_s)


def run(policy: str, workload: Workload, cluster: Cluster, seed: int = 0) -> Schedule:
    """Run a policy of the registry."""
    return simulate(workload, cluster, compile_policy(policy, workload, cluster, seed))
