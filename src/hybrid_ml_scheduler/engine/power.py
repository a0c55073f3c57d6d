"""The one power and price model: what a schedule draws and costs.

A device draws ``idle_w + (busy_w - idle_w) * share in use`` at every instant between the first arrival and the last finish. Hence the energy of
the devices equals the tasks' busy energy, ``busy_w * share held * time``, plus the idle energy, ``idle_w * share unused * time``. Held devices are
paid for by the hour, idle ones are not.
"""

from __future__ import annotations

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.decision import Schedule
from hybrid_ml_scheduler.core.workload import MILLI, FloatArray, Workload
from hybrid_ml_scheduler.engine.usage import Devices, Holdings, devices_of, holdings

SECONDS_PER_HOUR = 3600.0


def horizon_s(workload: Workload, schedule: Schedule) -> float:
    """Return the length of a run: last finish minus first arrival of all tasks, in seconds; 0 if nothing finished."""
    finished = schedule.finished
    if not finished.any():
        return 0.0
    return float(schedule.finish_s[finished].max() - workload.tasks.arrival_s[0])


def task_energy_j(workload: Workload, cluster: Cluster, schedule: Schedule) -> FloatArray:
    """Return the busy energy of every task, in joules.

    Parameters
    ----------
    workload : Workload
    cluster : Cluster
    schedule : Schedule

    Returns
    -------
    ndarray of float64, shape (n_tasks,)
        Sum over its parts of ``busy_w * share held * time held``; NaN for a task that did not finish or held a device of unknown draw.
    """
    held = holdings(workload, cluster, schedule)
    return _per_task(schedule, held, held.unit_s * devices_of(cluster).busy_w[held.device])


def task_cost_usd(workload: Workload, cluster: Cluster, schedule: Schedule) -> FloatArray:
    """Return the price of every task, in US dollars.

    Parameters
    ----------
    workload : Workload
    cluster : Cluster
    schedule : Schedule

    Returns
    -------
    ndarray of float64, shape (n_tasks,)
        Sum over its parts of ``usd_per_hour * share held * hours held``; NaN for a task that did not finish or held a device of unknown price.
    """
    held = holdings(workload, cluster, schedule)
    return _per_task(schedule, held, held.unit_s / SECONDS_PER_HOUR * devices_of(cluster).usd_per_hour[held.device])


def device_energy_j(devices: Devices, held: Holdings, run_s: float) -> FloatArray:
    """Return the energy of every device over a run, in joules.

    Parameters
    ----------
    devices : Devices
    held : Holdings
        All holdings of the run.
    run_s : float
        Length of the run in seconds (`horizon_s`).

    Returns
    -------
    ndarray of float64, shape (n_devices,)
        NaN where the draw is unknown; 0 for a device without capacity.
    """
    used_unit_s = np.bincount(held.device, weights=held.unit_s, minlength=len(devices.names))
    units = devices.capacity_milli / MILLI
    energy: FloatArray = devices.idle_w * units * run_s + (devices.busy_w - devices.idle_w) * used_unit_s
    energy[units == 0] = 0.0
    return energy


def _per_task(schedule: Schedule, held: Holdings, amount: FloatArray) -> FloatArray:
    totals: FloatArray = np.bincount(held.task, weights=amount, minlength=len(schedule.status)).astype(np.float64)
    totals[~schedule.finished] = np.nan
    return totals
