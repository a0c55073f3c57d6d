"""Binding a workload to a cluster: what about its tasks depends on the machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from hybrid_ml_scheduler.core.cluster import MB, Cluster
from hybrid_ml_scheduler.core.constants import KERNEL_LATENCY_S, KERNEL_LINK_GB_S, MB_PER_GB
from hybrid_ml_scheduler.core.errors import WorkloadError
from hybrid_ml_scheduler.core.workload import Workload, WorkloadKind, check_workload
from hybrid_ml_scheduler.workloads.dot import bind_kernels
from hybrid_ml_scheduler.workloads.kernels import measured_kernels
from hybrid_ml_scheduler.workloads.measured import bind_measured
from hybrid_ml_scheduler.workloads.synthetic import PRESETS, slowdowns


def bind_to_cluster(workload: Workload, cluster: Cluster) -> Workload:
    """Return the workload with everything that follows from the cluster filled in.

    A graph of kernel names on a ``kernels:`` cluster gets its run times per machine (visible and true) and the time of one tile (of the parent's
    result, with a table of ``hms profile``) on every edge. A generated workload gets the slow-downs of the cluster's GPU models, if it was generated
    for others. Everything else is returned as it is.

    Parameters
    ----------
    workload : Workload
    cluster : Cluster

    Returns
    -------
    Workload

    Raises
    ------
    WorkloadError
        If the cluster has measured kernels and the workload is no task graph on unrelated machines.
    InputError
        If the workload names no kernels, or one that was not measured there.
    DataFileError
        If the measurements cannot be read.
    """
    kernels = cluster.meta.get("kernels")
    if kernels is not None:
        return _with_kernel_times(workload, cluster, kernels)
    if "measured" in cluster.meta:
        return bind_measured(workload, cluster)
    preset = PRESETS.get(str(workload.meta.get("preset")))
    slow = workload.truth.slowdown
    if preset is not None and slow is not None and not set(cluster.gpu_models) <= set(workload.truth.gpu_models):
        table = slowdowns(cluster, drifts=preset.drifts)
        return replace(workload, truth=replace(workload.truth, slowdown=table, gpu_models=cluster.gpu_models))
    return workload


def _with_kernel_times(workload: Workload, cluster: Cluster, kernels: Mapping[str, Any]) -> Workload:
    if workload.kind is not WorkloadKind.MACHINES:
        raise WorkloadError(f"workload {workload.name!r} names no kernel per task; cluster {cluster.name!r} expects a task graph that does (DOT)")
    measured = measured_kernels(kernels["path"], kernels["host"], kernels["tile_bytes"])
    columns = [0] * kernels["cpus"] + [1] * kernels["gpus"]
    cost_s = {kernel: [times_s[column] for column in columns] for kernel, times_s in measured.items()}
    bound = bind_kernels(workload, cost_s, bytes_per_edge=float(kernels["tile_bytes"]))
    n_edges = len(bound.tasks.parent_idx)
    # All machines share one host, so a tile takes the same time between any two of them: a fixed time, which static plans can read off the edge.
    transfer_s = KERNEL_LATENCY_S + kernels["tile_bytes"] / MB / (KERNEL_LINK_GB_S * MB_PER_GB)
    return check_workload(replace(bound, tasks=replace(bound.tasks, edge_s=np.full(n_edges, transfer_s), edge_mb=np.zeros(n_edges))))
