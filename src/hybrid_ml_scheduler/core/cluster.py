"""Clusters: nodes with CPU cores, memory and GPUs, and what they draw and cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from hybrid_ml_scheduler.core.errors import ClusterError
from hybrid_ml_scheduler.core.workload import MILLI, FloatArray, IntArray

MB = 1_000_000
"""Bytes in a megabyte; the engine accounts for memory in whole bytes."""


class ClusterKind(StrEnum):
    """What the devices of a cluster are."""

    POOL = "pool"
    """N identical processors without placement: one node, no GPU, memory not accounted for (batch traces)."""
    NODES = "nodes"
    """Nodes with cores, memory and GPUs."""
    MACHINES = "machines"
    """Unrelated machines, each running one task at a time; a workload's cost matrix has one column per machine."""


@dataclass(frozen=True, slots=True)
class Power:
    """Power and price of a device.

    Attributes
    ----------
    idle_w, busy_w : float or None
        Draw when idle and when fully used, in watts; ``None`` where nobody publishes it.
    usd_per_hour : float or None
        Price while held, in US dollars per hour; ``None`` where nobody publishes it.
    """

    idle_w: float | None = None
    busy_w: float | None = None
    usd_per_hour: float | None = None


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU of a node.

    Attributes
    ----------
    model : str
        Model name; tasks of one kind run equally well on GPUs of one model.
    memory_mb : float
        Device memory in MB; ``inf`` where unknown.
    speed : float
        Speed-up ``S`` over the reference CPU on perfectly parallel work; > 0.
    link_gb_s : float
        Host link, in GB/s; > 0.
    launch_s : float
        Launch latency in seconds; >= 0.
    power : Power
        Draw and price of the whole GPU.
    """

    model: str
    memory_mb: float
    speed: float
    link_gb_s: float
    launch_s: float
    power: Power = field(default_factory=Power)


@dataclass(frozen=True, slots=True)
class Node:
    """One machine.

    Attributes
    ----------
    name : str
        Unique name.
    cores_milli : int
        CPU cores in thousandths; >= 0.
    memory_mb : float
        Host memory in MB; ``inf`` where unknown.
    cpu_speed : float
        Speed relative to the reference CPU; > 0.
    gpus : tuple of Gpu
        At most 62.
    core_power : Power
        Draw and price of ONE core.
    """

    name: str
    cores_milli: int
    memory_mb: float = float("inf")
    cpu_speed: float = 1.0
    gpus: tuple[Gpu, ...] = ()
    core_power: Power = field(default_factory=Power)


MAX_GPUS_PER_NODE = 62
"""A set of GPUs of one node is a bit mask in a signed 64-bit integer."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Nodes and the network between them.

    Attributes
    ----------
    name : str
        Built-in name or file name.
    kind : ClusterKind
        What the devices are.
    nodes : tuple of Node
        At least one.
    network_gb_s : float
        Bandwidth between two nodes in GB/s; ``inf`` for no cost.
    network_latency_s : float
        Latency of one transfer between two nodes in seconds; >= 0.
    meta : mapping
        Facts about the source, JSON-able.
    """

    name: str
    kind: ClusterKind
    nodes: tuple[Node, ...]
    network_gb_s: float = float("inf")
    network_latency_s: float = 0.0
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.nodes:
            raise ClusterError(f"cluster {self.name!r} has no node; expected at least one")
        if self.kind is ClusterKind.POOL and (len(self.nodes) > 1 or self.nodes[0].gpus or self.nodes[0].memory_mb != float("inf")):
            raise ClusterError(
                f"cluster {self.name!r} is a pool; expected one node with processors only: no GPUs, and no memory limit to keep track of"
            )
        names = [node.name for node in self.nodes]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ClusterError(f"cluster {self.name!r}: node name {twice!r} appears twice; expected unique names")
        for node in self.nodes:
            where = f"cluster {self.name!r}, node {node.name!r}"
            if node.cores_milli < 0 or not node.memory_mb >= 0 or not 0 < node.cpu_speed < float("inf"):
                raise ClusterError(f"{where}: expected cores >= 0, memory >= 0 and a finite CPU speed > 0")
            if len(node.gpus) > MAX_GPUS_PER_NODE:
                raise ClusterError(f"{where}: {len(node.gpus)} GPUs; expected at most {MAX_GPUS_PER_NODE}")
            for gpu in node.gpus:
                if not (gpu.memory_mb >= 0 and 0 < gpu.speed < float("inf") and gpu.link_gb_s > 0 and 0 <= gpu.launch_s < float("inf")):
                    raise ClusterError(f"{where}, GPU {gpu.model!r}: expected memory >= 0, a finite speed > 0, link > 0 and a finite launch >= 0")

    @property
    def gpu_models(self) -> tuple[str, ...]:
        """Distinct GPU models, in the order of their first appearance."""
        return tuple(dict.fromkeys(gpu.model for node in self.nodes for gpu in node.gpus))

    @property
    def n_gpus(self) -> int:
        """Number of GPUs of all nodes."""
        return sum(len(node.gpus) for node in self.nodes)

    @property
    def total_cores(self) -> float:
        """Number of CPU cores of all nodes."""
        return sum(node.cores_milli for node in self.nodes) / MILLI

    def columns(self) -> ClusterColumns:
        """Return the cluster as columns, for the engine."""
        gpus = [(index, gpu) for index, node in enumerate(self.nodes) for gpu in node.gpus]
        models = {model: code for code, model in enumerate(self.gpu_models)}
        counts = [len(node.gpus) for node in self.nodes]
        unknown = float("nan")

        def known(value: float | None) -> float:
            return unknown if value is None else value

        return ClusterColumns(
            node_cores_milli=np.array([node.cores_milli for node in self.nodes], dtype=np.int64),
            node_memory_bytes=np.array([memory_bytes(node.memory_mb) for node in self.nodes], dtype=np.int64),
            node_cpu_speed=np.array([node.cpu_speed for node in self.nodes], dtype=np.float64),
            node_core_idle_w=np.array([known(node.core_power.idle_w) for node in self.nodes]),
            node_core_busy_w=np.array([known(node.core_power.busy_w) for node in self.nodes]),
            node_core_usd_per_hour=np.array([known(node.core_power.usd_per_hour) for node in self.nodes]),
            gpu_ptr=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
            gpu_node=np.array([index for index, _ in gpus], dtype=np.int64),
            gpu_model=np.array([models[gpu.model] for _, gpu in gpus], dtype=np.int64),
            gpu_memory_bytes=np.array([memory_bytes(gpu.memory_mb) for _, gpu in gpus], dtype=np.int64),
            gpu_speed=np.array([gpu.speed for _, gpu in gpus], dtype=np.float64),
            gpu_link_mb_s=np.array([gpu.link_gb_s * 1000.0 for _, gpu in gpus], dtype=np.float64),
            gpu_launch_s=np.array([gpu.launch_s for _, gpu in gpus], dtype=np.float64),
            gpu_idle_w=np.array([known(gpu.power.idle_w) for _, gpu in gpus], dtype=np.float64),
            gpu_busy_w=np.array([known(gpu.power.busy_w) for _, gpu in gpus], dtype=np.float64),
            gpu_usd_per_hour=np.array([known(gpu.power.usd_per_hour) for _, gpu in gpus], dtype=np.float64),
        )


@dataclass(frozen=True, slots=True)
class ClusterColumns:
    """A cluster as NumPy columns: one row per node, one per GPU; GPUs of node ``i`` are ``gpu_ptr[i]:gpu_ptr[i + 1]``. Unknown values are NaN."""

    node_cores_milli: IntArray
    node_memory_bytes: IntArray
    node_cpu_speed: FloatArray
    node_core_idle_w: FloatArray
    node_core_busy_w: FloatArray
    node_core_usd_per_hour: FloatArray
    gpu_ptr: IntArray
    gpu_node: IntArray
    gpu_model: IntArray
    gpu_memory_bytes: IntArray
    gpu_speed: FloatArray
    gpu_link_mb_s: FloatArray
    gpu_launch_s: FloatArray
    gpu_idle_w: FloatArray
    gpu_busy_w: FloatArray
    gpu_usd_per_hour: FloatArray


_UNLIMITED_BYTES = 1 << 60


def memory_bytes(memory_mb: float) -> int:
    """Convert MB to whole bytes; infinity (unknown, no limit) becomes 2**60."""
    return min(round(memory_mb * MB), _UNLIMITED_BYTES) if memory_mb != float("inf") else _UNLIMITED_BYTES
