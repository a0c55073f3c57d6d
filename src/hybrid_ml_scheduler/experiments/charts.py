"""Curves for plots: a schedule of any size reduced to a few thousand numbers, so that many of them can be kept and sent between processes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind
from hybrid_ml_scheduler.core.decision import Schedule
from hybrid_ml_scheduler.core.workload import MILLI, FloatArray, IntArray, Workload
from hybrid_ml_scheduler.engine.metrics import measured_rows
from hybrid_ml_scheduler.engine.usage import Devices, Holdings, class_timeline, devices_of, holdings, queue_length

CDF_POINTS = 400
QUEUE_BINS = 300
UTILIZATION_BINS = 60
"""Fewer, because the use of few devices jumps up and down, and several policies stand in one plot."""
GANTT_TASKS = 120
GANTT_BARS = 1500
GANTT_DEVICES = 16

Curve = tuple[FloatArray, FloatArray]


@dataclass(frozen=True, slots=True)
class Gantt:
    """Bars of a part of a schedule.

    Attributes
    ----------
    device_names : tuple of str
        The rows, top to bottom.
    device_units : ndarray of float64, shape (n_rows,)
        Cores, or 1 for a GPU.
    n_devices : int
        Devices of the whole cluster.
    from_s, to_s : float
        The part of time shown, from the first arrival.
    whole : bool
        Whether this is the whole run.
    row : ndarray of int64, shape (n_bars,)
        Row of every bar.
    low, high : ndarray of float64, shape (n_bars,)
        Which part of the device it takes, 0 to 1.
    start_s, end_s : ndarray of float64, shape (n_bars,)
        Clipped to the part shown.
    task : ndarray of int64, shape (n_bars,)
        Task id.
    """

    device_names: tuple[str, ...]
    device_units: FloatArray
    n_devices: int
    from_s: float
    to_s: float
    whole: bool
    row: IntArray
    low: FloatArray
    high: FloatArray
    start_s: FloatArray
    end_s: FloatArray
    task: IntArray


@dataclass(frozen=True, slots=True)
class PolicyCharts:
    """Curves of one run; times count from the first arrival.

    Attributes
    ----------
    wait_cdf, response_cdf : tuple of ndarray
        Seconds ascending, and the share of measured tasks at or below.
    queue : tuple of ndarray
        Edges of time bins, and the mean queue length in each.
    utilization : mapping of str to tuple of ndarray
        By device class, edges of time bins, and the mean share in use in each.
    gantt : Gantt
        A readable part of the schedule.
    """

    wait_cdf: Curve
    response_cdf: Curve
    queue: Curve
    utilization: dict[str, Curve]
    gantt: Gantt


def policy_charts(workload: Workload, cluster: Cluster, schedule: Schedule) -> PolicyCharts:
    """Reduce a schedule to its curves.

    Parameters
    ----------
    workload : Workload
    cluster : Cluster
    schedule : Schedule
        With at least one finished task.

    Returns
    -------
    PolicyCharts
    """
    origin = float(workload.tasks.arrival_s[0])
    rows = np.flatnonzero(measured_rows(workload) & schedule.finished)
    end = float(schedule.finish_s[schedule.finished].max()) - origin
    span_s = max(end, np.finfo(float).tiny)
    edges = np.linspace(0.0, span_s, QUEUE_BINS + 1)
    wide = np.linspace(0.0, span_s, UTILIZATION_BINS + 1)
    time_s, length = queue_length(schedule)
    return PolicyCharts(
        wait_cdf=_cdf(schedule.start_s[rows] - schedule.ready_s[rows]),
        response_cdf=_cdf(schedule.finish_s[rows] - workload.tasks.arrival_s[rows]),
        queue=(edges, bin_means(time_s - origin, length.astype(np.float64), edges)),
        utilization={
            label: (wide, bin_means(time_s - origin, share, wide)) for label, (time_s, share) in class_timeline(workload, cluster, schedule).items()
        },
        gantt=gantt(workload, cluster, schedule),
    )


def bin_means(time_s: FloatArray, level: FloatArray, edges: FloatArray) -> FloatArray:
    """Return the time averages of a step function between edges.

    Parameters
    ----------
    time_s, level : ndarray of float64, shape (n_steps,)
        The level from each (ascending) time on; 0 before the first.
    edges : ndarray of float64, shape (n_bins + 1,)
        Ascending.

    Returns
    -------
    ndarray of float64, shape (n_bins,)
    """
    if len(time_s) == 0:
        return np.zeros(len(edges) - 1)
    area = np.concatenate(([0.0], np.cumsum(level[:-1] * np.diff(time_s))))
    step = np.searchsorted(time_s, edges, side="right") - 1
    at_edge = np.where(step >= 0, area[step] + level[step] * (edges - time_s[step]), 0.0)
    means: FloatArray = np.diff(at_edge) / np.diff(edges)
    return means


def gantt(workload: Workload, cluster: Cluster, schedule: Schedule) -> Gantt:
    """Return a readable part of a schedule.

    Small schedules are whole. Of larger ones it is the stretch in which `GANTT_TASKS` tasks arrive, in the middle of the measured ones, the same
    for every policy; and of large clusters a few devices, evenly chosen among those in use.

    Parameters
    ----------
    workload : Workload
    cluster : Cluster
    schedule : Schedule

    Returns
    -------
    Gantt
    """
    held = holdings(workload, cluster, schedule)
    devices = devices_of(cluster)
    arrival = workload.tasks.arrival_s
    origin = float(arrival[0])
    begin, end = origin, float(schedule.finish_s[schedule.finished].max())
    whole = len(held.task) <= 2 * GANTT_TASKS
    if not whole:
        warm = int(np.flatnonzero(measured_rows(workload))[0])
        first = max(warm, (warm + len(workload) - GANTT_TASKS) // 2)
        until = float(arrival[min(first + GANTT_TASKS, len(workload) - 1)])
        if until > arrival[first]:
            begin, end = float(arrival[first]), until
    shown = np.flatnonzero((held.start_s < end) & (held.end_s > begin))
    used = np.unique(held.device[shown])
    if len(used) > GANTT_DEVICES:
        used = used[np.linspace(0, len(used) - 1, GANTT_DEVICES).round().astype(np.int64)]
        shown = shown[np.isin(held.device[shown], used)]
    if len(shown) > GANTT_BARS:
        shown = shown[np.argsort(held.start_s[shown], kind="stable")[:GANTT_BARS]]
        end = float(held.start_s[shown].max())
        whole = False
    holding, low, high = _stack(held, shown)
    capacity = devices.capacity_milli[held.device[holding]]
    return Gantt(
        device_names=tuple(_row_name(cluster, devices, int(device)) for device in used),
        device_units=devices.capacity_milli[used] / MILLI,
        n_devices=int(np.count_nonzero(devices.capacity_milli > 0)),
        from_s=begin - origin,
        to_s=end - origin,
        whole=whole,
        row=np.searchsorted(used, held.device[holding]).astype(np.int64),
        low=low / capacity,
        high=high / capacity,
        start_s=np.maximum(held.start_s[holding], begin) - origin,
        end_s=np.minimum(held.end_s[holding], end) - origin,
        task=workload.tasks.task_id[held.task[holding]],
    )


def _row_name(cluster: Cluster, devices: Devices, device: int) -> str:
    if devices.models[device]:
        return f"{devices.names[device]} ({devices.models[device]})"
    if cluster.kind is ClusterKind.MACHINES:
        return devices.names[device]
    units = f"{devices.capacity_milli[device] / MILLI:g}"
    return f"{units} processors" if cluster.kind is ClusterKind.POOL else f"{devices.names[device]} ({units} cores)"


def _cdf(values: FloatArray) -> Curve:
    ordered = np.sort(values)
    n = len(ordered)
    # Evenly spaced ranks and, for the tail, ranks evenly spaced in log(n - rank).
    body = np.linspace(0, n - 1, CDF_POINTS)
    tail = n - np.geomspace(1, n, CDF_POINTS // 4)
    ranks = np.unique(np.concatenate((body, tail)).round().astype(np.int64))
    return ordered[ranks], (ranks + 1) / n


def _stack(held: Holdings, shown: IntArray) -> tuple[IntArray, FloatArray, FloatArray]:
    """Give every holding room on its device that nobody else has at the time, lowest first; room in pieces makes several bars."""
    pieces: list[tuple[int, int, int]] = []
    taken: dict[int, list[tuple[float, int, int]]] = {}
    for holding in shown[np.lexsort((held.task[shown], held.start_s[shown]))]:
        start, missing = held.start_s[holding], int(held.milli[holding])
        if held.end_s[holding] <= start:
            continue
        others = sorted(((low, high) for end, low, high in taken.get(int(held.device[holding]), ()) if end > start))
        still = [part for part in taken.get(int(held.device[holding]), ()) if part[0] > start]
        position = 0
        for low, high in [*others, (position + 10**15, 0)]:
            if missing and low > position:
                room = min(missing, low - position)
                pieces.append((int(holding), position, position + room))
                still.append((float(held.end_s[holding]), position, position + room))
                missing -= room
            position = max(position, high)
        taken[int(held.device[holding])] = still
    columns = np.array(pieces, dtype=np.int64).reshape(-1, 3)
    return columns[:, 0], columns[:, 1].astype(np.float64), columns[:, 2].astype(np.float64)
