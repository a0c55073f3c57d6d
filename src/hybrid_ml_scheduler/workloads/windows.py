"""Parts of a workload, and the same workload under another load."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from hybrid_ml_scheduler.core.errors import DataFileError, InputError
from hybrid_ml_scheduler.core.workload import FloatArray, Workload
from hybrid_ml_scheduler.workloads.source import read_source

_PAIRS = re.compile(r"[0-9]{1,18}:[0-9]{1,18}(?:,[0-9]{1,18}:[0-9]{1,18})*")
_EXPECTED = "START:LEN,START:LEN,... or the path of a JSON file [[start, length], ...]"


def first_n(workload: Workload, n: int) -> Workload:
    """Return the first tasks in the order of arrival.

    Parameters
    ----------
    workload : Workload
        Any.
    n : int
        How many, at least 1; a workload of fewer tasks is returned whole.

    Returns
    -------
    Workload
        ``report.dropped`` counts the tasks left out.

    Raises
    ------
    InputError
        If `n` is less than 1.
    """
    if n < 1:
        raise InputError(f"the first {n} tasks of {workload.name!r} were asked for; expected at least 1")
    if n >= len(workload):
        return workload
    return _dropping(workload.select(np.arange(n, dtype=np.int64)), {f"after the first {n}": len(workload) - n})


def scale_load(workload: Workload, x: float) -> Workload:
    """Multiply the arrival rate: times between arrivals are divided by `x`.

    The first arrival stays where it is. Deadlines keep their distance to the arrival; moments at which hidden slow-downs change move along.

    Parameters
    ----------
    workload : Workload
        Any.
    x : float
        Factor on the arrival rate, finite and > 0.

    Returns
    -------
    Workload

    Raises
    ------
    InputError
        If the factor is not positive, or so small that arrivals leave the range of numbers.
    """
    if not 0 < x < math.inf:
        raise InputError(f"the load of {workload.name!r} was to be scaled by {x}; expected a finite factor above 0")
    tasks, truth = workload.tasks, workload.truth
    origin = float(tasks.arrival_s[0])

    def scaled(times_s: FloatArray) -> FloatArray:
        with np.errstate(over="ignore", under="ignore"):
            return origin + (times_s - origin) / x

    arrival_s = scaled(tasks.arrival_s)
    if not np.isfinite(arrival_s[-1]):
        raise InputError(f"the load of {workload.name!r} was to be scaled by {x}, which moves arrivals beyond all numbers; expected a larger factor")
    deadline_s = None if tasks.deadline_s is None else arrival_s + (tasks.deadline_s - tasks.arrival_s)
    return replace(
        workload,
        tasks=replace(tasks, arrival_s=arrival_s, deadline_s=deadline_s),
        truth=replace(truth, regime_start_s=scaled(truth.regime_start_s)),
    )


def windows(workload: Workload, spans: Sequence[tuple[int, int]]) -> list[Workload]:
    """Cut windows of consecutive jobs, each a workload of its own, to be run on an empty cluster.

    Positions count the jobs in the order of their ids, from 0, after dropping those whose run time is 0: the protocol of the published batch
    windows. Within a window the tasks stand in the order of arrival, equal arrivals in the order of their ids. Times stay those of the trace.

    Parameters
    ----------
    workload : Workload
        Any.
    spans : sequence of (int, int)
        Start and length of every window; start >= 0, length >= 1. Windows may overlap.

    Returns
    -------
    list of Workload
        One per window; ``report.dropped`` says how many jobs of run time 0 the trace had, also if it had none.

    Raises
    ------
    InputError
        If there is no window, or one reaches beyond the last job: the message names it and says how many jobs there are.
    """
    if not spans:
        raise InputError(f"no window of {workload.name!r} was named; expected {_EXPECTED}")
    tasks = workload.tasks
    by_id = np.argsort(tasks.task_id, kind="stable")
    jobs = by_id[workload.truth.work_s[by_id] > 0]
    dropped = len(tasks) - len(jobs)
    result = []
    for start, length in spans:
        if start < 0 or length < 1:
            raise InputError(f"window {start}:{length}: expected a start of at least 0 and a length of at least 1")
        if start + length > len(jobs):
            without = f" after dropping {dropped} of run time 0" if dropped else ""
            raise InputError(
                f"window {start}:{length} ends beyond {workload.name!r}, which has {len(jobs)} jobs{without}; expected start + length <= {len(jobs)}"
            )
        rows = jobs[start : start + length]
        rows = rows[np.argsort(tasks.arrival_s[rows], kind="stable")]
        part = workload.select(rows)
        cut = int(np.diff(tasks.parent_ptr)[rows].sum()) - len(part.tasks.parent_idx)
        part = replace(part, name=f"{workload.name}[{start}:{start + length}]")
        notes = (f"{cut} edges to parents outside the window were taken as fulfilled",) if cut else ()
        result.append(_dropping(part, {"run time 0": dropped}, notes))
    return result


def parse_windows(text_or_path: str) -> list[tuple[int, int]]:
    """Read windows from the text ``START:LEN,START:LEN,...`` or from a JSON file ``[[start, length], ...]``.

    Parameters
    ----------
    text_or_path : str
        What stands behind ``--windows``.

    Returns
    -------
    list of (int, int)
        Start and length of every window, at least one.

    Raises
    ------
    InputError
        If it is neither (`DataFileError` for a file).
    """
    if _PAIRS.fullmatch(text_or_path):
        pairs = [pair.split(":") for pair in text_or_path.split(",")]
        return [(int(start), int(length)) for start, length in pairs]
    if re.fullmatch(r"[-+0-9:,.\s]*", text_or_path):
        raise InputError(f"windows {text_or_path!r}: expected {_EXPECTED}")
    try:
        source = read_source(text_or_path)
    except DataFileError as error:
        # It may have been meant for windows, not for a file.
        raise DataFileError(text_or_path, error.problem, _EXPECTED) from error
    entries = source.json()
    if not isinstance(entries, list) or not entries:
        source.fail("the file is no list of windows", "[[start, length], ...]")
    spans = []
    for position, entry in enumerate(entries):
        if not isinstance(entry, list) or len(entry) != 2 or any(type(value) is not int or value < 0 for value in entry):
            source.fail(f"window number {position} is not [start, length] of whole numbers of at least 0", "[[start, length], ...]")
        spans.append((entry[0], entry[1]))
    return spans


def _dropping(workload: Workload, dropped: Mapping[str, int], notes: tuple[str, ...] = ()) -> Workload:
    report = workload.report
    return replace(workload, report=replace(report, dropped={**report.dropped, **dropped}, notes=report.notes + notes))
