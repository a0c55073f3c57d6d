"""What every reader of rows shares: numbers, bad rows (an error, or counted when lenient), stable sorting, codes of names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.cluster import MB
from hybrid_ml_scheduler.core.workload import MILLI, FloatArray, IntArray
from hybrid_ml_scheduler.workloads.source import Source

INT64_LIMIT = 2.0**63
"""Numbers of this size and more are beyond int64."""

MEMORY_LIMIT_MB = 2.0**60 / MB
"""Memory of one task must stay below this: clusters without a limit count 2**60 bytes."""

CORES_LIMIT = 2**53 // MILLI
"""Cores of one task must stay below this, so that thousandths are exact in every column."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"[+-]?[0-9]{1,30}")
_DIGITS = re.compile(r"([0-9]{1,18})")
_NOT_FINITE = {"nan", "inf", "infinity"}


class BadRowError(Exception):
    """One row cannot be used. Never leaves the readers: it becomes a `DataFileError`, or a count when lenient.

    Parameters
    ----------
    reason : str
        Short, the same for all rows of this sort: rows left out are counted under it.
    problem, expected : str
        As in `DataFileError`.
    """

    def __init__(self, reason: str, problem: str, expected: str) -> None:
        super().__init__(problem)
        self.reason = reason
        self.problem = problem
        self.expected = expected


@dataclass(slots=True)
class RowLog:
    """Bad rows of one file.

    Attributes
    ----------
    source : Source
        The file.
    lenient : bool
        Whether bad rows are left out and counted (otherwise the first one is an error).
    dropped : Counter
        Rows left out, by reason.
    """

    source: Source
    lenient: bool
    dropped: Counter[str] = field(default_factory=Counter)

    def bad(self, line: int, error: BadRowError) -> None:
        """Count the row, or raise `DataFileError` unless lenient."""
        if not self.lenient:
            self.source.fail(error.problem, error.expected, line)
        self.dropped[error.reason] += 1


def shown(text: str) -> str:
    """Quote a piece of a file for a message, shortened to 40 characters."""
    return repr(text if len(text) <= 40 else text[:40] + "...")


def shown_json(value: object) -> str:
    """Show a JSON value in a message: a scalar as it is, shortened; the first keys of an object; of a list only that it is one."""
    if isinstance(value, dict):
        keys = ", ".join(shown(key) for key in islice(value, 8))
        return f"an object with the keys {keys}" if keys else "an empty object"
    if isinstance(value, list):
        return "a list"
    return shown(value) if isinstance(value, str) else str(value)[:40]


def number(text: str, column: str) -> int | float:
    """Read a finite number within int64; whole ones as ``int``, exactly.

    Parameters
    ----------
    text : str
        Decimal digits with an optional sign, point and exponent.
    column : str
        Name for the message.

    Raises
    ------
    BadRowError
        If it is no number, NaN, infinite, or beyond int64.
    """
    stripped = text.strip()
    if _WHOLE.fullmatch(stripped):
        whole = int(stripped)
        if -(2**63) <= whole < 2**63:
            return whole
    elif not _NUMBER.fullmatch(stripped):
        if stripped.lower().lstrip("+-") in _NOT_FINITE:
            raise BadRowError("NaN or infinite", f"{column} is {shown(stripped)}", "a finite number")
        raise BadRowError("not a number", f"{column} is {shown(text)}", "a number")
    value = float(stripped)
    if not abs(value) < INT64_LIMIT:
        raise BadRowError("beyond int64", f"{column} is {shown(stripped)}", "a number that fits into 64 bits")
    return value


def check_unique(ids: IntArray, lines: IntArray, log: RowLog, what: str) -> NDArray[np.bool_] | None:
    """Find rows whose id stands in an earlier row.

    Parameters
    ----------
    ids, lines : ndarray of int64, shape (n,)
        Identifiers and where they stand in the file.
    log : RowLog
        Takes the rows; the first one is an error unless lenient.
    what : str
        Name of the identifier.

    Returns
    -------
    ndarray of bool, shape (n,), or None
        Rows to keep; ``None`` if all are unique.
    """
    order = np.argsort(ids, kind="stable")
    again = np.sort(order[1:][ids[order[1:]] == ids[order[:-1]]])
    if len(again) == 0:
        return None
    for row in again.tolist():
        log.bad(int(lines[row]), BadRowError(f"{what} appears twice", f"{what} {int(ids[row])} appears twice", "unique numbers"))
    keep = np.ones(len(ids), dtype=bool)
    keep[again] = False
    return keep


def arrival_order(arrival_s: FloatArray) -> IntArray | None:
    """Return the stable order by arrival, or ``None`` if the rows are in it already."""
    return None if bool(np.all(arrival_s[1:] >= arrival_s[:-1])) else np.argsort(arrival_s, kind="stable").astype(np.int64)


def name_codes(names: Sequence[str]) -> tuple[IntArray, tuple[str, ...]]:
    """Give names numbers, in an order that does not depend on the rows: ``user2`` before ``user10``; an empty name is unknown (-1).

    Returns
    -------
    codes : ndarray of int64, shape (n,)
    names : tuple of str
        The name of each code.
    """
    ordered = tuple(sorted(set(names) - {""}, key=_natural))
    code = {name: index for index, name in enumerate(ordered)} | {"": -1}
    return np.array([code[name] for name in names], dtype=np.int64), ordered


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), part) if position % 2 else (-1, part) for position, part in enumerate(_DIGITS.split(name))]


def number_codes(values: IntArray) -> tuple[IntArray | None, tuple[str, ...]]:
    """Give codes to identifiers that are whole numbers, in ascending order; negative ones are unknown (-1).

    Returns
    -------
    codes : ndarray of int64, shape (n,), or None
        ``None`` if all are unknown.
    names : tuple of str
        The name of each code.
    """
    distinct, codes = np.unique(values, return_inverse=True)
    unknown = int(np.count_nonzero(distinct < 0))
    if unknown == len(distinct):
        return None, ()
    return np.maximum(codes.astype(np.int64) - unknown, -1), tuple(str(value) for value in distinct[unknown:].tolist())
