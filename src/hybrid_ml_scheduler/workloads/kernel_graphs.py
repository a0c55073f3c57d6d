"""Generated task graphs on unrelated machines with CPUs and GPUs: tiled factorisations and random graphs, with drawn kernel times.

What is drawn, all from the seed:

- **graph**: Cholesky, LU or QR of 5, 6, 7, 9, 10, 11 or 13 tiles (LU and QR at most 10), 70 %; else layers or fork and join, 6 kinds of kernel;
- **machines**: 2 to 24 CPU cores; 1 to 6 GPUs, in every fifth case of two models, the second 1.5 to 4 times slower;
- **times**: of a kernel on one core its operations (relative to gemm) times a log-normal factor (sigma 0.25) times 1 to 100 ms; on a GPU that over an
  acceleration: updates 8 to 60, triangular solves 2 to 20, panels 0.15 to 4 (log-uniform), kernels of random graphs 0.3 to 40;
- **transfers**: between two machines 0.1 to 3 times the least GPU time of a kernel (log-uniform), the same on every edge;
- in every seventh case 2 to 4 such graphs arrive one after the other, exponentially, half of a graph's ideal length apart on average.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.core.workload import MILLI, ReadReport, Tasks, Truth, Workload, WorkloadKind, check_workload, edge_columns
from hybrid_ml_scheduler.workloads.clusters import machines
from hybrid_ml_scheduler.workloads.random_graphs import fork_join, layered
from hybrid_ml_scheduler.workloads.tiled_graphs import TiledGraph, tiled_graph

TILES = (5, 6, 7, 9, 10, 11, 13)
"""Sizes that are drawn: none of those of the real graphs that policies are compared on (4, 8 and 12)."""

OPERATIONS = {
    "potrf": 1 / 6,
    "trsm": 1 / 2,
    "syrk": 1 / 2,
    "gemm": 1.0,
    "lu": 1 / 3,
    "fwd": 1 / 2,
    "bdiv": 1 / 2,
    "bmod": 1.0,
    "geqrt": 2 / 3,
    "unmqr": 1.0,
    "tsqrt": 1.0,
    "tsmqr": 2.0,
}
"""Operations of every kernel relative to gemm (Buttari et al. 2009, table 1)."""

_PANEL, _SOLVE, _UPDATE, _ANY = (0.15, 4.0), (2.0, 20.0), (8.0, 60.0), (0.3, 40.0)
ACCELERATION = {
    **dict.fromkeys(("potrf", "lu", "geqrt", "tsqrt"), _PANEL),
    **dict.fromkeys(("trsm", "fwd", "bdiv", "unmqr"), _SOLVE),
    **dict.fromkeys(("syrk", "gemm", "bmod", "tsmqr"), _UPDATE),
}
"""Least and largest acceleration that is drawn for every kernel."""

_FACTORISED = 0.7
_SECOND_MODEL = 0.2
_SEVERAL = 1 / 7
_RANDOM_KINDS = 6
_RANDOM_PARTS = (4, 12)


def generate_kernel_graph(seed: int) -> tuple[Workload, Cluster]:
    """Draw one case.

    Parameters
    ----------
    seed : int
        >= 0; seeds from 10,000 on are for training.

    Returns
    -------
    workload : Workload
        Of kind ``MACHINES``, with exact costs: ``cost_s`` is visible and true.
    cluster : Cluster
        ``machines:N``, CPU cores first.
    """
    rng = np.random.default_rng(seed)
    n_graphs = int(rng.integers(2, 5)) if rng.random() < _SEVERAL else 1
    name, graph = _draw_graph(rng)
    kernels = list(dict.fromkeys(graph.kernels))
    table_s = _draw_times(rng, kernels)
    per_task = table_s[[kernels.index(kernel) for kernel in graph.kernels]]
    transfer_s = float(table_s.min() * _log_uniform(rng, 0.1, 3.0))
    n_each = len(graph.kernels)
    ideal_s = max(float(per_task.min(axis=1).sum()) / per_task.shape[1], float(per_task.min(axis=1).max()))
    arrival_s = np.concatenate(([0.0], np.cumsum(rng.exponential(ideal_s / 2.0, n_graphs - 1))))
    parents = np.concatenate([np.array(graph.parent, dtype=np.int64) + copy * n_each for copy in range(n_graphs)])
    children = np.concatenate([np.array(graph.child, dtype=np.int64) + copy * n_each for copy in range(n_graphs)])
    cost_s = np.tile(per_task, (n_graphs, 1))
    n = n_each * n_graphs
    mean_s = cost_s.mean(axis=1)
    edges = edge_columns(n, parents, children, np.full(len(parents), transfer_s), np.zeros(len(parents)))
    tasks = Tasks(
        task_id=np.arange(n, dtype=np.int64),
        arrival_s=np.repeat(arrival_s, n_each),
        cores_milli=np.full(n, MILLI, dtype=np.int64),
        gpus=np.zeros(n, dtype=np.int64),
        gpu_share_milli=np.zeros(n, dtype=np.int64),
        memory_mb=np.zeros(n),
        requested_time_s=mean_s,
        kind=np.tile(np.array([kernels.index(kernel) for kernel in graph.kernels], dtype=np.int64), n_graphs),
        kind_names=tuple(kernels),
        cost_s=cost_s,
        parent_ptr=edges["parent_ptr"],
        parent_idx=edges["parent_idx"],
        edge_s=edges["edge_s"],
        edge_mb=edges["edge_mb"],
    )
    report = ReadReport(format="generated", rows=n, estimates="exact")
    workload = Workload(f"{name} seed {seed}", WorkloadKind.MACHINES, tasks, Truth(work_s=mean_s.copy(), cost_s=cost_s.copy()), report)
    return check_workload(workload), machines(cost_s.shape[1])


def _draw_graph(rng: np.random.Generator) -> tuple[str, TiledGraph]:
    if rng.random() < _FACTORISED:
        name = str(rng.choice(["cholesky", "lu", "qr"]))
        tiles = int(rng.choice([size for size in TILES if name == "cholesky" or size <= 10]))
        return f"{name} {tiles}", tiled_graph(name, tiles)
    draw, name = (fork_join, "fork-join") if rng.random() < 0.5 else (layered, "layers")
    # Several graphs side by side, so that there is something to choose.
    kernels: list[str] = []
    parents: list[int] = []
    children: list[int] = []
    for _ in range(int(rng.integers(_RANDOM_PARTS[0], _RANDOM_PARTS[1] + 1))):
        n, parent, child = draw(rng)
        parents += [len(kernels) + row for row in parent]
        children += [len(kernels) + row for row in child]
        kernels += [f"kernel{int(number)}" for number in rng.integers(0, _RANDOM_KINDS, n)]
    return name, TiledGraph(kernels, parents, children)


def _draw_times(rng: np.random.Generator, kernels: list[str]) -> np.ndarray:
    """Seconds of every kernel on every machine; shape (kernels, machines)."""
    n_cpus = int(rng.integers(2, 25))
    n_gpus = int(rng.integers(1, 7))
    n_slow = int(rng.integers(1, n_gpus + 1)) if rng.random() < _SECOND_MODEL else 0
    slower = float(rng.uniform(1.5, 4.0))
    unit_s = _log_uniform(rng, 1e-3, 0.1)
    rows = []
    for kernel in kernels:
        cpu_s = unit_s * OPERATIONS.get(kernel, 1.0) * float(rng.lognormal(0.0, 0.25 if kernel in OPERATIONS else 0.7))
        gpu_s = cpu_s / _log_uniform(rng, *ACCELERATION.get(kernel, _ANY))
        rows.append([cpu_s] * n_cpus + [gpu_s] * (n_gpus - n_slow) + [gpu_s * slower] * n_slow)
    return np.array(rows)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


class Misjudged(NamedTuple):
    """How wrong the estimates of a graph are: standard deviations of the logarithm of true over estimated time; >= 0.

    Attributes
    ----------
    machine_class : float
        Of all kernels on a class of machines (columns of equal costs) together.
    kind : float
        Of each kernel on each class.
    task : float
        Of each task, the same on all machines.
    """

    machine_class: float
    kind: float
    task: float


def misjudge(workload: Workload, wrong: Misjudged, seed: int) -> Workload:
    """Return the graph with other true run times; its visible costs, now wrong, stay.

    Parameters
    ----------
    workload : Workload
        Of kind ``MACHINES`` with costs.
    wrong : Misjudged
        How wrong the costs are made.
    seed : int
        Of the draws; >= 0.

    Raises
    ------
    InputError
        If the workload has no costs.
    """
    tasks = workload.tasks
    if tasks.cost_s is None:
        raise InputError(f"workload {workload.name!r} has no costs to misjudge; expected a graph with costs per machine")
    rng = np.random.default_rng(seed)
    _, of_class = np.unique(tasks.cost_s, axis=1, return_inverse=True)
    of_class = of_class.reshape(-1)
    n_classes = int(of_class.max()) + 1
    kind = tasks.kind if tasks.kind is not None else np.zeros(len(tasks), dtype=np.int64)
    by_class = rng.normal(0.0, wrong.machine_class, n_classes)
    by_kind = rng.normal(0.0, wrong.kind, (int(kind.max()) + 1, n_classes))
    by_task = rng.normal(0.0, wrong.task, len(tasks))
    log_ratio = (by_class + by_kind)[kind][:, of_class] + by_task[:, None]
    cost_s = tasks.cost_s * np.exp(log_ratio)
    report = replace(workload.report, estimates="nominal", notes=(*workload.report.notes, "true costs differ from the visible ones"))
    return replace(workload, truth=Truth(work_s=cost_s.mean(axis=1), cost_s=cost_s), report=report)
