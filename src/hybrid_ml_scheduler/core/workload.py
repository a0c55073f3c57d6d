"""Workloads: tasks as columns, what policies may see apart from what they may not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.errors import GraphOrderError, WorkloadError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MILLI = 1000
"""Cores and GPU shares are counted in thousandths, as integers, so that freeing exactly undoes taking."""


class WorkloadKind(StrEnum):
    """How the tasks of a workload use devices (MODEL.md, *Things*)."""

    RIGID = "rigid"
    """A task runs as asked: so many cores, so many GPUs or a share of one, for its run time."""
    DIVISIBLE = "divisible"
    """A task takes a GPU fraction between 0 and 1 and may run on CPU cores and one GPU at once."""
    MACHINES = "machines"
    """A task runs on one of several unrelated machines; a cost matrix says how long on each."""


@dataclass(frozen=True, slots=True)
class Tasks:
    """The visible columns of a workload; row ``i`` of every column belongs to the same task.

    Rows are sorted by arrival, equal arrivals in the order of the file. A column that the source does not have is ``None``; a single unknown
    value is NaN (floats) or -1 (codes).

    Attributes
    ----------
    task_id : ndarray of int64, shape (n,)
        Unique identifiers as the source gives them.
    arrival_s : ndarray of float64, shape (n,)
        Arrival (submit) time in seconds, ascending, finite.
    cores_milli : ndarray of int64, shape (n,)
        CPU cores (or processors) asked, in thousandths; >= 0.
    gpus : ndarray of int64, shape (n,)
        GPUs asked, 0 to 62 (of one node). Zero for divisible tasks, whose policy chooses.
    gpu_share_milli : ndarray of int64, shape (n,)
        Share of each asked GPU in thousandths: 1 to 1000 where ``gpus`` is 1, 1000 where it is larger, 0 where it is 0.
    memory_mb : ndarray of float64, shape (n,)
        Memory asked (the working set), in MB of 10**6 bytes; >= 0.
    requested_time_s : ndarray of float64, shape (n,)
        The run time that the user asked for, or the reader's stand-in (see ``ReadReport.estimates``), in seconds; >= 0.
    size : ndarray of float64 or None
        Nominal CPU time in seconds on the asked cores (generated tasks); > 0.
    compute_intensity : ndarray of float64 or None
        Parallel part of the work, 0 to 1.
    kind, user : ndarray of int64 or None
        Codes, -1 where unknown; names in ``kind_names`` and ``user_names``.
    priority : ndarray of float64 or None
        Larger is more urgent.
    deadline_s : ndarray of float64 or None
        Absolute time by which the task should have finished; NaN for none.
    parent_ptr : ndarray of int64, shape (n + 1,)
        The parents of row ``i`` are ``parent_idx[parent_ptr[i]:parent_ptr[i + 1]]``.
    parent_idx : ndarray of int64, shape (n_edges,)
        Row numbers of parents.
    edge_s : ndarray of float64, shape (n_edges,)
        Fixed transfer time along the edge when both ends run on different machines, in seconds; >= 0.
    edge_mb : ndarray of float64, shape (n_edges,)
        Data sent along the edge, in MB; its time follows from the cluster's links.
    cost_s : ndarray of float64, shape (n, n_machines), or None
        Estimated run time on every machine in seconds (``WorkloadKind.MACHINES``).
    """

    task_id: IntArray
    arrival_s: FloatArray
    cores_milli: IntArray
    gpus: IntArray
    gpu_share_milli: IntArray
    memory_mb: FloatArray
    requested_time_s: FloatArray
    parent_ptr: IntArray
    parent_idx: IntArray
    edge_s: FloatArray
    edge_mb: FloatArray
    size: FloatArray | None = None
    compute_intensity: FloatArray | None = None
    kind: IntArray | None = None
    user: IntArray | None = None
    priority: FloatArray | None = None
    deadline_s: FloatArray | None = None
    cost_s: FloatArray | None = None
    kind_names: tuple[str, ...] = ()
    user_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.task_id)

    @property
    def has_edges(self) -> bool:
        """Whether any task has a parent."""
        return len(self.parent_idx) > 0


@dataclass(frozen=True, slots=True)
class Truth:
    """The hidden columns: nothing here may reach a policy that is not clairvoyant.

    Attributes
    ----------
    work_s : ndarray of float64, shape (n,)
        Rigid: true run time. Divisible: true CPU time ``w`` on the asked cores of the reference CPU, noise included. Seconds, >= 0.
    slowdown : ndarray of float64, shape (n_regimes, n_kinds, n_models), or None
        Hidden factor ``e[kind, gpu model]`` on GPU time, one table per regime; > 0. ``None`` means 1 everywhere.
    regime_start_s : ndarray of float64, shape (n_regimes,)
        From when each table holds (by the start time of a task); the first entry is ``-inf``.
    gpu_noise : ndarray of float64, shape (n,), or None
        Extra noise factor on GPU work when noise is drawn per device class; ``None`` means 1.
    gpu_models : tuple of str
        GPU model of each column of ``slowdown``.
    cost_s : ndarray of float64, shape (n, n_machines), or None
        True run time on every machine.
    """

    work_s: FloatArray
    slowdown: FloatArray | None = None
    regime_start_s: FloatArray = field(default_factory=lambda: np.array([-np.inf]))
    gpu_noise: FloatArray | None = None
    gpu_models: tuple[str, ...] = ()
    cost_s: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class ReadReport:
    """What reading or generating a workload met; everything that was changed is counted here.

    Attributes
    ----------
    format : str
        Name of the reader, or ``generated``.
    rows : int
        Data rows found.
    substitutions : mapping of str to int
        Values replaced by rule, by reason (for example ``run time < 0 became 10 s``).
    dropped : mapping of str to int
        Rows left out, by reason (only with ``--lenient``, ``--windows`` or ``--first``).
    estimates : str
        ``user`` (the trace's own), ``exact`` (at least one was filled with the true run time), ``nominal`` (from visible size), ``none``.
    sorted_by_us : bool
        Whether the rows had to be sorted by arrival.
    sha256 : str or None
        Of the file's bytes as stored; ``None`` for generated workloads.
    processors : int or None
        Number of processors that the file's header names.
    notes : tuple of str
        Anything else a reader of the report should know.
    """

    format: str
    rows: int
    substitutions: Mapping[str, int] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    estimates: str = "none"
    sorted_by_us: bool = False
    sha256: str | None = None
    processors: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Workload:
    """Tasks, their hidden truth, and where they came from.

    Attributes
    ----------
    name : str
        File name or preset.
    kind : WorkloadKind
        How tasks use devices.
    tasks : Tasks
        What policies may see.
    truth : Truth
        What only the engine (and clairvoyant policies) may see.
    report : ReadReport
        What reading met.
    law : str
        Run-time law of divisible tasks: ``overlap`` (MODEL.md, parts run at once), ``sum`` (one after the other) or ``serial`` (the original
        system's formula). Ignored for other kinds.
    warmup : float
        Share of the tasks, by arrival, that is not measured; 0 to 1.
    meta : mapping
        Facts about the source that other parts need (machines of a workflow trace, generator parameters), JSON-able.
    """

    name: str
    kind: WorkloadKind
    tasks: Tasks
    truth: Truth
    report: ReadReport
    law: str = "overlap"
    warmup: float = 0.0
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.tasks)

    def select(self, rows: Sequence[int] | IntArray) -> Workload:
        """Return the workload made of these rows, in this order.

        Parents outside the selection are dropped with their edges: their data is taken to be there.

        Parameters
        ----------
        rows : sequence of int, shape (m,)
            Row numbers, ascending in arrival.

        Returns
        -------
        Workload
        """
        keep = np.asarray(rows, dtype=np.int64)
        tasks = self.tasks
        position = np.full(len(tasks), -1, dtype=np.int64)
        position[keep] = np.arange(len(keep))
        owner = np.repeat(np.arange(len(tasks)), np.diff(tasks.parent_ptr))
        edges = np.flatnonzero((position[owner] >= 0) & (position[tasks.parent_idx] >= 0))
        edges = edges[np.argsort(position[owner[edges]], kind="stable")]
        counts = np.bincount(position[owner[edges]], minlength=len(keep)) if len(edges) else np.zeros(len(keep), dtype=np.int64)

        def take(column: NDArray[Any] | None) -> Any:
            return None if column is None else column[keep]

        new_tasks = replace(
            tasks,
            **{
                name: take(getattr(tasks, name))
                for name in (
                    "task_id",
                    "arrival_s",
                    "cores_milli",
                    "gpus",
                    "gpu_share_milli",
                    "memory_mb",
                    "requested_time_s",
                    "size",
                    "compute_intensity",
                    "kind",
                    "user",
                    "priority",
                    "deadline_s",
                    "cost_s",
                )
            },
            parent_ptr=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
            parent_idx=position[tasks.parent_idx[edges]],
            edge_s=tasks.edge_s[edges],
            edge_mb=tasks.edge_mb[edges],
        )
        truth = replace(self.truth, work_s=take(self.truth.work_s), gpu_noise=take(self.truth.gpu_noise), cost_s=take(self.truth.cost_s))
        return replace(self, tasks=new_tasks, truth=truth)


def no_edges(n_tasks: int) -> dict[str, NDArray[Any]]:
    """Return the four edge columns of a workload whose tasks have no parents, as keyword arguments of `Tasks`."""
    return {
        "parent_ptr": np.zeros(n_tasks + 1, dtype=np.int64),
        "parent_idx": np.zeros(0, dtype=np.int64),
        "edge_s": np.zeros(0),
        "edge_mb": np.zeros(0),
    }


def edge_columns(
    n_tasks: int,
    parent: Sequence[int] | IntArray,
    child: Sequence[int] | IntArray,
    edge_s: Sequence[float] | FloatArray,
    edge_mb: Sequence[float] | FloatArray,
) -> dict[str, NDArray[Any]]:
    """Turn a list of edges into the edge columns of `Tasks`.

    Parameters
    ----------
    n_tasks : int
        Number of rows.
    parent, child : sequence of int, shape (n_edges,)
        Row numbers of both ends.
    edge_s, edge_mb : sequence of float, shape (n_edges,)
        Fixed transfer time in seconds and data in MB.

    Returns
    -------
    dict of str to ndarray
        ``parent_ptr``, ``parent_idx``, ``edge_s``, ``edge_mb``.

    Raises
    ------
    GraphOrderError
        If an end is no row, or the edges contain a cycle.
    """
    parents = np.asarray(parent, dtype=np.int64)
    children = np.asarray(child, dtype=np.int64)
    if len(parents) and (min(parents.min(), children.min()) < 0 or max(parents.max(), children.max()) >= n_tasks):
        raise GraphOrderError("an edge names a task that is not there", f"ends between 0 and {n_tasks - 1}")
    by_child = np.argsort(children, kind="stable")
    columns: dict[str, NDArray[Any]] = {
        "parent_ptr": np.concatenate(([0], np.cumsum(np.bincount(children, minlength=n_tasks)))).astype(np.int64),
        "parent_idx": parents[by_child],
        "edge_s": np.asarray(edge_s, dtype=np.float64)[by_child],
        "edge_mb": np.asarray(edge_mb, dtype=np.float64)[by_child],
    }
    topological_order(columns["parent_ptr"], columns["parent_idx"])
    return columns


def child_columns(parent_ptr: IntArray, parent_idx: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Turn parent lists into child lists.

    Returns
    -------
    child_ptr : ndarray of int64, shape (n + 1,)
        The children of row ``i`` stand at ``child_ptr[i]:child_ptr[i + 1]``.
    child_idx : ndarray of int64, shape (n_edges,)
        Row numbers of children.
    child_edge : ndarray of int64, shape (n_edges,)
        Position of the same edge in the parent-wise columns.
    """
    n_tasks = len(parent_ptr) - 1
    owner = np.repeat(np.arange(n_tasks), np.diff(parent_ptr))
    child_edge = np.argsort(parent_idx, kind="stable").astype(np.int64)
    child_ptr = np.concatenate(([0], np.cumsum(np.bincount(parent_idx, minlength=n_tasks)))).astype(np.int64)
    return child_ptr, owner[child_edge].astype(np.int64), child_edge


def topological_order(parent_ptr: IntArray, parent_idx: IntArray) -> IntArray:
    """Return the rows so that parents stand before children: level by level, rows ascending within a level.

    Raises
    ------
    GraphOrderError
        If the edges contain a cycle; the message names one task on it.
    """
    n_tasks = len(parent_ptr) - 1
    if len(parent_idx) == 0:
        return np.arange(n_tasks, dtype=np.int64)
    child_ptr, child_idx, _ = child_columns(parent_ptr, parent_idx)
    waiting = np.diff(parent_ptr).copy()
    level = np.flatnonzero(waiting == 0)
    levels = []
    done = 0
    while len(level):
        levels.append(level)
        done += len(level)
        children = np.concatenate([child_idx[child_ptr[i] : child_ptr[i + 1]] for i in level])
        np.subtract.at(waiting, children, 1)
        ready = np.unique(children)
        level = ready[waiting[ready] == 0]
    if done < n_tasks:
        stuck = int(np.flatnonzero(waiting > 0)[0])
        raise GraphOrderError(f"the edges contain a cycle, for example through the task in row {stuck}", "an acyclic graph")
    return np.concatenate(levels).astype(np.int64)


def check_workload(workload: Workload) -> Workload:
    """Check the invariants that every reader and generator must establish, and return the workload.

    Raises
    ------
    WorkloadError
        With the first column and row that breaks one.
    """
    tasks, truth = workload.tasks, workload.truth
    n = len(tasks)
    if n == 0:
        raise WorkloadError(f"workload {workload.name!r} has no task; expected at least one")
    ids, first = np.unique(tasks.task_id, return_index=True)
    if len(ids) < n:
        twice = int(np.setdiff1d(np.arange(n), first)[0])
        raise WorkloadError(f"workload {workload.name!r}: task id {int(tasks.task_id[twice])} appears twice; expected unique ids")
    if np.any(np.diff(tasks.arrival_s) < 0):
        raise WorkloadError(f"workload {workload.name!r}: arrivals are not ascending")
    for name, column, low in (
        ("arrival_s", tasks.arrival_s, -np.inf),
        ("requested_time_s", tasks.requested_time_s, 0.0),
        ("memory_mb", tasks.memory_mb, 0.0),
        ("cores_milli", tasks.cores_milli, 0),
        ("gpus", tasks.gpus, 0),
        ("gpu_share_milli", tasks.gpu_share_milli, 0),
        ("work_s", truth.work_s, 0.0),
        ("edge_s", tasks.edge_s, 0.0),
        ("edge_mb", tasks.edge_mb, 0.0),
        ("cost_s", tasks.cost_s, 0.0),
        ("true cost_s", truth.cost_s, 0.0),
        ("size", tasks.size, 0.0),
        ("compute_intensity", tasks.compute_intensity, 0.0),
    ):
        if column is None:
            continue
        bad = ~(np.isfinite(column) & (column >= low))
        if bad.any():
            row = int(np.argwhere(bad)[0][0])
            value = np.asarray(column)[tuple(np.argwhere(bad)[0])]
            raise WorkloadError(f"workload {workload.name!r}: {name} is {value} in row {row}; expected a finite number of at least {low}")
    for name, column in (("task_id", tasks.task_id), ("arrival_s", tasks.arrival_s), ("work_s", truth.work_s), ("memory_mb", tasks.memory_mb)):
        if len(column) != n:
            raise WorkloadError(f"workload {workload.name!r}: column {name} has {len(column)} rows; expected {n}")
    topological_order(tasks.parent_ptr, tasks.parent_idx)
    return workload
