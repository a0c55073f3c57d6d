"""Orders of a queue: who is next. Smaller keys come first; ties go to the earlier row (submit time, then position in the file)."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from hybrid_ml_scheduler.core.errors import IncompatiblePolicyError
from hybrid_ml_scheduler.core.workload import MILLI, FloatArray, Workload
from hybrid_ml_scheduler.engine.compiled import compiled


class Order(IntEnum):
    """Codes of the orders."""

    FCFS = 0
    SJF = 1
    LJF = 2
    SAF = 3
    LAF = 4
    F1 = 5
    F2 = 6
    F3 = 7
    F4 = 8
    EDF = 9
    PRIORITY = 10
    WFP3 = 11
    UNICEP = 12
    SQF = 13
    LQF = 14
    LEXP = 15


DYNAMIC_ORDERS = (Order.WFP3, Order.UNICEP, Order.LEXP)
"""Orders whose key changes while a task waits."""

FLOOR_S = 0.1
"""Times are floored at this many seconds inside a logarithm or a quotient, as the published formulas do."""

_WFP3, _LEXP = int(Order.WFP3), int(Order.LEXP)


def processors(workload: Workload) -> FloatArray:
    """Return how many processors each task counts for in an order: CPU cores, or GPUs where it asks for them."""
    tasks = workload.tasks
    gpus = tasks.gpus * tasks.gpu_share_milli / MILLI
    return np.where(gpus > 0, gpus, tasks.cores_milli / MILLI)


def static_keys(order: Order, workload: Workload) -> FloatArray:
    """Return the keys of an order that does not depend on the time.

    Parameters
    ----------
    order : Order
        Not one of `DYNAMIC_ORDERS`.
    workload : Workload
        Visible columns only are used: requested time ``r``, processors ``n``, submit time ``s``.

    Returns
    -------
    ndarray of float64, shape (n_tasks,)
        Smallest first.

    Raises
    ------
    IncompatiblePolicyError
        If the order needs a column that the workload does not have.

    References
    ----------
    .. [1] F1 to F4: Carastan-Santos, de Camargo, SC'17, table 3.
    """
    tasks = workload.tasks
    r = tasks.requested_time_s
    n = processors(workload)
    if order in (Order.F1, Order.F2, Order.F3, Order.F4):
        log_s = np.log10(np.maximum(tasks.arrival_s, FLOOR_S))
    match order:
        case Order.FCFS:
            return np.arange(len(tasks), dtype=np.float64)
        case Order.SJF:
            return r.copy()
        case Order.LJF:
            return -r
        case Order.SAF:
            return r * n
        case Order.LAF:
            return -(r * n)
        case Order.SQF:
            return n.copy()
        case Order.LQF:
            return -n
        case Order.F1:
            return np.log10(np.maximum(r, FLOOR_S)) * n + 870.0 * log_s
        case Order.F2:
            return np.sqrt(r) * n + 25600.0 * log_s
        case Order.F3:
            return r * n + 6860000.0 * log_s
        case Order.F4:
            return r * np.sqrt(n) + 530000.0 * log_s
        case Order.EDF:
            if tasks.deadline_s is None:
                raise IncompatiblePolicyError("edf", workload.name, "it needs the column deadline_s")
            return np.where(np.isnan(tasks.deadline_s), np.inf, tasks.deadline_s)
        case Order.PRIORITY:
            if tasks.priority is None:
                raise IncompatiblePolicyError("priority", workload.name, "it needs the column priority")
            return np.where(np.isnan(tasks.priority), np.inf, -tasks.priority)
        case _:
            raise IncompatiblePolicyError(order.name.lower(), workload.name, "its keys depend on the waiting time")


def ranks(keys: FloatArray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rank of every row by (key, row), and the row of every rank.

    Returns
    -------
    rank : ndarray of int64, shape (n,)
    row : ndarray of int64, shape (n,)
    """
    row = np.argsort(keys, kind="stable").astype(np.int64)
    rank = np.empty_like(row)
    rank[row] = np.arange(len(row))
    return rank, row


@compiled
def dynamic_key(order: int, wait_s: float, requested_s: float, processors_: float) -> float:
    """Return the key of an order that changes with the wait (`DYNAMIC_ORDERS`), in the arithmetic of the published formulas.

    References
    ----------
    .. [1] Tang, Lan, Desai, Buettner, "Fault-aware, utility-based job scheduling on Blue Gene/P", CLUSTER 2009 (WFP3, UNICEP).
    .. [2] Carastan-Santos, de Camargo, Trystram, Zrigui, "One can only gain by replacing EASY backfilling", CCGRID 2019 (LEXP).
    """
    r = max(requested_s, FLOOR_S)
    if order == _WFP3:
        return float(-((wait_s / r) ** 3) * processors_)
    if order == _LEXP:
        # The expansion factor is (w + r) / r; w / r ranks alike.
        return float(-wait_s / r)
    return float(-(wait_s + 1e-15) / (np.log2(processors_ + 1e-15) * r))


@compiled
def dynamic_slope(order: int, requested_s: float, processors_: float) -> float:
    """Return how fast a task rises under an order of `DYNAMIC_ORDERS`, per second of waiting.

    Among waiting tasks ``dynamic_slope * wait`` ranks as `dynamic_key` does, the largest first: for WFP3 it is the cube root of the key.
    """
    r = max(requested_s, FLOOR_S)
    if order == _WFP3:
        return float(np.cbrt(processors_) / r)
    if order == _LEXP:
        return float(1.0 / r)
    return float(1.0 / (np.log2(processors_ + 1e-15) * r))
