"""How many divisible tasks per second a cluster can sustain at most: the optimum of a fluid relaxation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

from hybrid_ml_scheduler.core.cluster import MB, Cluster, ClusterColumns
from hybrid_ml_scheduler.core.errors import WorkloadError
from hybrid_ml_scheduler.core.workload import MILLI, FloatArray, IntArray, Workload, WorkloadKind

SPLITS = (0.25, 0.5, 0.75)
"""Fractions offered to the relaxation beside 0, 1 and the one that ends the task soonest. Resource use is linear in the fraction but for the launch,
so a finer grid changes nothing that can be measured."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """The optimum of the relaxation.

    Attributes
    ----------
    tasks_per_s : float
        Largest sustainable arrival rate of tasks of this mix.
    device_classes : tuple of str
        ``cpu`` per distinct CPU speed, then the GPU models, one per distinct set of properties.
    prices : ndarray of float64, shape (n_classes,)
        What one core or GPU more of each class would add, as a share of the capacity (dual values); weighted with the class sizes they sum to 1.
    split_share : float
        Share of the tasks that the optimum splits between CPU and GPU.
    """

    tasks_per_s: float
    device_classes: tuple[str, ...]
    prices: FloatArray
    split_share: float


@dataclass(frozen=True, slots=True)
class DeviceClass:
    """Devices that are alike: how many (cores or GPUs), on which nodes, and one GPU of them (``None`` for CPU cores)."""

    size: float
    nodes: IntArray
    gpu: int | None


def fluid_capacity(workload: Workload, cluster: Cluster, *, hidden: bool = True, regime: int = 0, splits: tuple[float, ...] = SPLITS) -> Capacity:
    """Compute the largest arrival rate at which the tasks of this mix could be served, were they infinitely divisible over time.

    Every task is a class of its own, arriving at an equal share of the rate. Its options are the CPU alone, each GPU model alone, and both with the
    GPU fraction that ends it soonest or one of `splits`. Minimise the load of the fullest device class subject to serving every task; the capacity is
    the inverse of that load. No schedule can sustain more; whether one attains it is open, since tasks are not fluid.

    Parameters
    ----------
    workload : Workload
        Divisible tasks; edges between them are ignored.
    cluster : Cluster
        Nodes are pooled by CPU speed and GPU model; a task must fit one node's cores and memory, and the GPU's memory for any GPU part.
    hidden : bool
        With the true work and slow-down, else nominal: ``size`` and 1.
    regime : int
        Which table of slow-downs holds.
    splits : tuple of float
        Further GPU fractions, each between 0 and 1 exclusive.

    Returns
    -------
    Capacity

    Raises
    ------
    WorkloadError
        If the tasks are not divisible, or one of them fits nowhere.

    References
    ----------
    .. [1] Dai, On positive Harris recurrence of multiclass queueing networks: a unified approach via fluid limit models, Ann. Appl. Probab. 5(1),
       1995.
    """
    if workload.kind is not WorkloadKind.DIVISIBLE:
        raise WorkloadError(f"workload {workload.name!r} is of kind {workload.kind}; capacity is defined for divisible tasks")
    columns = cluster.columns()
    classes = _device_classes(columns)
    sizes = np.array([entry.size for entry in classes])
    task, use, is_split = _options(workload, columns, classes, hidden=hidden, regime=regime, splits=splits)
    n_tasks = len(workload)
    served = np.bincount(task, minlength=n_tasks) > 0
    if not served.all():
        row = int(np.flatnonzero(~served)[0])
        raise WorkloadError(f"workload {workload.name!r}: task {int(workload.tasks.task_id[row])} fits nowhere on cluster {cluster.name!r}")
    n_options = len(task)
    # linprog takes sparse matrices, its type stubs do not say so.
    choose: Any = csr_matrix((np.ones(n_options), (task, np.arange(n_options))), shape=(n_tasks, n_options + 1))
    # The last variable is the load of the fullest class at one task per second.
    load_rows = np.concatenate((use / n_tasks, -sizes[:, None]), axis=1)
    objective = np.zeros(n_options + 1)
    objective[-1] = 1.0
    solved = linprog(objective, A_ub=load_rows, b_ub=np.zeros(len(sizes)), A_eq=choose, b_eq=np.ones(n_tasks), method="highs")
    if not solved.success or solved.x is None:
        raise WorkloadError(f"workload {workload.name!r}: the capacity of cluster {cluster.name!r} has no optimum: {solved.message}")
    models = cluster.gpu_models
    names = tuple("cpu" if entry.gpu is None else models[columns.gpu_model[entry.gpu]] for entry in classes)
    return Capacity(
        tasks_per_s=1.0 / float(solved.x[-1]),
        device_classes=names,
        prices=-np.asarray(solved.ineqlin.marginals, dtype=np.float64),
        split_share=float(solved.x[:-1][is_split].sum() / n_tasks),
    )


def _device_classes(columns: ClusterColumns) -> list[DeviceClass]:
    """Pool the devices of equal properties: first the cores by CPU speed, then the GPUs."""
    classes = []
    for speed in np.unique(columns.node_cpu_speed):
        nodes = np.flatnonzero(columns.node_cpu_speed == speed)
        classes.append(DeviceClass(size=float(columns.node_cores_milli[nodes].sum() / MILLI), nodes=nodes, gpu=None))
    if len(columns.gpu_node):
        host_speed = columns.node_cpu_speed[columns.gpu_node]
        properties = np.stack(
            (columns.gpu_model, host_speed, columns.gpu_memory_bytes, columns.gpu_speed, columns.gpu_link_mb_s, columns.gpu_launch_s), axis=1
        )
        _, first, counts = np.unique(properties, axis=0, return_index=True, return_counts=True)
        classes += [
            DeviceClass(size=float(count), nodes=np.array([columns.gpu_node[gpu]]), gpu=int(gpu)) for gpu, count in zip(first, counts, strict=True)
        ]
    return classes


def _options(
    workload: Workload, columns: ClusterColumns, classes: list[DeviceClass], *, hidden: bool, regime: int, splits: tuple[float, ...]
) -> tuple[IntArray, FloatArray, NDArray[np.bool_]]:
    """List every option of every task: its row, the device-seconds it takes of each class, and whether it is a split."""
    tasks = workload.tasks
    cores = tasks.cores_milli / MILLI
    work_s = workload.truth.work_s if hidden else tasks.requested_time_s
    memory = tasks.memory_mb * MB
    rows: list[IntArray] = []
    uses: list[FloatArray] = []
    split: list[NDArray[np.bool_]] = []
    cpu_class = {float(columns.node_cpu_speed[entry.nodes[0]]): index for index, entry in enumerate(classes) if entry.gpu is None}
    for index, entry in enumerate(classes):
        speed = float(columns.node_cpu_speed[entry.nodes[0]])
        if entry.gpu is None:
            limits = zip(columns.node_cores_milli[entry.nodes], columns.node_memory_bytes[entry.nodes], strict=True)
            fits = np.any([(tasks.cores_milli <= most_cores) & (memory <= most_bytes) for most_cores, most_bytes in limits], axis=0)
            fractions: tuple[FloatArray | float, ...] = (0.0,)
            launch_s, rate_s = 0.0, np.zeros(len(tasks))
        else:
            fits = memory <= columns.gpu_memory_bytes[entry.gpu]
            launch_s, rate_s = _gpu_times(workload, columns, entry.gpu, hidden=hidden, regime=regime)
            soonest = np.clip((work_s / speed - launch_s) / np.maximum(work_s / speed + rate_s, np.finfo(np.float64).tiny), 0.0, 1.0)
            fractions = (1.0, soonest, *splits)
        row = np.flatnonzero(fits).astype(np.int64)
        for fraction in fractions:
            share = np.broadcast_to(fraction, len(tasks))[row]
            cpu_s = (1.0 - share) * work_s[row] / speed
            gpu_s = np.where(share > 0, launch_s + share * rate_s[row], 0.0)
            if workload.law != "overlap":
                # One part after the other: both devices are held until the task ends.
                total_s = cpu_s + gpu_s
                cpu_s, gpu_s = np.where(share < 1, total_s, 0.0), np.where(share > 0, total_s, 0.0)
            use = np.zeros((len(classes), len(row)))
            use[index] += gpu_s
            use[cpu_class[speed]] += cores[row] * cpu_s
            rows.append(row)
            uses.append(use)
            split.append((share > 0) & (share < 1))
    return np.concatenate(rows), np.concatenate(uses, axis=1), np.concatenate(split)


def _gpu_times(workload: Workload, columns: ClusterColumns, gpu: int, *, hidden: bool, regime: int) -> tuple[float, FloatArray]:
    """Return the launch and the time of whole tasks on one GPU, in seconds (MODEL.md, *Run time of a divisible task*)."""
    tasks, truth = workload.tasks, workload.truth
    work_s = truth.work_s if hidden else tasks.requested_time_s
    intensity = tasks.compute_intensity if tasks.compute_intensity is not None else np.zeros(len(tasks))
    if workload.law == "serial":
        return 0.0, work_s / (1.0 + 3.0 * intensity) + tasks.memory_mb / 16000.0
    compute_s = work_s * ((1.0 - intensity) + intensity / columns.gpu_speed[gpu])
    if hidden and truth.slowdown is not None and tasks.kind is not None:
        compute_s = compute_s * truth.slowdown[regime, tasks.kind, int(columns.gpu_model[gpu])]
    if hidden and truth.gpu_noise is not None:
        compute_s = compute_s * truth.gpu_noise
    return float(columns.gpu_launch_s[gpu]), tasks.memory_mb / columns.gpu_link_mb_s[gpu] + compute_s
