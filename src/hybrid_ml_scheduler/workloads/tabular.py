"""Our own columns, as CSV or Parquet: reading and writing.

====================== ======== ====== =======================================================================================================
column                 needed   type   meaning
====================== ======== ====== =======================================================================================================
arrival_s              yes      float  arrival in seconds
run_time_s             yes      float  true run time in seconds, >= 0 (divisible tasks: true CPU time on the asked cores, noise included)
task_id                no       int    unique; number of the row, from 0, where left out
cores, cores_milli     no       float, CPU cores or processors, whole or in thousandths; one of the two columns; 1 core where left out
                                int
gpus                   no       int    GPUs, 0 to 62; 0 where left out, and for divisible tasks
gpu_share_milli        no       int    share of each GPU in thousandths: 1 to 1000 with one GPU, 1000 with several, 0 with none; whole GPUs
                                       where left out
memory_mb              no       float  memory in MB of 10**6 bytes; 0 where left out
requested_time_s       no       float  what the user asked for, in seconds, >= 0; where empty or left out, the run time stands in and the
                                       workload is marked ``estimates: exact`` (divisible tasks: the size, ``nominal``)
compute_intensity      no       float  0 to 1; makes the tasks divisible between CPU and GPU
size                   divis.   float  nominal CPU time in seconds on the asked cores, > 0; needed with ``compute_intensity``
kind, user             no       text   names or numbers; empty for unknown
priority               no       float  larger is more urgent; empty for unknown
deadline_s             no       float  absolute time in seconds; empty for none
parents                no       text   ids of the parents, separated by ``;``
edge_s, edge_mb        no       text   per parent, separated by ``;``: fixed transfer time in seconds, data in MB; 0 where left out
gpu_noise              no       float  divisible tasks: extra noise factor on GPU work, > 0
====================== ======== ====== =======================================================================================================

Other columns are an error. What belongs to the whole workload and has no column (hidden slow-downs, processors of the trace, ...) stands as
one JSON object: in CSV in a first line ``# hybrid-ml-scheduler {...}``, in Parquet in the metadata under ``hybrid_ml_scheduler``; both may be
absent. Its keys: ``processors``, ``estimates``, ``law``, ``warmup``, ``kind_names``, ``user_names``, ``slowdown``, ``regime_start_s``,
``gpu_models``, ``meta``. A Parquet file is read as the table it holds: in messages, line 1 is the header and line 2 the first row.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np

from hybrid_ml_scheduler.core.cluster import MAX_GPUS_PER_NODE
from hybrid_ml_scheduler.core.errors import GraphOrderError
from hybrid_ml_scheduler.core.workload import MILLI, FloatArray, IntArray, Truth, Workload, WorkloadKind, edge_columns
from hybrid_ml_scheduler.workloads.rigid import rigid_workload, with_edges
from hybrid_ml_scheduler.workloads.rows import CORES_LIMIT, MEMORY_LIMIT_MB, BadRowError, RowLog, check_unique, name_codes, number, shown
from hybrid_ml_scheduler.workloads.source import Source
from hybrid_ml_scheduler.workloads.table import Column, Columns, Row, Table, csv_rows, read_table
from hybrid_ml_scheduler.workloads.tabular_meta import FIRST_LINE, TabularMeta, parse_meta

PARQUET_MAGIC = b"PAR1"
"""First bytes of a Parquet file."""

COLUMNS = (
    Column("task_id", "whole", required=False),
    Column("arrival_s", "number"),
    Column("run_time_s", "number", 0),
    Column("cores", "number", 0, CORES_LIMIT - 1, required=False),
    Column("cores_milli", "whole", 0, (CORES_LIMIT - 1) * MILLI, required=False),
    Column("gpus", "whole", 0, MAX_GPUS_PER_NODE, required=False),
    Column("gpu_share_milli", "whole", 0, MILLI, required=False),
    Column("memory_mb", "number", 0, MEMORY_LIMIT_MB, required=False),
    Column("requested_time_s", "number", 0, empty=math.nan, required=False),
    Column("compute_intensity", "number", 0, 1, required=False),
    Column("size", "number", 0, required=False),
    Column("kind", "text", empty="", required=False),
    Column("user", "text", empty="", required=False),
    Column("priority", "number", empty=math.nan, required=False),
    Column("deadline_s", "number", empty=math.nan, required=False),
    Column("parents", "text", empty="", required=False),
    Column("edge_s", "text", empty="", required=False),
    Column("edge_mb", "text", empty="", required=False),
    Column("gpu_noise", "number", 0, required=False),
)
"""The columns, in the order in which they are written."""


def _problem(values: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Return what is wrong with one row or with any of many rows: reason, problem and expectation."""
    gpus = np.asarray(values.get("gpus", 0))
    checks: list[tuple[Any, str, str, str]] = []
    if "gpu_share_milli" in values:
        share = values["gpu_share_milli"]
        low = np.where(gpus == 0, 0, np.where(gpus == 1, 1, MILLI))
        high = np.where(gpus == 0, 0, MILLI)
        wrong = (share < low) | (share > high)
        checks.append(
            (wrong, "gpu_share_milli out of range", "gpu_share_milli does not go with gpus", "0 with no GPU, 1 to 1000 with one, 1000 with more")
        )
    if "cores" in values:
        milli = np.asarray(values["cores"]) * MILLI
        fraction = np.abs(milli - np.rint(milli)) > 1e-6 * np.maximum(milli, 1.0)
        checks.append((fraction, "cores finer than 0.001", "cores has more than three decimals", "thousandths of a core"))
    if "compute_intensity" in values:
        checks.append((gpus > 0, "GPUs of a divisible task", "a divisible task asks for GPUs", "gpus 0: the policy chooses the GPU"))
    zero = [name for name in ("size", "gpu_noise") if name in values and np.any(np.asarray(values[name]) <= 0)]
    checks += [(True, f"{name} not above 0", f"{name} is 0", "a number above 0") for name in zero]
    return next((check[1:] for check in checks if np.any(check[0])), None)


def _check_row(values: Mapping[str, Any]) -> None:
    problem = _problem(values)
    if problem is not None:
        raise BadRowError(*problem)
    _edges_of(values.get("parents", ""), values.get("edge_s", ""), values.get("edge_mb", ""))


def _suspicious(columns: Columns) -> bool:
    # lists of parents are looked at row by row
    return _problem(columns) is not None or any(any(columns.get(name, ())) for name in ("parents", "edge_s", "edge_mb"))


_TABLE = Table(columns=COLUMNS, extra=False, check_row=_check_row, suspicious=_suspicious)


def _edges_of(parents: str, edge_s: str, edge_mb: str) -> tuple[list[int], list[float], list[float]]:
    """Return parent ids, transfer times and data of one row."""
    ids = []
    for text in parents.split(";") if parents else ():
        value = number(text, "parents")
        if not isinstance(value, int):
            raise BadRowError("not a whole number", f"parents has {shown(text)}", "task ids separated by ';'")
        ids.append(value)
    if len(set(ids)) < len(ids):
        raise BadRowError("parent twice", f"parents {shown(parents)} names one task twice", "each parent once")
    found = []
    for name, cell in (("edge_s", edge_s), ("edge_mb", edge_mb)):
        values = [float(number(text, name)) for text in cell.split(";")] if cell else [0.0] * len(ids)
        if len(values) != len(ids):
            raise BadRowError(
                f"{name} without parent", f"{name} has {len(values)} values for {len(ids)} parents", "one value per parent, separated by ';'"
            )
        if any(value < 0 for value in values):
            raise BadRowError("negative", f"{name} is {shown(cell)}", "numbers of at least 0")
        found.append(values)
    return ids, found[0], found[1]


def read_tabular(source: Source, *, lenient: bool = False) -> Workload:
    """Read a table of our own columns.

    Parameters
    ----------
    source : Source
        The file.
    lenient : bool
        Leave bad rows out and count them by reason in ``report.dropped``, instead of raising an error; a task whose parent is missing is bad.

    Returns
    -------
    Workload
        Rigid tasks, or divisible ones if there is a column ``compute_intensity``.

    Raises
    ------
    DataFileError
        With the first line that cannot be used.
    """
    log = RowLog(source, lenient)
    rows, text = _open(source)
    meta = parse_meta(source, text)
    columns, lines = read_table(rows, _TABLE, log)
    _check_header(source, columns)
    n = len(columns["arrival_s"])
    columns.setdefault("task_id", np.arange(n, dtype=np.int64))
    unique = check_unique(columns["task_id"], lines, log, "task_id")
    keep = np.ones(n, dtype=bool) if unique is None else unique
    edges = _edges(columns, lines, keep, log)
    kept = np.flatnonzero(keep)
    if not len(kept):
        source.fail(f"there is no usable row ({log.dropped.total()} rows were left out)", "rows behind the header")
    columns = {name: values[kept] if isinstance(values, np.ndarray) else [values[row] for row in kept.tolist()] for name, values in columns.items()}
    return _assemble(log, meta, columns, edges)


def _open(source: Source) -> tuple[Iterator[Row], str]:
    if source.data.startswith(PARQUET_MAGIC):
        text, rows = import_module("hybrid_ml_scheduler.workloads.parquet").open_parquet(source)
        return rows, text
    data = source.data.removeprefix(b"\xef\xbb\xbf")
    if not data.startswith(FIRST_LINE.encode()):
        return csv_rows(source), ""
    line = data.split(b"\n", 1)[0]
    try:
        return csv_rows(source, skip_lines=1), line.decode().removeprefix(FIRST_LINE)
    except UnicodeDecodeError:
        source.fail("the first line is not UTF-8", "UTF-8 text", 1)


def _check_header(source: Source, columns: Columns) -> None:
    if "cores" in columns and "cores_milli" in columns:
        source.fail("there are both columns cores and cores_milli", "one of them")
    if "compute_intensity" in columns and "size" not in columns:
        source.fail("there is a column compute_intensity without size", "both, for divisible tasks")
    for name in ("size", "gpu_noise"):
        if name in columns and "compute_intensity" not in columns:
            source.fail(f"there is a column {name} without compute_intensity", "both, for divisible tasks, or neither")
    for name in ("edge_s", "edge_mb"):
        if name in columns and "parents" not in columns:
            source.fail(f"there is a column {name} without parents", "the column parents")


def _edges(columns: Columns, lines: IntArray, keep: Any, log: RowLog) -> dict[str, list[Any]]:
    """Collect the edges between kept rows by id; rows whose parents are missing leave `keep` (an error unless lenient)."""
    empty = [""] * len(lines)
    cells = [columns.pop(name, empty) for name in ("parents", "edge_s", "edge_mb")]
    ids = columns["task_id"].tolist()
    of_row = {row: _edges_of(*texts) for row, texts in enumerate(zip(*cells, strict=True)) if texts[0] and keep[row]}
    present = {ids[row] for row in np.flatnonzero(keep).tolist()}
    orphans = True
    while orphans:  # a row left out may leave its own children without a parent
        orphans = False
        for row in [row for row, (parents, _, _) in of_row.items() if not present.issuperset(parents)]:
            missing = next(parent for parent in of_row[row][0] if parent not in present)
            log.bad(int(lines[row]), BadRowError("parent missing", f"parent {missing} of task {ids[row]} is not in the file", "ids of tasks"))
            keep[row] = False
            present.discard(ids[row])
            del of_row[row]
            orphans = True
    result: dict[str, list[Any]] = {"parent": [], "child": [], "edge_s": [], "edge_mb": []}
    for row, (parents, edge_s, edge_mb) in of_row.items():
        result["parent"] += parents
        result["child"] += [ids[row]] * len(parents)
        result["edge_s"] += edge_s
        result["edge_mb"] += edge_mb
    return result


def _assemble(log: RowLog, meta: TabularMeta, columns: Columns, edges: Mapping[str, Sequence[Any]]) -> Workload:
    source = log.source
    divisible = "compute_intensity" in columns
    run_s: FloatArray = columns["run_time_s"]
    n = len(run_s)
    stand_in = columns["size"] if divisible else run_s
    requested_s: FloatArray = columns.get("requested_time_s", np.full(n, math.nan))
    unknown = np.isnan(requested_s)
    estimates = ("nominal" if divisible else "exact") if unknown.any() else "user"
    cores_milli = columns.get("cores_milli", np.full(n, MILLI, dtype=np.int64))
    if "cores" in columns:
        cores_milli = np.rint(columns["cores"] * MILLI).astype(np.int64)
    kind, kind_names = _codes(source, columns.get("kind"), meta.kind_names, "kind")
    user, user_names = _codes(source, columns.get("user"), meta.user_names, "user")
    given = int(np.count_nonzero(unknown)) if "requested_time_s" in columns else 0
    workload = rigid_workload(
        log,
        "tabular",
        task_id=columns["task_id"],
        arrival_s=columns["arrival_s"],
        run_time_s=run_s,
        cores_milli=cores_milli,
        memory_mb=columns.get("memory_mb", np.zeros(n)),
        requested_time_s=np.where(unknown, stand_in, requested_s),
        gpus=columns.get("gpus"),
        gpu_share_milli=columns.get("gpu_share_milli"),
        kind=kind,
        kind_names=kind_names,
        user=user,
        user_names=user_names,
        substitutions={f"no requested time: the {'size' if divisible else 'run time'} became it": given},
        estimates=meta.estimates or estimates,
        processors=meta.processors,
        meta=meta.meta,
    )
    if divisible:
        workload = replace(workload, kind=WorkloadKind.DIVISIBLE)
    return _with_rest(workload, source, meta, columns, edges)


def _with_rest(workload: Workload, source: Source, meta: TabularMeta, columns: Columns, edges: Mapping[str, Sequence[Any]]) -> Workload:
    """Add what rigid tasks of other formats do not have, in the order of the sorted rows."""
    order = np.argsort(columns["arrival_s"], kind="stable")
    extra = {name: columns[name][order] for name in ("size", "compute_intensity", "priority", "deadline_s") if name in columns}
    truth: Truth = replace(
        workload.truth,
        gpu_noise=columns["gpu_noise"][order] if "gpu_noise" in columns else None,
        slowdown=meta.slowdown,
        regime_start_s=meta.regime_start_s,
        gpu_models=meta.gpu_models,
    )
    workload = replace(workload, tasks=replace(workload.tasks, **extra), truth=truth, law=meta.law, warmup=meta.warmup)
    kind = workload.tasks.kind
    if meta.slowdown is not None and (kind is None or kind.min() < 0 or kind.max() >= meta.slowdown.shape[1]):
        source.fail("the slowdown table does not cover the kinds of all tasks", "a known kind for every task, and one row of the table per kind")
    if not edges["parent"]:
        return workload
    row = {task: index for index, task in enumerate(workload.tasks.task_id.tolist())}
    try:
        found = edge_columns(len(workload), [row[p] for p in edges["parent"]], [row[c] for c in edges["child"]], edges["edge_s"], edges["edge_mb"])
    except GraphOrderError as error:
        source.fail(error.problem, error.expected)
    return with_edges(workload, found)


def _codes(source: Source, cells: list[str] | None, names: tuple[str, ...] | None, column: str) -> tuple[IntArray | None, tuple[str, ...]]:
    """Turn cells into codes: they are names, or, where the file lists the names apart, numbers into that list."""
    if cells is None:
        return None, names or ()
    if names is None:
        return name_codes(cells)
    try:
        codes = np.array([int(cell) if cell else -1 for cell in cells], dtype=np.int64)
    except (ValueError, OverflowError):
        codes = np.array([-2])
    if codes.min() < -1 or (names and codes.max() >= len(names)):
        source.fail(f"a value of the column {column} is no number into {column}_names", f"whole numbers from 0 to {len(names) - 1}, or empty cells")
    return codes, names
