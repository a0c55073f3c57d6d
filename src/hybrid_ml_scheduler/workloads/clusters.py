"""Clusters by name or file: `open_cluster`, and what a workload runs on when nobody names one: `default_cluster`."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hybrid_ml_scheduler.core import constants
from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind, Node
from hybrid_ml_scheduler.core.errors import ClusterError, InputError, UnknownNameError
from hybrid_ml_scheduler.core.workload import MILLI, Workload, WorkloadKind
from hybrid_ml_scheduler.workloads.cluster_file import read_cluster_file
from hybrid_ml_scheduler.workloads.measured import is_measured_table, measured_cluster
from hybrid_ml_scheduler.workloads.openb_nodes import openb_cluster

MAX_POOL = 10_000_000
"""Largest pool: the largest machines ever listed have about 10**7 cores, and cores in thousandths stay far inside int64."""

OPENB_NODE_LIST = "openb_node_list_gpu_node.csv"
"""The node list that Alibaba publishes beside its pod lists."""

SPECS = "workstation, pool:N, pool (N from the trace's header), openb:PATH, kernels:PATH@HOST[#TILE_BYTES], or a YAML file"

_KERNELS = re.compile(r"kernels:(?P<path>.+)@(?P<host>[^@#/]+)(?:#(?P<tile>[0-9]{1,12}))?")


def workstation() -> Cluster:
    """Return MODEL.md's workstation: 16 cores and 4 GPUs of two models (S = 20, 20, 8, 8 with 24, 24, 8, 8 GB)."""
    node = Node(
        name="workstation",
        cores_milli=constants.WORKSTATION_CORES * MILLI,
        memory_mb=constants.WORKSTATION_MEMORY_MB,
        gpus=tuple(constants.GPU_MODELS[model].gpu() for model in ("A10", "A10", "P4", "P4")),
        core_power=constants.REFERENCE_CORE,
    )
    return Cluster(name="workstation", kind=ClusterKind.NODES, nodes=(node,))


def pool(processors: int) -> Cluster:
    """Return a pool of identical processors, about whose memory, power and price nothing is known.

    Parameters
    ----------
    processors : int
        1 to 10,000,000.

    Returns
    -------
    Cluster

    Raises
    ------
    ClusterError
        If the number is out of range.
    """
    if not 1 <= processors <= MAX_POOL:
        raise ClusterError(f"cluster pool:{processors}: expected 1 to {MAX_POOL} processors")
    node = Node(name="pool", cores_milli=processors * MILLI)
    return Cluster(name=f"pool:{processors}", kind=ClusterKind.POOL, nodes=(node,))


def kernel_cluster(path: str, host: str, tile_bytes: int | None = None) -> Cluster:
    """Return the machines of a host whose kernels were measured: its computing CPU cores and its GPUs, each one machine.

    The measured times enter when a workload is bound (`binding.bind_to_cluster`); here only the names are kept, in ``meta["kernels"]``.

    Parameters
    ----------
    path : str
        Table of measured kernel times.
    host : str
        A host in that table.
    tile_bytes : int, optional
        Size of a tile, hence which measurements count and how much an edge transfers; `constants.KERNEL_TILE_BYTES` by default.

    Returns
    -------
    Cluster
        Of kind ``MACHINES``: cpu0, cpu1, ..., gpu0, gpu1, ...
    """
    tile = constants.KERNEL_TILE_BYTES if tile_bytes is None else tile_bytes
    if tile < 1:
        raise ClusterError(f"cluster kernels:{path}@{host}: a tile of {tile} bytes; expected at least 1")
    cpus, gpus = constants.KERNEL_HOSTS.get(host, constants.KERNEL_DEFAULT_HOST)
    names = [f"cpu{number}" for number in range(cpus)] + [f"gpu{number}" for number in range(gpus)]
    return Cluster(
        name=f"kernels:{path}@{host}" + ("" if tile_bytes is None else f"#{tile_bytes}"),
        kind=ClusterKind.MACHINES,
        nodes=tuple(Node(name=name, cores_milli=MILLI) for name in names),
        meta={"kernels": {"path": path, "host": host, "tile_bytes": tile, "cpus": cpus, "gpus": gpus}},
    )


def machines(count: int) -> Cluster:
    """Return so many unrelated machines, for a cost matrix with as many columns."""
    nodes = tuple(Node(name=f"machine{number}", cores_milli=MILLI) for number in range(count))
    return Cluster(name=f"machines:{count}", kind=ClusterKind.MACHINES, nodes=nodes)


def open_cluster(spec: str, *, workload: Workload | None = None) -> Cluster:
    """Open a cluster by its name or file.

    Parameters
    ----------
    spec : str
        ``workstation``; ``pool:N``, or ``pool`` with N from the header of `workload`; ``openb:PATH`` or a path ending in ``.csv`` or ``.csv.gz``, a
        node list; ``kernels:PATH@HOST`` with ``#TILE_BYTES`` if need be, or with a table of ``hms profile``; the path of any other file, read as
        YAML.
    workload : Workload, optional
        What is to run there; only ``pool`` without a number looks at it.

    Returns
    -------
    Cluster

    Raises
    ------
    UnknownNameError
        If there is neither such a cluster nor such a file.
    ClusterError
        If a name is incomplete, or a number out of range.
    DataFileError
        If a file cannot be read as what it should be.
    """
    if spec == "workstation":
        return workstation()
    if spec == "pool":
        if workload is None or workload.report.processors is None:
            raise ClusterError("cluster pool: no trace header names the number of processors; expected pool:N")
        return pool(workload.report.processors)
    kind, colon, rest = spec.partition(":")
    if colon and kind == "pool":
        if not re.fullmatch(r"[0-9]{1,12}", rest):
            raise ClusterError(f"cluster {spec!r}: {rest!r} is no number of processors; expected pool:N, for example pool:240")
        return pool(int(rest))
    if colon and kind == "openb":
        if not rest:
            raise ClusterError(f"cluster {spec!r}: the node list is missing; expected openb:PATH")
        return openb_cluster(rest)
    if colon and kind == "kernels":
        match = _KERNELS.fullmatch(spec)
        if match is None:
            raise ClusterError(f"cluster {spec!r}: expected kernels:PATH@HOST, or kernels:PATH@HOST#TILE_BYTES")
        if is_measured_table(match["path"]):
            if match["tile"] is not None:
                raise ClusterError(f"cluster {spec!r}: a table of hms profile has no tiles; expected kernels:PATH@HOST")
            return measured_cluster(match["path"], match["host"])
        return kernel_cluster(match["path"], match["host"], None if match["tile"] is None else int(match["tile"]))
    if spec.lower().endswith((".csv", ".csv.gz")):
        return openb_cluster(spec)
    if spec.lower().endswith((".yaml", ".yml", ".yaml.gz", ".yml.gz")) or _is_file(spec):
        return read_cluster_file(spec)
    raise UnknownNameError(f"there is neither a cluster nor a file {spec!r}; expected {SPECS}")


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except ValueError:  # a NUL byte in the path
        return False


def default_cluster(workload: Workload) -> Cluster:
    """Return what a workload runs on when nobody names a cluster.

    ==================================== ===================================================================================================
    workload                             cluster
    ==================================== ===================================================================================================
    divisible tasks (the presets)        the workstation
    graph with a cost matrix             one machine per column
    graph of kernel names (DOT)          an error that asks for ``kernels:PATH@HOST``
    WfFormat                             the machines that the file lists; transfers cost nothing, since it says nothing of their network
    openb pods                           the node list beside the pod list, if there is one; else an error that asks for ``openb:PATH``
    batch trace                          a pool of as many processors as its header names
    Philly-style                         a pool of as many GPUs as would be in use at the busiest time if no job ever waited: the trace names no
                                         number. There nobody waits; choose a smaller pool (or ``load``) to compare policies
    anything else                        an error that asks for a cluster
    ==================================== ===================================================================================================

    Parameters
    ----------
    workload : Workload

    Returns
    -------
    Cluster
        ``meta["default"]`` says why this one.

    Raises
    ------
    InputError
        If nothing says what the workload ran on.
    """
    tasks = workload.tasks
    if workload.kind is WorkloadKind.DIVISIBLE:
        return _because(workstation(), "generated tasks run on the workstation")
    if workload.kind is WorkloadKind.MACHINES:
        if tasks.cost_s is None:
            raise InputError(f"workload {workload.name!r} names a kernel per task, but no run times; expected --cluster kernels:PATH@HOST")
        return _because(machines(tasks.cost_s.shape[1]), "one machine per column of the cost matrix")
    if workload.report.format == "wfformat":
        return _workflow_machines(workload)
    if workload.report.format == "openb":
        beside = Path(str(workload.meta.get("path", ""))).parent / OPENB_NODE_LIST
        if "path" in workload.meta and beside.is_file():
            return _because(openb_cluster(beside), f"{OPENB_NODE_LIST} stands beside the pod list")
        raise InputError(
            f"workload {workload.name!r} does not say which nodes it ran on, and no {OPENB_NODE_LIST} stands beside it; expected --cluster openb:PATH"
        )
    if workload.report.processors is not None:
        return _because(pool(workload.report.processors), "the header names the number of processors")
    if workload.report.format == "philly":
        return _because(pool(peak_processors(workload)), "GPUs in use at the busiest time if no job ever waited; the trace names no number")
    raise InputError(f"workload {workload.name!r} does not say how large its machine is; expected --cluster with one of {SPECS}")


def peak_processors(workload: Workload) -> int:
    """Return how many processors are in use at the busiest time if every task starts on arrival; at least those of the widest task."""
    tasks, run_s = workload.tasks, workload.truth.work_s
    times = np.concatenate((tasks.arrival_s + run_s, tasks.arrival_s))
    change = np.concatenate((-tasks.cores_milli, tasks.cores_milli))
    # Ends before starts at the same instant, as the engine has it: releases stand first and the sort is stable.
    in_use = np.cumsum(change[np.argsort(times, kind="stable")])
    return int(-(-max(int(in_use.max()), int(tasks.cores_milli.max())) // MILLI))


def _because(cluster: Cluster, reason: str) -> Cluster:
    return replace(cluster, meta={**cluster.meta, "default": reason})


def _workflow_machines(workload: Workload) -> Cluster:
    listed: list[dict[str, Any]] = list(workload.meta.get("machines", []))
    if not listed or any("cores" not in machine for machine in listed):
        raise InputError(f"workload {workload.name!r} does not list its machines with their cores; expected --cluster FILE.yaml or another cluster")
    unique = {str(machine["name"]): machine for machine in listed}
    nodes = tuple(
        Node(name=name, cores_milli=round(float(machine["cores"]) * MILLI), memory_mb=float(machine.get("memory_mb", float("inf"))))
        for name, machine in unique.items()
    )
    return Cluster(
        name=f"machines of {workload.name}",
        kind=ClusterKind.NODES,
        nodes=nodes,
        meta={"default": "the machines that the file lists; it says nothing of their network, so transfers cost nothing"},
    )
