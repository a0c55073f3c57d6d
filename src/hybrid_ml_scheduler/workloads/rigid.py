"""Assembly of a workload of rigid tasks from the columns that a reader found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hybrid_ml_scheduler.core.workload import MILLI, FloatArray, IntArray, ReadReport, Tasks, Truth, Workload, WorkloadKind, no_edges
from hybrid_ml_scheduler.workloads.rows import RowLog, arrival_order


def rigid_workload(
    log: RowLog,
    format_name: str,
    *,
    task_id: IntArray,
    arrival_s: FloatArray,
    run_time_s: FloatArray,
    cores_milli: IntArray,
    memory_mb: FloatArray,
    requested_time_s: FloatArray | None = None,
    gpus: IntArray | None = None,
    gpu_share_milli: IntArray | None = None,
    user: IntArray | None = None,
    user_names: tuple[str, ...] = (),
    kind: IntArray | None = None,
    kind_names: tuple[str, ...] = (),
    substitutions: Mapping[str, int] | None = None,
    estimates: str = "exact",
    processors: int | None = None,
    notes: Sequence[str] = (),
    meta: Mapping[str, Any] | None = None,
) -> Workload:
    """Sort the rows by arrival (stably) and wrap them up.

    Parameters
    ----------
    log : RowLog
        Gives the file and the rows left out.
    format_name : str
        Name of the reader.
    task_id, arrival_s, cores_milli, memory_mb, requested_time_s, gpus, gpu_share_milli, user, kind
        As in `Tasks`, shape (n,), in the order of the file. ``requested_time_s`` is the run time where ``None``; GPUs are 0 where ``None``.
    run_time_s : ndarray of float64, shape (n,)
        True run time in seconds.
    substitutions, estimates, processors, notes
        As in `ReadReport`.
    meta : mapping, optional
        As in `Workload`.

    Returns
    -------
    Workload
    """
    n = len(task_id)
    order = arrival_order(arrival_s)
    rows: Any = slice(None) if order is None else order
    zeros = np.zeros(n, dtype=np.int64)
    gpus = zeros if gpus is None else gpus[rows]
    tasks = Tasks(
        task_id=task_id[rows],
        arrival_s=arrival_s[rows],
        cores_milli=cores_milli[rows],
        gpus=gpus,
        gpu_share_milli=gpus * MILLI if gpu_share_milli is None else gpu_share_milli[rows],
        memory_mb=memory_mb[rows],
        requested_time_s=(run_time_s if requested_time_s is None else requested_time_s)[rows].copy(),
        user=None if user is None else user[rows],
        user_names=user_names,
        kind=None if kind is None else kind[rows],
        kind_names=kind_names,
        **no_edges(n),
    )
    report = ReadReport(
        format=format_name,
        rows=n + log.dropped.total(),
        substitutions={reason: count for reason, count in (substitutions or {}).items() if count},
        dropped=dict(log.dropped),
        estimates=estimates,
        sorted_by_us=order is not None,
        sha256=log.source.sha256,
        processors=processors,
        notes=tuple(notes),
    )
    return Workload(log.source.name, WorkloadKind.RIGID, tasks, Truth(work_s=run_time_s[rows]), report, meta=meta or {})


def with_edges(workload: Workload, columns: Mapping[str, Any]) -> Workload:
    """Return the workload with these edge columns, as `edge_columns` made them."""
    tasks = replace(
        workload.tasks,
        parent_ptr=columns["parent_ptr"],
        parent_idx=columns["parent_idx"],
        edge_s=columns["edge_s"],
        edge_mb=columns["edge_mb"],
    )
    return replace(workload, tasks=tasks)
