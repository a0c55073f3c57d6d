"""Parquet files as rows of text cells, so that one reader checks every table; imported only when a Parquet file is met (pyarrow takes a while)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hybrid_ml_scheduler.workloads.source import LIMIT_BYTES, Source
from hybrid_ml_scheduler.workloads.table import Row

METADATA_KEY = b"hybrid_ml_scheduler"
"""Key of the file's metadata that holds our JSON object."""

VALUE_LIMIT = 20_000_000
"""Most values in a column: run-length encoding could hold any number of them in a few bytes."""

CELL_LIMIT = 65_536
"""Most characters of a text, as a dictionary could repeat a long one in every row."""

_BATCH_ROWS = 4096
_EXPECTED = "an intact Parquet file"
_DAMAGE = (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError)


def open_parquet(source: Source) -> tuple[str, Iterator[Row]]:
    """Open a Parquet file.

    Parameters
    ----------
    source : Source
        The file.

    Returns
    -------
    metadata : str
        Our JSON object, empty if there is none.
    rows : iterator of Row
        The column names, then the rows; nulls and NaN are empty cells.

    Raises
    ------
    DataFileError
        If it is damaged, or claims to be larger than `VALUE_LIMIT` values per column or `LIMIT_BYTES`; also while iterating.
    """
    try:
        schema = pq.read_schema(pa.BufferReader(source.data))
        texts = [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)]
        file = pq.ParquetFile(pa.BufferReader(source.data), read_dictionary=texts)
        metadata = (file.schema_arrow.metadata or {}).get(METADATA_KEY, b"").decode()
        facts = file.metadata
        groups = [facts.row_group(index) for index in range(facts.num_row_groups)]
        claimed = sum(group.total_byte_size for group in groups)
        values = max([facts.num_rows, *(sum(group.column(index).num_values for group in groups) for index in range(facts.num_columns))])
    except _DAMAGE as error:
        source.fail(f"not a Parquet file that can be read ({_brief(error)})", _EXPECTED)
    if values > VALUE_LIMIT or not 0 <= claimed <= LIMIT_BYTES:
        source.fail(f"the file claims {values:,} values per column and {claimed:,} bytes", f"at most {VALUE_LIMIT:,} and {LIMIT_BYTES:,}")
    return metadata, _rows(source, file)


def _rows(source: Source, file: Any) -> Iterator[Row]:
    yield 1, list(file.schema_arrow.names)
    line = 2
    try:
        for batch in file.iter_batches(batch_size=_BATCH_ROWS, use_threads=False):
            columns = [_cells(source, column) for column in batch.columns]
            for cells in zip(*columns, strict=True):
                yield line, list(cells)
                line += 1
    except _DAMAGE as error:
        source.fail(f"the Parquet file is damaged ({_brief(error)})", _EXPECTED)


def _cells(source: Source, column: Any) -> list[str]:
    if not pa.types.is_dictionary(column.type):
        return [_cell(value) for value in column.to_pylist()]
    words = [_cell(word) for word in column.dictionary.to_pylist()]
    longest = max(map(len, words), default=0)
    if longest > CELL_LIMIT:
        source.fail(f"a text has {longest:,} characters", f"at most {CELL_LIMIT:,}")
    return ["" if index is None else words[index] for index in column.indices.to_pylist()]


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, list):
        return ";".join(_cell(item) for item in value)
    return value if isinstance(value, str) else repr(value)


def _brief(error: BaseException) -> str:
    return str(error).split("\n", 1)[0][:120]


def write_parquet(path: Path, columns: Mapping[str, Any], metadata: str) -> None:
    """Write columns (arrays, NaN becoming null, or lists of str) and our JSON object as a Parquet file compressed with zstd."""
    arrays = {
        name: pa.array(values, from_pandas=True) if isinstance(values, np.ndarray) else pa.array(values, type=pa.string())
        for name, values in columns.items()
    }
    table = pa.table(arrays)
    if metadata:
        table = table.replace_schema_metadata({METADATA_KEY: metadata.encode()})
    pq.write_table(table, path, compression="zstd")
