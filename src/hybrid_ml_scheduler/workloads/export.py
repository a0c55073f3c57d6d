"""Writing workloads: our own columns (CSV, Parquet) without loss, and SWF as far as it goes."""

from __future__ import annotations

import csv
import gzip
import io
import math
import re
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.core.workload import MILLI, FloatArray, IntArray, Workload, WorkloadKind
from hybrid_ml_scheduler.workloads.rows import name_codes
from hybrid_ml_scheduler.workloads.swf import MB_PER_KB
from hybrid_ml_scheduler.workloads.tabular_meta import FIRST_LINE, meta_text

SUFFIXES = {".swf": "swf", ".csv": "csv", ".parquet": "parquet"}
"""Format by the end of the file's name; ``.gz`` may follow, but for Parquet, which is compressed already."""

_OTHERS = "a file named *.csv, *.csv.gz, *.parquet, *.swf or *.swf.gz"


def write_workload(workload: Workload, path: str | Path) -> tuple[str, ...]:
    """Write a workload in the format that the file's name asks for.

    Parameters
    ----------
    workload : Workload
        Rigid or divisible tasks.
    path : str or Path
        Ends in ``.csv``, ``.csv.gz``, ``.parquet``, ``.swf`` or ``.swf.gz``.

    Returns
    -------
    tuple of str
        What the format could not hold. CSV and Parquet give the same workload back when read, but for size and compute intensity of rigid tasks.

    Raises
    ------
    InputError
        If the format cannot hold such tasks at all, or the file cannot be written.
    """
    target = Path(path)
    name = target.name.removesuffix(".gz")
    chosen = SUFFIXES.get(Path(name).suffix)
    if chosen is None or (chosen == "parquet" and name != target.name):
        raise InputError(f"cannot write {target}: the name does not say which format; expected {_OTHERS}")
    if workload.kind is WorkloadKind.MACHINES:
        raise InputError(f"cannot write {target}: {workload.name!r} is a task graph on unrelated machines; expected rigid or divisible tasks")
    rigid = workload.kind is WorkloadKind.RIGID
    lost = tuple(name for name in ("size", "compute_intensity") if rigid and getattr(workload.tasks, name) is not None)
    try:
        if chosen == "parquet":
            columns, metadata = tabular_columns(workload)
            import_module("hybrid_ml_scheduler.workloads.parquet").write_parquet(target, columns, metadata)
            return lost
        if chosen == "swf":
            text, more = _swf_text(workload)
            lost += more
        else:
            text = _csv_text(workload)
        data = text.encode()
        target.write_bytes(data if name == target.name else gzip.compress(data, mtime=0))
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror or error}; expected a path that can be written") from None
    return lost


def tabular_columns(workload: Workload) -> tuple[dict[str, Any], str]:
    """Return the columns of `tabular` that a workload needs, and its JSON object.

    Parameters
    ----------
    workload : Workload
        Rigid or divisible tasks.

    Returns
    -------
    columns : dict of str to ndarray or list of str
        NaN and ``""`` are empty cells.
    metadata : str
        Empty if there is nothing to say.
    """
    tasks, truth = workload.tasks, workload.truth
    divisible = workload.kind is WorkloadKind.DIVISIBLE
    if divisible and (tasks.size is None or tasks.compute_intensity is None):
        raise InputError(f"{workload.name!r} has divisible tasks without size or compute intensity; expected both")
    columns: dict[str, Any] = {
        "task_id": tasks.task_id,
        "arrival_s": tasks.arrival_s,
        "run_time_s": truth.work_s,
        "cores_milli": tasks.cores_milli,
        "gpus": tasks.gpus,
        "gpu_share_milli": tasks.gpu_share_milli,
        "memory_mb": tasks.memory_mb,
    }
    stand_in = tasks.size if divisible else truth.work_s
    filled = workload.report.estimates == ("nominal" if divisible else "exact")
    requested_s: FloatArray = np.where(tasks.requested_time_s == stand_in, np.nan, tasks.requested_time_s) if filled else tasks.requested_time_s
    if not np.isnan(requested_s).all():
        columns["requested_time_s"] = requested_s
    told = ("nominal" if divisible else "exact") if np.isnan(requested_s).any() else "user"
    for name in ("compute_intensity", "size"):
        if divisible:
            columns[name] = getattr(tasks, name)
    listed: dict[str, tuple[str, ...]] = {}
    for name, codes, names in (("kind", tasks.kind, tasks.kind_names), ("user", tasks.user, tasks.user_names)):
        if codes is not None:
            columns[name], apart = _name_cells(codes, names)
            if apart:
                listed[f"{name}_names"] = names
        elif names:
            listed[f"{name}_names"] = names
    for name in ("priority", "deadline_s"):
        if getattr(tasks, name) is not None:
            columns[name] = getattr(tasks, name)
    if tasks.has_edges:
        ids = tasks.task_id[tasks.parent_idx]
        columns["parents"] = _joined(tasks.parent_ptr, ids)
        columns["edge_s"] = _joined(tasks.parent_ptr, tasks.edge_s)
        columns["edge_mb"] = _joined(tasks.parent_ptr, tasks.edge_mb)
    if truth.gpu_noise is not None:
        columns["gpu_noise"] = truth.gpu_noise
    estimates = workload.report.estimates if workload.report.estimates != told else None
    return columns, meta_text(workload, listed_names=listed, estimates=estimates)


def _name_cells(codes: IntArray, names: tuple[str, ...]) -> tuple[list[str], bool]:
    """Return names as cells if reading them gives the same codes back; else the codes, the names to be listed apart."""
    if names:
        cells = [names[code] if code >= 0 else "" for code in codes.tolist()]
        one_line = all(name == " ".join(name.split()) and name for name in names)
        if one_line:
            again, sorted_names = name_codes(cells)
            if sorted_names == names and np.array_equal(again, codes):
                return cells, False
    return ["" if code < 0 else str(code) for code in codes.tolist()], True


def _joined(ptr: IntArray, values: Any) -> list[str]:
    texts = [repr(value) for value in values.tolist()]
    bounds = ptr.tolist()
    return [";".join(texts[a:b]) for a, b in pairwise(bounds)]


def _csv_text(workload: Workload) -> str:
    columns, metadata = tabular_columns(workload)
    out = io.StringIO()
    if metadata:
        out.write(f"{FIRST_LINE}{metadata}\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    cells = [values if isinstance(values, list) else ["" if math.isnan(x) else repr(x) for x in values.tolist()] for values in columns.values()]
    writer.writerows(zip(*cells, strict=True))
    return out.getvalue()


def _swf_text(workload: Workload) -> tuple[str, tuple[str, ...]]:
    tasks, truth = workload.tasks, workload.truth

    def need(good: Any, expected: str) -> None:
        if not np.all(good):
            row = int(np.argmin(good)) if np.ndim(good) else 0
            raise InputError(f"SWF cannot hold {workload.name!r} (task {int(tasks.task_id[row])}); expected {expected}")

    need(workload.kind is WorkloadKind.RIGID, "rigid tasks")
    need(tasks.gpus == 0, "tasks without GPUs")
    need((tasks.cores_milli > 0) & (tasks.cores_milli % MILLI == 0), "whole processors, at least one")
    need(tasks.arrival_s >= 0, "arrivals of at least 0")
    need(tasks.task_id >= 0, "task ids of at least 0")
    unstated = (tasks.requested_time_s == truth.work_s) & (workload.report.estimates == "exact")
    need((tasks.requested_time_s > 0) | unstated, "requested times above 0")
    processors = tasks.cores_milli // MILLI
    memory_kb = np.where(tasks.memory_mb > 0, tasks.memory_mb / MB_PER_KB / processors, -1.0)
    requested_s = np.where(unstated, -1.0, tasks.requested_time_s)
    lines = ["; Version: 2.2", "; Note: written by hms workload convert", f"; MaxJobs: {len(tasks)}", f"; MaxRecords: {len(tasks)}"]
    if workload.report.processors is not None:
        lines.append(f"; MaxProcs: {workload.report.processors}")
    unknown = np.full(len(tasks), -1, dtype=np.int64)
    users, users_renumbered = _numbers(tasks.user, tasks.user_names)
    executables, kinds_renumbered = _numbers(tasks.kind, tasks.kind_names)
    columns: list[Any] = [unknown] * 18
    for column, values in (
        (1, tasks.task_id),
        (2, tasks.arrival_s),
        (4, truth.work_s),
        (5, processors),
        (8, processors),
        (9, requested_s),
        (10, memory_kb),
        (12, unknown if users is None else users),
        (14, unknown if executables is None else executables),
    ):
        columns[column - 1] = values
    lines += [" ".join(cells) for cells in zip(*map(_plain, columns), strict=True)]
    lost = {
        "parents": tasks.has_edges,
        "names of users": users_renumbered,
        "names of kinds": kinds_renumbered,
        "priority": tasks.priority is not None,
        "deadline_s": tasks.deadline_s is not None,
    }
    return "\n".join(lines) + "\n", tuple(name for name, there in lost.items() if there)


def _plain(values: Any) -> list[str]:
    """Write numbers, without a point where they are whole."""
    return [repr(int(value)) if value == int(value) else repr(value) for value in values.tolist()]


def _numbers(codes: IntArray | None, names: tuple[str, ...]) -> tuple[IntArray | None, bool]:
    """Return names as numbers if they are some, else the codes; and whether names were lost."""
    if codes is None or not names:
        return codes, False
    if all(re.fullmatch(r"0|[1-9][0-9]{0,17}", name) for name in names):
        return np.array([*map(int, names), -1], dtype=np.int64)[codes], False
    return codes, True
