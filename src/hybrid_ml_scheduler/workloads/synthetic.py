"""Generated workloads: the presets of MODEL.md, each reproducible from its seed.

The tasks of a preset do not depend on the cluster, and presets that share a size distribution draw the same tasks from the same seed; only the
arrivals differ. What the cluster decides is which GPU models the hidden table covers (`hidden_world`). Arrival rates are shares of the capacity of
the default workstation, whatever the cluster: choose ``load`` to suit another one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.errors import InputError, UnknownNameError
from hybrid_ml_scheduler.core.workload import (
    MILLI,
    FloatArray,
    IntArray,
    ReadReport,
    Tasks,
    Truth,
    Workload,
    WorkloadKind,
    check_workload,
    edge_columns,
    no_edges,
)
from hybrid_ml_scheduler.workloads import arrivals, hidden_world, random_graphs, serial_tasks
from hybrid_ml_scheduler.workloads.clusters import workstation

CAPACITY_PER_S = 5.17
"""Capacity of the workstation for the tasks of ``steady``, hidden parts included: the fluid optimum that engine.capacity computes, mean of seeds
10,000 to 10,007 with 20,000 tasks each, standard error 0.02. (5.08 without the hidden parts; 4.88 in the second regime of ``drift``.)"""

HEAVY_CAPACITY_PER_S = 3.13
"""The same for the tasks of ``heavy``, standard error 0.03. (3.17 without the hidden parts.)"""

DEFAULT_TASKS = 5000
MAX_TASKS = 5_000_000
MAX_LOAD = 1e6
WARMUP = 0.1
"""Share of the tasks that is not measured [MODEL]."""

MEDIAN_MEMORY_MB, MEMORY_SIGMA, MAX_MEMORY_MB = 3000.0, 1.0, 20_000.0
CORE_CHANCES = (0.4, 0.3, 0.1, 0.2)
"""Of 1, 2, 3 and 4 cores."""

LOW_INTENSITY, HIGH_INTENSITY = (2.0, 6.0), (18.0, 2.0)
"""Parameters of the two Beta distributions of the compute intensity, half of the tasks each."""

NOISE_SIGMA = 0.15
N_USERS = 12
EDGE_DATA = (0.05, 0.25)
"""Data along an edge of ``graphs``: a uniform share of the parent's memory."""

DAY_S = 600.0
"""Period of ``diurnal``: about three days in 5,000 tasks."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A named kind of workload.

    Attributes
    ----------
    name, description : str
        Name and one line about it.
    arrivals : str
        ``poisson``, ``two-state``, ``sinusoidal`` or ``graphs`` (whole graphs arrive at once, Poisson).
    load : float
        Mean arrival rate as a share of the capacity.
    capacity_per_s : float
        Capacity for these tasks, in tasks per second.
    size_shape, max_size_s : float
        Sizes: Pareto of this shape from 2 s on, at most so many seconds.
    drifts : bool
        Whether the hidden table changes at half-time.
    """

    name: str
    description: str
    arrivals: str = "poisson"
    load: float = 0.6
    capacity_per_s: float = CAPACITY_PER_S
    size_shape: float = hidden_world.STEADY_SHAPE
    max_size_s: float = hidden_world.STEADY_MAX_SIZE_S
    drifts: bool = False

    @property
    def rate_per_s(self) -> float:
        """Mean arrival rate at ``load = 1``, in tasks per second."""
        return self.load * self.capacity_per_s

    def parameters(self) -> dict[str, float | str]:
        """Return the defaults as a JSON-able mapping."""
        return {
            "arrivals": self.arrivals,
            "share_of_capacity": self.load,
            "rate_per_s": self.rate_per_s,
            "tasks": DEFAULT_TASKS,
            "size": f"Pareto({self.size_shape:g}) from {hidden_world.MIN_SIZE_S:g} to {self.max_size_s:g} s",
        }


_SERIAL = Preset(
    "serial",
    "the original system's tasks and serial run-time law",
    load=1.0,
    capacity_per_s=serial_tasks.ARRIVALS_PER_S,
    size_shape=1.5,
    max_size_s=5000.0,
)
PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        preset.name: preset
        for preset in (
            Preset("steady", "Poisson arrivals at 0.6 of the workstation's capacity"),
            Preset("bursty", "two-state arrivals: x2.5 for 30 s, x0.5 for 90 s on average, mean 0.5 of capacity", arrivals="two-state", load=0.5),
            Preset("diurnal", "sinusoidal arrivals between 0.3 and 0.8 of capacity", arrivals="sinusoidal", load=0.55),
            Preset(
                "heavy",
                "heavy-tailed sizes, Pareto(1.3) up to 600 s, Poisson at 0.6 of capacity",
                capacity_per_s=HEAVY_CAPACITY_PER_S,
                size_shape=1.3,
                max_size_s=600.0,
            ),
            Preset(
                "drift", "at half-time the fast GPUs halve their speed and all slow-downs change; Poisson at 0.45 of capacity", load=0.45, drifts=True
            ),
            Preset("graphs", "the same tasks in random fork-join and layered graphs with data on the edges, at 0.6 of capacity", arrivals="graphs"),
            _SERIAL,
        )
    }
)
"""Every preset, by name."""

_DIURNAL_LOW, _DIURNAL_HIGH = 0.3, 0.8
# Every column has a stream of its own, so that a change to one leaves the others as they are.
_STREAMS = ("size", "intensity", "memory", "cores", "kind", "user", "noise", "gpu_noise", "arrivals", "graph", "edge_data")


def generate(
    preset: str,
    *,
    seed: int,
    cluster: Cluster | None = None,
    n_tasks: int | None = None,
    load: float | None = None,
    noise: str = "task",
    begin_s: float = 0.0,
) -> Workload:
    """Generate a workload.

    Parameters
    ----------
    preset : str
        One of `PRESETS`.
    seed : int
        At least 0; the same seed gives the same workload, bit for bit.
    cluster : Cluster, optional
        Whose GPU models the hidden table covers; the workstation by default.
    n_tasks : int, optional
        1 to 5,000,000; 5,000 by default.
    load : float, optional
        Multiplies the arrival rate; > 0, 1 by default.
    noise : str
        ``task``: one log-normal factor per task, on CPU and GPU work alike. ``device``: one for each, independent.
    begin_s : float
        Time of day at which ``diurnal`` begins, in seconds, >= 0; the others have no day. Arrivals are counted from there.

    Returns
    -------
    Workload

    Raises
    ------
    UnknownNameError
        If there is no such preset.
    InputError
        If a parameter is out of range.
    """
    if preset not in PRESETS:
        raise UnknownNameError(f"there is no preset {preset!r}; expected one of {', '.join(PRESETS)}")
    n = DEFAULT_TASKS if n_tasks is None else n_tasks
    factor = 1.0 if load is None else load
    if seed < 0:
        raise InputError(f"preset {preset!r}: seed is {seed}; expected at least 0")
    if not 1 <= n <= MAX_TASKS:
        raise InputError(f"preset {preset!r}: {n} tasks asked; expected 1 to {MAX_TASKS}")
    if not (math.isfinite(factor) and 0 < factor <= MAX_LOAD):
        raise InputError(f"preset {preset!r}: load is {factor}; expected a number above 0, at most {MAX_LOAD:g}")
    if noise not in ("task", "device"):
        raise InputError(f"preset {preset!r}: noise is {noise!r}; expected task or device")
    if not (math.isfinite(begin_s) and begin_s >= 0.0):
        raise InputError(f"preset {preset!r}: begin_s is {begin_s}; expected a time of at least 0")
    rngs = {name: np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,))) for index, name in enumerate(_STREAMS)}
    spec = PRESETS[preset]
    if spec is _SERIAL:
        return _serial(rngs, n, factor, seed)
    return _divisible(spec, rngs, n=n, load=factor, seed=seed, cluster=workstation() if cluster is None else cluster, noise=noise, begin_s=begin_s)


def fast_models(cluster: Cluster) -> frozenset[str]:
    """Return the GPU models of a cluster that are as fast as its fastest."""
    gpus = [gpu for node in cluster.nodes for gpu in node.gpus]
    top = max((gpu.speed for gpu in gpus), default=0.0)
    return frozenset(gpu.model for gpu in gpus if gpu.speed == top)


def slowdowns(cluster: Cluster, *, drifts: bool) -> FloatArray:
    """Return the hidden table for a cluster's GPU models.

    With drift there is a second regime: all e are drawn again, and those of the fast models are doubled, which makes these GPUs half as fast.

    Returns
    -------
    ndarray of float64, shape (n_regimes, n_kinds, n_models)
    """
    models = cluster.gpu_models
    first = hidden_world.slowdown_table(models, 0)
    if not drifts:
        return first[np.newaxis]
    fast = fast_models(cluster)
    second = hidden_world.slowdown_table(models, 1) * np.array([2.0 if model in fast else 1.0 for model in models])
    return np.stack((first, second))


def _divisible(
    spec: Preset, rngs: dict[str, np.random.Generator], *, n: int, load: float, seed: int, cluster: Cluster, noise: str, begin_s: float
) -> Workload:
    size = np.minimum(hidden_world.MIN_SIZE_S * (1.0 + rngs["size"].pareto(spec.size_shape, n)), spec.max_size_s)
    kind = rngs["kind"].integers(0, hidden_world.N_KINDS, n)
    memory_mb = np.minimum(MEDIAN_MEMORY_MB * np.exp(MEMORY_SIGMA * rngs["memory"].standard_normal(n)), MAX_MEMORY_MB)
    arrival_s, edges = _arrivals(spec, rngs, n, load, memory_mb, begin_s)
    noise_factor = _noise(rngs["noise"], n)
    tasks = Tasks(
        task_id=np.arange(n, dtype=np.int64),
        arrival_s=arrival_s,
        cores_milli=_cores(rngs["cores"], n) * MILLI,
        gpus=np.zeros(n, dtype=np.int64),
        gpu_share_milli=np.zeros(n, dtype=np.int64),
        memory_mb=memory_mb,
        requested_time_s=size.copy(),
        size=size,
        compute_intensity=_intensity(rngs["intensity"], n),
        kind=kind,
        user=_users(rngs["user"], n),
        kind_names=tuple(f"kind{code}" for code in range(hidden_world.N_KINDS)),
        user_names=tuple(f"user{code}" for code in range(N_USERS)),
        parent_ptr=edges["parent_ptr"],
        parent_idx=edges["parent_idx"],
        edge_s=edges["edge_s"],
        edge_mb=edges["edge_mb"],
    )
    truth = Truth(
        work_s=hidden_world.true_work_s(size, kind) * noise_factor,
        slowdown=slowdowns(cluster, drifts=spec.drifts),
        regime_start_s=np.array([-np.inf, arrival_s[-1] / 2.0]) if spec.drifts else np.array([-np.inf]),
        # The engine multiplies the work on a GPU by work_s and this: the quotient takes the CPU's factor out again.
        gpu_noise=_noise(rngs["gpu_noise"], n) / noise_factor if noise == "device" else None,
        gpu_models=cluster.gpu_models,
    )
    return check_workload(
        Workload(
            name=spec.name,
            kind=WorkloadKind.DIVISIBLE,
            tasks=tasks,
            truth=truth,
            report=ReadReport(format="generated", rows=n, estimates="nominal"),
            warmup=WARMUP,
            meta={"preset": spec.name, "seed": seed, "load": load, "rate_per_s": spec.rate_per_s * load, "noise": noise},
        )
    )


def _serial(rngs: dict[str, np.random.Generator], n: int, load: float, seed: int) -> Workload:
    size = serial_tasks.sizes(rngs["size"], n)
    intensity = serial_tasks.intensities(rngs["intensity"], n)
    cpu_s = serial_tasks.cpu_time_s(size, intensity)
    parent, child = serial_tasks.parents(rngs["graph"], n)
    edges = edge_columns(n, parent, child, np.zeros(len(parent)), np.zeros(len(parent)))
    tasks = Tasks(
        task_id=np.arange(n, dtype=np.int64),
        arrival_s=arrivals.poisson(rngs["arrivals"], n, _SERIAL.rate_per_s * load),
        cores_milli=np.full(n, MILLI, dtype=np.int64),
        gpus=np.zeros(n, dtype=np.int64),
        gpu_share_milli=np.zeros(n, dtype=np.int64),
        memory_mb=serial_tasks.memories_mb(rngs["memory"], size),
        requested_time_s=cpu_s.copy(),
        size=size,
        compute_intensity=intensity,
        parent_ptr=edges["parent_ptr"],
        parent_idx=edges["parent_idx"],
        edge_s=edges["edge_s"],
        edge_mb=edges["edge_mb"],
    )
    return check_workload(
        Workload(
            name=_SERIAL.name,
            kind=WorkloadKind.DIVISIBLE,
            tasks=tasks,
            truth=Truth(work_s=cpu_s),
            report=ReadReport(format="generated", rows=n, estimates="exact", notes=("size has no unit here; the CPU time is the requested time",)),
            law="serial",
            warmup=WARMUP,
            meta={"preset": _SERIAL.name, "seed": seed, "load": load, "rate_per_s": _SERIAL.rate_per_s * load},
        )
    )


def _arrivals(
    spec: Preset, rngs: dict[str, np.random.Generator], n: int, load: float, memory_mb: FloatArray, begin_s: float
) -> tuple[FloatArray, dict[str, NDArray[Any]]]:
    """Return the arrival times and the edge columns."""
    rng, rate = rngs["arrivals"], spec.rate_per_s * load
    if spec.arrivals == "graphs":
        graph, parent, child = random_graphs.random_graphs(rngs["graph"], n)
        graph_arrival_s = arrivals.poisson(rng, int(graph[-1]) + 1, rate / random_graphs.MEAN_GRAPH_TASKS)
        edge_mb = rngs["edge_data"].uniform(*EDGE_DATA, len(parent)) * memory_mb[parent]
        return graph_arrival_s[graph], edge_columns(n, parent, child, np.zeros(len(parent)), edge_mb)
    if spec.arrivals == "two-state":
        return arrivals.two_state(rng, n, rate), no_edges(n)
    if spec.arrivals == "sinusoidal":
        full = spec.capacity_per_s * load
        return arrivals.sinusoidal(rng, n, _DIURNAL_LOW * full, _DIURNAL_HIGH * full, DAY_S, begin_s=begin_s), no_edges(n)
    return arrivals.poisson(rng, n, rate), no_edges(n)


def _intensity(rng: np.random.Generator, n: int) -> FloatArray:
    is_low = rng.random(n) < 0.5
    return np.where(is_low, rng.beta(*LOW_INTENSITY, n), rng.beta(*HIGH_INTENSITY, n))


def _cores(rng: np.random.Generator, n: int) -> IntArray:
    return 1 + np.searchsorted(np.cumsum(CORE_CHANCES)[:-1], rng.random(n), side="right").astype(np.int64)


def _users(rng: np.random.Generator, n: int) -> IntArray:
    """Draw users by Zipf's law: the k-th is asked for in proportion to 1/k."""
    weight = 1.0 / np.arange(1, N_USERS + 1)
    return np.searchsorted(np.cumsum(weight / weight.sum())[:-1], rng.random(n), side="right").astype(np.int64)


def _noise(rng: np.random.Generator, n: int) -> FloatArray:
    """Draw log-normal factors of mean one, so that noise changes no capacity."""
    return np.asarray(np.exp(NOISE_SIGMA * rng.standard_normal(n) - NOISE_SIGMA**2 / 2.0))
