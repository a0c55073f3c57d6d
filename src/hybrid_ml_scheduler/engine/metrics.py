"""What is measured of a schedule (MODEL.md, *What is measured*).

Definitions
-----------
Tasks are measured if they finished and do not belong to the warm-up share of the workload (its first tasks by arrival). Times are in seconds.

- wait = start - ready. A task is ready at its arrival or, if later, when its parents' data is there; so wait is what the scheduler adds. On
  unrelated machines, where transfers depend on the machine chosen, it is ready when its parents have finished, and the transfer counts as wait.
- run = finish - start; response (flow time) = finish - arrival.
- slowdown = (wait + run) / run, which is response / run for tasks without parents; a task of run time 0 has none and is left out.
- bounded slowdown = max(1, (wait + run) / max(run, 10)).
- Each of these as mean, median, 95th and 99th percentile (linear interpolation between order statistics) and worst.

Device metrics cover the whole run, warm-up included, from the first arrival to the last finish.

- ``makespan_s``: the length of that span.
- ``utilization``: held share of the capacity, every core and every GPU counting as one unit. ``utilization_cpu``, ``utilization_gpu`` and
  ``utilization_gpu[MODEL]`` are the same for one class; on a pool of processors there is only ``utilization``, on unrelated machines it is the
  share of time during which a machine is busy.
- ``fragmentation_gpu`` (only where shares of GPUs are asked): share of the GPU capacity that stood unused on GPUs partly in use.
- ``energy_j``, ``energy_per_task_j``, ``cost_usd``: see `hybrid_ml_scheduler.engine.power`; absent unless the draw (price) of every device is
  known. The cost is what the tasks held.
- ``throughput_per_s``: finished tasks per second of makespan.
- ``deadline_misses``: tasks outside the warm-up with a deadline that finished later or never.
- ``fairness_jain``: Jain's index [1]_ ``(sum x)^2 / (n sum x^2)`` of the users' ``x`` = mean over the user's tasks of 1 / bounded slowdown (the share
  of its stay during which a task was served; 1 is best). 1 means that all users are served alike, 1/n that one of n is served alone.
- ``mean_gpu_fraction`` and ``split_share`` (divisible tasks): mean GPU fraction, and the share of tasks that ran on CPU and GPU at once.
- ``rejected``, ``orphaned``: tasks that never ran because they, or an ancestor, can never fit.
- ``model_share``, ``exploration_share``, ``fallback_share`` (learned policies only): who took the decisions that started the measured tasks: the
  model, its deliberate tries, or the rule behind it (`core.decision.DecidedBy`); they sum to 1.

A metric that does not apply is absent; there is no NaN and no placeholder.

References
----------
.. [1] Jain, Chiu, Hawe, DEC-TR-301, 1984.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind
from hybrid_ml_scheduler.core.decision import FIRST_FALLBACK, DecidedBy, Schedule, TaskStatus
from hybrid_ml_scheduler.core.errors import NothingToReportError
from hybrid_ml_scheduler.core.workload import MILLI, FloatArray, Workload, WorkloadKind
from hybrid_ml_scheduler.engine.power import SECONDS_PER_HOUR, device_energy_j, horizon_s, task_cost_usd, task_energy_j
from hybrid_ml_scheduler.engine.usage import (
    DeviceClass,
    Devices,
    DeviceTimeline,
    Holdings,
    class_timeline,
    device_timeline,
    devices_of,
    holdings,
    queue_length,
)

__all__ = [
    "BOUNDED_SLOWDOWN_FLOOR_S",
    "NAMED_REJECTS",
    "STATISTICS",
    "DeviceTimeline",
    "class_timeline",
    "device_timeline",
    "is_saturated",
    "measure",
    "measured_rows",
    "queue_length",
    "regret",
    "response_s",
    "task_cost_usd",
    "task_energy_j",
    "win_shares",
    "wins",
]

BOUNDED_SLOWDOWN_FLOOR_S = 10.0
"""Run times below this count as this in the bounded slowdown (Feitelson et al., JSSPP 1997)."""

NAMED_REJECTS = 10
"""How many tasks that can never fit are named."""

STATISTICS = ("mean", "median", "p95", "p99", "max")
"""Prefixes of the task metrics: ``mean_wait_s``, ``median_wait_s``, ``p95_wait_s``, ``p99_wait_s``, ``max_wait_s``."""


def measured_rows(workload: Workload) -> NDArray[np.bool_]:
    """Return the mask of the tasks outside the warm-up share; shape (n_tasks,)."""
    # A hair is added because 0.1 * 5000 must not become 499.999... tasks.
    warm = int(np.floor(workload.warmup * len(workload) + 1e-9))
    return np.arange(len(workload)) >= warm


def response_s(workload: Workload, schedule: Schedule) -> FloatArray:
    """Return finish minus arrival of every task, in seconds; NaN for one that did not finish or is not measured. Shape (n_tasks,)."""
    measured = measured_rows(workload) & schedule.finished
    return np.where(measured, schedule.finish_s - workload.tasks.arrival_s, np.nan)


def measure(workload: Workload, cluster: Cluster, schedule: Schedule) -> dict[str, float]:
    """Measure a schedule; the definitions stand at the head of this module.

    Parameters
    ----------
    workload : Workload
        What was run.
    cluster : Cluster
        Where it ran.
    schedule : Schedule
        What happened.

    Returns
    -------
    dict of str to float
        Metrics by name, all finite; those that do not apply are absent.

    Raises
    ------
    NothingToReportError
        If no measured task finished.
    """
    measured = np.flatnonzero(measured_rows(workload) & schedule.finished)
    if len(measured) == 0:
        rejected = np.flatnonzero(schedule.status == TaskStatus.REJECTED)
        named = "" if len(rejected) == 0 else ": task " + ", ".join(str(task) for task in workload.tasks.task_id[rejected[:NAMED_REJECTS]])
        more = ", ..." if len(rejected) > NAMED_REJECTS else ""
        warm = f" outside the warm-up share of {workload.warmup:g}" if workload.warmup else ""
        raise NothingToReportError(
            f"policy {schedule.policy!r} on workload {workload.name!r}: none of the {len(workload)} tasks finished{warm} "
            f"({len(rejected)} can never fit cluster {cluster.name!r}{named}{more}); expected at least one measured task"
        )
    metrics = _task_metrics(workload, schedule, measured)
    metrics |= _decision_shares(schedule, measured)
    metrics |= _device_metrics(workload, cluster, schedule)
    metrics["rejected"] = float(np.count_nonzero(schedule.status == TaskStatus.REJECTED))
    metrics["orphaned"] = float(np.count_nonzero(schedule.status == TaskStatus.ORPHANED))
    return metrics


def is_saturated(workload: Workload, schedule: Schedule) -> bool:
    """Tell whether the queue kept growing for as long as tasks arrived, so that means depend on the length of the run.

    The mean queue length is taken over 20 equal stretches of time between the first measured arrival and the last arrival (afterwards every queue
    drains). The run is saturated if all three hold:

    - the rank correlation (Spearman) of queue length with time is at least 0.8: it grew throughout, not in one burst;
    - the last stretch has at least 1.5 times the overall mean (a steady queue has 1, one that grows linearly from zero 1.95);
    - the last stretch has more than ``3 sqrt(n)`` tasks, ``n`` the number of measured arrivals: chance alone builds up ``sqrt(2 n)`` or so in a
      queue at its critical load [1]_, so less is no evidence.

    Parameters
    ----------
    workload : Workload
    schedule : Schedule

    Returns
    -------
    bool
        False for runs whose tasks all arrive at once.

    References
    ----------
    .. [1] Whitt, "Planning queueing simulations", Management Science 35(11), 1989 (diffusion scale of a queue in heavy traffic).
    """
    measured = measured_rows(workload)
    arrivals = workload.tasks.arrival_s[measured]
    if len(arrivals) == 0 or arrivals[-1] <= arrivals[0]:
        return False
    stretches = 20
    edges = np.linspace(arrivals[0], arrivals[-1], stretches + 1)
    queued = ~np.isnan(schedule.ready_s)
    ready = schedule.ready_s[queued]
    start = np.where(np.isnan(schedule.start_s[queued]), np.inf, schedule.start_s[queued])
    queued_task_s = np.array([np.minimum(start, edge).sum() - np.minimum(ready, edge).sum() for edge in edges])
    length = np.diff(queued_task_s) / np.diff(edges)
    if length[-1] <= 3.0 * np.sqrt(len(arrivals)) or length[-1] < 1.5 * length.mean():
        return False
    rank = np.argsort(np.argsort(length, kind="stable"), kind="stable")
    distance = np.sum((rank - np.arange(stretches)) ** 2)
    return bool(1.0 - 6.0 * distance / (stretches * (stretches**2 - 1)) >= 0.8)


def wins(workload: Workload, schedules: Sequence[Schedule]) -> FloatArray:
    """Compare schedules of one workload task by task.

    Parameters
    ----------
    workload : Workload
    schedules : sequence of Schedule, length k
        Of this workload under different policies.

    Returns
    -------
    ndarray of float64, shape (k, k)
        Entry ``[i, j]``: share of the tasks measured in both whose response is smaller under ``i`` than under ``j``; ties are nobody's. Zero where
        no task was measured in both.
    """
    responses = [response_s(workload, schedule) for schedule in schedules]
    return win_shares(responses)


def win_shares(responses: Sequence[FloatArray]) -> FloatArray:
    """Return the shares of `wins` from response times, NaN where not measured.

    Parameters
    ----------
    responses : sequence of ndarray of float64, each of shape (n_tasks,)

    Returns
    -------
    ndarray of float64, shape (k, k)
    """
    shares = np.zeros((len(responses), len(responses)))
    for i, left in enumerate(responses):
        for j, right in enumerate(responses[:i]):
            both = np.count_nonzero(~(np.isnan(left) | np.isnan(right)))
            if both:
                # A comparison with NaN is false, so unmeasured tasks count for neither side.
                shares[i, j] = np.count_nonzero(left < right) / both
                shares[j, i] = np.count_nonzero(right < left) / both
    return shares


def regret(value: float, reference: float) -> float | None:
    """Return ``value / reference - 1``: how much worse a policy is than the oracle or than a lower bound; ``None`` if the reference is 0.

    Parameters
    ----------
    value, reference : float
        The same metric (smaller is better) of the policy and of what it is held against; >= 0.

    Returns
    -------
    float or None
    """
    return value / reference - 1.0 if reference > 0 else None


def _spread(name: str, values: FloatArray) -> dict[str, float]:
    if len(values) == 0:
        return {}
    median, p95, p99 = np.quantile(values, (0.5, 0.95, 0.99))
    numbers = (values.mean(), median, p95, p99, values.max())
    return {f"{statistic}_{name}": float(number) for statistic, number in zip(STATISTICS, numbers, strict=True)}


def _task_metrics(workload: Workload, schedule: Schedule, measured: NDArray[np.intp]) -> dict[str, float]:
    tasks = workload.tasks
    start, finish = schedule.start_s[measured], schedule.finish_s[measured]
    wait = start - schedule.ready_s[measured]
    run = finish - start
    bounded = np.maximum(1.0, (wait + run) / np.maximum(run, BOUNDED_SLOWDOWN_FLOOR_S))
    ran = run > 0
    metrics = _spread("wait_s", wait)
    metrics |= _spread("response_s", finish - tasks.arrival_s[measured])
    metrics |= _spread("slowdown", (wait[ran] + run[ran]) / run[ran])
    metrics |= _spread("bounded_slowdown", bounded)

    if tasks.user is not None and np.any(tasks.user[measured] >= 0):
        user = tasks.user[measured]
        known = user >= 0
        count = np.bincount(user[known])
        service = np.bincount(user[known], weights=1.0 / bounded[known])[count > 0] / count[count > 0]
        metrics["fairness_jain"] = float(service.sum() ** 2 / (len(service) * np.sum(service**2)))
    if tasks.deadline_s is not None:
        due = measured_rows(workload) & ~np.isnan(tasks.deadline_s)
        if due.any():
            in_time = schedule.finished & (schedule.finish_s <= tasks.deadline_s)
            metrics["deadline_misses"] = float(np.count_nonzero(due & ~in_time))
    if workload.kind is WorkloadKind.DIVISIBLE:
        fraction = schedule.fraction[measured]
        metrics["mean_gpu_fraction"] = float(fraction.mean())
        metrics["split_share"] = float(np.mean((fraction > 0) & (fraction < 1)))
    return metrics


def _decision_shares(schedule: Schedule, measured: NDArray[np.intp]) -> dict[str, float]:
    if np.all(schedule.decided_by == DecidedBy.RULE):
        return {}
    by = schedule.decided_by[measured]
    return {
        "model_share": float(np.mean(by == DecidedBy.MODEL)),
        "exploration_share": float(np.mean(by == DecidedBy.EXPLORATION)),
        "fallback_share": float(np.mean((by == DecidedBy.RULE) | (by >= FIRST_FALLBACK))),
    }


def _device_metrics(workload: Workload, cluster: Cluster, schedule: Schedule) -> dict[str, float]:
    finished = int(np.count_nonzero(schedule.finished))
    run_s = horizon_s(workload, schedule)
    held = holdings(workload, cluster, schedule)
    devices = devices_of(cluster)
    there = devices.capacity_milli > 0
    metrics = {"makespan_s": run_s}
    if run_s > 0:
        metrics["throughput_per_s"] = finished / run_s
        metrics |= _utilization(cluster, devices, held, run_s)
        if workload.kind is WorkloadKind.RIGID and np.any((workload.tasks.gpus == 1) & (workload.tasks.gpu_share_milli < MILLI)):
            metrics["fragmentation_gpu"] = _fragmentation(workload, cluster, schedule, run_s)
    energy = device_energy_j(devices, held, run_s)
    if not np.isnan(energy).any():
        metrics["energy_j"] = float(energy.sum())
        metrics["energy_per_task_j"] = metrics["energy_j"] / finished
    if not np.isnan(devices.usd_per_hour[there]).any():
        metrics["cost_usd"] = float(np.sum(held.unit_s * devices.usd_per_hour[held.device]) / SECONDS_PER_HOUR)
    return metrics


def _utilization(cluster: Cluster, devices: Devices, held: Holdings, run_s: float) -> dict[str, float]:
    used = np.bincount(held.device, weights=held.unit_s, minlength=len(devices.names))
    capacity = devices.capacity_milli / MILLI * run_s

    def share(rows: NDArray[np.int64]) -> float:
        return float(used[rows].sum() / capacity[rows].sum())

    if cluster.kind is ClusterKind.POOL:
        return {"utilization": share(devices.rows(DeviceClass.CPU))}
    if cluster.kind is ClusterKind.MACHINES:
        node = np.concatenate((np.arange(devices.n_nodes), cluster.columns().gpu_node))
        machine_used = np.bincount(node, weights=used)
        machine_capacity = np.bincount(node, weights=capacity)
        return {"utilization": float(np.mean(machine_used / np.where(machine_capacity > 0, machine_capacity, 1.0)))}
    metrics = {"utilization": float(used.sum() / capacity.sum())}
    cores, gpus = devices.rows(DeviceClass.CPU), devices.rows(DeviceClass.GPU)
    if capacity[cores].sum() > 0:
        metrics["utilization_cpu"] = share(cores)
    if len(gpus):
        metrics["utilization_gpu"] = share(gpus)
        metrics |= {f"utilization_gpu[{model}]": share(devices.rows(DeviceClass.GPU, model)) for model in cluster.gpu_models}
    return metrics


def _fragmentation(workload: Workload, cluster: Cluster, schedule: Schedule, run_s: float) -> float:
    timeline = device_timeline(workload, cluster, schedule)
    first_gpu = timeline.ptr[timeline.devices.n_nodes]
    used = timeline.used_milli[first_gpu:-1]
    # The last step of every device has no use, so the length across two devices does not count.
    unused = np.where((used > 0) & (used < MILLI), MILLI - used, 0) / MILLI
    return float(np.sum(unused * np.diff(timeline.time_s[first_gpu:])) / (cluster.n_gpus * run_s))
