"""Who held what and when: the devices of a cluster, the holdings of a schedule, and the step functions made of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind
from hybrid_ml_scheduler.core.decision import Schedule
from hybrid_ml_scheduler.core.workload import MILLI, FloatArray, IntArray, Workload, WorkloadKind


class DeviceClass(StrEnum):
    """What a device is."""

    CPU = "cpu"
    """All cores of one node."""
    GPU = "gpu"
    """One GPU."""


@dataclass(frozen=True, slots=True)
class Devices:
    """The devices of a cluster: first the cores of every node, then every GPU.

    Attributes
    ----------
    n_nodes : int
        Rows ``0:n_nodes`` are the cores of the nodes, the others GPUs in the order of `ClusterColumns`.
    names : tuple of str
        ``node`` for cores and ``node/gpu0`` for GPUs.
    models : tuple of str
        GPU model, empty for cores.
    capacity_milli : ndarray of int64, shape (n_devices,)
        Cores in thousandths; 1000 for a GPU.
    idle_w, busy_w, usd_per_hour : ndarray of float64, shape (n_devices,)
        Draw and price of ONE core or ONE GPU; NaN where unknown.
    """

    n_nodes: int
    names: tuple[str, ...]
    models: tuple[str, ...]
    capacity_milli: IntArray
    idle_w: FloatArray
    busy_w: FloatArray
    usd_per_hour: FloatArray

    def rows(self, device_class: DeviceClass, model: str | None = None) -> IntArray:
        """Return the rows of one class, or of one GPU model."""
        if device_class is DeviceClass.CPU:
            return np.arange(self.n_nodes, dtype=np.int64)
        gpus = np.arange(self.n_nodes, len(self.names), dtype=np.int64)
        return gpus if model is None else gpus[[self.models[row] == model for row in gpus]]


def devices_of(cluster: Cluster) -> Devices:
    """List the devices of a cluster.

    Parameters
    ----------
    cluster : Cluster

    Returns
    -------
    Devices
    """
    columns = cluster.columns()
    gpus = [(f"{node.name}/gpu{number}", gpu.model) for node in cluster.nodes for number, gpu in enumerate(node.gpus)]
    return Devices(
        n_nodes=len(cluster.nodes),
        names=(*(node.name for node in cluster.nodes), *(name for name, _ in gpus)),
        models=(*("" for _ in cluster.nodes), *(model for _, model in gpus)),
        capacity_milli=np.concatenate((columns.node_cores_milli, np.full(len(gpus), MILLI, dtype=np.int64))),
        idle_w=np.concatenate((columns.node_core_idle_w, columns.gpu_idle_w)),
        busy_w=np.concatenate((columns.node_core_busy_w, columns.gpu_busy_w)),
        usd_per_hour=np.concatenate((columns.node_core_usd_per_hour, columns.gpu_usd_per_hour)),
    )


@dataclass(frozen=True, slots=True)
class Holdings:
    """One row per task and device that it held.

    Attributes
    ----------
    task, device : ndarray of int64, shape (n_holdings,)
        Row of the workload and row of `Devices`.
    milli : ndarray of int64, shape (n_holdings,)
        Held cores or GPU share in thousandths; > 0.
    start_s, end_s : ndarray of float64, shape (n_holdings,)
        When it was taken and freed.
    """

    task: IntArray
    device: IntArray
    milli: IntArray
    start_s: FloatArray
    end_s: FloatArray

    @property
    def unit_s(self) -> FloatArray:
        """Core-seconds or GPU-seconds of every holding."""
        seconds: FloatArray = (self.end_s - self.start_s) * (self.milli / MILLI)
        return seconds


def holdings(workload: Workload, cluster: Cluster, schedule: Schedule) -> Holdings:
    """List what every started task held.

    The CPU part of a task holds its cores from its start to ``cpu_end_s``; its GPU part holds each GPU of ``gpu_mask`` (the asked share of it
    for rigid tasks, the whole of it for divisible ones) from its start to ``gpu_end_s``. A task on unrelated machines holds its whole machine
    from start to finish. Tasks without a finish held nothing that could be accounted for.

    Parameters
    ----------
    workload : Workload
    cluster : Cluster
    schedule : Schedule
        Of this workload on this cluster.

    Returns
    -------
    Holdings
        CPU parts first, then GPU parts by GPU number.
    """
    columns = cluster.columns()
    ran = ~np.isnan(schedule.finish_s)
    whole_node = cluster.kind is ClusterKind.MACHINES
    cpu_end_s = schedule.finish_s if whole_node else schedule.cpu_end_s
    gpu_end_s = schedule.finish_s if whole_node else schedule.gpu_end_s
    cores = columns.node_cores_milli[schedule.node] if whole_node else workload.tasks.cores_milli
    gpu_mask = (np.int64(1) << np.diff(columns.gpu_ptr)[schedule.node]) - 1 if whole_node else schedule.gpu_mask
    whole_gpu = whole_node or workload.kind is WorkloadKind.DIVISIBLE
    share = np.full(len(workload), MILLI, dtype=np.int64) if whole_gpu else workload.tasks.gpu_share_milli

    rows = np.flatnonzero(ran & ~np.isnan(cpu_end_s) & (cores > 0))
    parts = [(rows, schedule.node[rows], cores[rows], cpu_end_s[rows])]
    on_gpu = np.flatnonzero(ran & ~np.isnan(gpu_end_s) & (gpu_mask != 0) & (share > 0))
    masks = gpu_mask[on_gpu]
    union = int(np.bitwise_or.reduce(masks)) if len(masks) else 0
    for number in range(union.bit_length()):
        rows = on_gpu[(masks >> number) & 1 == 1]
        gpu = columns.gpu_ptr[schedule.node[rows]] + number
        parts.append((rows, len(cluster.nodes) + gpu, share[rows], gpu_end_s[rows]))
    task, device, milli, end_s = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Holdings(task, device, milli, schedule.start_s[task], end_s)


@dataclass(frozen=True, slots=True)
class DeviceTimeline:
    """What was in use on every device, as one step function per device.

    Attributes
    ----------
    devices : Devices
        The devices, in the order of the rows below.
    ptr : ndarray of int64, shape (n_devices + 1,)
        The steps of device ``d`` stand at ``ptr[d]:ptr[d + 1]``.
    time_s : ndarray of float64, shape (n_steps,)
        When the use of the device changes, strictly ascending per device.
    used_milli : ndarray of int64, shape (n_steps,)
        Use from that time on, in thousandths of a core or GPU; zero at the last step of every device.
    """

    devices: Devices
    ptr: IntArray
    time_s: FloatArray
    used_milli: IntArray

    def of(self, device: int) -> tuple[FloatArray, IntArray]:
        """Return ``(time_s, used_milli)`` of one device."""
        steps = slice(self.ptr[device], self.ptr[device + 1])
        return self.time_s[steps], self.used_milli[steps]


def device_timeline(workload: Workload, cluster: Cluster, schedule: Schedule) -> DeviceTimeline:
    """Return the use of every device over time.

    What is freed and taken at one instant is one step. A holding of no length (run time 0) leaves no step of its own.

    Parameters
    ----------
    workload : Workload
    cluster : Cluster
    schedule : Schedule

    Returns
    -------
    DeviceTimeline
    """
    held = holdings(workload, cluster, schedule)
    devices = devices_of(cluster)
    device, time_s, used = _steps(held.device, held.start_s, held.end_s, held.milli)
    ptr = np.searchsorted(device, np.arange(len(devices.names) + 1)).astype(np.int64)
    return DeviceTimeline(devices, ptr, time_s, used)


def class_timeline(workload: Workload, cluster: Cluster, schedule: Schedule) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Return the share in use of every class of devices over time.

    Parameters
    ----------
    workload : Workload
    cluster : Cluster
    schedule : Schedule

    Returns
    -------
    dict of str to (ndarray of float64, ndarray of float64)
        For ``cpu`` and ``gpu[MODEL]``, where there is any capacity: when the share changes (strictly ascending), and the share from then on, 0 to 1.
    """
    held = holdings(workload, cluster, schedule)
    devices = devices_of(cluster)
    label_of = np.zeros(len(devices.names), dtype=np.int64)
    labels = ["cpu", *(f"gpu[{model}]" for model in cluster.gpu_models)]
    for code, model in enumerate(cluster.gpu_models, start=1):
        label_of[devices.rows(DeviceClass.GPU, model)] = code
    capacity = np.bincount(label_of, weights=devices.capacity_milli, minlength=len(labels))
    group, time_s, used = _steps(label_of[held.device], held.start_s, held.end_s, held.milli)
    ptr = np.searchsorted(group, np.arange(len(labels) + 1))
    return {label: (time_s[ptr[k] : ptr[k + 1]], used[ptr[k] : ptr[k + 1]] / capacity[k]) for k, label in enumerate(labels) if capacity[k] > 0}


def queue_length(schedule: Schedule) -> tuple[FloatArray, IntArray]:
    """Return the number of queued tasks over time.

    A task is queued from the time at which it became ready (`Schedule.ready_s`) to its start; the integral of the step function therefore is
    the sum of all waits. Tasks that became ready and never started stay queued.

    Parameters
    ----------
    schedule : Schedule

    Returns
    -------
    time_s : ndarray of float64, shape (n_steps,)
        When the length changes, strictly ascending.
    length : ndarray of int64, shape (n_steps,)
        Length from that time on.
    """
    queued = ~np.isnan(schedule.ready_s)
    ready_s = schedule.ready_s[queued]
    start_s = np.where(np.isnan(schedule.start_s[queued]), np.inf, schedule.start_s[queued])
    one = np.ones(len(ready_s), dtype=np.int64)
    _, time_s, length = _steps(np.zeros(len(ready_s), dtype=np.int64), ready_s, start_s, one)
    known = np.isfinite(time_s)
    return time_s[known], length[known]


def _steps(group: IntArray, start_s: FloatArray, end_s: FloatArray, amount: IntArray) -> tuple[IntArray, FloatArray, IntArray]:
    """Sum intervals into one step function per group: group, time and level from that time on, by group and time; times without a change left out."""
    groups = np.concatenate((group, group))
    times = np.concatenate((start_s, end_s))
    changes = np.concatenate((amount, -amount))
    order = np.lexsort((times, groups))
    groups, times, changes = groups[order], times[order], changes[order]
    if len(times) == 0:
        return groups, times, changes
    last = np.append((groups[1:] != groups[:-1]) | (times[1:] != times[:-1]), np.True_)
    # Every group returns to zero, so one running sum serves all of them.
    level: IntArray = np.cumsum(changes)[last]
    groups, times = groups[last], times[last]
    before = np.concatenate((np.zeros(1, dtype=np.int64), level[:-1]))
    changed = level != before
    return groups[changed], times[changed], level[changed]
