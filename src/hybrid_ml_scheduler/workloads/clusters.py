"""Clusters by name or file: `open_cluster`, and what a workload runs on when nobody names one: `default_cluster`."""

from __future__ import annotations

import re

from hybrid_ml_scheduler.core import constants
from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind, Node
from hybrid_ml_scheduler.core.errors import ClusterError, UnknownNameError
from hybrid_ml_scheduler.core.workload import MILLI, Workload

MAX_POOL = 10_000_000
"""Largest pool: the largest machines ever listed have about 10**7 cores, and cores in thousandths stay far inside int64."""


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


def open_cluster(spec: str, *, workload: Workload | None = None) -> Cluster:
    """Open a cluster by its name: ``workstation`` or ``pool:N``."""
    if spec == "workstation":
        return workstation()
    match = re.fullmatch(r"pool:(\d{1,12})", spec)
    if match:
        return pool(int(match[1]))
    raise UnknownNameError(f"there is no cluster {spec!r}; expected workstation or pool:N")
