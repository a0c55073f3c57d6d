"""Reader of Philly-style CSV: ``timestamp,duration,num_gpus,gpu_time,cluster``, as in AdaptDL's copy of Microsoft's Philly trace.

What each column becomes:

========== ======================================================================================================================
column     becomes
========== ======================================================================================================================
timestamp  submit time ``YYYY-MM-DD HH:MM:SS``: ``arrival_s`` in seconds since 1970-01-01, the clock read as UTC
duration   run time in seconds
num_gpus   processors of a pool: ``cores_milli`` is 1000 per GPU, ``gpus`` is 0. At least 1: a job without a GPU has no place in a pool
           of GPUs, and is an error
gpu_time   not used where it is there; it is duration x num_gpus in the trace
cluster    virtual cluster: ``user``
========== ======================================================================================================================

The trace asks for GPUs without saying which share a machine, so that its natural machine is a pool of GPUs. ``task_id`` is the number of the
row, from 0. There are no estimates, so the requested time is the run time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from hybrid_ml_scheduler.core.workload import MILLI, FloatArray, Workload
from hybrid_ml_scheduler.workloads.rigid import rigid_workload
from hybrid_ml_scheduler.workloads.rows import CORES_LIMIT, BadRowError, RowLog, name_codes, shown
from hybrid_ml_scheduler.workloads.source import Source
from hybrid_ml_scheduler.workloads.table import Column, Columns, Table, csv_rows, read_table

_STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}")


def _seconds(stamps: list[str]) -> FloatArray:
    return np.array(stamps, dtype="datetime64[s]").astype(np.int64).astype(np.float64)


def _suspicious(columns: Columns) -> bool:
    stamps = columns["timestamp"]
    if not all(map(_STAMP.fullmatch, stamps)):
        return True
    try:
        _seconds(stamps)
    except ValueError:  # a month 13
        return True
    return False


def _check(values: Mapping[str, Any]) -> None:
    if _suspicious({"timestamp": [values["timestamp"]]}):
        raise BadRowError("not a timestamp", f"timestamp is {shown(values['timestamp'])}", "YYYY-MM-DD HH:MM:SS")


_TABLE = Table(
    columns=(
        Column("timestamp", "text"),
        Column("duration", "number", 0),
        Column("num_gpus", "whole", 1, CORES_LIMIT - 1),
        Column("cluster", "text", empty="", required=False),
    ),
    check_row=_check,
    suspicious=_suspicious,
)


def read_philly(source: Source, *, lenient: bool = False) -> Workload:
    """Read a Philly-style trace as rigid tasks on a pool of GPUs.

    Parameters
    ----------
    source : Source
        The file.
    lenient : bool
        Leave bad rows out and count them by reason in ``report.dropped``, instead of raising an error.

    Returns
    -------
    Workload

    Raises
    ------
    DataFileError
        With the first line that cannot be used.
    """
    log = RowLog(source, lenient)
    columns, _ = read_table(csv_rows(source), _TABLE, log)
    n = len(columns["duration"])
    user, user_names = name_codes(columns["cluster"]) if "cluster" in columns else (None, ())
    return rigid_workload(
        log,
        "philly",
        task_id=np.arange(n, dtype=np.int64),
        arrival_s=_seconds(columns["timestamp"]),
        run_time_s=columns["duration"],
        cores_milli=columns["num_gpus"] * MILLI,
        memory_mb=np.zeros(n),
        user=user,
        user_names=user_names,
        notes=(
            "processors are GPUs: the trace does not say how they are spread over machines",
            "memory is unknown and taken as 0 MB; the user is the virtual cluster; timestamps are read as UTC",
            "the requested time is the run time",
        ),
    )
