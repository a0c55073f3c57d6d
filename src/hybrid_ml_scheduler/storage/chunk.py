"""Rows as text: how a batch becomes lines of the journal, and lines become rows of a table.

A line is one row; texts hold no line breaks, so counting line breaks counts rows. Numbers are written so that reading gives the same bits.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.errors import JournalError, StorageError
from hybrid_ml_scheduler.core.streams import STREAM_COLUMNS, Columns, ColumnType, Stream, StreamColumn

if TYPE_CHECKING:
    import polars as pl

FILLED_BY_US = ("run_id", "seq")

HELD_ROWS = 1_000
"""Most rows that are turned into Python's own values, or from them, at once: meanwhile no other thread of the process gets on (2 to 5 ms)."""

_FORBIDDEN = re.compile(r"[\n\r\x00]")


def header_line(stream: Stream) -> bytes:
    """Return the first line of every file of a stream."""
    return (",".join(column.name for column in STREAM_COLUMNS[stream]) + "\n").encode()


@dataclass(frozen=True)
class Chunk:
    """Complete lines of one stream of one run, in order and without gaps.

    Attributes
    ----------
    stream : Stream
    names : tuple of str
        Columns of the file they were read from.
    data : bytes
        The lines.
    first_seq : int
        Number of the first row.
    count : int
        How many there are.
    """

    stream: Stream
    names: tuple[str, ...]
    data: bytes
    first_seq: int
    count: int

    @cached_property
    def frame(self) -> pl.DataFrame:
        """The rows as a table of typed columns.

        Raises
        ------
        JournalError
            If a line is damaged.
        """
        import polars as pl

        try:
            frame = pl.read_csv(io.BytesIO(self.data), has_header=False, schema=_types(self.stream, self.names))
        except (pl.exceptions.PolarsError, ValueError) as error:
            raise self._damaged(str(error).partition("\n")[0][:200]) from error
        if frame.height != self.count or not (frame["seq"] == pl.int_range(self.first_seq, self.first_seq + self.count, eager=True)).all():
            raise self._damaged("its numbers do not follow each other")
        return frame

    def rows(self) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows in parts of at most `HELD_ROWS`, None where a value is not known."""
        for part in self.frame.iter_slices(HELD_ROWS):
            yield part.rows()

    def without(self, drop: pl.Series) -> Chunk:
        """Return the chunk without some of its rows; only for writing to a table, since its numbers have gaps.

        Parameters
        ----------
        drop : Series of bool
            One per row.
        """
        kept = self.frame.filter(~drop)
        chunk = Chunk(self.stream, self.names, kept.write_csv(include_header=False).encode(), self.first_seq, kept.height)
        chunk.__dict__["frame"] = kept
        return chunk

    def _damaged(self, problem: str) -> JournalError:
        rows = f"rows {self.first_seq} to {self.first_seq + self.count - 1} of the journal's {self.stream}"
        return JournalError(f"{rows} are damaged ({problem}); expected lines that hms wrote")


def _types(stream: Stream, names: Iterable[str]) -> dict[str, Any]:
    import polars as pl

    polars = {ColumnType.INT: pl.Int64(), ColumnType.FLOAT: pl.Float64(), ColumnType.TEXT: pl.String()}
    known = {column.name: polars[column.type] for column in STREAM_COLUMNS[stream]}
    return {name: known[name] for name in names}


def count_rows(stream: Stream, columns: Columns) -> int:
    """Return the number of rows of a batch.

    Raises
    ------
    StorageError
        If its columns differ in length, or one is unknown.
    """
    names = {column.name for column in STREAM_COLUMNS[stream]} - set(FILLED_BY_US)
    unknown = sorted(set(columns) - names)
    if unknown:
        raise StorageError(f"{stream}: no column is called {unknown[0]!r}; expected {', '.join(sorted(names))}")
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise StorageError(f"{stream}: columns of {min(lengths.values())} to {max(lengths.values())} rows; expected equal numbers")
    return next(iter(lengths.values()), 0)


def encode(stream: Stream, run_id: int, first_seq: int, columns: Columns) -> bytes:
    """Write rows as lines.

    Parameters
    ----------
    stream : Stream
    run_id : int
    first_seq : int
        Number of the first row.
    columns : mapping of str to sequence
        See `STREAM_COLUMNS`.

    Returns
    -------
    bytes
        One line per row.

    Raises
    ------
    StorageError
        If a value is missing where it must not, infinite, or a text with a line break.
    """
    import polars as pl

    count = count_rows(stream, columns)
    if not count:
        return b""
    series = []
    for column in STREAM_COLUMNS[stream]:
        if column.name == "run_id":
            series.append(pl.Series("run_id", np.full(count, run_id, dtype=np.int64)))
        elif column.name == "seq":
            series.append(pl.Series("seq", np.arange(first_seq, first_seq + count, dtype=np.int64)))
        else:
            series.append(_series(stream, column, columns, count))
    return pl.DataFrame(series).write_csv(include_header=False).encode()


def _series(stream: Stream, column: StreamColumn, columns: Columns, count: int) -> pl.Series:
    import polars as pl

    name, values = column.name, columns.get(column.name)
    kind = {ColumnType.INT: pl.Int64(), ColumnType.FLOAT: pl.Float64(), ColumnType.TEXT: pl.String()}[column.type]
    # What NumPy and str can do is done by them: on the few rows of a slow run, each step of Polars costs more than all rows.
    try:
        if values is None:
            series = pl.Series(name, [None] * count, dtype=kind)
        elif column.type is ColumnType.TEXT:
            series = pl.Series(name, list(values), dtype=kind, strict=True)
        else:
            series = pl.Series(name, values if isinstance(values, np.ndarray) else list(values), strict=True, nan_to_null=True)
            if series.dtype.is_float():
                if not isinstance(values, np.ndarray):
                    series = series.fill_nan(None)
                _check_numbers(column, series.to_numpy())
            if series.dtype != kind:
                series = series.cast(kind, strict=True)
    except (pl.exceptions.PolarsError, TypeError, ValueError, OverflowError) as error:
        problem = str(error).partition("\n")[0][:120]
        raise StorageError(f"{stream}: column {name!r} cannot be kept ({problem}); expected {column.type} values") from error
    if column.required and series.null_count():
        raise StorageError(f"{stream}: column {name!r} has no value in {series.null_count()} of {count} rows; expected one in each")
    if column.type is ColumnType.TEXT and values is not None and _FORBIDDEN.search("".join(filter(None, values))):
        raise StorageError(f"{stream}: a text in column {name!r} holds a line break or NUL; expected one line")
    return series


def _check_numbers(column: StreamColumn, values: NDArray[Any]) -> None:
    if np.isinf(values).any():
        raise ValueError("an infinite number, while NaN stands for unknown")
    if column.type is ColumnType.INT and (np.floor(values) != values)[~np.isnan(values)].any():
        raise ValueError("fractions of a whole number")


def to_columns(frame: pl.DataFrame) -> dict[str, Any]:
    """Return the columns of a table as `Columns`: numbers as arrays (float64 with NaN where a value is not known), texts as lists."""
    found: dict[str, Any] = {}
    for series in frame:
        if series.dtype.is_numeric():
            found[series.name] = series.to_numpy() if not series.null_count() else series.cast(float).to_numpy()
        else:
            found[series.name] = series.to_list()
    return found


def features_array(texts: pl.Series) -> NDArray[np.float64]:
    """Undo `core.streams.features_text`, without keeping other threads waiting.

    Returns
    -------
    ndarray of float64, shape (n, n_features)

    Raises
    ------
    ValueError
        If the rows differ in length or hold anything but numbers.
    """
    import polars as pl

    if not len(texts):
        return np.empty((0, 0))
    numbers = texts.str.split(" ")
    widths = numbers.list.len()
    if widths.n_unique() > 1:
        raise ValueError(f"rows of {widths.min()!r} to {widths.max()!r} features in one window; expected equal numbers")
    try:
        return numbers.explode(empty_as_null=True, keep_nulls=True).cast(pl.Float64).to_numpy().reshape(len(texts), -1)
    except pl.exceptions.InvalidOperationError as error:
        raise ValueError(f"features that are no numbers ({str(error).partition(chr(10))[0][:200]}); expected numbers between spaces") from error


def frame_of(stream: Stream, names: Iterable[str], rows: Iterable[tuple[Any, ...]]) -> pl.DataFrame:
    """Return rows of a table (as the database gives them) as a typed table."""
    import polars as pl

    rows, schema = list(rows), _types(stream, names)
    # In parts: the conversion of one holds up all other threads.
    parts = [pl.DataFrame(rows[first : first + HELD_ROWS], schema=schema, orient="row") for first in range(0, len(rows), HELD_ROWS)]
    return pl.concat(parts) if parts else pl.DataFrame(schema=schema)


def columns_from(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Turn rows into columns: a convenience where rows are few."""
    rows = list(rows)
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {name: [row.get(name) for row in rows] for name in names}
