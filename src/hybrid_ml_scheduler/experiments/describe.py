"""What a workload is made of: the numbers to look at before believing a comparison on it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.workload import MILLI, Workload, WorkloadKind

QUANTILES = {"min": 0.0, "median": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}


def describe(workload: Workload, cluster: Cluster | None) -> dict[str, Any]:
    """Summarise a workload.

    Parameters
    ----------
    workload : Workload
        What to look at.
    cluster : Cluster or None
        To relate the work of rigid tasks to; None leaves that out.

    Returns
    -------
    dict
        JSON-able. ``source`` (what reading met), ``kind``, ``tasks``, ``span_s``, ``arrivals_per_s``, ``columns`` (spread of every column that is
        there: mean and `QUANTILES`), ``users``, ``edges``, and, for rigid tasks with a cluster, ``offered_load``: core-seconds (GPU-seconds) asked
        for, divided by those that the cluster has between the first and the last arrival.
    """
    tasks, truth, report = workload.tasks, workload.truth, workload.report
    span_s = float(tasks.arrival_s[-1] - tasks.arrival_s[0])
    columns: dict[str, NDArray[Any] | None] = {
        "work_s": truth.work_s,
        "requested_time_s": tasks.requested_time_s if report.estimates == "user" else None,
        "cores": tasks.cores_milli / MILLI,
        "gpus": tasks.gpus * tasks.gpu_share_milli / MILLI if tasks.gpus.any() else None,
        "memory_mb": tasks.memory_mb if tasks.memory_mb.any() else None,
        "size": tasks.size,
        "compute_intensity": tasks.compute_intensity,
    }
    if workload.kind is WorkloadKind.MACHINES:
        columns = {"cost_s": truth.cost_s}
    result: dict[str, Any] = {
        "name": workload.name,
        "kind": str(workload.kind),
        "tasks": len(workload),
        "span_s": span_s,
        "source": {
            "format": report.format,
            "rows": report.rows,
            "estimates": report.estimates,
            "sorted_by_us": report.sorted_by_us,
            "substitutions": dict(report.substitutions),
            "dropped": dict(report.dropped),
            "notes": list(report.notes),
            "sha256": report.sha256,
            "processors": report.processors,
        },
        "columns": {name: _spread(values) for name, values in columns.items() if values is not None},
        "edges": len(tasks.parent_idx),
        "run_time_0": 0 if workload.kind is WorkloadKind.MACHINES else int(np.count_nonzero(truth.work_s == 0)),
    }
    if span_s > 0:
        result["arrivals_per_s"] = (len(workload) - 1) / span_s
    if tasks.user is not None:
        result["users"] = len(np.unique(tasks.user[tasks.user >= 0]))
    if cluster is not None:
        result["cluster"] = cluster.name
        if span_s > 0 and workload.kind is WorkloadKind.RIGID:
            result["offered_load"] = _offered_load(workload, cluster, span_s)
    return result


def _offered_load(workload: Workload, cluster: Cluster, span_s: float) -> dict[str, float]:
    """Work asked for per capacity, for each class of devices that the cluster has."""
    tasks, work_s = workload.tasks, workload.truth.work_s
    load = {"cores": float(np.sum(work_s * tasks.cores_milli)) / MILLI / (cluster.total_cores * span_s)} if cluster.total_cores else {}
    if cluster.n_gpus and tasks.gpus.any():
        load["gpus"] = float(np.sum(work_s * tasks.gpus * tasks.gpu_share_milli)) / MILLI / (cluster.n_gpus * span_s)
    return load


def _spread(values: NDArray[Any]) -> dict[str, float]:
    quantiles = np.quantile(values, list(QUANTILES.values()))
    return {"mean": float(np.mean(values)), **{name: float(value) for name, value in zip(QUANTILES, quantiles, strict=True)}}
