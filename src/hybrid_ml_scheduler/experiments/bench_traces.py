"""Generated inputs of the benchmarks, for machines without the real traces: alike in size and load only; no result is drawn from them."""

from __future__ import annotations

from typing import Any

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind, Gpu, Node
from hybrid_ml_scheduler.core.workload import (
    MILLI,
    ReadReport,
    Tasks,
    Truth,
    Workload,
    WorkloadKind,
    check_workload,
    edge_columns,
    no_edges,
)

HPC2N_JOBS, HPC2N_PROCESSORS, HPC2N_LOAD = 202_871, 240, 0.6
SDSC_PROCESSORS = 128
GPU_NODES, PODS = 1_213, 8_152


def batch_trace(name: str, n_jobs: int, processors: int, load: float, seed: int) -> Workload:
    """Generate batch jobs: half of them serial, the others on a power of two of processors; log-normal run times, estimates 1 to 10 times too long.

    Parameters
    ----------
    name : str
        Of the workload.
    n_jobs : int
        How many; > 1.
    processors : int
        Of the machine; no job asks for more than half of them.
    load : float
        Work that arrives per second and processor; above 1 the queue grows without end.
    seed : int
        The same seed gives the same jobs.

    Returns
    -------
    Workload
        Poisson arrivals, whole seconds, users 0 to 99.
    """
    rng = np.random.default_rng(seed)
    widest = int(np.log2(processors // 2))
    cores = np.where(rng.random(n_jobs) < 0.5, 1, 2 ** rng.integers(1, widest + 1, n_jobs)).astype(np.int64)
    work_s = np.floor(np.clip(rng.lognormal(np.log(600.0), 2.0, n_jobs), 1.0, 5 * 86_400.0))
    edges: dict[str, Any] = no_edges(n_jobs)
    gap_s = np.sum(work_s * cores) / (load * processors * n_jobs)
    tasks = Tasks(
        task_id=np.arange(1, n_jobs + 1),
        arrival_s=np.floor(np.cumsum(rng.exponential(gap_s, n_jobs))),
        cores_milli=cores * MILLI,
        gpus=np.zeros(n_jobs, dtype=np.int64),
        gpu_share_milli=np.zeros(n_jobs, dtype=np.int64),
        memory_mb=np.zeros(n_jobs),
        requested_time_s=np.ceil(work_s * rng.uniform(1.0, 10.0, n_jobs)),
        user=rng.integers(0, 100, n_jobs),
        **edges,
    )
    report = ReadReport("generated", n_jobs, estimates="user", processors=processors)
    return check_workload(Workload(name, WorkloadKind.RIGID, tasks, Truth(work_s=work_s), report))


def task_graph(n_tasks: int, n_machines: int, seed: int) -> Workload:
    """Generate a task graph: costs uniform from 1 to 100 s on each machine; every task but the first has up to 3 parents among the 50 before it.

    Parameters
    ----------
    n_tasks, n_machines : int
        Size.
    seed : int
        The same seed gives the same graph.

    Returns
    -------
    Workload
        All tasks arrive at 0; transfers take 0 to 50 s.
    """
    rng = np.random.default_rng(seed)
    parents = [rng.choice(np.arange(max(0, child - 50), child), size=min(child, 3), replace=False) for child in range(1, n_tasks)]
    children = np.repeat(np.arange(1, n_tasks), [len(some) for some in parents])
    cost_s = rng.uniform(1.0, 100.0, (n_tasks, n_machines))
    edges: dict[str, Any] = edge_columns(n_tasks, np.concatenate(parents), children, rng.uniform(0.0, 50.0, len(children)), np.zeros(len(children)))
    tasks = Tasks(
        task_id=np.arange(n_tasks),
        arrival_s=np.zeros(n_tasks),
        cores_milli=np.full(n_tasks, MILLI, dtype=np.int64),
        gpus=np.zeros(n_tasks, dtype=np.int64),
        gpu_share_milli=np.zeros(n_tasks, dtype=np.int64),
        memory_mb=np.zeros(n_tasks),
        requested_time_s=cost_s.mean(axis=1),
        cost_s=cost_s,
        **edges,
    )
    truth = Truth(work_s=cost_s.mean(axis=1), cost_s=cost_s)
    return check_workload(Workload("generated graph", WorkloadKind.MACHINES, tasks, truth, ReadReport("generated", n_tasks, estimates="user")))


def machines(n_machines: int) -> Cluster:
    """Return unrelated machines for a task graph."""
    nodes = tuple(Node(f"machine {number}", MILLI) for number in range(n_machines))
    return Cluster(f"{n_machines} machines", ClusterKind.MACHINES, nodes)


def gpu_cluster() -> Cluster:
    """Return a cluster as large as openb's GPU part: 1,213 nodes, here with 8, 4 or 2 GPUs each and 12 cores per GPU."""
    nodes = []
    for number in range(GPU_NODES):
        n_gpus = (8, 4, 8, 2)[number % 4]
        gpu = Gpu(model="generated", memory_mb=float("inf"), speed=1.0, link_gb_s=float("inf"), launch_s=0.0)
        nodes.append(Node(f"node {number}", 12 * n_gpus * MILLI, gpus=(gpu,) * n_gpus))
    return Cluster("generated GPU cluster", ClusterKind.NODES, tuple(nodes))


def pods(seed: int) -> Workload:
    """Generate as many pods as openb's list has: 13 % without a GPU, 38 % with a share of one, the others with 1, 2, 4 or 8."""
    rng = np.random.default_rng(seed)
    edges: dict[str, Any] = no_edges(PODS)
    chance = rng.random(PODS)
    gpus = np.where(chance < 0.13, 0, np.where(chance < 0.85, 1, rng.choice([2, 4, 8], PODS)))
    share = np.where(gpus == 0, 0, np.where((chance >= 0.13) & (chance < 0.51), rng.integers(1, 20, PODS) * 50, MILLI))
    tasks = Tasks(
        task_id=np.arange(PODS),
        arrival_s=np.arange(PODS, dtype=np.float64),
        cores_milli=rng.integers(1, 12, PODS) * MILLI,
        gpus=gpus.astype(np.int64),
        gpu_share_milli=share.astype(np.int64),
        memory_mb=np.zeros(PODS),
        requested_time_s=np.full(PODS, 3600.0),
        **edges,
    )
    report = ReadReport("generated", PODS, estimates="exact")
    return check_workload(Workload("generated pods", WorkloadKind.RIGID, tasks, Truth(work_s=np.full(PODS, 3600.0)), report))
