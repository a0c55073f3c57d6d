"""Reader of the pod lists of Alibaba's cluster-trace-gpu-v2023 ("openb"), used by FGD (Weng et al., USENIX ATC 2023).

What each column becomes:

============== =====================================================================================================================
column         becomes
============== =====================================================================================================================
name           must be unique; ``task_id`` is the number of the row, from 0
cpu_milli      ``cores_milli``
memory_mib     ``memory_mb`` (1 MiB = 1.048576 MB)
num_gpu        ``gpus``, 0 to 8
gpu_milli      ``gpu_share_milli``: 1 to 1000 of one GPU if ``num_gpu`` is 1; whole GPUs if it is larger; ignored if it is 0
gpu_spec       GPU models that the pod accepts, separated by ``|``, empty for any: ``meta["gpu_spec"]``, by task id (as text), for those that ask
qos            ``kind`` (LS, BE, ...)
pod_phase      counted in the notes
creation_time  ``arrival_s``
scheduled_time, deletion_time - scheduled_time is the run time; where a pod was never scheduled (its phase is Pending), no run time was ever
deletion_time  observed, and the time from its creation to its deletion stands in, which is counted as a substitution
============== =====================================================================================================================

The default list has 8,152 pods, of which 897 were never scheduled; all others were scheduled between creation and deletion. Memory is the
host's. There are no estimates, so the requested time is the run time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from hybrid_ml_scheduler.core.constants import MB_PER_MIB
from hybrid_ml_scheduler.core.workload import MILLI, Workload
from hybrid_ml_scheduler.workloads.rigid import rigid_workload
from hybrid_ml_scheduler.workloads.rows import CORES_LIMIT, MEMORY_LIMIT_MB, BadRowError, RowLog, name_codes
from hybrid_ml_scheduler.workloads.source import Source
from hybrid_ml_scheduler.workloads.table import Column, Columns, Table, csv_rows, read_table

MAX_GPUS = 8
"""GPUs of the largest node of the trace, and of its largest pods."""

_NEVER = -1.0  # stands for an empty scheduled_time inside this module: no other value below 0 is accepted


def _check(values: Mapping[str, Any]) -> None:
    share = values["gpu_milli"]
    if values["num_gpu"] == 1 and not 1 <= share <= MILLI:
        raise BadRowError("gpu_milli out of range", f"gpu_milli is {share} with one GPU", f"1 to {MILLI}")
    begin = values["scheduled_time"] if values["scheduled_time"] != _NEVER else values["creation_time"]
    if values["deletion_time"] < begin or begin < values["creation_time"]:
        raise BadRowError(
            "times out of order",
            f"created at {values['creation_time']:g}, begun at {begin:g}, deleted at {values['deletion_time']:g}",
            "creation <= scheduled <= deletion",
        )


def _suspicious(columns: Columns) -> bool:
    share, created, scheduled = columns["gpu_milli"], columns["creation_time"], columns["scheduled_time"]
    begin = np.where(scheduled != _NEVER, scheduled, created)
    bad = ((columns["num_gpu"] == 1) & ((share < 1) | (share > MILLI))) | (columns["deletion_time"] < begin) | (begin < created)
    return bool(bad.any())


_TABLE = Table(
    columns=(
        Column("name", "text"),
        Column("cpu_milli", "whole", 0, (CORES_LIMIT - 1) * MILLI),
        Column("memory_mib", "number", 0, MEMORY_LIMIT_MB / 2),  # half: the conversion adds 5 %
        Column("num_gpu", "whole", 0, MAX_GPUS),
        Column("gpu_milli", "whole", 0, MILLI),
        Column("gpu_spec", "text", empty="", required=False),
        Column("qos", "text", empty="", required=False),
        Column("pod_phase", "text", empty="", required=False),
        Column("creation_time", "number", 0),
        Column("deletion_time", "number", 0),
        Column("scheduled_time", "number", 0, empty=_NEVER),
    ),
    check_row=_check,
    suspicious=_suspicious,
)


def read_openb(source: Source, *, lenient: bool = False) -> Workload:
    """Read a pod list as rigid tasks on nodes with GPUs.

    Parameters
    ----------
    source : Source
        The file.
    lenient : bool
        Leave bad rows out and count them by reason in ``report.dropped``, instead of raising an error.

    Returns
    -------
    Workload
        ``meta["gpu_spec"]`` holds the models that some pods ask for, by task id; placement does not enforce them. ``meta["path"]`` is the file's:
        the node list may stand beside it.

    Raises
    ------
    DataFileError
        With the first line that cannot be used.
    """
    log = RowLog(source, lenient)
    columns, lines = read_table(csv_rows(source), _TABLE, log)
    keep = _unique_names(columns["name"], lines.tolist(), log)
    columns = {name: values[keep] if isinstance(values, np.ndarray) else [values[row] for row in keep.tolist()] for name, values in columns.items()}
    created, scheduled = columns["creation_time"], columns["scheduled_time"]
    never = scheduled == _NEVER
    n_never = int(np.count_nonzero(never))
    gpus = columns["num_gpu"]
    share = np.where(gpus == 1, columns["gpu_milli"], np.where(gpus > 1, MILLI, 0))
    qos, qos_names = name_codes(columns["qos"]) if "qos" in columns else (None, ())
    notes = ["memory is the host's; the trace says nothing of GPU memory", "the requested time is the run time"]
    phases: Counter[str] = Counter(columns.get("pod_phase", ()))
    if phases:
        notes.append("pods by phase: " + ", ".join(f"{phase or 'unknown'} {count}" for phase, count in sorted(phases.items())[:16]))
    meta: dict[str, Any] = {"path": source.path}
    if any(columns.get("gpu_spec", ())):
        meta["gpu_spec"] = {str(row): spec for row, spec in enumerate(columns["gpu_spec"]) if spec}
        notes.append(f"{len(meta['gpu_spec'])} pods accept only some GPU models (meta gpu_spec)")
    return rigid_workload(
        log,
        "openb",
        task_id=np.arange(len(created), dtype=np.int64),
        arrival_s=created,
        run_time_s=columns["deletion_time"] - np.where(never, created, scheduled),
        cores_milli=columns["cpu_milli"],
        memory_mb=columns["memory_mib"] * MB_PER_MIB,
        gpus=gpus,
        gpu_share_milli=share.astype(np.int64),
        kind=qos,
        kind_names=qos_names,
        substitutions={"never scheduled: time from creation to deletion became the run time": n_never},
        notes=notes,
        meta=meta,
    )


def _unique_names(names: list[str], lines: list[int], log: RowLog) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the rows whose name stands in no earlier row."""
    seen: set[str] = set()
    keep = []
    for row, name in enumerate(names):
        if name in seen:
            log.bad(lines[row], BadRowError("name appears twice", f"the name {name[:40]!r} appears twice", "unique names"))
        else:
            seen.add(name)
            keep.append(row)
    return np.array(keep, dtype=np.int64)
