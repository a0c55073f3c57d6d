"""Reader of comma-separated tables with a header row: every cell checked, memory bounded, the exact line of the first offence.

A row is one line: cells may be quoted, but hold no line breaks. Blank lines are skipped. Batches of rows are converted as a whole; only a
batch with something wrong in it is looked at row by row.
"""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.workload import IntArray
from hybrid_ml_scheduler.workloads.rows import BadRowError, RowLog, number, shown
from hybrid_ml_scheduler.workloads.source import Source

_BATCH_ROWS = 8192
_BATCH_CELLS = 500_000
_LINE_LIMIT_BYTES = 1024**2
_EXACT = 2.0**53
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Column:
    """What the cells of a column must be.

    Attributes
    ----------
    name : str
        In the header.
    kind : {"number", "whole", "text"}
        ``float64``, ``int64``, or ``str`` (spaces at both ends removed).
    low, high : float
        Smallest and largest number allowed.
    empty : float or str or None
        What an empty cell means; ``None`` where a cell must not be empty.
    required : bool
        Whether the column must be there.
    """

    name: str
    kind: Literal["number", "whole", "text"]
    low: float = -math.inf
    high: float = math.inf
    empty: float | str | None = None
    required: bool = True

    def value(self, cell: str) -> float | int | str:
        """Convert one cell, or raise `BadRowError`."""
        text = cell.strip()
        if not text:
            if self.empty is None:
                raise BadRowError(f"{self.name} is empty", f"{self.name} is empty", "a value")
            return self.empty
        if self.kind == "text":
            return text
        value = number(text, self.name)
        if self.kind == "whole" and value != int(value):
            raise BadRowError("not a whole number", f"{self.name} is {shown(text)}", "a whole number")
        if not self.low <= value <= self.high:
            expected = f"at least {self.low:g}" if self.high == math.inf else f"between {self.low:g} and {self.high:g}"
            raise BadRowError("negative" if value < 0 <= self.low else f"{self.name} out of range", f"{self.name} is {shown(text)}", expected)
        return int(value) if self.kind == "whole" else value

    def convert(self, cells: Sequence[str]) -> NDArray[Any] | list[str] | None:
        """Convert many cells at once; ``None`` where one of them needs a closer look."""
        if self.kind == "text":
            texts = [cell.strip() for cell in cells]
            if self.empty is None:
                return texts if all(texts) else None
            return [text or str(self.empty) for text in texts]
        joined = "".join(cells)
        if "_" in joined or not joined.isascii():  # float() accepts underscores and other scripts' digits, we do not
            return None
        empties = 0
        if self.empty is not None and not all(cells):
            empties = sum(not cell for cell in cells)
            cells = [cell or "nan" for cell in cells]
        try:
            values = np.array(list(map(float, cells)))
        except ValueError:
            return None
        finite = np.isfinite(values)
        if np.count_nonzero(~finite) != empties:
            return None
        known = values[finite]
        if not np.all((known >= self.low) & (known <= self.high) & (np.abs(known) < _EXACT)):
            return None
        if empties:
            values[~finite] = self.empty
        if self.kind == "whole":
            return values.astype(np.int64) if np.all(known == np.floor(known)) else None
        return values


Columns = dict[str, Any]
"""Values by column name: arrays for numbers, lists of str for texts."""


def no_row_check(values: Mapping[str, Any]) -> None:
    """Accept every row: for tables whose columns do not depend on each other."""


def nothing_suspicious(columns: Columns) -> bool:
    """Find nothing: the counterpart of `no_row_check`."""
    return False


@dataclass(frozen=True, slots=True)
class Table:
    """What a table must look like.

    Attributes
    ----------
    columns : tuple of Column
        Known columns, in any order in the file.
    extra : bool
        Whether other columns may stand there (they are ignored).
    check_row : callable
        Raises `BadRowError` if the values of one row do not go together.
    suspicious : callable
        Whether any row of these columns would fail `check_row`, or needs it to decide.
    """

    columns: tuple[Column, ...]
    extra: bool = True
    check_row: Callable[[Mapping[str, Any]], None] = no_row_check
    suspicious: Callable[[Columns], bool] = nothing_suspicious


Row = tuple[int, list[str] | BadRowError]
"""One-based line and its cells, or what is wrong with the line as a whole."""


def read_table(rows: Iterator[Row], table: Table, log: RowLog) -> tuple[Columns, IntArray]:
    """Read a table.

    Parameters
    ----------
    rows : iterator of Row
        The header and the data, as from `csv_rows`.
    table : Table
        What it must look like.
    log : RowLog
        Takes bad rows.

    Returns
    -------
    columns : dict
        By name, the columns that are in the file, one value per good row.
    lines : ndarray of int64, shape (n,)
        One-based line of every row.

    Raises
    ------
    DataFileError
        If the header does not fit, a row is bad (unless lenient), or there is no row.
    """
    present = _header(log.source, table, next(rows, (1, [])))
    pieces: list[tuple[Columns, IntArray]] = []
    while batch := _batch(rows):
        pieces.append(_convert(batch, present, table) or _by_row(batch, present, table, log))
    if not any(len(piece[1]) for piece in pieces):
        dropped = f" ({log.dropped.total()} rows were left out)" if log.dropped else ""
        log.source.fail(f"there is no data row{dropped}", "rows behind the header")
    result: Columns = {}
    for column in present:
        if column is not None:
            parts = [piece[0][column.name] for piece in pieces]
            result[column.name] = [text for part in parts for text in part] if column.kind == "text" else np.concatenate(parts)
    return result, np.concatenate([piece[1] for piece in pieces])


def _batch(rows: Iterator[Row]) -> list[Row]:
    """Take rows until there are enough of them, or of their cells: a header of a million commas must not multiply."""
    batch: list[Row] = []
    cells = 0
    for row in rows:
        batch.append(row)
        cells += 1 if isinstance(row[1], BadRowError) else len(row[1])
        if len(batch) >= _BATCH_ROWS or cells >= _BATCH_CELLS:
            break
    return batch


def csv_rows(source: Source, *, skip_lines: int = 0) -> Iterator[Row]:
    """Yield the rows of a CSV file that are not blank.

    Parameters
    ----------
    source : Source
        The file.
    skip_lines : int
        Lines before the header.

    Raises
    ------
    DataFileError
        If a line is longer than 1 MiB: then it is no table.
    """
    data = source.data
    at = 0
    line = 0
    while at < len(data):
        end = data.find(b"\n", at) + 1 or len(data)
        line += 1
        if line > skip_lines and end - at > _LINE_LIMIT_BYTES:
            source.fail(f"the line has {end - at:,} bytes", f"at most {_LINE_LIMIT_BYTES:,}", line)
        text = data[at:end].removeprefix(_BOM if line == 1 else b"").strip()
        if text and line > skip_lines:
            yield line, _cells(text)
        at = end


def _cells(line: bytes) -> list[str] | BadRowError:
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        return BadRowError("not UTF-8", f"byte 0x{line[error.start]:02x} is not UTF-8", "UTF-8 text")
    if '"' not in text:
        return text.split(",")
    try:
        return next(csv.reader([text], strict=True))
    except csv.Error as error:
        return BadRowError("quotes", f"quotes do not match ({error})", "cells quoted as in CSV, without line breaks")


def _header(source: Source, table: Table, row: Row) -> list[Column | None]:
    known = {column.name: column for column in table.columns}
    line, cells = row
    if isinstance(cells, BadRowError):
        source.fail(cells.problem, cells.expected, line)
    names = [name.strip() for name in cells]
    twice = [name for name, count in Counter(names).items() if count > 1 and name in known]
    if twice:
        source.fail(f"the column {twice[0]} stands twice", "each column once", line)
    missing = [name for name, column in known.items() if column.required and name not in names]
    if missing:
        source.fail(f"the columns {', '.join(missing)} are missing", f"the columns {', '.join(known)}", line)
    unknown = [name for name in names if name not in known]
    if unknown and not table.extra:
        source.fail(f"unknown columns {', '.join(shown(name) for name in unknown[:8])}", f"some of {', '.join(known)}", line)
    return [known.get(name) for name in names]


def _convert(batch: list[Row], present: list[Column | None], table: Table) -> tuple[Columns, IntArray] | None:
    rows = [cells for _, cells in batch if not isinstance(cells, BadRowError) and len(cells) == len(present)]
    if len(rows) < len(batch):
        return None
    columns: Columns = {}
    for column, cells in zip(present, zip(*rows, strict=True), strict=True):
        if column is None:
            continue
        values = column.convert(cells)
        if values is None:
            return None
        columns[column.name] = values
    if table.suspicious(columns):
        return None
    return columns, np.array([line for line, _ in batch], dtype=np.int64)


def _row_values(cells: list[str] | BadRowError, present: list[Column | None]) -> dict[str, Any]:
    if isinstance(cells, BadRowError):
        raise cells
    if len(cells) != len(present):
        raise BadRowError("wrong number of columns", f"the row has {len(cells)} columns", f"{len(present)}, as in the header")
    return {column.name: column.value(cell) for column, cell in zip(present, cells, strict=True) if column is not None}


def _by_row(batch: list[Row], present: list[Column | None], table: Table, log: RowLog) -> tuple[Columns, IntArray]:
    """Convert row by row: the authority on what is wrong with a row."""
    good: list[tuple[int, dict[str, Any]]] = []
    for line, cells in batch:
        try:
            values = _row_values(cells, present)
            table.check_row(values)
        except BadRowError as error:
            log.bad(line, error)
        else:
            good.append((line, values))
    columns: Columns = {}
    for column in present:
        if column is None:
            continue
        found = [values[column.name] for _, values in good]
        columns[column.name] = found if column.kind == "text" else np.array(found, dtype=np.int64 if column.kind == "whole" else np.float64)
    return columns, np.array([line for line, _ in good], dtype=np.int64)
