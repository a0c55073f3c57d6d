"""Reader of task graphs on unrelated machines: JSON ``{"cost": [[seconds per machine] per task], "edges": [[parent, child, transfer_s], ...]}``.

Tasks are numbered from 0 in the order of ``cost``. A transfer takes its time only when both ends run on different machines.
The costs are visible to policies, and true (MODEL.md: a graph's cost matrix is a visible estimate).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hybrid_ml_scheduler.core.errors import GraphOrderError
from hybrid_ml_scheduler.core.workload import MILLI, ReadReport, Tasks, Truth, Workload, WorkloadKind, edge_columns
from hybrid_ml_scheduler.workloads.rows import INT64_LIMIT, shown_json
from hybrid_ml_scheduler.workloads.source import Source

_SHAPE = '{"cost": [[seconds per machine] per task], "edges": [[parent, child, transfer_s], ...]}'


def read_taskgraph(source: Source) -> Workload:
    """Read a task graph.

    Parameters
    ----------
    source : Source
        The file.

    Returns
    -------
    Workload
        Of kind ``MACHINES``; ``requested_time_s`` and ``work_s`` are the mean over the machines.

    Raises
    ------
    DataFileError
        If it is not JSON of this shape, a number is negative, not finite or beyond int64, an edge stands twice or names no task, or the edges
        contain a cycle.
    """
    document = source.json()
    if not isinstance(document, dict) or set(document) != {"cost", "edges"}:
        source.fail(f"found {shown_json(document)}", _SHAPE)
    rows, edges = document["cost"], document["edges"]
    if not isinstance(rows, list) or not rows:
        source.fail("'cost' is no list of tasks", _SHAPE)
    if not isinstance(edges, list):
        source.fail("'edges' is no list", _SHAPE)
    width = len(rows[0]) if isinstance(rows[0], list) else 0
    for task, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != width or not row:
            source.fail(f"cost[{task}] is not a list of {width or 'some'} numbers", "one cost per machine, for every task alike")
        for machine, value in enumerate(row):
            _check_seconds(source, value, f"cost[{task}][{machine}]")
    n = len(rows)
    seen: set[tuple[int, int]] = set()
    for position, edge in enumerate(edges):
        where = f"edges[{position}]"
        if not isinstance(edge, list) or len(edge) != 3:
            source.fail(f"{where} is not a list of three", "[parent, child, transfer_s]")
        parent, child, seconds = edge
        for end in (parent, child):
            if type(end) is not int or not 0 <= end < n:
                source.fail(f"{where} names the task {shown_json(end)}", f"a task number from 0 to {n - 1}")
        if (parent, child) in seen:
            source.fail(f"{where} repeats the edge from {parent} to {child}", "each edge once")
        seen.add((parent, child))
        _check_seconds(source, seconds, f"{where}, transfer")
    try:
        columns = edge_columns(n, [e[0] for e in edges], [e[1] for e in edges], [e[2] for e in edges], [0.0] * len(edges))
    except GraphOrderError as error:
        source.fail(error.problem, error.expected)
    cost = np.array(rows, dtype=np.float64)
    mean = cost.mean(axis=1)
    tasks = Tasks(
        task_id=np.arange(n, dtype=np.int64),
        arrival_s=np.zeros(n),
        cores_milli=np.full(n, MILLI, dtype=np.int64),
        gpus=np.zeros(n, dtype=np.int64),
        gpu_share_milli=np.zeros(n, dtype=np.int64),
        memory_mb=np.zeros(n),
        requested_time_s=mean,
        cost_s=cost,
        parent_ptr=columns["parent_ptr"],
        parent_idx=columns["parent_idx"],
        edge_s=columns["edge_s"],
        edge_mb=columns["edge_mb"],
    )
    report = ReadReport(
        format="taskgraph",
        rows=n,
        estimates="exact",
        sha256=source.sha256,
        notes=("costs are visible and true; the requested time is their mean over the machines",),
    )
    return Workload(
        source.name,
        WorkloadKind.MACHINES,
        tasks,
        Truth(work_s=mean.copy(), cost_s=cost.copy()),
        report,
        meta={"machines": width, "edges": len(edges)},
    )


def _check_seconds(source: Source, value: Any, where: str) -> None:
    if type(value) not in (int, float) or not 0 <= value < INT64_LIMIT:
        source.fail(f"{where} is {shown_json(value)}", "a finite number of seconds, at least 0 and within int64")
