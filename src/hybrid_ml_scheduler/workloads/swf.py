"""Reader of the Standard Workload Format (SWF), version 2: 18 whitespace-separated columns, header lines that begin with ``;``.

What each column becomes:

======= ======================== ==================================================================================================
column  name                     becomes
======= ======================== ==================================================================================================
1       job number               ``task_id``; must be known, whole and unique
2       submit time              ``arrival_s``, in seconds; must be known
4       run time                 true run time; negative becomes `NEGATIVE_RUN_TIME_S`, zero is kept
5, 8    allocated, requested     ``cores_milli`` of the larger one; a job for which neither is known cannot run and is an error
        processors
9       requested time           ``requested_time_s``; zero or negative becomes the run time
10      requested memory         KB (1,024 bytes) per processor; ``memory_mb`` of all processors together; unknown becomes 0
12      user                     ``user``; names are the numbers of the trace
14      executable               ``kind``; names are the numbers of the trace
others                           checked, not used
======= ======================== ==================================================================================================

A value of -1 means unknown. Other negatives (but in columns 4 and 9), NaN, and numbers beyond int64 are errors. Only data rows must be UTF-8.

References
----------
.. [1] Chapin et al., Benchmarks and standards for the evaluation of parallel job schedulers, JSSPP 1999; the archive's page "The Standard
   Workload Format", version 2.2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.workload import MILLI, FloatArray, IntArray, Workload
from hybrid_ml_scheduler.workloads.rigid import rigid_workload
from hybrid_ml_scheduler.workloads.rows import (
    CORES_LIMIT,
    MEMORY_LIMIT_MB,
    BadRowError,
    RowLog,
    check_unique,
    number,
    number_codes,
    shown,
)
from hybrid_ml_scheduler.workloads.source import Source

NEGATIVE_RUN_TIME_S = 10.0
"""Run time of a job whose recorded one is negative, as in the published protocol of deep-batch-scheduler."""

MB_PER_KB = 1024 / 1_000_000
"""The archive's traces count memory in KB of 1,024 bytes."""

COLUMNS = (
    "job number",
    "submit time",
    "wait time",
    "run time",
    "allocated processors",
    "average CPU time",
    "used memory",
    "requested processors",
    "requested time",
    "requested memory",
    "status",
    "user",
    "group",
    "executable",
    "queue",
    "partition",
    "preceding job",
    "think time",
)
_JOB, _SUBMIT, _RUN, _ALLOCATED, _PROCESSORS, _REQUESTED, _MEMORY, _USER, _EXECUTABLE = 0, 1, 3, 4, 7, 8, 9, 11, 13
_WHOLE = [_JOB, _ALLOCATED, _PROCESSORS, _USER, _EXECUTABLE]
_ANY_SIGN = [_RUN, _REQUESTED]
_TIMES = [_SUBMIT, _RUN, _REQUESTED, _MEMORY]
_UNKNOWN = -1

_BLOCK_BYTES = 1024**2  # fits the cache: parsing one block at a time is faster than parsing the whole file at once
_LINE_LIMIT_BYTES = 65_536
_COMMENT = re.compile(rb"^[ \t]*;[^\n]*", re.MULTILINE)
_HEADER = re.compile(rb"^[ \t]*;[ \t]*(MaxProcs|MaxNodes)[ \t]*:[ \t]*([0-9]+)", re.MULTILINE)
_CONTROL = bytes(set(range(32)) - set(b"\t\n\v\f\r"))


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of one block that passed every check.

    Attributes
    ----------
    whole : ndarray of int64, shape (m, 5)
        The columns `_WHOLE`.
    times : ndarray of float64, shape (m, 4)
        The columns `_TIMES`.
    line : ndarray of int64, shape (m,)
        Line within the block, from 0.
    """

    whole: IntArray
    times: FloatArray
    line: IntArray


def read_swf(source: Source, *, lenient: bool = False) -> Workload:
    """Read an SWF trace as rigid tasks.

    Parameters
    ----------
    source : Source
        The file.
    lenient : bool
        Leave bad rows out and count them by reason in ``report.dropped``, instead of raising an error.

    Returns
    -------
    Workload
        ``report.processors`` is the header's ``MaxProcs``, else its ``MaxNodes``, else ``None``.

    Raises
    ------
    DataFileError
        With the first line that cannot be used.
    """
    log = RowLog(source, lenient)
    header: dict[bytes, int] = {}
    blocks: list[_Rows] = []
    data = source.data
    at = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    line = 1
    while at < len(data):
        end = data.find(b"\n", at + _BLOCK_BYTES) + 1 or len(data)
        block = data[at:end]
        lines = block.count(b"\n")
        if b";" in block:
            _read_header(block, header, source, line)
            block = _COMMENT.sub(b"", block)
        rows = _parse_block(block)
        if rows is None:
            rows = _parse_lines(block, line, log)
        blocks.append(_Rows(rows.whole, rows.times, rows.line + line))
        at = end
        line += lines
    if not any(len(rows.line) for rows in blocks):
        dropped = f" ({log.dropped.total()} rows were left out)" if log.dropped else ""
        source.fail(f"there is no job in the file{dropped}", "data rows of 18 columns")
    whole = np.concatenate([rows.whole for rows in blocks])
    times = np.concatenate([rows.times for rows in blocks])
    keep = check_unique(whole[:, 0], np.concatenate([rows.line for rows in blocks]), log, "job number")
    if keep is not None:
        whole, times = whole[keep], times[keep]
    return _workload(log, whole, times, header.get(b"MaxProcs", header.get(b"MaxNodes")))


def _workload(log: RowLog, whole: IntArray, times: FloatArray, processors: int | None) -> Workload:
    asked = np.maximum(whole[:, 1], whole[:, 2])
    run_s = times[:, 1]
    negative = run_s < 0
    run_s = np.where(negative, NEGATIVE_RUN_TIME_S, run_s)
    no_request = times[:, 2] <= 0
    unknown_memory = times[:, 3] < 0
    user, user_names = number_codes(whole[:, 3])
    kind, kind_names = number_codes(whole[:, 4])
    n_unknown = int(np.count_nonzero(unknown_memory))
    return rigid_workload(
        log,
        "swf",
        task_id=whole[:, 0].copy(),
        arrival_s=times[:, 0].copy(),
        run_time_s=run_s,
        cores_milli=asked * MILLI,
        memory_mb=np.where(unknown_memory, 0.0, times[:, 3] * MB_PER_KB * asked),
        requested_time_s=np.where(no_request, run_s, times[:, 2]),
        user=user,
        user_names=user_names,
        kind=kind,
        kind_names=kind_names,
        substitutions={
            f"run time < 0 became {NEGATIVE_RUN_TIME_S:g} s": int(np.count_nonzero(negative)),
            "requested time <= 0 became the run time": int(np.count_nonzero(no_request)),
        },
        estimates="exact" if no_request.any() else "user",
        processors=processors,
        notes=(f"requested memory is unknown for {n_unknown} jobs and taken as 0 MB",) if n_unknown else (),
    )


def _read_header(block: bytes, header: dict[bytes, int], source: Source, first_line: int) -> None:
    """Take the first positive ``MaxProcs`` and ``MaxNodes``; whatever follows the number is a remark."""
    for match in _HEADER.finditer(block):
        key = match[1]
        digits = match[2].lstrip(b"0")
        if len(digits) > 18:
            line = first_line + block.count(b"\n", 0, match.start())
            source.fail(f"{match[1].decode()} has {len(digits)} digits", "a number of processors", line)
        if digits and key not in header:
            header[key] = int(digits)


def _parse_block(block: bytes) -> _Rows | None:
    """Parse whole lines at once; ``None`` where any row needs a closer look (`_parse_lines` decides, this only filters).

    Digits are gathered position by position over all tokens of the block, which takes a quarter of the time of C ``strtod`` on each.
    """
    if len(block) > _BLOCK_BYTES + _LINE_LIMIT_BYTES or len(block.translate(None, _CONTROL)) < len(block):
        return None
    padded = b"\n" + block + b"\n"
    codes = np.frombuffer(padded, dtype=np.uint8)
    blank = codes <= 32
    edges = np.flatnonzero(blank[1:] != blank[:-1]) + 1
    begin, end = edges[0::2], edges[1::2]
    line_end = np.flatnonzero(codes == ord("\n"))[1:]
    per_line = np.diff(np.searchsorted(begin, line_end), prepend=0)
    line = np.flatnonzero(per_line)
    if np.any(per_line[line] != len(COLUMNS)):
        return None

    digit = codes - np.uint8(ord("0"))
    minus = codes[begin] == ord("-")
    first = begin + minus
    length = end - first
    other = np.flatnonzero((digit > 9) & ~blank)
    token = np.searchsorted(begin, other, side="right") - 1
    special = np.union1d(token[(other != begin[token]) | ~minus[token]], np.flatnonzero((length == 0) | (length > 18)))

    whole = digit[first].astype(np.int64)
    longer = np.flatnonzero(length > 1)
    at = first[longer]
    for position in range(1, 18):
        at += 1
        whole[longer] = whole[longer] * 10 + digit[at]
        more = length[longer] > position + 1
        longer, at = longer[more], at[more]
        if not len(longer):
            break
    whole[minus] *= -1
    values = whole.astype(np.float64)
    if len(special):
        try:
            exact = [number(padded[a:b].decode("ascii", "replace"), "") for a, b in zip(begin[special].tolist(), end[special].tolist(), strict=True)]
        except BadRowError:
            return None
        values[special] = exact
        whole[special] = [int(value) for value in exact]
    values = values.reshape(-1, len(COLUMNS))
    whole = whole.reshape(-1, len(COLUMNS))
    if _suspicious(values, whole):
        return None
    return _Rows(whole[:, _WHOLE], values[:, _TIMES], line.astype(np.int64))


def _suspicious(values: FloatArray, whole: IntArray) -> bool:
    """Whether any row breaks a rule of `_check`."""
    negative = (values < 0) & (values != _UNKNOWN)
    negative[:, _ANY_SIGN] = False
    asked = np.maximum(whole[:, _ALLOCATED], whole[:, _PROCESSORS])
    bad: list[NDArray[Any]] = [
        negative,
        values[:, _WHOLE] != whole[:, _WHOLE],
        values[:, [_JOB, _SUBMIT]] < 0,
        (asked <= 0) | (asked >= CORES_LIMIT),
        values[:, _MEMORY] * MB_PER_KB * asked >= MEMORY_LIMIT_MB,
    ]
    return any(bool(mask.any()) for mask in bad)


def _parse_lines(block: bytes, first_line: int, log: RowLog) -> _Rows:
    """Parse line by line: the authority on what is wrong with a row."""
    whole: list[list[int]] = []
    times: list[list[float]] = []
    kept: list[int] = []
    for index, line in enumerate(block.split(b"\n")):
        if not line.strip():
            continue
        try:
            values = _check(line)
        except BadRowError as error:
            log.bad(first_line + index, error)
            continue
        whole.append([int(values[column]) for column in _WHOLE])
        times.append([float(values[column]) for column in _TIMES])
        kept.append(index)
    return _Rows(
        np.array(whole, dtype=np.int64).reshape(-1, len(_WHOLE)),
        np.array(times, dtype=np.float64).reshape(-1, len(_TIMES)),
        np.array(kept, dtype=np.int64),
    )


def _check(line: bytes) -> list[int | float]:
    if len(line) > _LINE_LIMIT_BYTES:
        raise BadRowError("line too long", f"the line has {len(line):,} bytes", f"at most {_LINE_LIMIT_BYTES:,}")
    try:
        line.decode()
    except UnicodeDecodeError as error:
        raise BadRowError("not UTF-8", f"byte 0x{line[error.start]:02x} is not UTF-8", "a data row of numbers") from None
    tokens = line.split()
    if len(tokens) != len(COLUMNS):
        raise BadRowError("not 18 columns", f"the row has {len(tokens)} columns", f"{len(COLUMNS)}")
    names = [f"{name} (column {index})" for index, name in enumerate(COLUMNS, start=1)]
    values = [number(token.decode(), name) for token, name in zip(tokens, names, strict=True)]
    for column, (value, name) in enumerate(zip(values, names, strict=True)):
        given = shown(tokens[column].decode())
        if value < 0 and value != _UNKNOWN and column not in _ANY_SIGN:
            raise BadRowError("negative", f"{name} is {given}", "a number of at least 0, or -1 for unknown")
        if column in _WHOLE and value != int(value):
            raise BadRowError("not a whole number", f"{name} is {given}", "a whole number")
        if column in (_JOB, _SUBMIT) and value < 0:
            raise BadRowError(f"{COLUMNS[column]} unknown", f"{name} is unknown ({given})", "a known value: the job cannot be placed in time without")
    asked = max(values[_ALLOCATED], values[_PROCESSORS])
    if asked <= 0:
        raise BadRowError("processors unknown", "neither allocated nor requested processors (columns 5, 8) are known", "one of them above 0")
    if asked >= CORES_LIMIT:
        raise BadRowError("too many processors", f"the job asks for {asked} processors", f"fewer than {CORES_LIMIT}")
    if values[_MEMORY] * MB_PER_KB * asked >= MEMORY_LIMIT_MB:
        raise BadRowError("too much memory", f"the job asks for {values[_MEMORY]} KB on each of {asked} processors", "less than 2**60 bytes in all")
    return values
